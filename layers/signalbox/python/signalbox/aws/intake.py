"""S3 and CodePipeline for data_intake: read a version, keep a profile, move it, open a gate."""

import io
import json
from typing import BinaryIO

from botocore.exceptions import (
    ClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from signalbox import data_profiles, intake, naming
from signalbox.aws import clients, failures, pipeline, storage
from signalbox.aws.pipeline import Decision
from signalbox.errors import ObjectMissingError
from signalbox.gates import Gate
from signalbox.intake import Arrival
from signalbox.json_documents import JsonObject
from signalbox.manifest_resolved import ResolvedManifest

RANGE_BYTES = 8 * 1024 * 1024
# A body can break off after its headers; botocore retries only up to them.
_READ_ATTEMPTS = 4
# CopyObject takes 5 GB; above it the copy is done in parts.
_COPY_AT_ONCE_BYTES = 5 * 1000**3


class _ObjectVersion(io.RawIOBase):
    """One version of an object as a seekable file; each read is one range request."""

    def __init__(self, arrived: Arrival) -> None:
        self._arrived = arrived
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._arrived.size_bytes}
        self._position = base[whence] + offset
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        end = min(self._position + len(buffer), self._arrived.size_bytes)
        if end <= self._position:
            return 0
        content = _read_range(self._arrived, self._position, end)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


def _read_range(arrived: Arrival, start: int, end: int) -> bytes:
    for attempt in range(_READ_ATTEMPTS):
        try:
            answer = clients.s3().get_object(
                Bucket=arrived.bucket,
                Key=arrived.key,
                VersionId=arrived.version_id,
                Range=f"bytes={start}-{end - 1}",
            )
            with answer["Body"] as body:
                return body.read()
        except ClientError as error:
            if failures.code_of(error) in failures.MISSING_OBJECT:
                raise ObjectMissingError(naming.s3_uri(arrived.bucket, arrived.key)) from error
            raise
        except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError):
            if attempt == _READ_ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def opened(arrived: Arrival) -> BinaryIO:
    """The object version as a seekable stream; a read raises ObjectMissingError if it is gone."""
    return io.BufferedReader(_ObjectVersion(arrived), RANGE_BYTES)


def exists(arrived: Arrival) -> bool:
    """Whether the object version is there still: one that was refused has been moved."""
    try:
        clients.s3().head_object(
            Bucket=arrived.bucket, Key=arrived.key, VersionId=arrived.version_id
        )
    except ClientError as error:
        if failures.status_of(error) == 404:
            return False
        raise
    return True


def digest_of(arrived: Arrival) -> str:
    """The digest of this version alone, made as the digest of a whole data set is."""
    alone = storage.ListedObject(arrived.name, arrived.version_id, "", arrived.size_bytes)
    return storage.digest_of([alone])


def keep_profile(arrived: Arrival, profile: JsonObject) -> None:
    """Write the profile of a file into the run's profiles, in place of an older one of its name."""
    key = naming.profile_key(arrived.run)
    entry = {"versionId": arrived.version_id, "sequencer": arrived.sequencer, **profile}

    def with_entry(content: bytes) -> bytes:
        files = json.loads(content)["files"]
        if files.get(arrived.file, {}).get("sequencer", "") > arrived.sequencer:
            return content
        return _profiles({**files, arrived.file: entry})

    content = _profiles({arrived.file: entry})
    if not storage.create(arrived.bucket, key, content, content_type="application/json"):
        storage.update(arrived.bucket, key, with_entry)


def _profiles(files: JsonObject) -> bytes:
    return (json.dumps(data_profiles.document(files), indent=1) + "\n").encode()


def copy_to_quarantine(arrived: Arrival, findings: JsonObject) -> None:
    """Copy the version to where refused data is kept, with the findings beside it."""
    from boto3.s3.transfer import TransferConfig

    clients.s3().copy(
        {"Bucket": arrived.bucket, "Key": arrived.key, "VersionId": arrived.version_id},
        arrived.bucket,
        arrived.quarantine_key,
        ExtraArgs={"TaggingDirective": "REPLACE"},
        Config=TransferConfig(multipart_threshold=_COPY_AT_ONCE_BYTES, use_threads=False),
    )
    content = json.dumps(findings, indent=1).encode() + b"\n"
    storage.write(arrived.bucket, f"{arrived.quarantine_key}.findings.json", content)


def remove(arrived: Arrival) -> None:
    """Delete exactly this version; an earlier version of the object becomes current again."""
    clients.s3().delete_object(Bucket=arrived.bucket, Key=arrived.key, VersionId=arrived.version_id)


def reason_to_open(gate: Gate, manifest: ResolvedManifest) -> str | None:
    """Why the data that lies in the run's folder now opens the gate; None while it does not."""
    part = intake.part_for(gate)
    if part is None:
        return None
    bucket, run = naming.split_s3_uri(manifest.locations.manifest)[0], manifest.run.id
    listed = storage.current_objects(bucket, f"{naming.run_prefix(run)}/{part}/")
    return intake.opened_by_upload(gate, manifest, {(o.name, o.version_id) for o in listed})


def open_gate(gate: Gate, manifest: ResolvedManifest) -> Decision | None:
    """Open the gate when the run waits there and its data allows it; None when it does not."""
    run = manifest.run
    token = pipeline.approval_token(run.pipeline, run.execution_id, stage=gate, action=gate)
    reason = reason_to_open(gate, manifest) if token else None
    if token is None or reason is None:
        return None
    return pipeline.approve(run.pipeline, token, stage=gate, action=gate, summary=reason)
