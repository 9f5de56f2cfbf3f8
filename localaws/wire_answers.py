"""Writes answers for the wire; how errors are written is in wire_errors."""

import json
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any


def in_json(start: Callable[..., Any], content: Any) -> Iterable[bytes]:
    """A WSGI answer in the JSON 1.1 protocol; moments are seconds since 1970, as there."""
    body = json.dumps(content, default=_json_value).encode()
    headers = [
        ("Content-Type", "application/x-amz-json-1.1"),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", str(uuid.uuid4())),
    ]
    start("200 OK", headers)
    return [body]


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"cannot answer with a {type(value).__name__}")
