"""What a state machine reports, as entries of a run's history.

Rules only: imports no AWS client.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from signalbox import manifest_history, naming
from signalbox.errors import EventError, InferenceDataMissing, SourceDataMissing
from signalbox.json_documents import JsonObject
from signalbox.machine_requests import OutcomeReport
from signalbox.manifest_resolved import HistoryEntry, ResolvedManifest
from signalbox.manifest_sections import InferenceMode

STARTED = "started"
TRAINING = "training"
INFERENCE = "inference"
# Named one by one in the history; the digest covers all of them.
LISTED_OBJECTS = 20


@dataclass(frozen=True)
class DataRead:
    """The data that a phase is about to read; `versions` has the first objects by name."""

    digest: str
    objects: int
    size_bytes: int
    versions: Mapping[str, str]

    def summary(self) -> JsonObject:
        """What the state machine carries on."""
        return {"digest": self.digest, "objects": self.objects, "bytes": self.size_bytes}


NO_DATA = DataRead(f"sha256:{hashlib.sha256(b'').hexdigest()}", 0, 0, {})


def check_address(report: OutcomeReport) -> None:
    """Raises EventError unless phase and manifest belong to the run that the report names."""
    if report.phase not in (TRAINING, INFERENCE):
        raise EventError(f'phase "{report.phase}" is neither {TRAINING} nor {INFERENCE}')
    if naming.split_s3_uri(report.manifest_uri)[1] != naming.manifest_key(report.run_id):
        raise EventError(f"{report.manifest_uri} is not the manifest of run {report.run_id}")


def data_location(manifest: ResolvedManifest, phase: str) -> str | None:
    """The prefix that a phase reads; None when it reads none, such as an endpoint's update."""
    if phase == TRAINING:
        return manifest.locations.source
    is_batch = manifest.workload.inference.mode is InferenceMode.BATCH
    return manifest.locations.inference if is_batch else None


def check_data(data: DataRead, phase: str, prefix_uri: str | None) -> None:
    """Raises SourceDataMissing or InferenceDataMissing when a prefix that is read holds nothing."""
    if prefix_uri is None or data.objects:
        return
    missing = SourceDataMissing if phase == TRAINING else InferenceDataMissing
    stage = "Train" if phase == TRAINING else "Inference"
    raise missing(
        f"no object below {prefix_uri}/; upload the data there (signalbox upload) "
        f"and retry stage {stage}"
    )


def entry_of(report: OutcomeReport, *, at: datetime, data: DataRead | None = None) -> HistoryEntry:
    """The history entry of a report; a registered version is what the entry is about."""
    detail: JsonObject = dict(report.detail)
    if data is not None:
        detail = {**detail, "data": {**data.summary(), "versions": dict(data.versions)}}
    registered = report.detail.get("modelPackageArn")
    return manifest_history.entry(
        report.phase,
        report.status,
        report.execution,
        at=at,
        detail=detail,
        arn=registered if isinstance(registered, str) else report.execution,
    )


def start_of(manifest: ResolvedManifest, key: str) -> JsonObject:
    """Attempt and data of a recorded start, the same for every delivery of it."""
    known = manifest_history.find(manifest, key)
    if known is None:
        raise EventError(f"no start {key} in the history of run {manifest.run.id}")
    attempt = manifest_history.attempt_number(manifest, known.phase, key)
    return {"attempt": str(attempt), "data": _carried(known.detail.get("data"))}


def _carried(data: JsonValue) -> JsonObject:
    recorded = data if isinstance(data, dict) else {}
    return {name: recorded.get(name) for name in ("digest", "objects", "bytes")}
