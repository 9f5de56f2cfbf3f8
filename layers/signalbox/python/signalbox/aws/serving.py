"""The serving records of endpoints in S3: read, and changed only on top of what is there."""

from collections.abc import Callable

from signalbox import naming, serving
from signalbox.aws import storage
from signalbox.serving import ServingRecord


def read(bucket: str, endpoint: str) -> ServingRecord:
    """The record of an endpoint, empty before its first deployment; needs to list and to read."""
    key = serving.record_key(endpoint)
    # Asked first: to a role that may not list, S3 answers a missing object as a forbidden one.
    if not storage.exists(bucket, key):
        return ServingRecord(endpoint=endpoint)
    return serving.from_json(storage.read(bucket, key).content, source=naming.s3_uri(bucket, key))


def change(
    bucket: str, endpoint: str, rule: Callable[[ServingRecord], ServingRecord]
) -> ServingRecord:
    """Apply a rule to the record of an endpoint; no change of another writer is lost.

    `rule` may run several times, each time on what is stored then; the first change creates the
    record. Returns the record as it is stored.
    """
    key = serving.record_key(endpoint)
    source = naming.s3_uri(bucket, key)

    def on_bytes(content: bytes) -> bytes:
        before = serving.from_json(content, source=source)
        after = rule(before)
        return content if after == before else serving.to_json(after)

    # Asked first, as in `read`; of two first writers one creates and the other changes.
    if not storage.exists(bucket, key):
        nothing = ServingRecord(endpoint=endpoint)
        first = rule(nothing)
        if first == nothing or _created(bucket, key, first):
            return first
    updated = storage.update(bucket, key, on_bytes)
    return serving.from_json(updated.content, source=source)


def _created(bucket: str, key: str, record: ServingRecord) -> bool:
    return storage.create(bucket, key, serving.to_json(record), content_type="application/json")
