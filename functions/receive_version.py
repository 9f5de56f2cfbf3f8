"""Asked by the promotion of another environment: what becomes of a version that it registered here.

That environment's deploy role can register pending versions and call this function, and neither
approve nor delete nor deploy one. Whether anybody is asked is a parameter of this template; what
is taken into use is a version that was promoted, and approved here.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from signalbox import naming, observability, receiving, settings
from signalbox.aws import promotion_runs, registry, runs
from signalbox.aws.registry import ModelVersion
from signalbox.events import read
from signalbox.promotion import TargetApproval
from signalbox.receiving import Received, ReceiveRequest, ReceiveStep, Ruling

logger = observability.logger("receive-version")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Decide on a promoted version, take it back or into use, or leave it; asked again, the same.

    Raises PromotionRefused for a version that was not promoted.
    """
    request = read(ReceiveRequest, event)
    answer = receive(request)
    logger.info("version received", extra={"arn": request.model_package_arn, **answer})
    return answer


def receive(request: ReceiveRequest) -> dict[str, Any]:
    """Look at one version as the registry has it, and carry out what follows."""
    arn, known = request.model_package_arn, _settings()
    version = registry.describe(arn)
    receiving.check_promoted(arn, version.metadata, known.promotion_source_accounts.split(","))
    approval, found = version.approval.value, version.container.image_digest
    ruling = _ruling(request, version, known.promotion_approval)
    if ruling in _CARRIED_OUT:
        _CARRIED_OUT[ruling](arn, request.reason)
    if ruling is Ruling.TAKE_BACK:
        registry.delete(arn)
    if request.step is ReceiveStep.DEPLOY:
        _deploy(version, request.execution_name)
    answer: Received = receiving.answer(ruling, approval, found)
    return answer.model_dump(mode="json")


_CARRIED_OUT: Mapping[Ruling, Callable[[str, str], None]] = {
    Ruling.APPROVE: registry.approve,
    Ruling.REJECT: registry.reject,
    Ruling.REOPEN: registry.reopen,
}


def _ruling(request: ReceiveRequest, version: ModelVersion, asks: TargetApproval) -> Ruling:
    approval = version.approval.value
    if request.step in (ReceiveStep.WITHDRAW, ReceiveStep.REOPEN):
        return receiving.rule_on_waiting(request, approval, version.approval_description)
    wanted = version.metadata.get(receiving.IMAGE_DIGEST, "")
    return receiving.rule(request.step, approval, (wanted, version.container.image_digest), asks)


def _deploy(version: ModelVersion, name: str) -> None:
    """Start the inference machine on the manifest of the version's run, once under a name."""
    run_id = version.metadata.get("run_id", "")
    manifest = runs.read(naming.s3_uri(_settings().workflow_bucket, naming.manifest_key(run_id)))
    approval = version.approval.value
    receiving.check_deployable(version.arn, approval, version.metadata, manifest)
    promotion_runs.start(manifest, name, _settings().inference_machine_arn)


@cache
def _settings() -> settings.ReceivingSettings:
    return settings.load(settings.ReceivingSettings)
