"""Both machines, their first and last states: what happened enters the manifest's history.

`started` also says which attempt this is and which data it is about to read. Told twice, it is
written once.
"""

from datetime import UTC, datetime
from typing import Any

from signalbox import naming, observability, outcomes
from signalbox.aws import runs, storage
from signalbox.events import read
from signalbox.machine_requests import OutcomeReport
from signalbox.manifest_history import append
from signalbox.outcomes import DataRead

logger = observability.logger("record-outcome")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Record one report of a state machine."""
    report = read(OutcomeReport, event)
    outcomes.check_address(report)
    answer = record_start(report) if report.status == outcomes.STARTED else record(report)
    logger.info(
        "recorded", extra={"run_id": report.run_id, "phase": report.phase, "status": report.status}
    )
    return answer


def record(report: OutcomeReport) -> dict[str, Any]:
    """Append the outcome; `recorded` is false when the history had it."""
    new = outcomes.entry_of(report, at=datetime.now(UTC))
    changed = runs.change(report.manifest_uri, lambda current: append(current, new))
    return {"recorded": changed.was_changed}


def record_start(report: OutcomeReport) -> dict[str, Any]:
    """Append the start with what its data is.

    Raises SourceDataMissing or InferenceDataMissing when there is nothing to read.
    """
    prefix_uri = outcomes.data_location(runs.read(report.manifest_uri), report.phase)
    data = _data_at(prefix_uri) if prefix_uri else outcomes.NO_DATA
    outcomes.check_data(data, report.phase, prefix_uri)
    new = outcomes.entry_of(report, at=datetime.now(UTC), data=data)
    changed = runs.change(report.manifest_uri, lambda current: append(current, new))
    return outcomes.start_of(changed.manifest, new.key)


def _data_at(prefix_uri: str) -> DataRead:
    bucket, prefix = naming.split_s3_uri(f"{prefix_uri}/")
    objects = storage.current_objects(bucket, prefix)
    return DataRead(
        digest=storage.digest_of(objects),
        objects=len(objects),
        size_bytes=sum(found.size_bytes for found in objects),
        versions={found.name: found.version_id for found in objects[: outcomes.LISTED_OBJECTS]},
    )
