"""Boto3 clients for parts of the laptop's AWS that act as a role or as the developer.

Calls stay in the process: botocore signs and parses as always, but the bytes go straight to the
server's WSGI application instead of through a socket. The decision about each call is the same.
Clients are cached (making one costs tens of milliseconds) and may be shared by threads.
"""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config as BotoConfig

from localaws import clock
from localaws.accounts import BY_ID
from localaws.context import ACCOUNT_ID, Context
from localaws.iam import identity as iam_identity
from localaws.iam import service as iam
from localaws.iam.identity import Principal

_MAX_CLIENTS = 128
_REFRESH_BEFORE = timedelta(minutes=10)
FROM_SERVICE = "localaws"
"""A word in the user agent of requests that parts of the laptop send."""
_NO_RETRIES = BotoConfig(
    retries={"total_max_attempts": 1, "mode": "standard"},
    s3={"addressing_style": "path"},
    user_agent_extra=FROM_SERVICE,
)


class _Clients:
    """The cache, for one running server at a time."""

    def __init__(self) -> None:
        self.context: Context | None = None
        self.lock = threading.RLock()
        self.session: Any = None
        self.cache: OrderedDict[tuple[Any, ...], tuple[Any, datetime | None]] = OrderedDict()


_clients = _Clients()


def install(context: Context) -> None:
    """Point all clients made from now on at the server of `context`."""
    with _clients.lock:
        _clients.context = context
        _clients.session = boto3.Session(region_name=context.config.region)
        _clients.cache.clear()


def shutdown() -> None:
    """Forget all clients."""
    with _clients.lock:
        _clients.cache.clear()
        _clients.context = None


def client_as(
    role_arn: str,
    service_principal: str,
    service: str,
    *,
    region: str | None = None,
    session_name: str,
    source_arn: str | None = None,
    source_account: str | None = None,
) -> Any:
    """A boto3 client that acts as `role_arn`, assumed by `service_principal`.

    Raises AccessDeniedByLocalAws when the role's trust policy does not let the service in. Keep
    `session_name` to few values: each one is a client of its own in the cache.
    """
    region = region or _context().config.region
    key = (role_arn, service_principal, service, region, session_name, source_arn, source_account)

    def make() -> tuple[Any, datetime | None]:
        credentials = iam.assume_service_role(
            role_arn,
            service_principal,
            session_name=session_name,
            source_arn=source_arn,
            source_account=source_account,
        )
        return _with(credentials, service, region), credentials.expires_at

    return _cached(key, make)


def client_as_service(
    service_principal: str,
    service: str,
    *,
    region: str | None = None,
    source_arn: str,
    source_account: str | None = None,
) -> Any:
    """A boto3 client of a service that acts without a role, for `source_arn`.

    The policy of the resource it acts on (function, topic, queue, bucket) decides alone.
    """
    region = region or _context().config.region

    def make() -> tuple[Any, datetime | None]:
        principal = iam.service(
            service_principal, source_arn=source_arn, source_account=source_account
        )
        credentials = iam_identity.open_session(principal)
        return _with(credentials, service, region), credentials.expires_at

    return _cached((service_principal, service, region, source_arn, source_account), make)


def clients_for(principal: Principal, service: str, region: str) -> Callable[[str], Any]:
    """Clients by service name that act as `principal`, as `service` does what it was asked for.

    AWS calls this a forward access session: the caller's own policies decide, and see that the
    request came through the service (aws:ViaAWSService, aws:CalledVia).
    """
    via = {"aws:ViaAWSService": "true", "aws:CalledVia": service, "aws:CalledViaLast": service}
    forwarded = replace(principal, source={**principal.source, **via})
    credentials = iam_identity.open_session(forwarded)
    made: dict[str, Any] = {}

    def client(name: str) -> Any:
        with _clients.lock:
            if name not in made:
                made[name] = _with(credentials, name, region)
            return made[name]

    return client


def client_of_session(session: Any, service: str, *, region: str, of: str) -> Any:
    """A boto3 client of the role `of`, by the `Credentials` of an answer of sts:AssumeRole.

    A client of an earlier session of the same role stands in for it while that one lasts: the
    role's policies are read at each request, so both may do the same.
    """

    def make() -> tuple[Any, datetime | None]:
        keys = session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
        return new_client(service, region, *keys), session["Expiration"]

    return _cached(("assumed", of, service, region), make)


def _with(credentials: iam_identity.Credentials, service: str, region: str) -> Any:
    return new_client(
        service,
        region,
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token,
    )


def developer_client(service: str, region: str | None = None, *, account: str = ACCOUNT_ID) -> Any:
    """A boto3 client of an account's IAM user `developer`, who may do everything in it."""
    region = region or _context().config.region
    keys = BY_ID[account]

    def make() -> tuple[Any, None]:
        return new_client(service, region, keys.access_key_id, keys.secret_access_key), None

    return _cached(("developer", account, service, region), make)


def _context() -> Context:
    if _clients.context is None:
        raise RuntimeError("the laptop's AWS is not running: start a LaptopServer first")
    return _clients.context


def _cached(key: tuple[Any, ...], make: Any) -> Any:
    with _clients.lock:
        found = _clients.cache.get(key)
        if found is None or _runs_out(found[1]):
            found = _clients.cache[key] = make()
            if len(_clients.cache) > _MAX_CLIENTS:
                _clients.cache.popitem(last=False)
        _clients.cache.move_to_end(key)
        return found[0]


def _runs_out(expires_at: datetime | None) -> bool:
    return expires_at is not None and clock.now() > expires_at - _REFRESH_BEFORE


def new_client(
    service: str, region: str, key_id: str, secret: str, token: str | None = None
) -> Any:
    """A boto3 client with the given credentials, not cached, that calls within the process."""
    context = _context()
    with _clients.lock:
        client = _clients.session.client(
            service,
            region_name=region,
            endpoint_url=context.url,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token or None,
            config=_NO_RETRIES,
        )
    client.meta.events.register("before-send.*", _send)
    return client


def _send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    """Stands in for botocore's HTTP session: calls the server's WSGI application directly."""
    status: list[Any] = []

    def start(line: str, headers: list[tuple[str, str]], *_: Any) -> None:
        status.extend([int(line.split(" ", 1)[0]), headers])

    chunks = _context().application(_environ(request), start)
    body = b"".join(chunks)
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
    headers: Any = {name.lower(): str(value) for name, value in status[1]}
    return AWSResponse(request.url, status[0], headers, _Body(body))


class _Body(io.BytesIO):
    """A response body that botocore can stream."""

    def stream(self, amt: int = 1 << 16, **_: Any) -> Iterator[bytes]:
        """The body in pieces of at most `amt` bytes."""
        while piece := self.read(amt):
            yield piece


def _environ(request: AWSPreparedRequest) -> dict[str, Any]:
    _, _, rest = str(request.url).partition("://")
    host, _, uri = rest.partition("/")
    source, length = _source(request.body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "RAW_URI": f"/{uri}",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": host.rpartition(":")[2],
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": host,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": source,
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for name, value in request.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        environ[_WSGI_NAMES.get(name.lower()) or f"HTTP_{name.upper().replace('-', '_')}"] = text
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    return environ


_WSGI_NAMES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def _source(body: Any) -> tuple[Any, int | None]:
    if body is None:
        return io.BytesIO(), 0
    if isinstance(body, str):
        body = body.encode()
    if isinstance(body, bytes | bytearray):
        return io.BytesIO(body), len(body)
    return body, None
