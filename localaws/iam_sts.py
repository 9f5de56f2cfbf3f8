"""The operations of STS: AssumeRole and GetCallerIdentity.

Sessions are kept by iam_identity; whether a role may be assumed is the caller's business.
"""

import uuid
from collections.abc import Callable
from datetime import UTC
from xml.sax.saxutils import escape

from localaws import iam_identity
from localaws.errors import UnsupportedByLocalAws
from localaws.iam_identity import Credentials, Principal
from localaws.wire import WireRequest

AssumeRole = Callable[[Principal, dict[str, str]], Credentials]
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def answer(
    request: WireRequest, principal: Principal, assume_role: AssumeRole
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of an STS operation."""
    if request.operation == "GetCallerIdentity":
        inner = _identity(principal)
    elif request.operation == "AssumeRole":
        inner = _assumed(assume_role(principal, request.parameters))
    else:
        raise UnsupportedByLocalAws("sts", request.operation)
    body = _envelope(request.operation, inner).encode()
    return 200, [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))], body


def _identity(principal: Principal) -> str:
    return (
        f"<Arn>{escape(principal.arn)}</Arn><UserId>{escape(principal.user_id)}</UserId>"
        f"<Account>{principal.account}</Account>"
    )


def _assumed(credentials: Credentials) -> str:
    described = iam_identity.describe(credentials)
    expires_at = credentials.expires_at
    if expires_at is not None:
        moment = expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        described["Expiration"] = moment
    keys = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in described.items())
    who = credentials.principal
    return (
        f"<Credentials>{keys}</Credentials><AssumedRoleUser><Arn>{escape(who.arn)}</Arn>"
        f"<AssumedRoleId>{escape(who.user_id)}</AssumedRoleId></AssumedRoleUser>"
    )


def _envelope(operation: str, inner: str) -> str:
    return (
        f'<{operation}Response xmlns="{_NAMESPACE}"><{operation}Result>{inner}</{operation}Result>'
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
        f"</{operation}Response>"
    )
