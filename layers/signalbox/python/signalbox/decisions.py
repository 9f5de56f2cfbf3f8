"""Who decided a gate, how, and why; and who must not.

The pipeline's own record of the approval action is the source: it is there whichever door the
decision came through. Rules only: imports no AWS client.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from signalbox import manifest_history
from signalbox.errors import ApproverIsAuthor
from signalbox.gates import Gate
from signalbox.manifest_resolved import HistoryEntry, ResolvedManifest

PHASE = "gate"
# What the reconciler gives as its reason where it ends a gate that time has run out for.
EXPIRY = "Expired by Signalbox"


class Outcome(StrEnum):
    """What became of a gate."""

    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


@dataclass(frozen=True)
class GateDecision:
    """The end of one wait at one gate; `by` is an ARN, empty when time ran out."""

    gate: Gate
    outcome: Outcome
    by: str
    reason: str
    at: datetime
    action_execution_id: str


def outcome_of(*, succeeded: bool, by: str, reason: str) -> Outcome:
    """A gate that failed was rejected when somebody did so, else its time ran out."""
    if succeeded:
        return Outcome.APPROVED
    if reason.startswith(EXPIRY):
        return Outcome.EXPIRED
    return Outcome.REJECTED if by or reason else Outcome.EXPIRED


def entry_of(decision: GateDecision) -> HistoryEntry:
    """The decision for the run's history."""
    return manifest_history.entry(
        PHASE,
        decision.outcome,
        decision.action_execution_id,
        at=decision.at,
        detail={
            "gate": decision.gate.value,
            "by": decision.by,
            "reason": decision.reason,
            "actionExecutionId": decision.action_execution_id,
        },
    )


def person(arn: str) -> str:
    """Who an ARN is, short enough to read.

    >>> person("arn:aws:sts::123456789012:assumed-role/Reviewer/ada")
    'ada (Reviewer)'
    >>> person("arn:aws:iam::123456789012:user/team/grace")
    'grace'
    """
    kind, _, rest = arn.rpartition(":")[2].partition("/")
    if kind == "assumed-role" and "/" in rest:
        role, _, session = rest.partition("/")
        return f"{session} ({role})"
    return rest.rpartition("/")[2] or arn or "somebody"


def description(decision: GateDecision, run_id: str) -> str:
    """What the registry shows as the reason of a decision made at the pipeline's gate."""
    said = f": {decision.reason}" if decision.reason else ""
    verb = decision.outcome.capitalize()
    return f"{verb} by {person(decision.by)} at gate {decision.gate} of run {run_id}{said}"


def is_author(manifest: ResolvedManifest, who: str) -> bool:
    """Whether somebody released the run; never for a run that an event released."""
    return bool(who) and who == manifest.run.released_by


def check_two_people(manifest: ResolvedManifest, approver: str) -> None:
    """Raises ApproverIsAuthor when the one who approves also released the run.

    A run that an event released names nobody, and nobody is refused then.
    """
    if is_author(manifest, approver):
        raise ApproverIsAuthor(
            f"{person(approver)} released run {manifest.run.id} and approved its model; this "
            "environment asks for a second person (TwoPersonRule). Let somebody else approve the "
            "model version in the registry and retry stage PrepareInference, or release again"
        )
