"""Conditional requests to S3, made atomic: of two writers with the same condition one wins.

Rule: S3 User Guide, "How to prevent object overwrites with conditional writes" (read 2026-11):
`If-None-Match: *` on a key that exists, or `If-Match` with another ETag, answers 412; `If-Match` on
a key that does not exist answers 404. moto checks and then stores without a lock between, and not
for every operation. AWS may also answer 409 to one of two racing writers; the laptop does not,
since the second always sees what the first did.
"""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from localaws.moto_seams import iam as moto_seams_iam
from localaws.wire import AwsError, WireRequest

_WRITES = frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject"})
_SMALL_BYTES = 8 * 1024 * 1024
_locks = [threading.RLock() for _ in range(256)]


@contextmanager
def exclusive(request: WireRequest) -> Iterator[None]:
    """Hold the key that `request` writes or reads; AwsError when a write's condition does not hold.

    moto closes what an overwritten object held, also under somebody who reads it. A large
    unconditional upload is not held: it would keep others waiting for its sender.
    """
    if request.service.name == "s3" and request.operation == "GetObject":
        with _lock_of(request):
            yield
        return
    if request.service.name != "s3" or request.operation not in _WRITES:
        yield
        return
    conditional = "if-match" in request.headers or "if-none-match" in request.headers
    if not conditional and _size_bytes(request) > _SMALL_BYTES:
        yield
        return
    _ = request.body
    with _lock_of(request):
        if conditional:
            bucket, key = request.parameters["Bucket"], request.parameters["Key"]
            _check(request, moto_seams_iam.object_etag(bucket, key))
        yield


def _lock_of(request: WireRequest) -> AbstractContextManager[object]:
    place = (request.parameters["Bucket"], request.parameters["Key"])
    return _locks[hash(place) % len(_locks)]


_EXPECTED = {
    "x-amz-expected-bucket-owner": "Bucket",
    "x-amz-source-expected-bucket-owner": "source",
}


def check_owners(request: WireRequest) -> None:
    """Refuse, as S3 does, a bucket that belongs to another account than the caller expects."""
    if request.service.name != "s3":
        return
    source = request.headers.get("x-amz-copy-source", "").lstrip("/").partition("/")[0]
    for header, where in _EXPECTED.items():
        bucket = source if where == "source" else request.parameters["Bucket"]
        expected = request.headers.get(header)
        if expected and moto_seams_iam.bucket_owner(bucket) not in ("", expected):
            raise AwsError("AccessDenied", f"Access Denied: {bucket} is not of {expected}", 403)


def _size_bytes(request: WireRequest) -> int:
    return int(request.environ.get("CONTENT_LENGTH") or 0)


def _check(request: WireRequest, etag: str | None) -> None:
    if request.headers.get("if-none-match") == "*" and etag is not None:
        raise _failed("If-None-Match")
    wanted = request.headers.get("if-match")
    if wanted is None:
        return
    if etag is None:
        raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
    if wanted != "*" and wanted.strip('"') != etag.strip('"'):
        raise _failed("If-Match")


def _failed(condition: str) -> AwsError:
    message = "At least one of the pre-conditions you specified did not hold"
    return AwsError("PreconditionFailed", f"{message} ({condition})", 412)
