"""Calls of a promotion fail once, in turn: before they are made, and after they were answered.

Of each step, the first call of each operation (SIGNALBOX_EVERY_CALL=1 takes every call), and of
those whose answer is lost the ones that write. The step that the call belongs to is done again, as
the promotion machine does it. What is left is what an undisturbed promotion leaves.
"""

import os
from dataclasses import dataclass, field
from typing import Any

import pytest

from signalbox.aws import clients
from signalbox.errors import AwsCallFailed
from tests.functions import promotion_world as two
from tests.functions.gate_stories import RUN, deliver, version_event
from tests.functions.promotion_world import STAGING, There

HOME = ("s3", "sagemaker", "ssm", "sts", "sns")
STEPS = ("verify", "copy", "register", "approve", "deploy", "watch", "record")


@dataclass
class Fault:
    """Counts calls and lets one of them fail; `failed` names it."""

    number: int
    is_late: bool
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Step and operation of every call so far."""
    step: str = ""
    failed: str = ""
    _now: set[int] = field(default_factory=set)

    def before(self, model: Any, **_: Any) -> Any:
        """Count a call; the one whose number has come is refused, or noted to be refused late."""
        self.calls.append((self.step, model.name))
        if len(self.calls) != self.number:
            return None
        self.failed = model.name
        if self.is_late:
            self._now.add(1)
            return None
        return two.SimpleNamespace(status_code=500), _internal()

    def after(self, http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        """The answer is lost; the call was made."""
        if self._now and model.name == self.failed:
            self._now.clear()
            http_response.status_code = 500
            parsed.clear()
            parsed.update(_internal())

    def attach(self, there: There) -> None:
        """Count every call of both accounts from now on."""
        session = there.session
        made = [getattr(clients, name)() for name in HOME]
        made += [session.s3, session.sagemaker, session._client("ssm")]
        for client in made:
            client.meta.events.register_first("before-call", self.before)
            client.meta.events.register_last("after-call", self.after)
        # Of the fake machines the deepest hook is asked first; theirs would answer before ours.
        for name in ("StartExecution", "DescribeExecution"):
            events = session.stepfunctions.meta.events
            events.register_first(f"before-call.sfn.{name}", self.before)
            events.register_last(f"after-call.sfn.{name}", self.after)


def _internal() -> dict[str, Any]:
    return {
        "Error": {"Code": "InternalError", "Message": "an error on our side"},
        "ResponseMetadata": {"HTTPStatusCode": 500},
    }


def promote(arn: str, there: There, fault: Fault) -> None:
    """Every step of a promotion; one that failed in passing is done again."""
    for name in ("plan", *STEPS):
        fault.step = name
        if name == "watch":
            there.end("SUCCEEDED")
        try:
            _step(name, arn, there)
        except AwsCallFailed:
            _step(name, arn, there)


def _step(name: str, arn: str, there: There) -> Any:
    return two.plan(arn) if name == "plan" else two.step(name, arn, there, decision=1)


READS = ("Get", "Head", "List", "Describe")


def chosen(calls: list[tuple[str, str]], *, is_late: bool) -> list[int]:
    """The numbers of the calls that shall fail, the first being 1."""
    every = bool(os.environ.get("SIGNALBOX_EVERY_CALL"))
    return [
        number
        for number, call in enumerate(calls, 1)
        if (every or call not in calls[: number - 1])
        and not (is_late and call[1].startswith(READS))
    ]


def left_behind(world: Any, arn: str, there: There) -> dict[str, Any]:
    """Everything that a promotion leaves, without moments and versions of objects."""
    run_id = two.record(arn)["targets"]["staging"]["runId"]
    objects = there.session.s3.list_objects_v2(Bucket=there.bucket)["Contents"]
    histories = [world.manifest(RUN)["history"], there.manifest(run_id)["history"]]
    return {
        "record": {**two.record(arn)["targets"]["staging"], "at": ""},
        "objects": {one["Key"]: one["Size"] for one in objects if "manifest" not in one["Key"]},
        "versions": [v["ModelApprovalStatus"] for v in there.versions()],
        "started": [one["name"] for one in there.machines.started],
        "histories": [[(e["phase"], e["status"]) for e in one] for one in histories],
        # A notification whose answer is lost goes out again (signalbox.delivery says so).
        "told": {message["key"] for message in world.told()},
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("is_late", [False, True], ids=["refused", "answer lost"])
def test_whichever_call_fails_once_the_end_is_the_same(fresh_world, workload, author, is_late):
    undisturbed, calls, _ = disturbed(fresh_world, workload, author, Fault(0, is_late))
    assert len(calls) > 40

    failed = []
    for number in chosen(calls, is_late=is_late):
        left, _, name = disturbed(fresh_world, workload, author, Fault(number, is_late))
        assert left == undisturbed, f"call {number}, {name}"
        failed.append(name)

    assert {"CopyObject", "CreateModelPackage", "StartExecution", "Publish"} <= set(failed)


def disturbed(
    fresh_world: Any, workload: Any, author: Any, fault: Fault
) -> tuple[dict[str, Any], list[tuple[str, str]], str]:
    """What a promotion with one fault leaves, its calls, and which one failed."""
    world = fresh_world()
    target = two.target_of("staging", STAGING, "none")
    two.put_path(target)
    there = two.deploy_target(target)
    arn = two.arrive(world, workload, author, "endpoint")
    two.decide(world, arn, "Approved")
    deliver(version_event(world, arn, "Approved"))
    fault.attach(there)
    promote(arn, there, fault)
    calls = list(fault.calls)
    return left_behind(world, arn, there), calls, fault.failed
