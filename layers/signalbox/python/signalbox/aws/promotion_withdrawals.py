"""A promotion taken back at home: what still waits in a target is rejected there.

A word that a person has said in the target stands, whatever it is.
"""

from datetime import UTC, datetime

from signalbox import promotion
from signalbox.aws import (
    promotion_context,
    promotion_reception,
    promotion_target,
    promotion_versions,
    promotions,
)
from signalbox.manifest_history import timestamp
from signalbox.promotion import PromotionRecord, PromotionTarget, TargetStatus
from signalbox.receiving import ReceiveRequest, ReceiveStep
from signalbox.settings import PromotionSettings


def from_all(home: PromotionSettings, record: PromotionRecord) -> list[str]:
    """The targets from which a version was withdrawn; those that left the path are left alone."""
    path = promotions.path(promotion_context.environment(home))
    waiting = promotion.may_wait(record)
    targets = [target for target in path if target.environment in waiting]
    return [target.environment for target in targets if from_one(home, record, target)]


def from_one(home: PromotionSettings, record: PromotionRecord, target: PromotionTarget) -> bool:
    """Reject a version in one target if it waits there still, and the decision stands at home.

    SageMaker has no conditional update: a word said in the instant between the look and this
    rejection is lost, and has to be said again.
    """
    known, arn = record.targets[target.environment], record.model_package_arn
    session = promotion_target.enter(target)
    if not promotion_versions.is_there(known.model_package_arn, session):
        return False
    latest = promotions.read(home.workflow_bucket, arn)
    if latest is None or latest.decision != record.decision:
        return False
    asked = ReceiveRequest(
        step=ReceiveStep.WITHDRAW,
        model_package_arn=known.model_package_arn,
        reason=promotion.withdrawal(record, home.environment_name),
    )
    if not promotion_reception.ask(asked, home.app_name, session).is_withdrawn:
        return False
    _note(home.workflow_bucket, record, target.environment)
    return True


def _note(bucket: str, withdrawn: PromotionRecord, environment: str) -> None:
    at = timestamp(datetime.now(UTC))

    def rule(record: PromotionRecord) -> PromotionRecord:
        if record.decision != withdrawn.decision:
            return record
        changed = {"status": TargetStatus.WITHDRAWN, "at": at, "error": "", "cause": ""}
        entry = record.targets[environment].model_copy(update=changed)
        return promotion.with_target(record, environment, entry)

    promotions.change(bucket, withdrawn.model_package_arn, rule)
