"""From a registered model version to its use: what the model gate's approval means.

Rules only: imports no AWS client.
"""

from datetime import datetime

from signalbox import manifest_history
from signalbox.errors import ModelVersionMissingError, ModelVersionRejected
from signalbox.manifest_resolved import ResolvedManifest, Serving

PHASE = "approval"
APPROVED = "approved"


def registered_version(manifest: ResolvedManifest) -> str:
    """The ARN of the model version that the run registered last.

    Raises ModelVersionMissingError when it registered none.
    """
    entry = manifest_history.latest(manifest, "training", "registered")
    if entry is None or not entry.arn:
        raise ModelVersionMissingError(
            f"run {manifest.run.id} registered no model version "
            f"(no training/registered entry in {manifest.locations.manifest}); retry stage Train"
        )
    return entry.arn


def rejected(arn: str, reason: str) -> ModelVersionRejected:
    """The outcome when the registry said no although the pipeline's gate was opened."""
    return ModelVersionRejected(
        f"{arn} was rejected in the model registry ({reason or 'no reason given'}); the pipeline's "
        "gate cannot overrule that. Approve the version in the registry and retry stage "
        "PrepareInference, or release again"
    )


def approval_reason(manifest: ResolvedManifest) -> str:
    """What the registry shows as the reason of the approval."""
    return (
        f"Approved at gate ApproveModel of pipeline {manifest.run.pipeline}, "
        f"execution {manifest.run.execution_id}, run {manifest.run.id}"
    )


def with_serving(manifest: ResolvedManifest, arn: str, *, at: datetime) -> ResolvedManifest:
    """The manifest with its inference part and the approval in its history; twice is once."""
    serving = Serving(
        model_package_arn=arn,
        mode=manifest.workload.inference.mode,
        input_uri=manifest.locations.inference,
        predictions_uri=manifest.locations.predictions,
        endpoint=manifest.names.endpoint,
    )
    approval = manifest_history.entry(
        PHASE, APPROVED, arn, at=at, detail={"modelPackageArn": arn}, arn=arn
    )
    updated = manifest.model_copy(update={"inference": serving})
    return manifest_history.append(updated, approval)
