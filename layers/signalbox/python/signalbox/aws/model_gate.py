"""One decision, two doors: the pipeline's gate and the model registry.

Each side is settled only where it is still open, so neither can answer the other's answer: a
decision at the gate changes a pending version, and a decision in the registry ends a gate that
waits. Whatever arrives again or late finds both sides settled and does nothing.
"""

from signalbox import decisions, gates, registration
from signalbox.aws import intake, pipeline, registry
from signalbox.aws.actions import ActionRun
from signalbox.aws.pipeline import Decision
from signalbox.aws.registry import Approval, ModelVersion
from signalbox.decisions import GateDecision, Outcome
from signalbox.gates import Gate
from signalbox.manifest_resolved import ResolvedManifest


def settled(
    gate: Gate, manifest: ResolvedManifest, *, two_people: bool = False
) -> tuple[bool, str] | None:
    """Whether a gate that waits is decided already, how, and why; None when a person is needed.

    Where two people are asked for, neither the author's manifest nor the author's own approval in
    the registry opens the model gate.
    """
    reason = gates.opens_by_itself(gate, manifest.workload) or intake.reason_to_open(gate, manifest)
    if gate is not Gate.APPROVE_MODEL:
        return None if reason is None else (True, reason)
    if reason is not None and not two_people:
        return True, reason
    version = registry.describe(registration.registered_version(manifest))
    return (
        None if two_people and is_authors_own(manifest, version) else decided_in_registry(version)
    )


def is_authors_own(manifest: ResolvedManifest, version: ModelVersion) -> bool:
    """Whether a version is approved, and by the one who released its run, as far as AWS tells."""
    by_author = decisions.is_author(manifest, version.modified_by)
    return version.approval is Approval.APPROVED and by_author


def decided_in_registry(version: ModelVersion) -> tuple[bool, str] | None:
    """What the registry says of a version, as a decision at the gate; None while it is pending."""
    if version.approval is Approval.PENDING:
        return None
    who = f" by {decisions.person(version.modified_by)}" if version.modified_by else ""
    why = version.approval_description or "no reason given"
    return (
        version.approval is Approval.APPROVED,
        f"{version.approval} in the model registry{who}: {why}",
    )


def close(manifest: ResolvedManifest, *, approved: bool, reason: str) -> Decision | None:
    """Decide the model gate of a run if it waits there; None when it does not."""
    name = Gate.APPROVE_MODEL.value
    where = manifest.run.pipeline
    token = pipeline.approval_token(where, manifest.run.execution_id, stage=name, action=name)
    if token is None:
        return None
    return pipeline.decide(where, token, stage=name, action=name, approved=approved, summary=reason)


def decision_of(gate: Gate, action: ActionRun) -> GateDecision:
    """How the wait at a gate ended, in the pipeline's own record."""
    outcome = decisions.outcome_of(
        succeeded=action.status == "Succeeded", by=action.by, reason=action.summary
    )
    return GateDecision(gate, outcome, action.by, action.summary, action.ended_at, action.id)


def settle_version(manifest: ResolvedManifest, decision: GateDecision, *, two_people: bool) -> None:
    """Give a pending model version the status that the gate was given.

    Where two people are asked for, the author's own approval leaves it pending.
    """
    if decision.outcome is Outcome.EXPIRED:
        return
    arn = registration.registered_version(manifest)
    if registry.describe(arn).approval is not Approval.PENDING:
        return
    reason = decisions.description(decision, manifest.run.id)
    if decision.outcome is Outcome.REJECTED:
        registry.reject(arn, reason)
    elif not (two_people and decisions.is_author(manifest, decision.by)):
        registry.approve(arn, reason)
