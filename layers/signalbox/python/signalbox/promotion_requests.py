"""What the promotion machine asks promote_version, and how long it waits between two looks.

Rules only: imports no AWS client.
"""

import json
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from signalbox.errors import EventError
from signalbox.json_documents import Document, JsonObject
from signalbox.machine_requests import TaskFailure
from signalbox.promotion import PromotionTarget

PackageArn = Annotated[
    str, Field(pattern=r"^arn:[^:]+:sagemaker:[a-z0-9-]+:\d{12}:model-package/[^/]+/\d+$")
]


class Step(StrEnum):
    """The steps of a promotion, each safe to repeat."""

    PLAN = "plan"
    VERIFY = "verify"
    COPY = "copy"
    REGISTER = "register"
    ASK = "ask"
    LOOK = "look"
    APPROVE = "approve"
    DEPLOY = "deploy"
    WATCH = "watch"
    RECORD = "record"
    RELEASE = "release"
    FAIL = "fail"


class PromotionInput(Document):
    """The input of the promotion machine; `to` names targets, none for the whole path.

    Without a decision the one that the record has is taken.
    """

    model_package_arn: PackageArn
    decision: Annotated[int, Field(ge=1)] | None = None
    to: list[str] = Field(default_factory=list)


class StepRequest(Document):
    """One step. `execution` is the ARN of the promotion's execution.

    `input` goes with plan alone, `failure` with fail; every other step has a target.
    """

    step: Annotated[Step, Field(strict=False)]
    execution: Annotated[str, Field(min_length=1)]
    input: JsonObject | None = None
    model_package_arn: PackageArn | None = None
    decision: int | None = None
    target: PromotionTarget | None = None
    polls: int = 0
    failure: TaskFailure | None = None


class TargetStep(Document):
    """A step that is about one target."""

    step: Annotated[Step, Field(strict=False)]
    execution: str
    model_package_arn: PackageArn
    decision: int
    target: PromotionTarget
    polls: int


def target_step(request: StepRequest) -> TargetStep:
    """The request of a step that needs version, decision and target; raises EventError."""
    version, decision, target = request.model_package_arn, request.decision, request.target
    if version is None or decision is None or target is None:
        raise EventError(f"step {request.step} needs modelPackageArn, decision and target")
    return TargetStep(
        step=request.step,
        execution=request.execution,
        model_package_arn=version,
        decision=decision,
        target=target,
        polls=request.polls,
    )


def readable(failure: TaskFailure) -> TaskFailure:
    """A failure with the words of the error alone: Step Functions gives a function's as JSON.

    >>> readable(TaskFailure(Error="E", Cause='{"errorMessage": "no", "errorType": "E"}')).cause
    'no'
    """
    try:
        said = json.loads(failure.cause)
    except ValueError:
        return failure
    message = said.get("errorMessage") if isinstance(said, dict) else None
    return failure.model_copy(update={"cause": message}) if isinstance(message, str) else failure


# (looks, seconds between them): soon at first, then so rarely that a wait of a week stays far
# below the 25,000 events that one execution may have (Step Functions quotas, read 2026-11-21).
Pace = tuple[tuple[int, int], ...]
APPROVAL_PACE: Pace = ((60, 30), (240, 300), (296, 1800))
DEPLOYMENT_PACE: Pace = ((60, 20), (180, 60), (90, 300))


def wait_s(pace: Pace, polls: int) -> int | None:
    """Seconds until the next look after `polls` of them; None when it was the last one.

    >>> [wait_s(((2, 5), (1, 60)), polls) for polls in (0, 1, 2, 3)]
    [5, 5, 60, None]
    """
    left = polls
    for looks, seconds in pace:
        if left < looks:
            return seconds
        left -= looks
    return None


def longest_wait_s(pace: Pace) -> int:
    """How long all the looks of a pace take together.

    >>> longest_wait_s(((2, 5), (1, 60)))
    70
    """
    return sum(looks * seconds for looks, seconds in pace)
