"""EventBridge, an object was created under a run's source or inference data: checked, then decided.

Good data is profiled and opens the gate that waits for it; bad data is moved to quarantine and
people are told. One decision per object version: an event that comes again, late or out of order
finds the decision and finishes what was left undone.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from signalbox import intake, intake_check, intake_rules, manifest_history, naming, observability
from signalbox import settings as settings_of
from signalbox.aws import announcements, runs
from signalbox.aws import intake as data
from signalbox.errors import EventError, ObjectMissingError
from signalbox.events import ObjectCreated, read
from signalbox.intake import Arrival
from signalbox.intake_check import Report
from signalbox.manifest_resolved import HistoryEntry, ResolvedManifest

logger = observability.logger("data-intake")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Decide on one object version; raises on failure, so that Lambda delivers the event again."""
    created = read(ObjectCreated, event).detail
    arrived = intake.arrival(
        bucket=created.bucket.name,
        key=created.object.key,
        version_id=created.object.version_id,
        size_bytes=created.object.size_bytes,
        sequencer=created.object.sequencer,
    )
    outcome = "not data of a run" if arrived is None else take_in(arrived)
    logger.info("data seen", extra={"key": created.object.key, "outcome": outcome})
    return {"key": created.object.key, "outcome": outcome}


def take_in(arrived: Arrival) -> str:
    """Check the version unless it was decided before, then do what the decision asks for."""
    try:
        manifest = runs.read(_manifest_uri(arrived))
        if not intake.is_read(manifest, arrived):
            return "not read by the run"
        known = intake.decided(manifest, arrived)
        return _finish(manifest, known, arrived) if known else _decide(manifest, arrived)
    except ObjectMissingError as missing:
        return f"gone: {missing.uri}"


def _decide(manifest: ResolvedManifest, arrived: Arrival) -> str:
    expected = intake_rules.expectation(manifest.workload, arrived.part)
    with data.opened(arrived) as stream:
        report = intake_check.check(stream, expected, file=arrived.file)
    if report.is_accepted:
        data.keep_profile(arrived, report.profile_document())
    else:
        data.copy_to_quarantine(arrived, _findings(arrived, report))
    entry = intake.decision(arrived, report, digest=data.digest_of(arrived), at=datetime.now(UTC))
    changed = runs.change(
        _manifest_uri(arrived), lambda current: manifest_history.append(current, entry)
    )
    if changed.was_changed:
        return _act(changed.manifest, entry, arrived)
    return _finish(changed.manifest, entry, arrived)


def _findings(arrived: Arrival, report: Report) -> dict[str, Any]:
    return {
        "file": arrived.name,
        "versionId": arrived.version_id,
        "findings": [finding.document() for finding in report.findings],
    }


def _act(manifest: ResolvedManifest, entry: HistoryEntry, arrived: Arrival) -> str:
    """What follows from a decision; to do it again changes nothing but a second message."""
    if entry.status == intake.ACCEPTED:
        gate = data.open_gate(intake.GATES[arrived.part], manifest)
        return f"accepted, gate {gate or 'left as it is'}"
    findings = intake.findings_of(entry)
    announcements.announce_quarantine(_settings().notification_topic_arn, arrived, findings)
    data.remove(arrived)
    data.open_gate(intake.GATES[arrived.part], manifest)
    return "quarantined"


def _finish(manifest: ResolvedManifest, entry: HistoryEntry, arrived: Arrival) -> str:
    """Do what a decision of another delivery asks for, unless that is done or being done."""
    if entry.status == intake.QUARANTINED:
        if not data.exists(arrived):
            data.open_gate(intake.GATES[arrived.part], manifest)
            return "quarantined before"
        if intake.may_be_telling(entry, datetime.now(UTC)):
            raise EventError(f"{arrived.key} is being quarantined by another delivery; try again")
    return _act(manifest, entry, arrived)


def _manifest_uri(arrived: Arrival) -> str:
    return naming.s3_uri(arrived.bucket, naming.manifest_key(arrived.run))


@cache
def _settings() -> settings_of.IntakeSettings:
    return settings_of.load(settings_of.IntakeSettings)
