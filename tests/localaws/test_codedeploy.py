"""CodeDeploy: an alias gets a new version bit by bit, or goes back; through stacks and by itself.

Rules: CodeDeploy user guide and API reference; how CloudFormation and CodeDeploy end is as in
published output of real deployments (read 2026-11-21).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.server import Config, LaptopServer
from tests.localaws import account_world, stack_world
from tests.localaws import rollout_world as world
from tests.localaws.account_world import REGION
from tests.localaws.iam_roles import allow, trust
from tests.localaws.rollout_world import (
    BAD,
    PATIENCE_S,
    at_pace,
    calm,
    fire,
    new_stack,
    wait_for,
    watching,
)
from tests.localaws.stack_world import OPERATIONS, client

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

    with watching(stack) as seen:
        assert stack.update("2") == "UPDATE_COMPLETE"

    steps = [*dict.fromkeys(each for each in seen if each != ("2", ()))]
    assert steps == [("1", ()), ("1", (("2", 0.1),))]
    assert stack.alias() == ("2", {})
    [deployment] = stack.deployments()
    took = deployment["completeTime"] - deployment["startTime"]
    assert took.total_seconds() >= 300 / SCALE


def test_a_linear_configuration_shifts_a_tenth_at_a_time() -> None:
    stack = new_stack(config="Linear10PercentEvery1Minute").create()

    with watching(stack) as seen:
        assert stack.update("2") == "UPDATE_COMPLETE"

    weights = [dict(more)["2"] for _, more in dict.fromkeys(seen) if more]
    assert weights == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert stack.alias() == ("2", {})


def test_an_alarm_during_the_shift_takes_the_alias_back_and_fails_the_stack() -> None:
    """Shapes and words as in published output of a real stack's deployment."""
    stack = new_stack(config="Canary10Percent5Minutes").create()

    with at_pace(1.0):
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
    assert stack.failure("OneAlias").startswith(
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
    stack = new_stack(config="Canary10Percent5Minutes", events=()).create()

    with at_pace(1.0):
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
    """And when one of them fails, the others are stopped and go back."""
    names = ("one", "two", "three", "four", "five", "six", "seven", "eight")
    stack = new_stack(functions=names, config="Canary10Percent5Minutes").create()

    with at_pace(1.0):
        running = stack.begin("2")
        wait_for(lambda: all(stack.alias(name) == ("1", {"2": 0.1}) for name in names))
        fire(stack.alarm("one"))
        running.join(PATIENCE_S)

    assert stack_world.status(stack.name) == "UPDATE_ROLLBACK_COMPLETE"
    stopped, back = stack.deployments("two")
    assert stopped["errorInformation"]["code"] == "MANUAL_STOP"
    assert back["status"] == "Succeeded"
    assert stack.failure("TwoAlias") == "Resource update cancelled"
    assert stack.deployments("one")[0]["errorInformation"]["code"] == "ALARM_ACTIVE"
    assert all(stack.alias(name) == ("1", {}) for name in names)


def test_the_stack_needs_no_more_than_these_permissions_to_shift() -> None:
    """Each of them is needed: without it the update fails, and the alias stays where it was."""
    stack = new_stack(config="AllAtOnce")
    prefix = f"arn:aws:codedeploy:{REGION}:{OPERATIONS}"
    group = f"{prefix}:deploymentgroup:{stack.name}/{stack.name}-one"
    config = f"{prefix}:deploymentconfig:CodeDeployDefault.LambdaAllAtOnce"
    deploying = [
        allow(["codedeploy:CreateDeployment", "codedeploy:GetDeployment"], group),
        allow("codedeploy:GetDeploymentConfig", config),
        allow(
            ["codedeploy:RegisterApplicationRevision", "codedeploy:GetApplicationRevision"],
            f"{prefix}:application:{stack.name}",
        ),
    ]
    creates = ["codedeploy:CreateApplication", "codedeploy:CreateDeploymentGroup"]
    others = [allow(["lambda:*", "iam:*", "cloudwatch:*", *creates])]
    everything = [*others, *deploying]
    stack.role = world.shifting_role()
    trusted = trust({"Service": "cloudformation.amazonaws.com"})
    stack.execution = account_world.make_role(OPERATIONS, *everything, trusted=trusted)
    stack.create()

    for left_out in deploying:
        kept = [statement for statement in deploying if statement is not left_out]
        account_world.put_policy(stack.execution, *others, *kept)
        assert stack.update("2") == "UPDATE_ROLLBACK_COMPLETE"
        assert "is not authorized to perform: codedeploy:" in stack.failure("OneAlias")
        assert stack.alias() == ("1", {})
    account_world.put_policy(stack.execution, *everything)
    assert stack.update("3") == "UPDATE_COMPLETE"


def test_an_update_policy_is_refused_where_the_laptop_does_not_follow_it() -> None:
    stack = new_stack(role="arn:aws:iam::567890123456:role/unused")
    template = json.loads(stack.template("1"))
    policy = template["Resources"]["OneAlias"]["UpdatePolicy"]
    policy["CodeDeployLambdaAliasUpdate"]["BeforeAllowTrafficHook"] = "check"
    template["Resources"]["One"]["UpdatePolicy"] = {"AutoScalingRollingUpdate": {}}

    with pytest.raises(ClientError) as first:
        stack_world.create(stack.name, json.dumps(template), Parameters=[])
    del template["Resources"]["One"]["UpdatePolicy"]
    with pytest.raises(ClientError) as second:
        stack_world.create(stack.name, json.dumps(template), Parameters=[])

    assert "attribute UpdatePolicy is not supported for this type" in str(first.value)
    assert "property BeforeAllowTrafficHook is not supported" in str(second.value)
    assert "/Resources/OneAlias/UpdatePolicy/CodeDeployLambdaAliasUpdate" in str(second.value)


def test_a_change_of_the_group_alone_deploys_nothing() -> None:
    stack = new_stack(config="AllAtOnce").create()
    stack.config = "Canary10Percent5Minutes"

    assert stack.update("1") == "UPDATE_COMPLETE"

    assert stack.deployments() == []
    assert stack.update("2") == "UPDATE_COMPLETE"
    assert stack.deployments()[0]["deploymentConfigName"].endswith("Canary10Percent5Minutes")


def test_a_stack_is_deleted_with_its_groups_and_application() -> None:
    stack = new_stack(config="AllAtOnce").create()

    assert stack_world.delete(stack.name) == "DELETE_COMPLETE"

    assert stack.name not in client("codedeploy").list_applications()["applications"]


def test_errors_of_the_new_version_are_what_fires_the_alarm() -> None:
    """Nobody sets the alarm: a tenth of the calls fails, and the old version answers the others."""
    stack = new_stack(config="Canary10Percent5Minutes").create()

    with at_pace(10.0):
        running = stack.begin("2", BAD)
        wait_for(lambda: stack.alias() == ("1", {"2": 0.1}))
        answers = {"1"}
        while running.is_alive():
            answers.add(stack.call())

    assert answers == {"1", "ValueError: 2"}
    assert stack_world.status(stack.name) == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.deployments()[0]["errorInformation"]["code"] == "ALARM_ACTIVE"
    assert {stack.call() for _ in range(20)} == {"1"}
