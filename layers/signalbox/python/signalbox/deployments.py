"""What the inference machine reports about an endpoint, as deployments of its serving record.

Rules only: imports no AWS client.
"""

import re
from datetime import datetime

from pydantic import JsonValue

from signalbox import serving
from signalbox.errors import ManifestError
from signalbox.json_documents import JsonObject
from signalbox.machine_requests import OutcomeReport
from signalbox.manifest_resolved import HistoryEntry, ResolvedManifest
from signalbox.rollout import HOSTED
from signalbox.serving import REASON_LIMIT, Deployment, DeploymentStatus, ServingRecord

# Reports of the machine, and what they make of a deployment.
STATUSES = {
    "succeeded": DeploymentStatus.SERVING,
    "failed": DeploymentStatus.FAILED,
    "rolled-back": DeploymentStatus.ROLLED_BACK,
}
# SageMaker rolls an update back, too, when there is no room for its instances; that says nothing
# about the version. FailureReason has no codes, only sentences with these words.
_NO_ROOM = re.compile(r"capacity|resource ?limit|quota", re.IGNORECASE)

NOTHING: JsonObject = {"superseded": [], "retired": [], "marks": [], "failed": []}


def check_plan(manifest: ResolvedManifest) -> None:
    """Raises ManifestError for a hosted run that was resolved before there were rollouts."""
    plan = manifest.steps.inference
    if plan.mode in HOSTED and plan.rollout is None:
        raise ManifestError(
            (
                "/steps/inference/rollout: missing, because an earlier Signalbox resolved this "
                "run; release the workload again",
            ),
            document=manifest.locations.manifest,
        )


def deployment_of(report: OutcomeReport, entry: HistoryEntry) -> Deployment | None:
    """The deployment that a report is about; None for a batch, and before a config was made."""
    known = report.detail.get("deployment", report.detail)
    names = known if isinstance(known, dict) else {}
    config, model = names.get("endpointConfig"), names.get("model")
    arn = names.get("modelPackageArn")
    status = STATUSES.get(report.status)
    if status is None or not all(isinstance(one, str) for one in (config, model, arn)):
        return None
    return Deployment(
        key=entry.key,
        at=entry.at,
        run_id=report.run_id,
        model_package_arn=str(arn),
        version=serving.version_of(str(arn)),
        endpoint_config=str(config),
        model=str(model),
        status=status,
        reason=str(report.detail.get("cause", ""))[:REASON_LIMIT],
        by=report.execution,
    )


def consequences(record: ServingRecord, deployment: Deployment, *, keep: int) -> JsonObject:
    """What the machine has to stamp and may delete after a deployment was recorded.

    `superseded` and `failed` are ARNs of versions, `marks` the text that marks this version as
    rolled back, `retired` configs with their models; every list may be empty. The same for a
    repeated report.
    """
    known = next(one for one in record.deployments if one.key == deployment.key)
    if known.status in (DeploymentStatus.FAILED, DeploymentStatus.ROLLED_BACK):
        return {**NOTHING, **_of_failure(record, known)}
    gone = serving.retired(record, keep=keep)
    return {
        **NOTHING,
        "superseded": _superseded_by(record, known),
        "retired": [one.model_dump(mode="json") for one in gone],
    }


def _of_failure(record: ServingRecord, known: Deployment) -> JsonObject:
    now = serving.serving(record)
    if now is not None and now.model_package_arn == known.model_package_arn:
        return {}
    if known.status is not DeploymentStatus.ROLLED_BACK or _had_no_room(known.reason):
        return {"failed": [known.model_package_arn]}
    moment = datetime.fromisoformat(known.at)
    return {"marks": [serving.rolled_back_mark(moment, known.reason)]}


def _had_no_room(cause: str) -> bool:
    """Only SageMaker's own words count: before them come names, which authors choose."""
    _, said, reason = cause.partition("Reason: ")
    return bool(said and _NO_ROOM.search(reason))


def _superseded_by(record: ServingRecord, known: Deployment) -> list[JsonValue]:
    earlier = record.deployments[: record.deployments.index(known)]
    served = [one for one in earlier if one.status is DeploymentStatus.SUPERSEDED]
    arn = served[-1].model_package_arn if served else known.model_package_arn
    return [] if arn == known.model_package_arn else [arn]
