"""The manifests of runs in S3: made once, changed only on top of what is there."""

from collections.abc import Callable
from dataclasses import dataclass

from signalbox import naming
from signalbox.aws import storage
from signalbox.errors import RunCollisionError
from signalbox.manifest_resolved import ResolvedManifest, from_json, to_json


def claim(manifest: ResolvedManifest) -> ResolvedManifest:
    """Store the manifest of a new run, or find the one that this execution stored before.

    Of two deliveries of one job at the same moment, one stores and both return the same. Raises
    RunCollisionError when the run belongs to another pipeline execution.
    """
    bucket, key = naming.split_s3_uri(manifest.locations.manifest)
    if storage.create(bucket, key, to_json(manifest), content_type="application/json"):
        return manifest
    known = read(manifest.locations.manifest)
    if known.run.execution_id != manifest.run.execution_id:
        raise RunCollisionError(
            f"run {manifest.run.id} belongs to pipeline execution {known.run.execution_id}, "
            f"not to {manifest.run.execution_id}; release again"
        )
    return known


def read(manifest_uri: str) -> ResolvedManifest:
    """The manifest at a URI."""
    bucket, key = naming.split_s3_uri(manifest_uri)
    return from_json(storage.read(bucket, key).content, source=manifest_uri)


@dataclass(frozen=True)
class Changed:
    """A manifest after a change, and whether it was other before."""

    manifest: ResolvedManifest
    was_changed: bool


def change(manifest_uri: str, rule: Callable[[ResolvedManifest], ResolvedManifest]) -> Changed:
    """Apply a rule to the manifest at a URI; no change of another writer is lost.

    `rule` may run several times, each time on what is stored then.
    """
    bucket, key = naming.split_s3_uri(manifest_uri)

    def on_bytes(content: bytes) -> bytes:
        before = from_json(content, source=manifest_uri)
        after = rule(before)
        return content if after == before else to_json(after)

    updated = storage.update(bucket, key, on_bytes)
    return Changed(from_json(updated.content, source=manifest_uri), updated.was_written)
