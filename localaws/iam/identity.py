"""Who can call: access keys, the principals behind them, and the sessions of assumed roles.

Sessions live here and not in moto's STS, so that a key is found without a scan and a session ends
with the process. Imports the clock, wire and seams; decides nothing about permissions.
"""

import secrets
import string
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from localaws import clock
from localaws.accounts import ACCOUNTS, DEVELOPER, Account
from localaws.iam import signature as iam_signature
from localaws.moto_seams import iam as moto_seams_iam
from localaws.wire import JSON, QUERY, REST_JSON, AwsError, WireRequest
from localaws.wire_errors import protocol_of

_TYPES = {"user": "User", "session": "AssumedRole", "root": "Account", "anonymous": "Anonymous"}
_TYPES |= {"federated": "FederatedUser"}


@dataclass(frozen=True)
class Principal:
    """The caller of one request."""

    kind: str
    """`user`, `session` (of a role), `service`, `root`, `anonymous`, or `federated`: a provider."""
    arn: str
    """As sts:GetCallerIdentity says it; for a service its name, for nobody ``*``."""
    account: str
    name: str = ""
    """The user's or the role's name."""
    role_arn: str = ""
    """The role whose policies count; empty for users."""
    user_id: str = ""
    session_policies: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)
    """Context that AWS itself adds, for example aws:SourceArn of a service's call."""

    @cached_property
    def condition_keys(self) -> Mapping[str, tuple[str, ...]]:
        """The condition keys that say who calls, in lower case; one object for all its calls."""
        source = {name.lower(): (value,) for name, value in self.source.items() if value}
        if self.kind == "service":
            service = {"aws:principalisawsservice": "true", "aws:principalservicename": self.arn}
            return source | {name: (value,) for name, value in service.items()}
        keys = {"aws:principalisawsservice": "false", "aws:principaltype": _TYPES[self.kind]}
        if self.kind not in ("anonymous", "federated"):
            keys["aws:principalarn"] = self.role_arn or self.arn
            keys["aws:principalaccount"] = self.account
            keys["aws:userid"] = self.user_id
        if self.kind == "user":
            keys["aws:username"] = self.name
        keys |= {f"aws:principaltag/{name.lower()}": tag for name, tag in self.tags.items()}
        return source | {name: (value,) for name, value in keys.items()}


ANONYMOUS = Principal(kind="anonymous", arn="*", account="")

_calling: ContextVar[Principal] = ContextVar("calling_principal", default=ANONYMOUS)


@contextmanager
def calling(principal: Principal) -> Iterator[None]:
    """Remember, while its request is served, in whose name: see `calling_account`."""
    mark = _calling.set(principal)
    try:
        yield
    finally:
        _calling.reset(mark)


def calling_principal() -> Principal:
    """The caller of the request being served on this thread; ANONYMOUS for none."""
    return _calling.get()


def calling_account() -> str:
    """The account of the caller of the request being served on this thread, "" for none.

    Not the account that the request acts in: that is the account of what it acts on.
    """
    return _calling.get().account


@dataclass(frozen=True)
class Credentials:
    """Keys of one principal; `token` and `expires_at` only for sessions."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: datetime | None
    principal: Principal


_known: dict[str, Credentials] = {}
_lock = threading.Lock()
_ALPHABET = string.ascii_uppercase + "234567"


def reset() -> None:
    """Forget every session and start over with the developer of each account."""
    with _lock:
        _known.clear()
        for account in ACCOUNTS:
            key_id, secret = account.access_key_id, account.secret_access_key
            _known[key_id] = Credentials(key_id, secret, "", None, developer(account))


def developer(account: Account) -> Principal:
    """The IAM user of the person at this machine, in one of the accounts."""
    return Principal(
        kind="user",
        arn=account.developer_arn,
        account=account.id,
        name=DEVELOPER,
        user_id=account.user_id,
    )


def open_session(principal: Principal, *, duration_s: int = 3600) -> Credentials:
    """Temporary credentials for `principal`, good for `duration_s` seconds of real time."""
    key_id = "ASIA" + "".join(secrets.choice(_ALPHABET) for _ in range(16))
    expires_at = clock.now() + timedelta(seconds=duration_s)
    credentials = Credentials(
        key_id, secrets.token_urlsafe(30), secrets.token_urlsafe(96), expires_at, principal
    )
    with _lock:
        _known[key_id] = credentials
        if len(_known) % 512 == 0:
            _drop_expired()
    return credentials


def _drop_expired() -> None:
    now = clock.now()
    for key_id in [k for k, c in _known.items() if c.expires_at and c.expires_at < now]:
        del _known[key_id]


def authenticate(request: WireRequest) -> Principal:
    """The principal that signed `request`; raises AwsError when nobody known did."""
    key_id = request.scope.key_id
    if not key_id:
        return _unsigned(request)
    credentials = _known.get(key_id) or _iam_user_credentials(key_id)
    if credentials is None:
        raise _refusal(request, "unknown")
    token = request.headers.get("x-amz-security-token") or request.query.get(
        "X-Amz-Security-Token", ""
    )
    if token != credentials.session_token:
        raise _refusal(request, "token")
    now = clock.now()
    if credentials.expires_at and credentials.expires_at < now:
        raise _refusal(request, "expired")
    if iam_signature.is_expired(request, now):
        raise AwsError("AccessDenied", "Request has expired", 403)
    if not iam_signature.is_signed_by(request, credentials.secret_access_key):
        raise _refusal(request, "signature")
    return credentials.principal


def arn_of(key_id: str) -> str:
    """The principal that an access key belongs to; "" for an unknown one."""
    known = _known.get(key_id) or _iam_user_credentials(key_id)
    return known.principal.arn if known is not None else ""


def _unsigned(request: WireRequest) -> Principal:
    if request.service.name == "s3" or _brings_a_token(request):
        return ANONYMOUS
    raise _refusal(request, "missing")


def _brings_a_token(request: WireRequest) -> bool:
    """STS API Reference: AssumeRoleWithWebIdentity does not require AWS credentials."""
    return (request.service.name, request.operation) == ("sts", "AssumeRoleWithWebIdentity")


def _iam_user_credentials(key_id: str) -> Credentials | None:
    found = moto_seams_iam.find_access_key(key_id)
    if found is None:
        return None
    account, user, secret = found
    principal = Principal(
        kind="user",
        arn=user["arn"],
        account=account,
        name=user["name"],
        user_id=user["id"],
        tags=user["tags"],
    )
    return Credentials(key_id, secret, "", None, principal)


_S3 = {
    "unknown": ("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided is not known here."),
    "token": ("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
    "expired": ("ExpiredToken", 400, "The provided token has expired."),
    "signature": ("SignatureDoesNotMatch", 403, "The request signature does not match."),
}
_QUERY = {
    "unknown": ("InvalidClientTokenId", 403, "The security token in the request is invalid."),
    "token": ("InvalidClientTokenId", 403, "The security token in the request is invalid."),
    "expired": ("ExpiredToken", 403, "The security token in the request is expired."),
    "signature": ("SignatureDoesNotMatch", 403, "The request signature does not match."),
    "missing": ("MissingAuthenticationToken", 403, "Request is missing Authentication Token."),
}
_JSON = {
    "unknown": ("UnrecognizedClientException", 400, "The security token is invalid."),
    "token": ("UnrecognizedClientException", 400, "The security token is invalid."),
    "expired": ("ExpiredTokenException", 400, "The security token is expired."),
    "signature": ("InvalidSignatureException", 400, "The request signature does not match."),
    "missing": ("MissingAuthenticationTokenException", 400, "Missing Authentication Token"),
}
_TABLES: dict[str, dict[str, tuple[str, int, str]]] = {QUERY: _QUERY, JSON: _JSON, REST_JSON: _JSON}


def _refusal(request: WireRequest, why: str) -> AwsError:
    code, status, message = _TABLES.get(protocol_of(request), _S3)[why]
    hint = _known_keys(request.scope.key_id) if why == "unknown" else ""
    return AwsError(code, message + hint, status)


def _known_keys(key_id: str) -> str:
    own = ", ".join(f"{account.access_key_id} ({account.environment})" for account in ACCOUNTS)
    return f" (access key {key_id}; the laptop's own are {own})"


def describe(credentials: Credentials) -> dict[str, Any]:
    """The `Credentials` member of STS's answers."""
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": credentials.expires_at,
    }
