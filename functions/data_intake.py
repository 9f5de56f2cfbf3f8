"""EventBridge, an object was created under a run's source or inference data: checked, then decided.

Good data is profiled and opens the gate that waits for it; bad data is moved to quarantine and
people are told. One decision per object version: an event that comes again, late or out of order
finds the decision and finishes what was left undone.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from signalbox import (
    intake,
    intake_check,
    intake_rules,
    manifest_history,
    messages_data,
    naming,
    observability,
)
from signalbox import settings as settings_of
from signalbox.aws import intake as data
from signalbox.aws import messages, runs
from signalbox.delivery import Standing
from signalbox.errors import ObjectMissingError
from signalbox.events import ObjectCreated, read
from signalbox.intake import Arrival
from signalbox.intake_check import Report
from signalbox.manifest_resolved import HistoryEntry, ResolvedManifest
from signalbox.messages_data import Place

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
    # Lambda's own retries keep the request id: that is how a sender knows its claim again.
    owner = str(getattr(context, "aws_request_id", ""))
    outcome = "not data of a run" if arrived is None else take_in(arrived, owner)
    logger.info("data seen", extra={"key": created.object.key, "outcome": outcome})
    return {"key": created.object.key, "outcome": outcome}


def take_in(arrived: Arrival, owner: str) -> str:
    """Check the version unless it was decided before, then do what the decision asks for."""
    try:
        manifest = runs.read(_manifest_uri(arrived))
        if not intake.is_read(manifest, arrived):
            return "not read by the run"
        known = intake.decided(manifest, arrived)
        if known is None:
            manifest, known = _decide(manifest, arrived)
    except ObjectMissingError as missing:
        return f"gone: {missing.uri}"
    return _act(manifest, known, arrived, owner)


def _decide(manifest: ResolvedManifest, arrived: Arrival) -> tuple[ResolvedManifest, HistoryEntry]:
    """The manifest with the decision, and the decision: another delivery's if that was first."""
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
    return changed.manifest, entry


def _findings(arrived: Arrival, report: Report) -> dict[str, Any]:
    return {
        "file": arrived.name,
        "versionId": arrived.version_id,
        "findings": [finding.document() for finding in report.findings],
    }


def _act(manifest: ResolvedManifest, entry: HistoryEntry, arrived: Arrival, owner: str) -> str:
    """What follows from a decision; done again, each part of it changes nothing more.

    A refused version leaves the data set whoever tells of it: its claim says who does, and Lambda
    runs that delivery again if it dies.
    """
    told = None
    if entry.status == intake.QUARANTINED:
        message = messages_data.quarantined(_place(manifest), arrived, entry)
        told = messages.tell(message, messages.channel(_settings(), owner))
        data.remove(arrived)
    gate = data.open_gate(intake.GATES[arrived.part], manifest)
    _tell_of_too_few_rows(manifest, arrived, owner)
    if told is None:
        return f"accepted, gate {gate or 'left as it is'}"
    return "quarantined" if told is Standing.OURS else f"quarantined, {told}"


def _tell_of_too_few_rows(manifest: ResolvedManifest, arrived: Arrival, owner: str) -> None:
    found = data.too_few_rows(arrived.part, manifest)
    if found is not None:
        message = messages_data.too_few_rows(_place(manifest), arrived.part, found)
        messages.tell(message, messages.channel(_settings(), owner))


def _place(manifest: ResolvedManifest) -> Place:
    return Place(manifest, _settings().app_name, _settings().aws_region)


def _manifest_uri(arrived: Arrival) -> str:
    return naming.s3_uri(arrived.bucket, naming.manifest_key(arrived.run))


@cache
def _settings() -> settings_of.TellingSettings:
    return settings_of.load(settings_of.TellingSettings)
