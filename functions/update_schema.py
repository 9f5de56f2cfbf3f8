"""Pipeline action PrepareInference/UpdateSchema: the approved model version enters the manifest.

Settles the approval in the registry, adds the inference part to the run's manifest, and hands it
on as the output artifact. Delivered twice it answers the same.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from signalbox import archive, decisions, observability, registration, settings
from signalbox.archive import Limits
from signalbox.aws import actions, model_gate, pipeline_jobs, registry, runs, storage
from signalbox.aws.pipeline_jobs import JobAnswer
from signalbox.aws.registry import Approval
from signalbox.decisions import GateDecision
from signalbox.errors import EventError
from signalbox.events import PipelineJob
from signalbox.gates import Gate
from signalbox.manifest_history import place
from signalbox.manifest_resolved import ResolvedManifest, from_json, to_input

logger = observability.logger("update-schema")


def handler(event: dict[str, Any], context: object) -> None:
    """Answer the pipeline's job."""
    pipeline_jobs.answer(event, logger, add_inference)


def add_inference(job: PipelineJob) -> JobAnswer:
    """Approve the run's model version and write down what it will serve."""
    manifest = runs.read(_manifest_uri(job))
    arn = registration.registered_version(manifest)
    decision = _decision(manifest)
    if _settings().two_person_rule:
        _check_two_people(manifest, decision, arn)
    _settle(arn, manifest, decision)
    now = datetime.now(UTC)
    updated = runs.change(
        manifest.locations.manifest,
        lambda current: registration.with_serving(_decided(current, decision), arn, at=now),
    ).manifest
    storage.write(job.output.bucket, job.output.key, archive.artifact(to_input(updated)))
    return _answer(updated, arn)


def _manifest_uri(job: PipelineJob) -> str:
    packed = storage.read(job.input.bucket, job.input.key, limit_bytes=Limits().member_bytes)
    document = archive.manifest_in_artifact(packed.content)
    return from_json(document, source=f"artifact {job.input_name}").locations.manifest


def _decision(manifest: ResolvedManifest) -> GateDecision | None:
    """How the model gate was opened, in the pipeline's own record."""
    gate = Gate.APPROVE_MODEL
    done = [
        action
        for action in actions.of_execution(manifest.run.pipeline, manifest.run.execution_id)
        if action.name == gate and action.status == "Succeeded"
    ]
    return model_gate.decision_of(gate, done[-1]) if done else None


def _decided(manifest: ResolvedManifest, decision: GateDecision | None) -> ResolvedManifest:
    """The history with the decision, which the event about it may not have brought yet."""
    return manifest if decision is None else place(manifest, decisions.entry_of(decision))


def _check_two_people(manifest: ResolvedManifest, decision: GateDecision | None, arn: str) -> None:
    """Whoever released the run may not open its gate, unless another has approved the version."""
    version = registry.describe(arn)
    own = model_gate.is_authors_own(manifest, version)
    if version.approval is Approval.APPROVED and not own:
        return
    if decision is None:
        raise EventError(
            f"CodePipeline does not tell yet who opened gate {Gate.APPROVE_MODEL} of run "
            f"{manifest.run.id}, and this environment asks for a second person (TwoPersonRule); "
            "retry stage PrepareInference"
        )
    decisions.check_two_people(manifest, decision.by)


def _settle(arn: str, manifest: ResolvedManifest, decision: GateDecision | None) -> None:
    """One decision, two doors: a pending version follows the gate, a rejected one stops it."""
    version = registry.describe(arn)
    if version.approval is Approval.REJECTED:
        raise registration.rejected(arn, version.approval_description)
    if version.approval is Approval.PENDING:
        run_id = manifest.run.id
        reason = (
            decisions.description(decision, run_id)
            if decision
            else registration.approval_reason(manifest)
        )
        registry.approve(arn, reason)


def _answer(manifest: ResolvedManifest, arn: str) -> JobAnswer:
    return JobAnswer(
        summary=f"Run {manifest.run.id}: {arn} is approved; "
        f"inference mode {manifest.workload.inference.mode}",
        external_id=manifest.run.id,
        variables={"run_id": manifest.run.id, "model_package_arn": arn},
    )


@cache
def _settings() -> settings.PolicySettings:
    return settings.load(settings.PolicySettings)
