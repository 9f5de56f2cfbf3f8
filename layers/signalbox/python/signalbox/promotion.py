"""Promotion: the path, the record of a version's decisions, and what follows from both.

The record `promotions/<group>/<version>.json` counts the decisions on a version, so that each one
has an execution of its own name: approve, reject, approve again promotes again, and one decision
told five times promotes once. Rules only: imports no AWS client, reads no clock.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from signalbox.errors import PromotionPathError, PromotionRefused, PromotionWithdrawn
from signalbox.json_documents import Document, pointer, to_text
from signalbox.manifest_history import timestamp

APPROVED = "Approved"
PENDING = "PendingManualApproval"
REJECTED = "Rejected"
# Key of CustomerMetadataProperties: a version that no event may deploy again.
ROLLED_BACK = "rolled_back"
SOURCE_ARN = "source_arn"
PHASE = "promotion"


class TargetApproval(StrEnum):
    """Who lets a version serve in a target."""

    NONE = "none"
    MANUAL = "manual"


class TargetKind(StrEnum):
    """What goes to a target: the model as it is, or the code that makes one there."""

    ARTIFACT = "artifact"
    CODE = "code"


class PromotionTarget(Document):
    """One stop of the promotion path, as the template's parameter has it."""

    environment: Annotated[str, Field(pattern=r"^(dev|staging|prod)$")]
    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    deploy_role_arn: Annotated[str, Field(pattern=r"^arn:[^:]+:iam::\d{12}:role/.+$")]
    approval: Annotated[TargetApproval, Field(strict=False)] = TargetApproval.MANUAL
    kind: Annotated[TargetKind, Field(strict=False)] = TargetKind.ARTIFACT


_PATH = TypeAdapter(list[PromotionTarget])


def read_path(text: str, *, own_environment: str) -> tuple[PromotionTarget, ...]:
    """The targets in the order in which they are promoted to; raises PromotionPathError.

    >>> read_path("[]", own_environment="dev")
    ()
    """
    try:
        found = _PATH.validate_json(text)
    except ValidationError as error:
        problems = "; ".join(
            f"{pointer(detail['loc']) or '(path)'}: {detail['msg']}"
            for detail in error.errors(include_url=False, include_input=False)
        )
        raise PromotionPathError(
            f"the promotion path of {own_environment} cannot be used: {problems}; correct the "
            "template's parameter PromotionPath (docs/operations.md, Promotion)"
        ) from None
    _check_order([own_environment, *(target.environment for target in found)])
    return tuple(found)


def _check_order(environments: list[str]) -> None:
    twice = sorted({name for name in environments if environments.count(name) > 1})
    if twice:
        raise PromotionPathError(
            f"the promotion path comes to {', '.join(twice)} twice ({' -> '.join(environments)}); "
            "correct the template's parameter PromotionPath"
        )


def chosen(path: tuple[PromotionTarget, ...], to: list[str]) -> tuple[PromotionTarget, ...]:
    """The targets that a promotion goes to: those named, or all when none is named.

    Raises PromotionPathError for a name that the path does not have.
    """
    unknown = [name for name in to if name not in [t.environment for t in path]]
    if unknown:
        known = ", ".join(t.environment for t in path) or "nowhere"
        raise PromotionPathError(f"the promotion path goes to {known}, not to {unknown[0]}")
    return tuple(target for target in path if not to or target.environment in to)


class TargetStatus(StrEnum):
    """How far a version has come in one target."""

    REGISTERED = "registered"
    WAITING = "waiting"
    DEPLOYING = "deploying"
    PROMOTED = "promoted"
    RELEASED = "released"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class TargetRecord(Document):
    """One target of a version; `execution` is the one that takes it into use there.

    `error` and `cause` are why it has failed; empty unless it has.
    """

    status: Annotated[TargetStatus, Field(strict=False)]
    decision: int
    by: str
    at: str
    run_id: str = ""
    model_package_arn: str = ""
    execution: str = ""
    number: int = 0
    error: str = ""
    cause: str = ""


class PromotionRecord(Document):
    """The decisions on one version: the registry's last word, how many there were, what followed.

    `execution` is the ARN of the promotion execution that began last.
    """

    schema_version: Literal["1"] = "1"
    model_package_arn: str
    status: str
    decision: Annotated[int, Field(ge=1)]
    decided_at: str
    execution: str = ""
    targets: dict[str, TargetRecord] = Field(default_factory=dict)

    @property
    def is_reaching_traffic(self) -> bool:
        """Whether a target's machine is putting the version to use now."""
        return any(t.status is TargetStatus.DEPLOYING for t in self.targets.values())


def group_and_version(arn: str) -> tuple[str, int]:
    """Group and number of a version.

    >>> group_and_version("arn:aws:sagemaker:us-east-1:123456789012:model-package/sb-dev-d/3")
    ('sb-dev-d', 3)
    """
    _, group, version = arn.split(":", 5)[5].split("/")
    return group, int(version)


def record_key(arn: str) -> str:
    """Where the record of a version lies."""
    group, version = group_and_version(arn)
    return f"promotions/{group}/{version}.json"


def execution_name(arn: str, decision: int) -> str:
    """The name of the execution that promotes a version after one decision.

    At most 80 characters (Step Functions, StartExecution): groups have 63, and so are cut.

    >>> execution_name("arn:aws:sagemaker:us-east-1:123456789012:model-package/sb-dev-d/3", 2)
    'sb-dev-d-3-2'
    """
    group, version = group_and_version(arn)
    return f"{group[:63]}-{version}-{decision}"


def execution_input(arn: str, decision: int) -> str:
    """The input of that execution; the same text for the same decision."""
    return json.dumps({"modelPackageArn": arn, "decision": decision}, sort_keys=True)


def to_json(record: PromotionRecord) -> bytes:
    """The record as it lies in S3."""
    return to_text(record.model_dump(mode="json")).encode()


def from_json(content: bytes) -> PromotionRecord:
    """The record in what `to_json` wrote."""
    return PromotionRecord.model_validate_json(content)


def first_record(arn: str, status: str, now: datetime) -> PromotionRecord:
    """The record of a version that was decided for the first time."""
    return PromotionRecord(
        model_package_arn=arn, status=status, decision=1, decided_at=timestamp(now)
    )


def observed(known: PromotionRecord, status: str, now: datetime) -> PromotionRecord:
    """The record after a look at the registry: another word than before is a new decision."""
    return known if status == known.status else _decided(known, status, now)


def decided_again(known: PromotionRecord, decision: int, now: datetime) -> PromotionRecord:
    """The record after the same word was said again, once its promotion had failed.

    Only on top of the decision that failed: told twice it is still one decision.
    """
    if known.decision != decision or known.status != APPROVED:
        return known
    return _decided(known, APPROVED, now)


def _decided(known: PromotionRecord, status: str, now: datetime) -> PromotionRecord:
    return known.model_copy(
        update={"status": status, "decision": known.decision + 1, "decided_at": timestamp(now)}
    )


def is_said_after_failure(
    *, status: str, said_at: datetime | None, ended_at: datetime | None
) -> bool:
    """Whether an approval was said after its promotion had ended without success."""
    if status not in ("FAILED", "TIMED_OUT", "ABORTED") or said_at is None or ended_at is None:
        return False
    return said_at > ended_at


def check_wanted(known: PromotionRecord, decision: int, metadata: Mapping[str, str]) -> None:
    """Raises PromotionWithdrawn or PromotionRefused unless this decision still stands."""
    group, version = group_and_version(known.model_package_arn)
    if known.status != APPROVED or known.decision != decision:
        raise PromotionWithdrawn(
            f"version {version} of {group} is {known.status} (decision {known.decision}); this "
            f"promotion was begun by decision {decision} and goes no further"
        )
    check_not_rolled_back(known.model_package_arn, metadata)


def check_not_rolled_back(arn: str, metadata: Mapping[str, str]) -> None:
    """Raises PromotionRefused for a version that was taken out of service."""
    mark = metadata.get(ROLLED_BACK)
    if mark:
        group, version = group_and_version(arn)
        raise PromotionRefused(
            f"version {version} of {group} was rolled back ({mark}) and is not promoted; release "
            f"a better one, or remove {ROLLED_BACK} from the version's metadata"
        )


def may_wait(known: PromotionRecord) -> list[str]:
    """The targets whose version may still wait there for a word."""
    left = (TargetStatus.REGISTERED, TargetStatus.WAITING, TargetStatus.FAILED)
    return [name for name, t in known.targets.items() if t.model_package_arn and t.status in left]


def withdrawal(known: PromotionRecord, environment: str) -> str:
    """Why a version is rejected in a target: a person's word at home, and which one it was."""
    return f"Withdrawn in {environment} by decision {known.decision}: it is {known.status} there"


def withdrawn_by(description: str) -> int | None:
    """The decision that has withdrawn a version, from the reason in the target's registry.

    >>> withdrawn_by("Withdrawn in dev by decision 2: it is Rejected there")
    2
    """
    found = re.match(r"Withdrawn in \S+ by decision (\d+): ", description)
    return int(found[1]) if found else None


def with_target(known: PromotionRecord, environment: str, entry: TargetRecord) -> PromotionRecord:
    """The record with what is known of one target."""
    return known.model_copy(update={"targets": {**known.targets, environment: entry}})
