"""Schedules as the template would make them, on a laptop whose environment has none."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from signalbox.naming import LIVE
from tests.scenarios.conftest import Laptop

DUE = "<aws.scheduler.scheduled-time>"


@contextmanager
def running(
    served: Laptop, name: str, expression: str, given: dict[str, Any], *, text: str = ""
) -> Iterator[None]:
    """For a while a schedule calls run_schedule, under the template's role for that.

    `text` is its input as it is, in place of `given`.
    """
    scheduler = served.target.client("scheduler")
    scheduler.create_schedule(
        Name=f"{served.target.prefix}-{name}",
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=_target(served, text or json.dumps({**given, "scheduledFor": DUE})),
    )
    try:
        yield
    finally:
        scheduler.delete_schedule(Name=f"{served.target.prefix}-{name}")


def _target(served: Laptop, text: str) -> dict[str, Any]:
    known = served.target.client("scheduler").get_schedule(
        Name=f"{served.target.prefix}-reconcile", GroupName="default"
    )["Target"]
    arn, role = known["Arn"], known["RoleArn"]
    return {
        **known,
        "Arn": arn.replace("-reconciler", "-run-schedule"),
        "RoleArn": role.replace("-reconcile-", "-schedule-"),
        "Input": text,
    }


def run(served: Laptop, **given: Any) -> dict[str, str]:
    """What run_schedule answers, called by hand."""
    answer, has_failed = _called(served, given)
    assert not has_failed, answer
    return answer


def refused(served: Laptop, **given: Any) -> dict[str, Any]:
    """The error that run_schedule fails with, called by hand."""
    answer, has_failed = _called(served, given)
    assert has_failed, answer
    return answer


def _called(served: Laptop, given: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    answer = served.target.client("lambda").invoke(
        FunctionName=f"{served.target.prefix}-run-schedule",
        Qualifier=LIVE,
        Payload=json.dumps(given).encode(),
    )
    return json.loads(answer["Payload"].read()), "FunctionError" in answer
