"""The promotion machine in moto's interpreter: every way through it, with scripted answers."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from signalbox import errors
from signalbox.events import read
from signalbox.promotion_requests import PromotionInput, Step, StepRequest, target_step
from tests.contracts.machine_harness import Ending, TaskError, in_turn, run

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/signalbox-dev-diabetes/3"
INPUT = {"modelPackageArn": ARN, "decision": 2}
WAIT = {"polls": 1, "waitSeconds": 30}


def target(environment: str, approval: str = "none", kind: str = "artifact") -> dict[str, Any]:
    """One stop of a path."""
    account = {"staging": "210987654321", "prod": "345678901234"}[environment]
    return {
        "environment": environment,
        "account": account,
        "region": "us-east-1",
        "deployRoleArn": f"arn:aws:iam::{account}:role/signalbox-{environment}-deploy-us-east-1",
        "approval": approval,
        "kind": kind,
    }


STAGING, PROD = target("staging"), target("prod", "manual")

Answer = Callable[[dict[str, Any]], Any]


def obliging(*targets: dict[str, Any], **instead: Any) -> dict[str, Answer]:
    """A function that does every step at once; `instead` replaces the answers of a step."""
    planned = {"modelPackageArn": ARN, "decision": 2, "runId": "261121-000642-abc123"}
    answers: dict[str, Any] = {
        "plan": {**planned, "count": len(targets), "targets": list(targets)},
        "verify": {},
        "copy": {"objects": 9},
        "register": {"modelPackageArn": "there"},
        "approve": {"status": "approved", **WAIT},
        "ask": {"status": "pending", **WAIT},
        "look": {"status": "approved", **WAIT},
        "deploy": {"status": "pending", **WAIT},
        "watch": {"status": "succeeded", "error": "", "cause": "", **WAIT},
        "record": {},
        "release": {},
        "fail": {"recorded": True},
    }
    scripted = {name: in_turn(one) for name, one in answers.items()} | instead

    def invoke(request: dict[str, Any]) -> dict[str, Any]:
        payload = request["Payload"]
        return {"Payload": copy.deepcopy(scripted[payload["step"]](payload))}

    return {"lambda:invoke": invoke}


def promote(*targets: dict[str, Any], **instead: Any) -> Ending:
    """An execution along a path."""
    return run("promotion", INPUT, obliging(*targets, **instead))


def steps(ending: Ending, environment: str = "") -> list[str]:
    """The steps that were asked for, in order; or those of one target."""
    payloads = [one["Payload"] for one in ending.requests("lambda:invoke")]
    return [
        one["step"]
        for one in payloads
        if environment in ("", one.get("target", {}).get("environment"))
    ]


def test_each_target_is_gone_to_in_order_and_to_its_end() -> None:
    ending = promote(STAGING, PROD)

    assert (ending.status, ending.error) == ("SUCCEEDED", None)
    assert steps(ending) == [
        *("plan", "verify", "copy", "register", "approve", "deploy", "watch", "record"),
        *("verify", "copy", "register", "ask", "look", "deploy", "watch", "record"),
    ]
    assert steps(ending, "prod")[:2] == ["verify", "copy"]
    assert ending.output == {
        "modelPackageArn": ARN,
        "decision": 2,
        "runId": "261121-000642-abc123",
        "targets": ["staging", "prod"],
    }


def test_a_path_without_targets_left_is_a_success() -> None:
    ending = promote()

    assert (ending.status, steps(ending)) == ("SUCCEEDED", ["plan"])


def test_the_function_understands_every_request() -> None:
    failing = promote(STAGING, PROD, watch=in_turn({"status": "failed", **FAULT, **WAIT}))
    refused = promote(STAGING, plan=in_turn(TaskError("PromotionRefused")))
    code = promote(target("staging", kind="code"))

    for ending in (promote(STAGING, PROD), failing, refused, code):
        for request in ending.requests("lambda:invoke"):
            asked = read(StepRequest, request["Payload"])
            assert asked.execution == ending.arn
            if asked.step is Step.PLAN or asked.target is None:
                assert read(PromotionInput, asked.input).decision == 2
            else:
                assert target_step(asked).decision == 2


def test_a_person_is_waited_for_until_there_is_a_word() -> None:
    pending = {"status": "pending", "polls": 2, "waitSeconds": 300}
    ending = promote(PROD, look=in_turn(pending, pending, {"status": "approved", **WAIT}))

    assert ending.status == "SUCCEEDED"
    looks = [
        one["Payload"]["polls"]
        for one in ending.requests("lambda:invoke")
        if one["Payload"]["step"] == "look"
    ]
    assert looks == [1, 2, 2]
    assert ending.states.count("WaitForApproval") == 3


def test_a_deployment_is_waited_for() -> None:
    pending = {"status": "pending", "error": "", "cause": "", "polls": 2, "waitSeconds": 60}
    done = {"status": "succeeded", "error": "", "cause": "", **WAIT}
    ending = promote(STAGING, watch=in_turn(pending, pending, done))

    assert ending.status == "SUCCEEDED"
    assert ending.states.count("WaitForDeployment") == 3


def test_without_hosting_nothing_is_watched() -> None:
    ending = promote(STAGING, deploy=in_turn({"status": "registered", **WAIT}))

    assert steps(ending)[-2:] == ["deploy", "record"]


def test_code_is_released_and_nothing_is_copied() -> None:
    ending = promote(target("staging", kind="code"), PROD)

    assert steps(ending, "staging") == ["verify", "release"]
    assert steps(ending, "prod")[-1] == "record"


FAULT = {"error": "EndpointFailed", "cause": "no capacity"}
ROLLED_BACK = {"error": "EndpointRolledBack", "cause": "config b serves"}
PERSON = {"polls": 1, "waitSeconds": 1}


@pytest.mark.parametrize(
    ("environment", "instead", "error", "cause"),
    [
        ("prod", {"look": {"status": "rejected", **PERSON}}, "PromotionRejected", "rejected in"),
        ("prod", {"look": {"status": "expired", **PERSON}}, "PromotionExpired", "nobody decided"),
        (
            "staging",
            {"approve": {"status": "rejected", **PERSON}},
            "PromotionRejected",
            "account 210987654321",
        ),
        (
            "staging",
            {"watch": {"status": "failed", **FAULT, **PERSON}},
            "DeploymentFailed",
            "EndpointFailed: no capacity",
        ),
        (
            "staging",
            {"watch": {"status": "failed", **ROLLED_BACK, **PERSON}},
            "EndpointRolledBack",
            "staging (account 210987654321): config b serves",
        ),
        (
            "staging",
            {"watch": {"status": "missing", **FAULT, **PERSON}},
            "DeploymentFailed",
            "no capacity",
        ),
        (
            "staging",
            {"watch": {"status": "expired", **FAULT, **PERSON}},
            "DeploymentTimedOut",
            "did not end in time",
        ),
    ],
)
def test_every_ending_has_its_name_and_its_cause(
    environment: str, instead: dict[str, Any], error: str, cause: str
) -> None:
    where = STAGING if environment == "staging" else PROD
    ending = promote(where, STAGING, **{name: in_turn(one) for name, one in instead.items()})

    assert (ending.status, ending.error) == ("FAILED", error)
    assert cause in (ending.cause or "")
    assert steps(ending)[-1] == "fail"
    told = ending.requests("lambda:invoke")[-1]["Payload"]
    assert told["failure"] == {"Error": error, "Cause": ending.cause}
    assert told["target"] == where


def test_a_kind_that_is_not_known_stops_before_anything_is_made() -> None:
    ending = promote({**STAGING, "kind": "model-card"})

    assert ending.error == "PromotionKindUnsupported"
    assert steps(ending)[:2] == ["plan", "verify"]


STEPS = ("verify", "copy", "register", "approve", "deploy", "watch", "record")


@pytest.mark.parametrize("step", STEPS)
def test_whatever_a_step_refuses_ends_the_promotion_there(step: str) -> None:
    refused = TaskError("ArtifactChanged", "it holds another version")
    ending = promote(STAGING, PROD, **{step: in_turn(refused)})

    assert (ending.status, ending.error, ending.cause) == ("FAILED", refused.error, refused.cause)
    assert steps(ending)[-2:] == [step, "fail"]
    assert "prod" not in {
        one["Payload"].get("target", {}).get("environment")
        for one in ending.requests("lambda:invoke")
    }


@pytest.mark.parametrize("step", ["ask", "look"])
def test_whatever_goes_wrong_while_a_person_is_waited_for_ends_it(step: str) -> None:
    ending = promote(PROD, **{step: in_turn(TaskError("PromotionWithdrawn", "it is Rejected"))})

    assert (ending.error, ending.cause) == ("PromotionWithdrawn", "it is Rejected")
    assert "deploy" not in steps(ending)


def test_a_code_release_that_is_refused_ends_the_promotion() -> None:
    ending = promote(target("staging", kind="code"), release=in_turn(TaskError("CodeChanged")))

    assert ending.error == "CodeChanged"


def test_a_plan_that_is_refused_is_told_without_a_target() -> None:
    ending = promote(STAGING, plan=in_turn(TaskError("PromotionRefused", "rolled back")))

    assert (ending.error, ending.cause) == ("PromotionRefused", "rolled back")
    told = ending.requests("lambda:invoke")[-1]["Payload"]
    assert (told["step"], told["input"], "target" in told) == ("fail", INPUT, False)


@pytest.mark.parametrize("step", ["plan", *STEPS])
@pytest.mark.parametrize(
    "error",
    ["AwsCallFailed", "Runtime.ExitError", "Sandbox.Timedout", "Lambda.ServiceException"],
)
def test_a_step_that_failed_in_passing_is_done_again(step: str, error: str) -> None:
    whole = obliging(STAGING)["lambda:invoke"]
    failed: list[str] = []

    def once(request: dict[str, Any]) -> Any:
        if request["Payload"]["step"] == step and not failed:
            failed.append(step)
            raise TaskError(error)
        return whole(request)

    ending = run("promotion", INPUT, {"lambda:invoke": once})

    assert ending.status == "SUCCEEDED"
    assert steps(ending).count(step) == 2


@pytest.mark.parametrize("early", [False, True])
def test_a_failure_that_cannot_be_written_does_not_hide_the_failure(early: bool) -> None:
    step = "plan" if early else "copy"
    broken = {step: in_turn(TaskError("TargetRefused", "denied")), "fail": in_turn(TaskError("X"))}
    ending = promote(STAGING, **broken)

    assert (ending.error, ending.cause) == ("TargetRefused", "denied")


@pytest.mark.parametrize(
    ("error", "ending"), [("States.Timeout", "StepTimedOut"), ("States.Runtime", "StepFailed")]
)
def test_an_error_with_a_name_of_aws_ends_under_one_of_ours(error: str, ending: str) -> None:
    found = promote(STAGING, copy=in_turn(TaskError(error, "as AWS said")))

    assert found.error == ending


def test_every_refusal_of_the_function_is_an_error_of_ours() -> None:
    named = ("PromotionWithdrawn", "PromotionRefused", "ArtifactChanged", "TargetUnreachable")

    assert all(issubclass(getattr(errors, name), errors.SignalboxError) for name in named)
