"""The rules that hold for every state of every machine, read off the committed files."""

import re
import subprocess
from typing import Any

import pytest

from localaws.machines.definitions import optimised_members
from signalbox import errors
from tests.contracts.machine_harness import FOLDER, SUBSTITUTIONS, definition, states_of
from tests.contracts.request_shapes import UNKNOWN, operation_named, violations

MACHINES = ("training", "inference", "promotion")
WORKLOADS_PAGE = FOLDER.parent / "docs/workloads.md"
VALIDATOR = FOLDER.parent / ".tools/asl/node_modules/.bin/asl-validator"

# Step Functions Developer Guide, "Integrating Amazon SageMaker AI": the optimised APIs, and those
# among them that can be waited for (read 2026-11-20).
OPTIMISED_SAGEMAKER = {
    "createEndpoint": False,
    "createEndpointConfig": False,
    "createHyperParameterTuningJob": True,
    "createLabelingJob": True,
    "createModel": False,
    "createProcessingJob": True,
    "createTrainingJob": True,
    "createTransformJob": True,
    "updateEndpoint": False,
}
SDK_SERVICES = {"sagemaker", "cloudwatch", "applicationautoscaling"}
# Step Functions Developer Guide, "Handling errors": names reserved by AWS; and the names that its
# integrations with Lambda and SageMaker give to faults of the service.
AWS_ERRORS = {
    "States.ALL",
    "States.TaskFailed",
    "ThrottlingException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Runtime.ExitError",
    "Sandbox.Timedout",
    "SageMaker.AmazonSageMakerException",
    "SageMaker.SageMakerException",
    "SageMaker.SdkClientException",
    "SageMaker.ThrottlingException",
    "SageMaker.ConflictException",
    "SageMaker.ResourceLimitExceededException",
    "CloudWatch.CloudWatchException",
    "CloudWatch.SdkClientException",
    "ApplicationAutoScaling.ApplicationAutoScalingException",
    "ApplicationAutoScaling.SdkClientException",
}
# Endings that only a machine itself can come to; docs/workloads.md tells what to do about each.
MACHINE_ERRORS = {
    "QualityGateFailed",
    "StepFailed",
    "StepTimedOut",
    "InferenceModeUnsupported",
    "EndpointAlarmed",
    "EndpointBusy",
    "EndpointFailed",
    "EndpointRolledBack",
    "EndpointRollbackFailed",
    "EndpointTaken",
    "EndpointTimedOut",
    "VersionRolledBack",
    "PromotionKindUnsupported",
    "PromotionRejected",
    "PromotionExpired",
    "DeploymentFailed",
    "DeploymentTimedOut",
}
# Ends an item of a Map, never an execution.
INNER_ERRORS = {"NeighbourUnknown"}
# A failure goes to the history first. The exceptions, each with its reason in the Comment.
OTHER_WAYS_OUT = {
    "RecordFailure": {"IsNameReserved"},
    "RecordRefusal": {"Refused"},
    "CreateModelPackageGroup": {"ConfirmModelPackageGroup"},
    "Preprocess": {"IsAnswerLost"},
    "Train": {"IsAnswerLost"},
    "TrainInVpc": {"IsAnswerLost"},
    "Evaluate": {"IsAnswerLost"},
    "EvaluateChampion": {"IsAnswerLost"},
    "Transform": {"IsAnswerLost"},
    "StopProcessingJob": {"IsRepeatLeft"},
    "StopTrainingJob": {"IsRepeatLeft"},
    "StopTransformJob": {"IsRepeatLeft"},
    "BuildReport": {"ExplainNoReport"},
    "RegisterScalableTarget": {"ExplainNoScaling"},
    "DeregisterScalableTarget": {"HadItScaled"},
    "PutScalingPolicy": {"ExplainNoScaling"},
    "RemoveMark": {"StampServing"},
    "StampServing": {"IsAnythingSuperseded"},
    "StampSuperseded": {"IsShadowLeft"},
    "DeleteShadowConfig": {"IsAnythingRetired"},
    "ListNeighbours": {"ReportOutcome"},
    "DescribeNeighbour": {"NeighbourUnknown"},
    "DeleteRetiredConfig": {"DeleteRetiredModel"},
    "DeleteRetiredModel": {"LeaveRetired"},
    "CreateEndpoint": {"FindChange"},
    "CreateProbeEndpoint": {"FindChange"},
    "UpdateEndpoint": {"FindChange"},
    "StartShadow": {"FindChange"},
    "DeleteProbeEndpoint": {"LookForProbe"},
    "LookForProbe": {"IsProbeGone"},
    "DeleteTemporary": {"IsTemporaryLeft"},
    "InspectReturn": {"ExplainShadowLeft"},
    "ReturnToPrevious": {"WaitForReturn"},
    "MarkRolledBack": {"IsNameReserved"},
    "StampFailed": {"IsNameReserved"},
    "PlanPromotion": {"ExplainEarlyFailure"},
    "TellEarlyFailure": {"IsNameReserved"},
}


def all_states() -> list[Any]:
    """Every state with its machine, for parametrised tests."""
    return [
        pytest.param(machine, name, state, id=f"{machine}-{name}")
        for machine in MACHINES
        for name, state in states_of(definition(machine))
    ]


def tasks() -> list[Any]:
    """Those states that call a service."""
    return [case for case in all_states() if case.values[2]["Type"] == "Task"]


@pytest.mark.parametrize(("machine", "name", "state"), all_states())
def test_every_state_says_why_it_exists(machine: str, name: str, state: dict[str, Any]) -> None:
    assert len(state.get("Comment", "")) > 40


@pytest.mark.parametrize(("machine", "name", "state"), all_states())
def test_names_are_pascal_case(machine: str, name: str, state: dict[str, Any]) -> None:
    assert re.fullmatch(r"([A-Z][a-z]+)+", name)


@pytest.mark.parametrize(("machine", "name", "state"), tasks())
def test_every_task_is_bounded_retried_and_caught(
    machine: str, name: str, state: dict[str, Any]
) -> None:
    assert ("TimeoutSeconds" in state) != ("TimeoutSecondsPath" in state)
    assert all(retrier["MaxAttempts"] <= 6 for retrier in state["Retry"])
    (catcher,) = state["Catch"]
    assert catcher["ErrorEquals"] == ["States.ALL"]
    assert catcher["ResultPath"].startswith("$.")
    assert catcher["Next"] in OTHER_WAYS_OUT.get(name, {"ExplainFailure"})


@pytest.mark.parametrize(("machine", "name", "state"), tasks())
def test_a_failed_algorithm_is_never_tried_again(
    machine: str, name: str, state: dict[str, Any]
) -> None:
    retried = {error for retrier in state["Retry"] for error in retrier["ErrorEquals"]}
    assert not retried & {"States.ALL", "States.TaskFailed", "States.Timeout"}


def error_names(state: dict[str, Any]) -> set[str]:
    """Every error that a state catches, retries or ends with."""
    handlers = [*state.get("Retry", []), *state.get("Catch", [])]
    handled = {error for handler in handlers for error in handler["ErrorEquals"]}
    own = [state.get("Error"), *_literal_errors(state.get("Parameters", {}))]
    return handled | {error for error in own if error}


def _literal_errors(parameters: dict[str, Any]) -> list[str]:
    nested = [value for value in parameters.values() if isinstance(value, dict)]
    return [d["Error"] for d in (parameters, *nested) if isinstance(d.get("Error"), str)]


@pytest.mark.parametrize(("machine", "name", "state"), all_states())
def test_every_error_name_is_known(machine: str, name: str, state: dict[str, Any]) -> None:
    known = AWS_ERRORS | MACHINE_ERRORS | INNER_ERRORS | set(vars(errors))
    assert error_names(state) <= known


def test_every_ending_of_a_machine_is_used() -> None:
    used = {error for case in all_states() for error in error_names(case.values[2])}
    assert used >= MACHINE_ERRORS | AWS_ERRORS


def test_every_ending_of_a_machine_is_explained_to_its_reader() -> None:
    explained = re.findall(r"^\| `(\w+)`", WORKLOADS_PAGE.read_text(), re.MULTILINE)
    assert set(explained) >= MACHINE_ERRORS


@pytest.mark.parametrize("machine", MACHINES)
def test_holds_no_arn_but_those_of_integrations(machine: str) -> None:
    text = (FOLDER / f"{machine}.asl.json").read_text()
    assert set(re.findall(r"arn:[^\"]*", text)) == {
        state["Resource"] for _, state in states_of(definition(machine)) if state["Type"] == "Task"
    }
    assert set(re.findall(r"\$\{(\w+)\}", text)) <= SUBSTITUTIONS.keys()


@pytest.mark.parametrize(("machine", "name", "state"), tasks())
def test_integrations_exist_in_the_form_used(
    machine: str, name: str, state: dict[str, Any]
) -> None:
    *kind, action = state["Resource"].removeprefix("arn:aws:states:::").split(":")
    api, _, pattern = action.partition(".")
    if kind == ["sagemaker"]:
        assert pattern == ("sync" if OPTIMISED_SAGEMAKER[api] else "")
    else:
        assert pattern == ""
        assert kind == ["lambda"] or (kind[0] == "aws-sdk" and kind[1] in SDK_SERVICES)


@pytest.mark.parametrize(("machine", "name", "state"), tasks())
def test_optimised_integrations_get_only_the_members_that_they_take(
    machine: str, name: str, state: dict[str, Any]
) -> None:
    taken = optimised_members(state["Resource"])
    given = {member.removesuffix(".$") for member in state.get("Parameters", {})}
    assert given - (given if taken is None else taken) == set()
    assert taken is not None or "states:::sagemaker:" not in state["Resource"]


def as_request(value: Any) -> Any:
    """A Parameters block with whatever a path or an intrinsic gives left unknown."""
    if isinstance(value, dict):
        return {
            key.removesuffix(".$"): UNKNOWN if key.endswith(".$") else as_request(item)
            for key, item in value.items()
        }
    return [as_request(item) for item in value] if isinstance(value, list) else value


def request_faults(state: dict[str, Any]) -> list[str]:
    """What botocore's model forbids in the request that a task will make."""
    *kind, action = state["Resource"].removeprefix("arn:aws:states:::").split(":")
    operation = operation_named(kind[-1], action.partition(".")[0])
    return violations(kind[-1], operation, as_request(state["Parameters"]))


@pytest.mark.parametrize(("machine", "name", "state"), tasks())
def test_requests_have_the_members_of_the_service_model(
    machine: str, name: str, state: dict[str, Any]
) -> None:
    if "lambda" not in state["Resource"]:
        assert request_faults(state) == []


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        ({"ModelName": "m", "RoleARN": "r"}, "CreateModel.RoleARN: no such member"),
        ({}, "CreateModel.ModelName: missing"),
        ({"ModelName": "a_b"}, "CreateModel.ModelName: 'a_b' does not match"),
        ({"ModelName": "a" * 64}, "CreateModel.ModelName: 64 is outside 0..63"),
        ({"ModelName": "m", "EnableNetworkIsolation": "yes"}, "expected boolean, got 'yes'"),
        ({"ModelName": "m", "Containers": "c"}, "CreateModel.Containers: expected a list"),
        ({"ModelName": "m", "Containers": [{"Mode": "Both"}]}, "none of the model's values"),
    ],
)
def test_the_check_of_requests_finds_planted_faults(parameters: Any, fault: str) -> None:
    state = {"Resource": "arn:aws:states:::sagemaker:createModel", "Parameters": parameters}
    assert any(fault in found for found in request_faults(state))


@pytest.mark.parametrize("machine", MACHINES)
def test_asl_validator_finds_nothing(machine: str) -> None:
    if not VALIDATOR.exists():
        pytest.skip("asl-validator is not installed; make tools-asl installs it where npm is")
    checked = subprocess.run(
        [VALIDATOR, "--json-path", FOLDER / f"{machine}.asl.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    # With no file to look at it says so and succeeds; its word must be about our file.
    assert f"{machine}.asl.json" in checked.stdout
    assert "is valid" in checked.stdout
