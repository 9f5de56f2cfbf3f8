"""Requests and results of tasks, between Step Functions' spelling and a service's own.

Step Functions writes every member in PascalCase while the services differ; values are walked along
botocore's shapes to translate. Pure: shapes and values in, values out.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any


def to_request(value: Any, shape: Any) -> Any:
    """A task's parameters as botocore wants them."""
    if shape is None:
        return value
    convert = _REQUESTS.get(shape.type_name)
    return convert(value, shape) if convert else value


def _request_structure(value: Any, shape: Any) -> Any:
    if not isinstance(value, dict):
        return value
    members = {name.lower(): name for name in shape.members}
    named = {key: members.get(key.lower(), key) for key in value}
    return {
        named[key]: to_request(item, shape.members.get(named[key])) for key, item in value.items()
    }


def _request_list(value: Any, shape: Any) -> Any:
    return [to_request(item, shape.member) for item in value] if isinstance(value, list) else value


def _request_map(value: Any, shape: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: to_request(item, shape.value) for key, item in value.items()}


def _request_text(value: Any, _shape: Any) -> Any:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _request_blob(value: Any, shape: Any) -> Any:
    return value if isinstance(value, bytes) else str(_request_text(value, shape)).encode()


_REQUESTS: Mapping[str, Callable[[Any, Any], Any]] = {
    "structure": _request_structure,
    "list": _request_list,
    "map": _request_map,
    "string": _request_text,
    "blob": _request_blob,
}


def to_result(value: Any, *, when: Callable[[datetime], Any]) -> Any:
    """A service's answer as a state sees it: plain JSON, members in PascalCase."""
    if isinstance(value, dict):
        return {_pascal(key): to_result(item, when=when) for key, item in value.items()}
    if isinstance(value, list):
        return [to_result(item, when=when) for item in value]
    if isinstance(value, datetime):
        return when(value)
    if hasattr(value, "read"):
        value = value.read()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def shaped_result(value: Any, shape: Any, *, when: Callable[[datetime], Any]) -> Any:
    """As `to_result`, but the keys of maps (tags, environments) stay as they are."""
    if shape is not None and shape.type_name == "structure" and isinstance(value, dict):
        return {
            _pascal(key): shaped_result(item, shape.members.get(key), when=when)
            for key, item in value.items()
        }
    if shape is not None and shape.type_name == "list" and isinstance(value, list):
        return [shaped_result(item, shape.member, when=when) for item in value]
    if shape is not None and shape.type_name == "map" and isinstance(value, dict):
        return {key: shaped_result(item, shape.value, when=when) for key, item in value.items()}
    if shape is not None and shape.type_name == "blob" and isinstance(value, dict | list):
        return value  # what a function answered, already parsed: its keys are its own
    return to_result(value, when=when)


def _pascal(key: str) -> str:
    return key[:1].upper() + key[1:]


def epoch_ms(moment: datetime) -> int:
    """A date in the result of an optimised integration."""
    return int(moment.timestamp() * 1000)


def iso_ms(moment: datetime) -> str:
    """A date in the result of an `aws-sdk` integration."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
