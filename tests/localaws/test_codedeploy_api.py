"""CodeDeploy's API without a stack: what it refuses, what repeats do, who may ask, what is told.

Rules: CodeDeploy API reference and user guide; Service Authorization Reference (read 2026-11-21).
"""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import developer_client
from localaws.codedeploy import appspec as codedeploy_appspec
from localaws.codedeploy import configs as codedeploy_configs
from localaws.events import service as event_service
from localaws.server import Config, LaptopServer
from localaws.wire import AwsError
from tests.localaws import account_world
from tests.localaws import rollout_world as world
from tests.localaws.account_world import REGION, session_of, unused
from tests.localaws.iam_roles import allow, trust
from tests.localaws.rollout_world import PATIENCE_S, appspec, calm, ended, fire, wait_for
from tests.localaws.stack_world import OPERATIONS, client

pytestmark = pytest.mark.usefixtures("laptop")

PREFIX = f"arn:aws:codedeploy:{REGION}:{OPERATIONS}"
LAMBDA_TRUST = trust({"Service": "lambda.amazonaws.com"})
STYLE = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopServer]:
    """Waits as on AWS or so: a canary lasts until somebody ends it."""
    state_dir: Path = tmp_path_factory.mktemp("laptop")
    with LaptopServer(Config(port=0, state_dir=state_dir, time_scale=2.0)) as server:
        yield server


class Bench:
    """A function with three versions, an alias at the first, and a group that moves it."""

    def __init__(self, config: str = "Canary10Percent5Minutes", **more: Any) -> None:
        self.name = unused("shift")
        self.codedeploy, self.lambdas = client("codedeploy"), client("lambda")
        role = account_world.make_role(OPERATIONS, trusted=LAMBDA_TRUST)
        self._publish(role)
        self.codedeploy.create_application(applicationName=self.name, computePlatform="Lambda")
        self.role = more.pop("serviceRoleArn", None) or world.shifting_role()
        self.codedeploy.create_deployment_group(
            applicationName=self.name,
            deploymentGroupName="group",
            deploymentConfigName=f"CodeDeployDefault.Lambda{config}",
            serviceRoleArn=self.role,
            deploymentStyle=STYLE,
            **more,
        )

    def _publish(self, role: str) -> None:
        make = self.lambdas.create_function
        for number in (1, 2, 3):
            code = world.zipped(f"def handler(event, context):\n    return {number}\n")
            if number == 1:
                make(
                    FunctionName=self.name,
                    Role=role,
                    Runtime="python3.13",
                    Handler="index.handler",
                    Code={"ZipFile": code},
                )
            else:
                self.lambdas.update_function_code(FunctionName=self.name, ZipFile=code)
            self.lambdas.publish_version(FunctionName=self.name)
        self.lambdas.create_alias(FunctionName=self.name, Name="live", FunctionVersion="1")

    def deploy(self, current: str = "1", to: str = "2", **more: Any) -> str:
        """Begin a deployment; its id."""
        request = {
            "applicationName": self.name,
            "deploymentGroupName": "group",
            "revision": appspec(self.name, current, to),
        }
        made = self.codedeploy.create_deployment(**{**request, **more})
        return str(made["deploymentId"])

    def shifting(self) -> str:
        """Begin one, and wait until a tenth goes to version 2; its id."""
        deployment = self.deploy()
        wait_for(lambda: self.alias() == ("1", {"2": 0.1}))
        return deployment

    def alias(self) -> tuple[str, dict[str, float]]:
        """Where the alias points to."""
        found = self.lambdas.get_alias(FunctionName=self.name, Name="live")
        weights = found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return found["FunctionVersion"], weights


def refusal(call: Callable[..., Any], **request: Any) -> str:
    """The code that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize("back", [True, False])
def test_a_deployment_is_stopped_and_goes_back_when_that_is_asked_for(back: bool) -> None:
    bench = Bench()
    deployment = bench.shifting()

    answer = bench.codedeploy.stop_deployment(deploymentId=deployment, autoRollbackEnabled=back)

    assert answer["status"] == "Pending"
    info = ended(deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    if back:
        ended(info["rollbackInfo"]["rollbackDeploymentId"])
    assert bench.alias() == ("1", {} if back else {"2": 0.1})
    stop = bench.codedeploy.stop_deployment
    assert refusal(stop, deploymentId=deployment) == "DeploymentAlreadyCompletedException"


def test_an_alias_that_was_left_between_two_versions_cannot_be_deployed_to() -> None:
    """User guide, "Troubleshoot AWS Lambda deployment issues"."""
    bench = Bench()
    ended_by_hand = bench.shifting()
    bench.codedeploy.stop_deployment(deploymentId=ended_by_hand, autoRollbackEnabled=False)
    ended(ended_by_hand)

    info = ended(bench.deploy())

    assert info["errorInformation"]["code"] == "INVALID_LAMBDA_CONFIGURATION"
    assert "two versions" in info["errorInformation"]["message"]


def test_the_same_deployment_once_more_does_nothing() -> None:
    """While the first one goes on it is refused; afterwards the alias is not where it says."""
    bench = Bench()
    first = bench.shifting()
    assert refusal(bench.deploy) == "DeploymentLimitExceededException"
    bench.codedeploy.stop_deployment(deploymentId=first, autoRollbackEnabled=True)
    ended(ended(first)["rollbackInfo"]["rollbackDeploymentId"])
    at_once = {"deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce"}
    assert ended(bench.deploy(**at_once))["status"] == "Succeeded"

    again = ended(bench.deploy(**at_once))

    assert again["errorInformation"]["code"] == "INVALID_LAMBDA_CONFIGURATION"
    assert bench.alias() == ("2", {})


def test_repeated_requests_make_nothing_twice_and_delete_nothing_else() -> None:
    bench = Bench()
    make = bench.codedeploy.create_application
    group = {"applicationName": bench.name, "deploymentGroupName": "group"}
    request = {**group, "serviceRoleArn": bench.role, "deploymentStyle": STYLE}

    assert refusal(make, applicationName=bench.name, computePlatform="Lambda") == (
        "ApplicationAlreadyExistsException"
    )
    assert refusal(bench.codedeploy.create_deployment_group, **request) == (
        "DeploymentGroupAlreadyExistsException"
    )
    for _ in range(2):
        bench.codedeploy.delete_deployment_group(**group)
    assert refusal(bench.deploy) == "DeploymentGroupDoesNotExistException"
    for _ in range(2):
        bench.codedeploy.delete_application(applicationName=bench.name)
    assert refusal(bench.deploy) == "ApplicationDoesNotExistException"


@pytest.mark.parametrize(
    ("current", "target", "code"),
    [("1", "9", "INVALID_LAMBDA_FUNCTION"), ("2", "3", "INVALID_LAMBDA_CONFIGURATION")],
)
def test_a_revision_that_does_not_fit_the_function_fails_by_its_code(
    current: str, target: str, code: str
) -> None:
    bench = Bench()

    info = ended(bench.deploy(current, target))

    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", code)
    assert bench.alias() == ("1", {})


def test_a_role_that_codedeploy_may_not_assume_is_refused() -> None:
    role = account_world.make_role(OPERATIONS, trusted=LAMBDA_TRUST)

    with pytest.raises(ClientError) as caught:
        Bench(serviceRoleArn=role)

    assert caught.value.response["Error"]["Code"] == "InvalidRoleException"
    assert "does not have the permissions required to assume the role" in str(caught.value)


def test_a_role_that_is_gone_fails_the_deployment() -> None:
    bench = Bench()
    name = bench.role.rpartition("/")[2]
    iam = client("iam")
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)

    info = ended(bench.deploy())

    assert info["errorInformation"] == {
        "code": "IAM_ROLE_MISSING",
        "message": "IAM Role is missing for deployment group: group",
    }


def test_an_alarm_that_is_not_there_fails_the_deployment_unless_that_is_ignored() -> None:
    alarms = {"enabled": True, "alarms": [{"name": unused("absent")}]}
    bench = Bench("AllAtOnce", alarmConfiguration=alarms)

    failed = ended(bench.deploy())
    ignoring = {**alarms, "ignorePollAlarmFailure": True}
    passed = ended(bench.deploy(overrideAlarmConfiguration=ignoring))

    assert failed["errorInformation"]["code"] == "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND"
    assert passed["status"] == "Succeeded"


def test_an_alarm_counts_only_where_it_is_asked_for() -> None:
    alarm = unused("alarm")
    client("cloudwatch").put_metric_alarm(
        AlarmName=alarm,
        Namespace="Ours",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    fire(alarm)
    alarms = [{"name": alarm}]
    bench = Bench("AllAtOnce", alarmConfiguration={"enabled": True, "alarms": alarms})

    stopped = ended(bench.deploy())
    off = ended(bench.deploy(overrideAlarmConfiguration={"enabled": False, "alarms": alarms}))

    calm(alarm)
    assert stopped["errorInformation"]["code"] == "ALARM_ACTIVE"
    assert stopped["rollbackInfo"] == {}  # nobody asked for a way back
    assert off["status"] == "Succeeded"


def test_events_tell_each_change() -> None:
    """Shape: EventBridge's description of CodeDeploy's events."""
    heard: list[dict[str, Any]] = []
    bench = Bench("AllAtOnce")
    unsubscribe = event_service.subscribe(heard.append)
    try:
        deployment = bench.deploy()
        ended(deployment)
    finally:
        unsubscribe()

    mine = [event for event in heard if event["source"] == "aws.codedeploy"]
    assert [event["detail"]["state"] for event in mine] == ["START", "SUCCESS"]
    assert {event["detail-type"] for event in mine} == {
        "CodeDeploy Deployment State-change Notification"
    }
    detail = mine[-1]["detail"]
    group = bench.codedeploy.get_deployment_group(
        applicationName=bench.name, deploymentGroupName="group"
    )["deploymentGroupInfo"]
    assert detail == {
        "region": REGION,
        "deploymentId": deployment,
        "instanceGroupId": group["deploymentGroupId"],
        "deploymentGroup": "group",
        "application": bench.name,
        "state": "SUCCESS",
    }
    assert mine[-1]["resources"] == [
        f"{PREFIX}:application:{bench.name}",
        f"{PREFIX}:deploymentgroup:{bench.name}/group",
    ]
    assert group["lastSuccessfulDeployment"]["deploymentId"] == deployment


def test_a_group_is_changed_by_what_is_given() -> None:
    bench = Bench()
    where = {"applicationName": bench.name, "currentDeploymentGroupName": "group"}

    bench.codedeploy.update_deployment_group(
        **where, deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce"
    )

    group = bench.codedeploy.get_deployment_group(
        applicationName=bench.name, deploymentGroupName="group"
    )["deploymentGroupInfo"]
    assert group["deploymentConfigName"] == "CodeDeployDefault.LambdaAllAtOnce"
    assert group["serviceRoleArn"] == bench.role
    assert group["computePlatform"] == "Lambda"
    update = bench.codedeploy.update_deployment_group
    assert refusal(update, **where, deploymentConfigName="Absent") == (
        "DeploymentConfigDoesNotExistException"
    )


def test_tags_are_kept_with_what_they_were_put_on() -> None:
    bench = Bench()
    arn = f"{PREFIX}:deploymentgroup:{bench.name}/group"
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]

    bench.codedeploy.tag_resource(ResourceArn=arn, Tags=tags)
    bench.codedeploy.untag_resource(ResourceArn=arn, TagKeys=["a", "never"])

    found = bench.codedeploy.list_tags_for_resource(ResourceArn=arn)["Tags"]
    assert found == [{"Key": "b", "Value": "2"}]


WHERE = {"applicationName": "app", "deploymentGroupName": "group"}
GROUP_ARN, APPLICATION_ARN = f"{PREFIX}:deploymentgroup:app/group", f"{PREFIX}:application:app"
DECISIONS: list[tuple[str, dict[str, Any], str]] = [
    ("get_application", {"applicationName": "app"}, APPLICATION_ARN),
    ("delete_application", {"applicationName": "app"}, APPLICATION_ARN),
    ("list_deployment_groups", {"applicationName": "app"}, APPLICATION_ARN),
    ("get_deployment_group", WHERE, GROUP_ARN),
    ("delete_deployment_group", WHERE, GROUP_ARN),
    ("list_deployments", WHERE, GROUP_ARN),
    (
        "update_deployment_group",
        {"applicationName": "app", "currentDeploymentGroupName": "group"},
        GROUP_ARN,
    ),
    (
        "get_deployment_config",
        {"deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce"},
        f"{PREFIX}:deploymentconfig:CodeDeployDefault.LambdaAllAtOnce",
    ),
    ("list_tags_for_resource", {"ResourceArn": GROUP_ARN}, GROUP_ARN),
    ("list_applications", {}, "*"),
    ("stop_deployment", {"deploymentId": "d-123456789"}, "*"),
]


@pytest.mark.parametrize(
    ("method", "request_", "arn"), DECISIONS, ids=lambda value: str(value)[:40]
)
def test_each_operation_is_decided_on_its_resource(
    method: str, request_: dict[str, Any], arn: str
) -> None:
    """Resources: Service Authorization Reference, the page of AWS CodeDeploy."""
    action = "codedeploy:" + "".join(word.title() for word in method.split("_"))
    may = session_of(account_world.make_role(OPERATIONS, allow(action, arn)))
    other = f"{PREFIX}:application:other"
    may_not = session_of(account_world.make_role(OPERATIONS, allow(action, other)))

    assert "AccessDenied" not in outcome(may.client("codedeploy"), method, request_)
    assert "AccessDenied" in outcome(may_not.client("codedeploy"), method, request_)


def outcome(codedeploy: Any, method: str, request_: dict[str, Any]) -> str:
    """The code of a refusal, nothing when there is none."""
    try:
        getattr(codedeploy, method)(**request_)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_who_deploys_also_registers_the_revision_and_reads_the_configuration() -> None:
    """User guide, "CodeDeploy permissions reference", CreateDeployment."""
    bench = Bench("AllAtOnce")
    application = f"{PREFIX}:application:{bench.name}"
    config = f"{PREFIX}:deploymentconfig:CodeDeployDefault.LambdaAllAtOnce"
    needed = [
        allow("codedeploy:CreateDeployment", f"{PREFIX}:deploymentgroup:{bench.name}/group"),
        allow("codedeploy:RegisterApplicationRevision", application),
        allow("codedeploy:GetApplicationRevision", application),
        allow("codedeploy:GetDeploymentConfig", config),
    ]
    request = {
        "applicationName": bench.name,
        "deploymentGroupName": "group",
        "revision": appspec(bench.name, "1", "2"),
    }

    for left_out in range(len(needed)):
        rest = [one for number, one in enumerate(needed) if number != left_out]
        caller = session_of(account_world.make_role(OPERATIONS, *rest)).client("codedeploy")
        assert outcome(caller, "create_deployment", request) == "AccessDeniedException"
    caller = session_of(account_world.make_role(OPERATIONS, *needed)).client("codedeploy")
    made = caller.create_deployment(**request)["deploymentId"]

    assert ended(made)["status"] == "Succeeded"
    assert refusal(caller.get_deployment, deploymentId=made) == "AccessDeniedException"


def test_handing_over_a_role_takes_the_permission_to_pass_it() -> None:
    bench = Bench()
    makes = allow("codedeploy:*")
    request = {
        "applicationName": bench.name,
        "deploymentGroupName": "second",
        "serviceRoleArn": bench.role,
        "deploymentStyle": STYLE,
    }
    to_codedeploy = {"StringEquals": {"iam:PassedToService": "codedeploy.amazonaws.com"}}
    passes = allow("iam:PassRole", bench.role, Condition=to_codedeploy)

    without = session_of(account_world.make_role(OPERATIONS, makes)).client("codedeploy")
    with_ = session_of(account_world.make_role(OPERATIONS, makes, passes)).client("codedeploy")

    assert outcome(without, "create_deployment_group", request) == "AccessDeniedException"
    assert outcome(with_, "create_deployment_group", request) == ""


def test_what_the_laptop_does_not_do_is_refused_by_name() -> None:
    bench = Bench()
    codedeploy, refused = bench.codedeploy, "UnsupportedByLocalAws"
    hooked = json.loads(appspec(bench.name, "1", "2")["appSpecContent"]["content"])
    hooked["Hooks"] = [{"BeforeAllowTraffic": "check"}]
    content = {"content": json.dumps(hooked)}
    revision = {"revisionType": "AppSpecContent", "appSpecContent": content}
    from_s3 = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k"}}

    assert refusal(codedeploy.list_on_premises_instances) == refused
    assert refusal(codedeploy.list_deployments, externalId="e") == refused
    assert refusal(codedeploy.create_application, applicationName="servers") == refused
    assert refusal(bench.deploy, revision=revision) == refused
    assert refusal(bench.deploy, revision=from_s3) == refused
    triggers = [{"triggerName": "t", "triggerTargetArn": "arn", "triggerEvents": []}]
    where = {"applicationName": bench.name, "currentDeploymentGroupName": "group"}
    update = codedeploy.update_deployment_group
    assert refusal(update, **where, triggerConfigurations=triggers) == refused


def test_deployments_are_of_one_account() -> None:
    bench = Bench("AllAtOnce")
    deployment = bench.deploy()

    elsewhere = developer_client("codedeploy")

    assert refusal(elsewhere.get_deployment, deploymentId=deployment) == (
        "DeploymentDoesNotExistException"
    )
    assert bench.name not in elsewhere.list_applications()["applications"]


@pytest.mark.parametrize(
    ("name", "steps", "minutes"),
    [
        ("LambdaAllAtOnce", (100,), 0),
        ("LambdaCanary10Percent5Minutes", (10, 100), 5),
        ("LambdaCanary10Percent30Minutes", (10, 100), 30),
        ("LambdaLinear10PercentEvery1Minute", (10, 20, 30, 40, 50, 60, 70, 80, 90, 100), 1),
        ("LambdaLinear10PercentEvery10Minutes", (10, 20, 30, 40, 50, 60, 70, 80, 90, 100), 10),
    ],
)
def test_configurations_shift_as_their_names_say(
    name: str, steps: tuple[int, ...], minutes: int
) -> None:
    """User guide, "Predefined deployment configurations for an AWS Lambda compute platform"."""
    found = codedeploy_configs.config(f"CodeDeployDefault.{name}")

    assert (found.steps(), found.minutes) == (steps, minutes)
    shown = client("codedeploy").get_deployment_config(deploymentConfigName=found.name)
    assert shown["deploymentConfigInfo"]["trafficRoutingConfig"]["type"] == found.kind


def test_an_appspec_may_be_yaml_with_small_letters() -> None:
    """User guide, "AppSpec file example for an AWS Lambda deployment"."""
    text = """
version: 0.0
resources:
  - greet:
      Type: AWS::Lambda::Function
      Properties: {name: greet, alias: live, currentversion: 1, targetversion: 2}
"""
    with pytest.raises(AwsError, match="lacks CurrentVersion, TargetVersion"):
        codedeploy_appspec.parsed(text)

    fixed = text.replace("currentversion", "currentVersion").replace("targetv", "targetV")
    found = codedeploy_appspec.parsed(fixed)

    assert found == codedeploy_appspec.AppSpec("greet", "live", "1", "2")
    assert codedeploy_appspec.parsed(found.content()) == found


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "empty"),
        ("a: [", "neither YAML nor JSON"),
        ("{Resources: []}", "exactly one function"),
        ("{Resources: [{f: {Type: Other}}]}", "must be of type AWS::Lambda::Function"),
    ],
)
def test_an_appspec_that_says_nothing_is_refused(content: str, why: str) -> None:
    with pytest.raises(AwsError, match=why) as caught:
        codedeploy_appspec.parsed(content)

    assert caught.value.code == "InvalidRevisionException"


def test_many_who_ask_at_once_get_one_deployment() -> None:
    bench = Bench()
    made, refused = list[str](), list[str]()

    def ask() -> None:
        try:
            made.append(bench.deploy())
        except ClientError as error:
            refused.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert len(made) == 1
    assert refused == ["DeploymentLimitExceededException"] * 7
    bench.codedeploy.stop_deployment(deploymentId=made[0])
    ended(made[0])
