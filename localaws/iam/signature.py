"""Checks AWS Signature Version 4 of a request, in a header or in a presigned address.

Rules: AWS General Reference, "Create a signed AWS API request" (read 2026-11). The payload's hash
is taken from the request as S3 does, so that large uploads need not be read before they are stored.
Imports wire only.
"""

import hashlib
import hmac
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote

from localaws.wire import REST_XML, Scope, WireRequest


@lru_cache(maxsize=512)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def is_signed_by(request: WireRequest, secret: str) -> bool:
    """Whether the signature of `request` was made with `secret`."""
    authorization = request.headers.get("authorization", "")
    if authorization:
        given = authorization.partition("Signature=")[2].partition(",")[0].strip()
        names = authorization.partition("SignedHeaders=")[2].partition(",")[0].strip()
        moment, presigned = request.headers.get("x-amz-date", ""), False
    else:
        given = request.query.get("X-Amz-Signature", "")
        names = request.query.get("X-Amz-SignedHeaders", "")
        moment, presigned = request.query.get("X-Amz-Date", ""), True
    canonical = _canonical_request(request, names.split(";"), presigned=presigned)
    expected = _signature(canonical, moment, request.scope, secret)
    return hmac.compare_digest(expected, given)


def is_expired(request: WireRequest, now: datetime) -> bool:
    """Whether a presigned address has outlived its `X-Amz-Expires` seconds."""
    if "X-Amz-Date" not in request.query:
        return False
    signed = datetime.strptime(request.query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return (now - signed).total_seconds() > float(request.query.get("X-Amz-Expires", "0"))


def _signature(canonical: str, moment: str, scope: Scope, secret: str) -> str:
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    place = f"{scope.date}/{scope.region}/{scope.service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{place}\n{digest}"
    key = _signing_key(secret, scope.date, scope.region, scope.service)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _canonical_request(request: WireRequest, names: list[str], *, presigned: bool) -> str:
    headers = "".join(f"{name}:{_trim(request.headers.get(name, ''))}\n" for name in names)
    return "\n".join(
        [
            request.method,
            _canonical_path(request),
            _canonical_query(request.raw_query),
            headers,
            ";".join(names),
            _payload_hash(request, presigned=presigned),
        ]
    )


def _canonical_path(request: WireRequest) -> str:
    if request.service.protocol == REST_XML:
        return quote(unquote(request.raw_path), safe="/-_.~")
    return quote(request.raw_path, safe="/-_.~")


def _canonical_query(raw_query: str) -> str:
    pairs = parse_qsl(raw_query, keep_blank_values=True)
    encoded = sorted((quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in pairs)
    return "&".join(f"{n}={v}" for n, v in encoded if n != "X-Amz-Signature")


def _payload_hash(request: WireRequest, *, presigned: bool) -> str:
    stated = request.headers.get("x-amz-content-sha256")
    if stated:
        return stated
    if presigned:
        return "UNSIGNED-PAYLOAD"
    return hashlib.sha256(request.body).hexdigest()


def _trim(value: str) -> str:
    return " ".join(value.split())
