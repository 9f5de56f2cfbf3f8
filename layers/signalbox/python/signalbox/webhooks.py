"""What a webhook is sent and how its receiver knows that it is from here.

The signature is HMAC-SHA256 over `<timestamp>.<body>` with the secret that both sides know; a
receiver compares it, and refuses an old timestamp. Rules only: imports no AWS client.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from signalbox.errors import WebhookSecretError
from signalbox.messages import Message
from signalbox.messages_json import WebhookKind, to_body

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class WebhookSecret(BaseModel):
    """The secret in Secrets Manager."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    url: str
    signing_secret: Annotated[str, Field(min_length=16, alias="signingSecret")]


@dataclass(frozen=True)
class Request:
    """One POST."""

    url: str
    headers: dict[str, str]
    body: bytes


def read_secret(text: str, name: str) -> WebhookSecret:
    """The secret; raises WebhookSecretError, which never shows what it holds."""
    try:
        secret = WebhookSecret.model_validate_json(text)
    except ValidationError:
        raise WebhookSecretError(
            f'secret {name} must hold {{"url": "https://...", "signingSecret": "..."}} with a '
            "signing secret of at least 16 characters; write it with "
            "aws secretsmanager put-secret-value"
        ) from None
    parts = urlsplit(secret.url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise WebhookSecretError(f"the URL in secret {name} does not begin with https://")
    return secret


def plan_request(
    message: Message, kind: WebhookKind, secret: WebhookSecret, *, timestamp: int
) -> Request:
    """The POST of a message; `timestamp` is in seconds since 1970."""
    body = json.dumps(to_body(message, kind), ensure_ascii=False).encode()
    return Request(
        url=secret.url,
        headers={
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "signalbox",
            "X-Signalbox-Message": f"{message.run_id}/{message.key}",
            "X-Signalbox-Timestamp": str(timestamp),
            "X-Signalbox-Signature": f"v1={signature(secret.signing_secret, timestamp, body)}",
        },
        body=body,
    )


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 in lower-case hex."""
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
