"""The operations of STS: AssumeRole, AssumeRoleWithWebIdentity and GetCallerIdentity.

Sessions are kept by iam_identity; whether a role may be assumed is the caller's business.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any
from xml.sax.saxutils import escape

from localaws.errors import UnsupportedByLocalAws
from localaws.iam import identity as iam_identity
from localaws.iam.identity import Credentials, Principal
from localaws.iam.requirement import tags_of
from localaws.moto_seams import iam as moto_seams_iam
from localaws.wire import AwsError, WireRequest

AssumeRole = Callable[[Principal, Mapping[str, Any]], Credentials]
AssumeByToken = Callable[[Mapping[str, Any]], Credentials]
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def answer(
    request: WireRequest, principal: Principal, assume_role: AssumeRole, by_token: AssumeByToken
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of an STS operation."""
    if request.operation == "GetCallerIdentity":
        inner = _identity(principal)
    elif request.operation == "AssumeRole":
        _validate(request)
        inner = _assumed(assume_role(principal, request.parameters))
    elif request.operation == "AssumeRoleWithWebIdentity":
        _validate(request)
        inner = _assumed(by_token(request.parameters))
    else:
        raise UnsupportedByLocalAws("sts", request.operation)
    body = _envelope(request.operation, inner).encode()
    return 200, [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))], body


def _validate(request: WireRequest) -> None:
    parameters = request.parameters
    for name in ("RoleArn", "RoleSessionName"):
        if not parameters.get(name):
            raise AwsError("ValidationError", f"{request.operation} needs {name}")
    if not _ROLE_ARN.fullmatch(str(parameters["RoleArn"])):
        raise AwsError("ValidationError", f"{parameters['RoleArn']} is invalid")
    if not 900 <= int(parameters.get("DurationSeconds", 3600)) <= 43200:
        raise AwsError("ValidationError", "DurationSeconds must be from 900 to 43200")


def session_tags(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Tags that the caller puts on the session."""
    return tags_of(parameters)


def session_policies(parameters: Mapping[str, Any], account: str) -> tuple[str, ...]:
    """Documents that limit the session: the inline one and the managed ones."""
    arns = [v for k, v in parameters.items() if k.startswith("PolicyArns.member.")]
    documents = [moto_seams_iam.managed_policy_document(account, arn) for arn in arns]
    inline = [parameters["Policy"]] if parameters.get("Policy") else []
    return tuple(inline + documents)


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
