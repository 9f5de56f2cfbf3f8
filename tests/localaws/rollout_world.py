"""What the tests of CodeDeploy share: a stack of functions behind aliases, and looks at it."""

import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from localaws import clock
from localaws.codedeploy.store import STORE
from localaws.monitoring import alarms
from tests.localaws import account_world, stack_world
from tests.localaws.account_world import unused
from tests.localaws.iam_roles import allow, trust
from tests.localaws.stack_world import OPERATIONS, client, described

PATIENCE_S = 30.0
CODEDEPLOY = {"Service": "codedeploy.amazonaws.com"}
GOOD = "def handler(event, context):\n    return '{release}'\n"
BAD = "def handler(event, context):\n    raise ValueError('{release}')\n"
EVENTS = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]


def shifting_role(*more: dict[str, Any]) -> str:
    """A role for CodeDeploy that may move aliases, or do what is given."""
    trusted = trust(CODEDEPLOY, Condition={"StringEquals": {"aws:SourceAccount": OPERATIONS}})
    may = more or (
        allow(["lambda:GetAlias", "lambda:UpdateAlias"], "*"),
        allow("cloudwatch:DescribeAlarms", "*"),
    )
    return account_world.make_role(OPERATIONS, *may, trusted=trusted)


@dataclass
class Stack:
    """A stack with functions, each with an alias that CodeDeploy moves."""

    name: str
    functions: tuple[str, ...] = ("one",)
    config: str = "Canary10Percent5Minutes"
    role: str = ""
    execution: str = ""
    """The role it is deployed with; the developer's permissions without one."""
    alarms: bool = True
    events: tuple[str, ...] = tuple(EVENTS)

    def function(self, which: str = "one") -> str:
        """A function's name."""
        return f"{self.name}-{which}"

    def alarm(self, which: str = "one") -> str:
        """The name of the alarm on a function's alias."""
        return f"{self.name}-{which}-errors"

    def template(self, release: str, code: str = GOOD) -> str:
        """The stack with everything at one release."""
        resources: dict[str, Any] = {
            "Application": {
                "Type": "AWS::CodeDeploy::Application",
                "Properties": {"ApplicationName": self.name, "ComputePlatform": "Lambda"},
            },
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": f"{self.name}-function",
                    "AssumeRolePolicyDocument": json.loads(
                        trust({"Service": "lambda.amazonaws.com"})
                    ),
                },
            },
        }
        for which in self.functions:
            resources |= self._function(which, release, code.format(release=release))
        return json.dumps({"Resources": resources})

    def _function(self, which: str, release: str, code: str) -> dict[str, Any]:
        title, version = which.title(), f"{which.title()}Version{release}"
        return {
            title: {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": self.function(which),
                    "Handler": "index.handler",
                    "Runtime": "python3.13",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Code": {"ZipFile": code},
                },
            },
            version: {
                "Type": "AWS::Lambda::Version",
                "DeletionPolicy": "Retain",
                "Properties": {"FunctionName": {"Ref": title}},
            },
            f"{title}Alias": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "FunctionName": {"Ref": title},
                    "Name": "live",
                    "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
                },
                "UpdatePolicy": {
                    "CodeDeployLambdaAliasUpdate": {
                        "ApplicationName": {"Ref": "Application"},
                        "DeploymentGroupName": {"Ref": f"{title}Group"},
                    }
                },
            },
            f"{title}Group": self._group(title),
            f"{title}Alarm": self._alarm(which),
        }

    def _group(self, title: str) -> dict[str, Any]:
        alarms = {"Enabled": True, "Alarms": [{"Name": {"Ref": f"{title}Alarm"}}]}
        properties: dict[str, Any] = {
            "ApplicationName": {"Ref": "Application"},
            "DeploymentGroupName": f"{self.name}-{title.lower()}",
            "DeploymentConfigName": f"CodeDeployDefault.Lambda{self.config}",
            "ServiceRoleArn": self.role,
            "DeploymentStyle": {
                "DeploymentType": "BLUE_GREEN",
                "DeploymentOption": "WITH_TRAFFIC_CONTROL",
            },
        }
        if self.events:
            rollback = {"Enabled": True, "Events": list(self.events)}
            properties["AutoRollbackConfiguration"] = rollback
        if self.alarms:
            properties["AlarmConfiguration"] = alarms
        return {"Type": "AWS::CodeDeploy::DeploymentGroup", "Properties": properties}

    def _alarm(self, which: str) -> dict[str, Any]:
        dimensions = {
            "FunctionName": self.function(which),
            "Resource": f"{self.function(which)}:live",
        }
        properties = {
            "AlarmName": self.alarm(which),
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }
        return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}

    def create(self) -> "Stack":
        """Deploy release 1."""
        self.role = self.role or shifting_role()
        more = {"RoleARN": self.execution} if self.execution else {}
        done = stack_world.create(self.name, self.template("1"), Parameters=[], **more)
        assert done == "CREATE_COMPLETE", described(self.name).get("StackStatusReason")
        return self

    def begin(self, release: str, code: str = GOOD) -> threading.Thread:
        """Begin to deploy a release; the thread ends when the stack stands still again."""
        thread = threading.Thread(target=self.update, args=(release, code), daemon=True)
        thread.start()
        return thread

    def update(self, release: str, code: str = GOOD) -> str:
        """Deploy a release; where the stack stands afterwards."""
        return stack_world.update(self.name, self.template(release, code), Parameters=[])

    def alias(self, which: str = "one") -> tuple[str, dict[str, float]]:
        """The version that an alias points to, and further ones with their weights."""
        found = client("lambda").get_alias(FunctionName=self.function(which), Name="live")
        routing = found.get("RoutingConfig") or {}
        return found["FunctionVersion"], routing.get("AdditionalVersionWeights") or {}

    def call(self, which: str = "one") -> str:
        """What the alias answers, or how it fails."""
        found = client("lambda").invoke(FunctionName=self.function(which), Qualifier="live")
        told = json.loads(found["Payload"].read())
        failed = "FunctionError" in found
        return f"{told['errorType']}: {told['errorMessage']}" if failed else str(told)

    def deployments(self, which: str = "one") -> list[dict[str, Any]]:
        """All deployments of a function's group as GetDeployment shows them, the oldest first."""
        codedeploy, group = client("codedeploy"), f"{self.name}-{which}"
        listed = codedeploy.list_deployments(applicationName=self.name, deploymentGroupName=group)
        shown = [codedeploy.get_deployment(deploymentId=each) for each in listed["deployments"]]
        return [each["deploymentInfo"] for each in reversed(shown)]

    def told(self, resource: str) -> list[tuple[str, str]]:
        """What the stack's events say of a resource: status and reason, the oldest first."""
        events = client("cloudformation").describe_stack_events(StackName=self.name)["StackEvents"]
        return [
            (event["ResourceStatus"], event.get("ResourceStatusReason", ""))
            for event in reversed(events)
            if event["LogicalResourceId"] == resource
        ]

    def failure(self, resource: str) -> str:
        """Why the last update of a resource failed."""
        return next(why for status, why in reversed(self.told(resource)) if "FAILED" in status)


def new_stack(**more: Any) -> Stack:
    """A stack that no other test knows."""
    return Stack(unused("rollout"), **more)


def zipped(code: str) -> bytes:
    """The archive of a function whose module is `index`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), code)
    return buffer.getvalue()


@contextmanager
def at_pace(faster: float) -> Iterator[None]:
    """Waits pass so many times faster than on AWS, for a while.

    At 1.0 a shift lasts for minutes, so that whatever a test does meanwhile comes in time.
    """
    scale = clock.time_scale()
    clock.set_time_scale(faster)
    try:
        yield
    finally:
        clock.set_time_scale(scale)


Seen = tuple[str, tuple[tuple[str, float], ...]]
"""An alias' version, and further ones with their weights."""


@contextmanager
def watching(stack: Stack) -> Iterator[list[Seen]]:
    """What the alias is whenever alarms are looked at, which each step of a shift begins with."""
    seen = list[Seen]()
    watches = [True]

    def look() -> None:
        if watches:
            version, weights = stack.alias()
            seen.append((version, tuple(weights.items())))

    alarms.before_each_look(look)
    try:
        yield seen
    finally:
        watches.clear()


def fire(alarm: str) -> None:
    """Let an alarm be in ALARM, as somebody who tries it out does."""
    client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")


def calm(alarm: str) -> None:
    """Let it be OK."""
    client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="test")


def wait_for(there: Callable[[], bool]) -> None:
    """Until something is so."""
    ends = time.monotonic() + PATIENCE_S
    while not there():
        assert time.monotonic() < ends
        time.sleep(0.01)


def appspec(function: str, current: str, target: str) -> dict[str, Any]:
    """A revision for CreateDeployment."""
    properties = {
        "Name": function,
        "Alias": "live",
        "CurrentVersion": current,
        "TargetVersion": target,
    }
    resource = {function: {"Type": "AWS::Lambda::Function", "Properties": properties}}
    content = json.dumps({"version": 0.0, "Resources": [resource]})
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": content}}


def ended(deployment: str) -> dict[str, Any]:
    """A deployment as GetDeployment shows it once it is over."""
    assert STORE.deployments[deployment].finished.wait(PATIENCE_S), deployment
    info = client("codedeploy").get_deployment(deploymentId=deployment)["deploymentInfo"]
    return dict(info)
