"""Pipeline action PrepareInference/UpdateSchema: the approved model version enters the manifest.

Settles the approval in the registry, adds the inference part to the run's manifest, and hands it
on as the output artifact. Delivered twice it answers the same.
"""

from datetime import UTC, datetime
from typing import Any

from signalbox import archive, observability, registration
from signalbox.archive import Limits
from signalbox.aws import pipeline_jobs, registry, runs, storage
from signalbox.aws.pipeline_jobs import JobAnswer
from signalbox.aws.registry import Approval
from signalbox.events import PipelineJob
from signalbox.manifest_resolved import ResolvedManifest, from_json, to_input

logger = observability.logger("update-schema")


def handler(event: dict[str, Any], context: object) -> None:
    """Answer the pipeline's job."""
    pipeline_jobs.answer(event, logger, add_inference)


def add_inference(job: PipelineJob) -> JobAnswer:
    """Approve the run's model version and write down what it will serve."""
    manifest = runs.read(_manifest_uri(job))
    arn = registration.registered_version(manifest)
    _settle(arn, registration.approval_reason(manifest))
    now = datetime.now(UTC)
    updated = runs.change(
        manifest.locations.manifest,
        lambda current: registration.with_serving(current, arn, at=now),
    ).manifest
    storage.write(job.output.bucket, job.output.key, archive.artifact(to_input(updated)))
    return _answer(updated, arn)


def _manifest_uri(job: PipelineJob) -> str:
    packed = storage.read(job.input.bucket, job.input.key, limit_bytes=Limits().member_bytes)
    document = archive.manifest_in_artifact(packed.content)
    return from_json(document, source=f"artifact {job.input_name}").locations.manifest


def _settle(arn: str, reason: str) -> None:
    """One decision, two doors: a pending version follows the gate, a rejected one stops it."""
    version = registry.describe(arn)
    if version.approval is Approval.REJECTED:
        raise registration.rejected(arn, version.approval_description)
    if version.approval is Approval.PENDING:
        registry.approve(arn, reason)


def _answer(manifest: ResolvedManifest, arn: str) -> JobAnswer:
    return JobAnswer(
        summary=f"Run {manifest.run.id}: {arn} is approved; "
        f"inference mode {manifest.workload.inference.mode}",
        external_id=manifest.run.id,
        variables={"run_id": manifest.run.id, "model_package_arn": arn},
    )
