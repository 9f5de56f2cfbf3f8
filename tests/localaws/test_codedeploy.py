"""CodeDeploy: an alias gets a new version bit by bit, or goes back; through stacks and by itself.

Rules: CodeDeploy user guide and API reference; how CloudFormation and CodeDeploy end is as in
published output of real deployments (read 2026-11-21).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws.server import Config, LaptopServer
from tests.localaws import rollout_world as world
from tests.localaws import stack_world
from tests.localaws.iam_roles import allow
from tests.localaws.rollout_world import PATIENCE_S, Stack, calm, fire, new_stack, wait_for
from tests.localaws.stack_world import client

pytestmark = pytest.mark.usefixtures("laptop")

SCALE = 600.0
"""Five minutes of AWS's pass in half a second."""


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopServer]:
    state_dir: Path = tmp_path_factory.mktemp("laptop")
    with LaptopServer(Config(port=0, state_dir=state_dir, time_scale=SCALE)) as server:
        yield server


def test_a_new_version_gets_all_traffic_at_once() -> None:
    stack = new_stack(config="AllAtOnce").create()
    assert stack.alias() == ("1", {})
    assert stack.deployments() == []  # creation goes directly

    assert stack.update("2") == "UPDATE_COMPLETE"

    assert stack.alias() == ("2", {})
    [deployment] = stack.deployments()
    assert deployment["status"] == "Succeeded"
    assert deployment["creator"] == "user"


def test_a_canary_shifts_a_tenth_first_and_the_rest_later() -> None:
    stack = new_stack(config="Canary10Percent5Minutes").create()

    seen = seen_while(stack, "2")

    assert [*dict.fromkeys(seen)] == [("1", ()), ("1", (("2", 0.1),)), ("2", ())]
    [deployment] = stack.deployments()
    took = deployment["completeTime"] - deployment["startTime"]
    assert took.total_seconds() >= 300 / SCALE


def test_a_linear_configuration_shifts_a_tenth_at_a_time() -> None:
    stack = new_stack(config="Linear10PercentEvery1Minute").create()

    seen = seen_while(stack, "2")

    weights = [dict(more)["2"] for _, more in dict.fromkeys(seen) if more]
    assert weights == sorted(weights)
    assert set(weights) <= {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}
    assert len(weights) >= 3
    assert stack.alias() == ("2", {})


def seen_while(stack: Stack, release: str) -> list[tuple[str, tuple[tuple[str, float], ...]]]:
    """What the alias was seen to be while a release was deployed."""
    seen = [frozen(stack.alias())]
    running = stack.begin(release)
    while running.is_alive():
        seen.append(frozen(stack.alias()))
    return [*seen, frozen(stack.alias())]


def frozen(alias: tuple[str, dict[str, float]]) -> tuple[str, tuple[tuple[str, float], ...]]:
    return alias[0], tuple(alias[1].items())


def test_an_alarm_during_the_shift_takes_the_alias_back_and_fails_the_stack() -> None:
    """Shapes and words as in published output of a real stack's deployment."""
    stack = new_stack(config="Canary10Percent30Minutes").create()
    running = stack.begin("2")
    wait_for(lambda: stack.alias() == ("1", {"2": 0.1}))

    fire(stack.alarm())
    running.join(PATIENCE_S)

    assert stack_world.status(stack.name) == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.alias() == ("1", {})
    stopped, back = stack.deployments()
    because = (
        "One or more alarms have been activated according to the Amazon CloudWatch metrics you "
        "selected, and the affected deployments have been stopped. Activated alarms: "
        f"<{stack.alarm()}>"
    )
    assert stopped["status"] == "Stopped"
    assert stopped["errorInformation"] == {"code": "ALARM_ACTIVE", "message": because}
    assert stopped["rollbackInfo"]["rollbackDeploymentId"] == back["deploymentId"]
    assert (back["status"], back["creator"]) == ("Succeeded", "codeDeployRollback")
    assert back["rollbackInfo"]["rollbackTriggeringDeploymentId"] == stopped["deploymentId"]
    failed = dict(stack.told("OneAlias"))["UPDATE_FAILED"]
    assert failed.startswith(
        f'Resource handler returned message: "{stopped["deploymentId"]} failed. {because}" ('
    )


def test_lifecycle_events_tell_how_far_a_deployment_came() -> None:
    stack = new_stack(config="AllAtOnce").create()
    fire(stack.alarm())

    assert stack.update("2") == "UPDATE_ROLLBACK_COMPLETE"

    stopped, back = stack.deployments()
    assert stopped["errorInformation"]["code"] == "ALARM_ACTIVE"  # it fired before anything moved
    assert target(stopped)["lifecycleEvents"] == events("Skipped", "Skipped", "Skipped")
    assert target(back)["lifecycleEvents"] == events("Succeeded", "Succeeded", "Succeeded")
    assert target(back)["lambdaFunctionInfo"] == {
        "functionName": stack.function(),
        "functionAlias": "live",
        "currentVersion": "2",
        "targetVersion": "1",
        "targetVersionWeight": 1.0,
    }


def events(*statuses: str) -> list[dict[str, str]]:
    names = ("BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")
    return [
        {"lifecycleEventName": name, "status": status}
        for name, status in zip(names, statuses, strict=True)
    ]


def target(deployment: dict[str, Any]) -> dict[str, Any]:
    codedeploy, identifier = client("codedeploy"), deployment["deploymentId"]
    [name] = codedeploy.list_deployment_targets(deploymentId=identifier)["targetIds"]
    found = codedeploy.get_deployment_target(deploymentId=identifier, targetId=name)
    return dict(found["deploymentTarget"]["lambdaTarget"])


def test_a_stack_whose_deployment_failed_can_be_updated_again() -> None:
    stack = new_stack(config="AllAtOnce").create()
    fire(stack.alarm())
    assert stack.update("2") == "UPDATE_ROLLBACK_COMPLETE"
    calm(stack.alarm())

    assert stack.update("3") == "UPDATE_COMPLETE"

    version, weights = stack.alias()
    assert (version, weights) == ("3", {})


def test_without_roll_back_the_stack_takes_the_alias_back_itself() -> None:
    stack = new_stack(config="Canary10Percent30Minutes", events=()).create()
    running = stack.begin("2")
    wait_for(lambda: stack.alias() == ("1", {"2": 0.1}))

    fire(stack.alarm())
    running.join(PATIENCE_S)

    [stopped] = stack.deployments()
    assert stopped["rollbackInfo"] == {}
    assert stack.alias() == ("1", {})


def test_a_role_that_may_not_update_the_alias_fails_the_deployment_with_its_code() -> None:
    role = world.shifting_role(
        allow("lambda:GetAlias", "*"), allow("cloudwatch:DescribeAlarms", "*")
    )
    stack = new_stack(role=role).create()

    assert stack.update("2") == "UPDATE_ROLLBACK_COMPLETE"

    failed, back = stack.deployments()
    assert (failed["status"], failed["errorInformation"]["code"]) == (
        "Failed",
        "IAM_ROLE_PERMISSIONS",
    )
    assert f"The IAM role {role} does not" in failed["errorInformation"]["message"]
    assert "AWSLambda" in failed["errorInformation"]["message"]
    assert back["status"] == "Failed"  # the way back needs the same permission
    assert stack.alias() == ("1", {})


def test_a_role_that_may_not_read_alarms_fails_the_deployment_before_anything_moves() -> None:
    role = world.shifting_role(allow(["lambda:GetAlias", "lambda:UpdateAlias"], "*"))
    stack = new_stack(role=role, config="AllAtOnce").create()

    assert stack.update("2") == "UPDATE_ROLLBACK_COMPLETE"

    failed = stack.deployments()[0]
    assert failed["errorInformation"]["code"] == "IAM_ROLE_PERMISSIONS"
    assert "AmazonCloudWatch" in failed["errorInformation"]["message"]


def test_functions_are_shifted_side_by_side() -> None:
    """Eight canaries of five minutes take five minutes, not forty."""
    names = ("one", "two", "three", "four", "five", "six", "seven", "eight")
    stack = new_stack(functions=names).create()

    assert stack.update("2") == "UPDATE_COMPLETE"

    shown = [stack.deployments(name)[0] for name in names]
    assert max(each["startTime"] for each in shown) < min(each["completeTime"] for each in shown)
    assert {stack.alias(name)[0] for name in names} == {"2"}


def test_when_one_function_fails_the_others_are_stopped_and_go_back() -> None:
    stack = new_stack(functions=("one", "two"), config="Canary10Percent30Minutes").create()
    running = stack.begin("2")
    wait_for(lambda: {stack.alias(name)[0] for name in ("one", "two")} == {"1"})
    wait_for(lambda: stack.alias("one")[1] == stack.alias("two")[1] == {"2": 0.1})

    fire(stack.alarm("one"))
    running.join(PATIENCE_S)

    assert stack_world.status(stack.name) == "UPDATE_ROLLBACK_COMPLETE"
    stopped, back = stack.deployments("two")
    assert stopped["errorInformation"]["code"] == "MANUAL_STOP"
    assert back["status"] == "Succeeded"
    assert ("UPDATE_FAILED", "Resource update cancelled") in stack.told("TwoAlias")
    assert stack.alias("one") == stack.alias("two") == ("1", {})
