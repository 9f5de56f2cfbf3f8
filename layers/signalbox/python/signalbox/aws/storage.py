"""S3: bounded reads, conditional writes, listings with versions.

Conditional writes follow the S3 User Guide, "Conditional writes" (read 2026-11-20): 412 when the
condition does not hold, 409 when another write to the key is in progress.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from signalbox.aws import clients, failures
from signalbox.errors import ObjectMissingError, ObjectTooLargeError, WriteContendedError
from signalbox.naming import s3_uri

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# Each failed attempt means that another writer succeeded, so this bounds writers, not time.
UPDATE_ATTEMPTS = 25
MAX_DOCUMENT_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True)
class StoredObject:
    """Content and ETag; the ETag is opaque (with KMS it is no MD5)."""

    content: bytes
    etag: str


@dataclass(frozen=True)
class ListedObject:
    """The current version of an object below a prefix; `name` is relative to the prefix."""

    name: str
    version_id: str
    etag: str
    size_bytes: int
    modified_at: datetime | None = None


@dataclass(frozen=True)
class Beginning:
    """The first bytes of an object, and which object that is; the ETag has no quotation marks."""

    content: bytes
    version_id: str
    etag: str
    size_bytes: int

    @property
    def is_whole(self) -> bool:
        """Whether the bytes are all of it."""
        return len(self.content) == self.size_bytes


def read(
    bucket: str,
    key: str,
    *,
    limit_bytes: int = MAX_DOCUMENT_BYTES,
    s3: "S3Client | None" = None,
    version_id: str = "",
) -> StoredObject:
    """An object whole; raises ObjectMissingError, or ObjectTooLargeError above the limit.

    `s3` is another account's client; without a version id the current one is read.
    """
    exactly = {"VersionId": version_id} if version_id else {}
    try:
        answer = (s3 or clients.s3()).get_object(Bucket=bucket, Key=key, **exactly)  # type: ignore[arg-type]
    except ClientError as error:
        if failures.code_of(error) in failures.MISSING_OBJECT:
            raise ObjectMissingError(s3_uri(bucket, key)) from error
        raise
    with answer["Body"] as body:
        if answer["ContentLength"] > limit_bytes:
            raise ObjectTooLargeError(
                f"{s3_uri(bucket, key)} has {answer['ContentLength']} bytes; "
                f"at most {limit_bytes} are read"
            )
        return StoredObject(body.read(), answer["ETag"])


def beginning(bucket: str, key: str, *, length_bytes: int) -> Beginning:
    """The first bytes of an object of any size; raises ObjectMissingError."""
    try:
        answer = clients.s3().get_object(
            Bucket=bucket, Key=key, Range=f"bytes=0-{length_bytes - 1}"
        )
    except ClientError as error:
        if failures.code_of(error) in failures.MISSING_OBJECT:
            raise ObjectMissingError(s3_uri(bucket, key)) from error
        if failures.code_of(error) == "InvalidRange":  # no first byte: the object is empty
            return Beginning(b"", "", "", 0)
        raise
    with answer["Body"] as body:
        size_bytes = int(answer["ContentRange"].rpartition("/")[2])
        etag = answer["ETag"].strip('"')
        return Beginning(body.read(), answer.get("VersionId", ""), etag, size_bytes)


def read_lines(bucket: str, key: str) -> Iterator[str]:
    """The lines of a UTF-8 text, one after another: an object of any size in little memory."""
    with contextlib.closing(clients.s3().get_object(Bucket=bucket, Key=key)["Body"]) as body:
        for line in body.iter_lines():
            yield line.decode("utf-8-sig")


def exists(bucket: str, key: str) -> bool:
    """Whether there is an object of exactly this key; needs to list, not to read."""
    found = clients.s3().list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    return any(one["Key"] == key for one in found.get("Contents", []))


def write(bucket: str, key: str, content: bytes, *, content_type: str = "") -> None:
    """Put an object, whatever was there; encryption is the bucket's default."""
    extra = {"ContentType": content_type} if content_type else {}
    clients.s3().put_object(Bucket=bucket, Key=key, Body=content, **extra)  # type: ignore[arg-type]


def create(
    bucket: str,
    key: str,
    content: bytes,
    *,
    content_type: str = "",
    s3: "S3Client | None" = None,
) -> bool:
    """Put an object that must not exist yet; False when it does. Of two writers, one creates.

    A 409 (another write in progress) is asked again: the answer is then 412 or success.
    """
    extra = {"ContentType": content_type} if content_type else {}
    for _ in range(UPDATE_ATTEMPTS):
        try:
            (s3 or clients.s3()).put_object(
                Bucket=bucket,
                Key=key,
                Body=content,
                IfNoneMatch="*",
                **extra,  # type: ignore[arg-type]
            )
        except ClientError as error:
            if _is(error, failures.PRECONDITION_FAILED, 412):
                return False
            if not _is(error, failures.CONCURRENT_WRITE, 409):
                raise
        else:
            return True
    raise _contended(bucket, key)


@dataclass(frozen=True)
class Updated:
    """What is stored after an update, and whether that took a write."""

    content: bytes
    was_written: bool


def update(
    bucket: str,
    key: str,
    change: Callable[[bytes], bytes],
    *,
    s3: "S3Client | None" = None,
) -> Updated:
    """Read, change, write if nobody wrote in between, else again.

    `change` may run several times and must depend on its argument only. Content that it returns
    unchanged is not written. Raises ObjectMissingError, WriteContendedError.
    """
    for _ in range(UPDATE_ATTEMPTS):
        current = read(bucket, key, s3=s3)
        changed = change(current.content)
        if changed == current.content:
            return Updated(changed, was_written=False)
        if _replace(s3 or clients.s3(), (bucket, key), changed, current.etag):
            return Updated(changed, was_written=True)
    raise _contended(bucket, key)


def _replace(s3: "S3Client", place: tuple[str, str], content: bytes, etag: str) -> bool:
    bucket, key = place
    try:
        s3.put_object(
            Bucket=bucket, Key=key, Body=content, IfMatch=etag, ContentType="application/json"
        )
    except ClientError as error:
        if _is(error, failures.PRECONDITION_FAILED, 412) or _is(
            error, failures.CONCURRENT_WRITE, 409
        ):
            return False
        raise
    return True


def _is(error: ClientError, codes: frozenset[str], status: int) -> bool:
    return failures.code_of(error) in codes or failures.status_of(error) == status


def _contended(bucket: str, key: str) -> WriteContendedError:
    return WriteContendedError(
        f"{s3_uri(bucket, key)} was changed by others {UPDATE_ATTEMPTS} times in a row; "
        "nothing was written, try again"
    )


def changed_meanwhile(bucket: str, key: str) -> WriteContendedError:
    """The error of a write that somebody else has overwritten already."""
    return WriteContendedError(f"{s3_uri(bucket, key)} was overwritten by others; try again")


def current_objects(bucket: str, prefix: str) -> list[ListedObject]:
    """The objects below a prefix with version ids, sorted by name; folder markers left out."""
    return sorted(_listed(bucket, prefix), key=lambda found: found.name)


def _listed(bucket: str, prefix: str) -> Iterator[ListedObject]:
    pages = (
        clients.s3().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    )
    for page in pages:
        for version in page.get("Versions", []):
            if version["IsLatest"] and not version["Key"].endswith("/"):
                yield ListedObject(
                    name=version["Key"].removeprefix(prefix),
                    version_id=version["VersionId"],
                    etag=version["ETag"].strip('"'),
                    size_bytes=version["Size"],
                    modified_at=version["LastModified"],
                )


def digest_of(objects: list[ListedObject]) -> str:
    """A digest of names, versions and sizes: it names exactly these bytes without reading them."""
    lines = "".join(f"{o.name}\0{o.version_id}\0{o.etag}\0{o.size_bytes}\n" for o in objects)
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
