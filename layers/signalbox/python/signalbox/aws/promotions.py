"""The records of promotions in S3, the path in SSM, and the machine's executions.

Every write of a record is conditional, so that the registry's word and what a promotion does about
it stand in one order: a promotion that begins to deploy before a rejection is written is left to
end, one that comes to it after is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from botocore.exceptions import ClientError

from signalbox import promotion
from signalbox.aws import clients, failures, registry, storage
from signalbox.aws.registry import Approval, ModelVersion
from signalbox.errors import ObjectMissingError, WriteContendedError
from signalbox.promotion import PromotionRecord, PromotionTarget

_LOOKS = 10


class Started(StrEnum):
    """What became of a look at a version."""

    NO_PATH = "no promotion path"
    UNDECIDED = "not decided"
    ROLLED_BACK = "rolled back, not promoted"
    PROMOTED = "promotion started"
    PROMOTED_BEFORE = "promotion started before"
    STOPPED = "promotion stopped"
    WITHDRAWN = "withdrawn from where it waits"
    NOTHING_TO_STOP = "no promotion to stop"
    IN_TRAFFIC = "promotion has reached traffic; what serves stays"


@dataclass(frozen=True)
class Environment:
    """Where promotions begin."""

    app: str
    environment: str
    bucket: str


def path(where: Environment) -> tuple[PromotionTarget, ...]:
    """The promotion path of the environment; raises PromotionPathError."""
    name = f"/{where.app}/{where.environment}/promotion-path"
    text = clients.ssm().get_parameter(Name=name)["Parameter"]["Value"]
    return promotion.read_path(text, own_environment=where.environment)


def read(bucket: str, arn: str) -> PromotionRecord | None:
    """The record of a version; None when nobody has decided on it yet."""
    try:
        return promotion.from_json(storage.read(bucket, promotion.record_key(arn)).content)
    except ObjectMissingError:
        return None


def change(
    bucket: str, arn: str, rule: Callable[[PromotionRecord], PromotionRecord]
) -> PromotionRecord:
    """Apply a rule to the record of a version; it may run several times."""

    def on_bytes(content: bytes) -> bytes:
        before = promotion.from_json(content)
        after = rule(before)
        return content if after == before else promotion.to_json(after)

    return promotion.from_json(storage.update(bucket, promotion.record_key(arn), on_bytes).content)


def observe(bucket: str, version: ModelVersion) -> PromotionRecord | None:
    """Write down what the registry says of a version; None while it was never decided."""
    now = datetime.now(UTC)
    key, status = promotion.record_key(version.arn), version.approval.value
    if read(bucket, version.arn) is None:
        if version.approval is Approval.PENDING:
            return None
        first = promotion.first_record(version.arn, status, now)
        if storage.create(bucket, key, promotion.to_json(first), content_type="application/json"):
            return first
    return change(bucket, version.arn, lambda known: promotion.observed(known, status, now))


def begun(bucket: str, arn: str, execution: str) -> PromotionRecord:
    """Write down which execution promotes a version, so that it can be stopped."""
    return change(bucket, arn, lambda known: known.model_copy(update={"execution": execution}))


def current(bucket: str, arn: str) -> tuple[ModelVersion, PromotionRecord | None]:
    """A version and its record, once they agree: what one look has missed the next one sees.

    A look can be overtaken by a decision and by the look at that decision. It is the last to
    write then, and finds that the registry says something else by now.
    """
    for _ in range(_LOOKS):
        version = registry.describe(arn)
        record = observe(bucket, version)
        again = registry.describe(arn)
        if again.approval is version.approval:
            return again, record
    raise WriteContendedError(f"{arn} was decided on {_LOOKS} times while it was looked at")


# ----------------------------------------------------------------------------------- executions


def follow(
    where: Environment, machine_arn: str, arn: str, said_at: datetime | None = None
) -> Started:
    """Start or stop the promotion of a version as the registry has it now; as often as one likes.

    `said_at` is when an approval was said, where that is known: said again after its promotion had
    failed, it is a new decision.
    """
    if not path(where):
        return Started.NO_PATH
    version, record = current(where.bucket, arn)
    if record is None:
        return Started.UNDECIDED
    if record.status != promotion.APPROVED:
        return _stop(machine_arn, record)
    if promotion.ROLLED_BACK in version.metadata:
        return Started.ROLLED_BACK
    return _start(where, machine_arn, record, said_at)


def _start(
    where: Environment, machine_arn: str, record: PromotionRecord, said_at: datetime | None
) -> Started:
    arn = record.model_package_arn
    status, ended_at = _ending(execution_arn(machine_arn, arn, record.decision))
    if promotion.is_said_after_failure(status=status, said_at=said_at, ended_at=ended_at):
        now, failed = datetime.now(UTC), record.decision
        record = change(where.bucket, arn, lambda r: promotion.decided_again(r, failed, now))
    elif status:
        return Started.PROMOTED_BEFORE
    return Started.PROMOTED if _begin(machine_arn, record) else Started.PROMOTED_BEFORE


def _begin(machine_arn: str, record: PromotionRecord) -> bool:
    """Start the execution of a decision; whether it was not there before."""
    arn = record.model_package_arn
    try:
        clients.stepfunctions().start_execution(
            stateMachineArn=machine_arn,
            name=promotion.execution_name(arn, record.decision),
            input=promotion.execution_input(arn, record.decision),
        )
    except ClientError as error:
        if failures.code_of(error) != "ExecutionAlreadyExists":
            raise
        return False
    return True


def _stop(machine_arn: str, record: PromotionRecord) -> Started:
    if record.is_reaching_traffic:
        return Started.IN_TRAFFIC
    arn, decided = record.model_package_arn, record.decision
    begun = {execution_arn(machine_arn, arn, decided - 1), record.execution} - {""}
    running = [one for one in sorted(begun) if _ending(one)[0] == "RUNNING"]
    for execution in running:
        clients.stepfunctions().stop_execution(
            executionArn=execution,
            error="PromotionWithdrawn",
            cause=f"{arn} became {record.status} (decision {decided})",
        )
    if promotion.may_wait(record):
        _begin(machine_arn, record)  # its plan takes back what waits, and goes nowhere
        return Started.STOPPED if running else Started.WITHDRAWN
    return Started.STOPPED if running else Started.NOTHING_TO_STOP


def execution_arn(machine_arn: str, arn: str, decision: int) -> str:
    """The ARN of the execution that promotes a version after a decision."""
    machine = machine_arn.replace(":stateMachine:", ":execution:")
    return f"{machine}:{promotion.execution_name(arn, decision)}"


def _ending(execution: str) -> tuple[str, datetime | None]:
    """Status and end of an execution; an empty status when there is none."""
    try:
        found = clients.stepfunctions().describe_execution(executionArn=execution)
    except ClientError as error:
        if failures.code_of(error) == "ExecutionDoesNotExist":
            return "", None
        raise
    return found["status"], found.get("stopDate")
