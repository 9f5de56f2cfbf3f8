"""What the reconciler does about what it can prove: each of these may be done again at any time."""

from datetime import UTC, datetime

from signalbox import json_documents, messages_findings, reconciliation
from signalbox.aws import messages, pipeline, runs, storage
from signalbox.aws.messages import Channel
from signalbox.aws.pipeline import Decision
from signalbox.aws.survey import EndOfRun, GateAtRun
from signalbox.errors import ObjectMissingError
from signalbox.json_documents import JsonObject
from signalbox.manifest_history import place
from signalbox.manifest_resolved import HistoryEntry
from signalbox.reconciliation import Finding, Ruling

# What people were told of; a thing that is gone is forgotten.
TOLD_KEY = "reconciler/told.json"


def decide(gate: GateAtRun, ruling: Ruling) -> Decision:
    """Decide a gate that still waits; a decision that was made meanwhile stands."""
    name, run = gate.waiting.gate.value, gate.manifest.run
    token = pipeline.approval_token(run.pipeline, run.execution_id, stage=name, action=name)
    if token is None:
        return Decision.MADE_BEFORE
    return pipeline.decide(
        run.pipeline,
        token,
        stage=name,
        action=name,
        approved=ruling.approved,
        summary=ruling.reason,
    )


def write_end(found: EndOfRun, entry: HistoryEntry) -> bool:
    """Write the end of an execution into its run's manifest; False when it was there by now."""
    uri = found.manifest.locations.manifest
    return runs.change(uri, lambda current: place(current, entry)).was_changed


def follow(arn: str) -> str:
    """See to the promotion of an approved version.

    The seam to promotion: signalbox.aws.promotions.follow, which is idempotent, belongs here.
    """
    del arn
    return "no promotion"


def tell(findings: list[Finding], channel: Channel) -> int:
    """Tell people of what they were not told before, once; how many things that is."""
    told = _told(channel.bucket)
    new = reconciliation.fresh(findings, told)
    if new:
        day = datetime.now(UTC).date()
        messages.tell(messages_findings.found(new, channel.environment, day), channel)
    keys = sorted({finding.key for finding in findings})
    if keys != told:
        document: JsonObject = {"schemaVersion": "1", "told": [*keys]}
        content = json_documents.to_text(document).encode()
        storage.write(channel.bucket, TOLD_KEY, content, content_type="application/json")
    return len(new)


def _told(bucket: str) -> list[str]:
    try:
        document = json_documents.parse(storage.read(bucket, TOLD_KEY).content)
    except ObjectMissingError:
        return []
    listed = document.get("told") if isinstance(document, dict) else None
    return [str(key) for key in listed] if isinstance(listed, list) else []
