"""Asked by the promotion of another environment: what becomes of a version that it registered here.

That environment's deploy role can register pending versions and call this function, and neither
approve nor delete one: whether anybody is asked is a parameter of this environment's own template.
"""

from functools import cache
from typing import Any

from signalbox import observability, receiving, settings
from signalbox.aws import registry
from signalbox.events import read
from signalbox.receiving import Received, ReceiveRequest, Ruling

logger = observability.logger("receive-version")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Approve a promoted version, take it back, or leave it to people; asked again, the same.

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
    wanted = version.metadata.get(receiving.IMAGE_DIGEST, "")
    ruling = receiving.rule(request.step, approval, (wanted, found), known.promotion_approval)
    if ruling is Ruling.APPROVE:
        registry.approve(arn, request.reason)
    if ruling is Ruling.TAKE_BACK:
        registry.delete(arn)
    answer: Received = receiving.answer(ruling, approval, found)
    return answer.model_dump(mode="json")


@cache
def _settings() -> settings.ReceivingSettings:
    return settings.load(settings.ReceivingSettings)
