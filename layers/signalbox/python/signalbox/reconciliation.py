"""What a lost event has left behind, and what of it can be proved and so be repaired.

Every rule answers from facts alone, and answers the same until the fact has changed: a repair that
is made twice, or beside the event that was only late, changes nothing. Rules only: imports no AWS
client, reads no clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from signalbox import manifest_history
from signalbox.decisions import EXPIRY
from signalbox.gates import Gate
from signalbox.json_documents import JsonObject
from signalbox.manifest_resolved import HistoryEntry, ResolvedManifest

# What is this late is lost: EventBridge delivers within seconds, Lambda retries for minutes.
LATE = timedelta(minutes=15)
# How long after its deadline a gate is left to CodePipeline, which ends it by itself.
GRACE = timedelta(minutes=30)
# A decision in the registry that nothing has followed for longer than this is a person's business.
FOLLOWED_FOR = timedelta(days=7)
FOLLOWED_AT_ONCE = 50
ENDINGS = ("succeeded", "registered", "refused", "failed", "rolled-back")
_TEXT_LIMIT = 2000


@dataclass(frozen=True)
class Ruling:
    """The decision at a gate; `reason` is what the pipeline and the history show."""

    approved: bool
    reason: str


@dataclass(frozen=True)
class WaitingGate:
    """A gate that waits; `settled` is what manifest and registry say of it, None while open."""

    gate: Gate
    run_id: str
    since: datetime
    timeout: timedelta
    settled: tuple[bool, str] | None = None
    undecided: tuple[str, ...] = ()
    """Data that lies there, older than LATE, on which nothing was decided."""

    @property
    def deadline(self) -> datetime:
        """When CodePipeline gives up waiting."""
        return self.since + self.timeout


@dataclass(frozen=True)
class EndedMachine:
    """An execution of a state machine that has ended; `output` is what it returned, if it did."""

    arn: str
    phase: str
    status: str
    error: str
    cause: str
    output: JsonObject
    ended_at: datetime


@dataclass(frozen=True)
class Version:
    """A model version of the registry, as far as promotion looks at it."""

    arn: str
    approval: str
    changed_at: datetime
    run_id: str = ""
    is_rolled_back: bool = False
    is_promoted: bool = False
    """Whether it came from another environment, whose promotion waits for the decision."""
    is_superseded: bool = False
    """Whether the registry says that another version serves in its place by now."""
    decided_at: datetime | None = None
    """When its approval was written down; None when nobody has seen it yet."""
    has_begun: bool = False
    """Whether the promotion of that approval has begun."""


@dataclass(frozen=True, order=True)
class Finding:
    """Something that is not as it should be and that only a person can put right.

    `key` is the same for as long as the thing is; a person is told of it once.
    """

    kind: str
    key: str
    sentence: str
    command: str = ""
    """The line that puts it right, where there is one."""


def rule_on_gate(waiting: WaitingGate, now: datetime) -> Ruling | None:
    """How a gate that waits is to be decided; None when a person has still time to.

    What is settled elsewhere wins over time that ran out.
    """
    if waiting.settled is not None:
        approved, reason = waiting.settled
        return Ruling(approved, reason)
    if now < waiting.deadline + GRACE:
        return None
    return Ruling(
        approved=False,
        reason=f"{EXPIRY}: nobody decided until {manifest_history.timestamp(waiting.deadline)}.",
    )


def missing_end(manifest: ResolvedManifest, ended: EndedMachine) -> HistoryEntry | None:
    """The entry that the manifest lacks on the end of an execution; None when it has one.

    It has the identity that record_outcome would give it, so a report that is only late is the same
    fact. An execution that never began to write (no `started`) is not of this run's doing.
    """
    keys = {manifest_history.entry_key(ended.phase, s, ended.arn) for s in ("started", *ENDINGS)}
    known = [entry for entry in manifest.history if entry.key in keys]
    if not known or any(entry.status in ENDINGS for entry in known):
        return None
    status = _ending_of(ended)
    if status is None:
        return None
    detail: JsonObject = (
        dict(ended.output)
        if status != "failed"
        else {"error": ended.error or ended.status, "cause": ended.cause[:_TEXT_LIMIT]}
    )
    arn = ended.output.get("modelPackageArn") if status == "registered" else None
    return manifest_history.entry(
        ended.phase,
        status,
        ended.arn,
        at=ended.ended_at,
        detail={**detail, "recordedBy": "reconciler"},
        arn=arn if isinstance(arn, str) else ended.arn,
    )


def _ending_of(ended: EndedMachine) -> str | None:
    """What an end proves; None for one that ended well and does not say what it did."""
    if ended.status in ("FAILED", "TIMED_OUT", "ABORTED"):
        return "failed"
    if ended.status != "SUCCEEDED":
        return None
    if ended.phase == "inference":
        return "succeeded"
    return "registered" if isinstance(ended.output.get("modelPackageArn"), str) else None


def to_follow(versions: Iterable[Version], now: datetime) -> list[Version]:
    """Versions whose promotion is to be begun, stopped or left, the oldest change first.

    Following is idempotent and looks at the registry itself, so every version that was changed
    lately is among them: one that waits may have been approved before. Of several that are approved
    in one group only the last is promoted: an older approval, found late, must not overtake it.
    Those that came from another environment are the business of its promotion.
    """
    due = [
        version
        for version in versions
        if not version.is_rolled_back
        and not version.is_promoted
        and now - version.changed_at <= FOLLOWED_FOR
    ]
    last = _last_approved(due)
    kept = [v for v in due if v.approval != "Approved" or last[_group(v)] == v]
    ordered = sorted(kept, key=lambda version: (version.changed_at, version.arn))
    return [v for v in ordered if not v.has_begun][-FOLLOWED_AT_ONCE:]


def _group(version: Version) -> str:
    return version.arn.rpartition("/")[0]


def _last_approved(versions: Iterable[Version]) -> dict[str, Version | None]:
    """The version of each group that was approved last; None where it was superseded.

    A stamp changes a version as well, so the moment that was written down counts before that of the
    last change, and a superseded version is later than no other.
    """
    approved = [version for version in versions if version.approval == "Approved"]
    ordered = sorted(approved, key=lambda v: (v.decided_at or v.changed_at, v.arn))
    found: dict[str, Version | None] = {_group(version): None for version in ordered}
    return found | {_group(v): v for v in ordered if not v.is_superseded}


def gate_findings(waiting: WaitingGate) -> list[Finding]:
    """Data that waits at a gate, and that nobody has looked at."""
    return [
        Finding(
            "data",
            f"undecided {waiting.run_id} {name}",
            f"{name} of run {waiting.run_id} was uploaded and never checked: its event is lost. "
            f"Upload it again, or decide at {waiting.gate} by hand",
        )
        for name in waiting.undecided
    ]


def end_findings(manifest: ResolvedManifest, ended: EndedMachine) -> list[Finding]:
    """A machine that ended well without a trace of what it did."""
    if missing_end(manifest, ended) is not None or _ending_of(ended) is not None:
        return []
    return [
        Finding(
            "run",
            f"unrecorded {ended.arn}",
            f"execution {ended.arn} of run {manifest.run.id} ended as {ended.status}, and neither "
            "its output nor the manifest says what it did",
        )
    ]


def pending_findings(
    versions: Iterable[Version], waiting_runs: Iterable[str], now: datetime
) -> list[Finding]:
    """Versions that wait for a decision which no gate asks for any more."""
    asked = set(waiting_runs)
    return [
        Finding(
            "version",
            f"pending {version.arn}",
            f"{version.arn} waits for a decision that no gate asks for any more. Approve or reject "
            "it in the registry",
        )
        for version in versions
        if version.approval == "PendingManualApproval"
        and version.run_id not in asked
        and not version.is_promoted
        and now - version.changed_at > timedelta(days=1)
    ]


def fresh(findings: Iterable[Finding], told: Iterable[str]) -> list[Finding]:
    """Findings that nobody was told of, sorted, each once."""
    known = set(told)
    return sorted({f.key: f for f in findings if f.key not in known}.values())
