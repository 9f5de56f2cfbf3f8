"""What the reconciler does about what it can prove: each of these may be done again at any time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from signalbox import decisions, json_documents, messages_findings, naming, reconciliation
from signalbox.aws import messages, pipeline, promotions, registry, runs, storage
from signalbox.aws.messages import Channel
from signalbox.aws.pipeline import Decision
from signalbox.aws.promotions import Environment
from signalbox.aws.registry import Approval, ModelVersion
from signalbox.aws.survey import EndOfRun, GateAtRun
from signalbox.errors import ObjectMissingError
from signalbox.json_documents import JsonObject
from signalbox.manifest_history import place
from signalbox.manifest_resolved import HistoryEntry
from signalbox.reconciliation import Finding, Ruling, Version

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


@dataclass(frozen=True)
class Following:
    """What it takes to see to promotions."""

    where: Environment
    machine_arn: str
    two_people: bool


def follow(versions: Iterable[Version], known: Following) -> list[str]:
    """Begin, stop or leave the promotion of each version, as its event would have; what came of it.

    An environment that nothing is promoted from has nothing to look at.
    """
    if not promotions.path(known.where):
        return []
    return [f"{version.arn}: {_follow(version.arn, known)}" for version in versions]


def _follow(arn: str, known: Following) -> str:
    version = registry.describe(arn)
    if known.two_people and version.approval is Approval.APPROVED and _is_authors(version, known):
        return "approved by its author alone, withheld"
    return promotions.follow(known.where, known.machine_arn, arn).value


def _is_authors(version: ModelVersion, known: Following) -> bool:
    run_id = version.metadata.get("run_id")
    if not run_id:
        return False
    try:
        manifest = runs.read(naming.s3_uri(known.where.bucket, naming.manifest_key(run_id)))
    except ObjectMissingError:
        return False
    return decisions.is_author(manifest, version.modified_by)


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
