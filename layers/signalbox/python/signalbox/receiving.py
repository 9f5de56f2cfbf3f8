"""What the promotion of another environment asks of its target, and what the target answers.

That environment may register a version here, pending, and no more: what becomes of it is decided
here, by the function receive_version and by people. Rules only: imports no AWS client.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from signalbox.errors import PromotionRefused
from signalbox.json_documents import Document
from signalbox.manifest_resolved import ResolvedManifest
from signalbox.promotion import (
    APPROVED,
    PENDING,
    REJECTED,
    SOURCE_ARN,
    TargetApproval,
    check_not_rolled_back,
    withdrawn_by,
)
from signalbox.promotion_requests import PackageArn

# Key of CustomerMetadataProperties: the digest of the image that was approved at home.
IMAGE_DIGEST = "image_digest"
FUNCTION = "receive-version"


class ReceiveStep(StrEnum):
    """Look at a version that was registered, approve it where nobody is asked, take it into use.

    Or: reject one that waits and was withdrawn at home, let one wait again that was approved anew.
    """

    CHECK = "check"
    APPROVE = "approve"
    DEPLOY = "deploy"
    WITHDRAW = "withdraw"
    REOPEN = "reopen"


class ReceiveRequest(Document):
    """What receive_version is asked.

    `reason` is what the registry shows of the word said, `execution_name` that of a deployment,
    `decision` the number of the decision at home that lets a version wait again.
    """

    step: Annotated[ReceiveStep, Field(strict=False)]
    model_package_arn: PackageArn
    reason: str = ""
    execution_name: Annotated[str, Field(max_length=80)] = ""
    decision: Annotated[int, Field(ge=0)] = 0


class Received(Document):
    """A version as it stands here now; `found_digest` is what its image is here."""

    approval: str
    found_digest: str
    is_taken_back: bool = False
    is_withdrawn: bool = False


class Ruling(StrEnum):
    """What the target does about a version."""

    LEAVE = "leave"
    APPROVE = "approve"
    TAKE_BACK = "take back"
    REJECT = "reject"
    REOPEN = "reopen"


def check_promoted(arn: str, metadata: Mapping[str, str], source_accounts: Collection[str]) -> None:
    """Raises PromotionRefused for a version that no known account has promoted."""
    source = metadata.get(SOURCE_ARN, "").split(":")
    if len(source) > 4 and source[4] in source_accounts:
        return
    raise PromotionRefused(
        f"{arn} was not promoted from {' or '.join(sorted(source_accounts))}; it is decided by "
        "people here, in the registry"
    )


def rule(
    step: ReceiveStep, approval: str, digests: tuple[str, str], asks: TargetApproval
) -> Ruling:
    """What to do about a promoted version; `digests` are (approved at home, found here).

    What a person has decided here stands, and where people are asked nobody else approves.

    >>> rule(ReceiveStep.APPROVE, "PendingManualApproval", ("a", "a"), TargetApproval.MANUAL)
    <Ruling.LEAVE: 'leave'>
    """
    if approval != PENDING:
        return Ruling.LEAVE
    wanted, found = digests
    if not wanted or wanted != found:
        return Ruling.TAKE_BACK
    is_asked_for = step is ReceiveStep.APPROVE and asks is TargetApproval.NONE
    return Ruling.APPROVE if is_asked_for else Ruling.LEAVE


def rule_on_waiting(request: ReceiveRequest, approval: str, description: str) -> Ruling:
    """What to do about a promoted version that was withdrawn at home, or approved there anew.

    What a person has decided here stands: only the rejection that a withdrawal left is lifted.
    """
    if request.step is ReceiveStep.WITHDRAW:
        return Ruling.REJECT if approval == PENDING else Ruling.LEAVE
    by = withdrawn_by(description)
    lifts = approval == REJECTED and by is not None and by < request.decision
    return Ruling.REOPEN if lifts else Ruling.LEAVE


def check_deployable(
    arn: str, approval: str, metadata: Mapping[str, str], manifest: ResolvedManifest
) -> None:
    """Raises PromotionRefused unless the manifest takes this version into use, approved here."""
    check_not_rolled_back(arn, metadata)
    if approval != APPROVED:
        raise PromotionRefused(f"{arn} is {approval}; approve it here first")
    serves = manifest.inference.model_package_arn if manifest.inference else "no version"
    if serves != arn:
        raise PromotionRefused(
            f"{manifest.locations.manifest} takes {serves} into use, not {arn}; promote it again"
        )


def answer(ruling: Ruling, approval: str, found_digest: str) -> Received:
    """How the version stands after a ruling was carried out."""
    return Received(
        approval=_AFTER.get(ruling, approval),
        found_digest=found_digest,
        is_taken_back=ruling is Ruling.TAKE_BACK,
        is_withdrawn=ruling is Ruling.REJECT,
    )


_AFTER = {Ruling.APPROVE: APPROVED, Ruling.REJECT: REJECTED, Ruling.REOPEN: PENDING}
