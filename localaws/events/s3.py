"""The events that S3 sends to EventBridge, once for each object created or deleted.

Shapes from the S3 user guide, "Amazon S3 event message structure" (read 2026-11-21). The key is
not URL-encoded, unlike in classic S3 notifications.
"""

import itertools
import secrets
import string
import threading
import time
from dataclasses import dataclass
from typing import Any

_CREATED_BY = {
    "s3:ObjectCreated:Put": "PutObject",
    "s3:ObjectCreated:Post": "POST Object",
    "s3:ObjectCreated:Copy": "CopyObject",
    "s3:ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
}
_ALPHABET = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class StoredObject:
    """An object, or what is left of it."""

    bucket: str
    account: str
    region: str
    key: str
    version_id: str
    """Empty in a bucket without versions."""
    etag: str = ""
    size: int = 0

    @property
    def bucket_arn(self) -> str:
        """The event's only resource."""
        return f"arn:aws:s3:::{self.bucket}"


class _Sequence:
    """Grows with every event of this process and from one process to the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = itertools.count(time.time_ns())

    def next(self) -> str:
        """Hexadecimal, to be compared as text."""
        with self._lock:
            return f"{next(self._next):018X}"


_sequence = _Sequence()


def reason_of(notification: str) -> str | None:
    """The operation behind a classic notification's name; None when no object was created."""
    return _CREATED_BY.get(notification)


def created_detail(stored: StoredObject, reason: str) -> dict[str, Any]:
    """Detail of `Object Created`."""
    about = {"key": stored.key, "size": stored.size, "etag": stored.etag}
    return {**_detail(stored, about), "reason": reason}


def deleted_detail(stored: StoredObject, *, permanently: bool) -> dict[str, Any]:
    """Detail of `Object Deleted`; a delete marker is a deletion that is not permanent."""
    return {
        **_detail(stored, {"key": stored.key}),
        "reason": "DeleteObject",
        "deletion-type": "Permanently Deleted" if permanently else "Delete Marker Created",
    }


def _detail(stored: StoredObject, about: dict[str, Any]) -> dict[str, Any]:
    if stored.version_id:
        about["version-id"] = stored.version_id
    return {
        "version": "0",
        "bucket": {"name": stored.bucket},
        "object": {**about, "sequencer": _sequence.next()},
        "request-id": "".join(secrets.choice(_ALPHABET) for _ in range(16)),
        "requester": stored.account,
        "source-ip-address": "127.0.0.1",
    }
