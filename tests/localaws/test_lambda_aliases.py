"""Aliases of functions: one version or two with shares, called, allowed, woken and measured."""

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import clients
from localaws.events import service as events
from localaws.lambdas import service as lambdas
from localaws.lambdas.measured import MEASURED
from localaws.monitoring import alarms
from localaws.sagemaker.store import Place
from tests.localaws import stack_world
from tests.localaws.lambda_world import TRUST, Laptop, laptop_for_functions, zipped
from tests.localaws.sagemaker_world import comes_true

ACCOUNT = "123456789012"
APP = """
import json, os

def handler(event, context):
    if "{word}" == "bad" or event == "fail":
        raise ValueError("cannot")
    with open(os.environ["SEEN"], "a") as seen:
        seen.write("{word} " + context.invoked_function_arn.split(":function:")[1] + "\\n")
    return "{word}"
"""


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    yield from laptop_for_functions(tmp_path_factory.mktemp("state"))


@pytest.fixture
def seen(tmp_path: Any) -> Any:
    return tmp_path / "seen"


def arn(function: str) -> str:
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{function}"


def two_versions(laptop: Laptop, name: str, seen: Any, second: str = "two") -> str:
    """A function with versions 1 and 2, and the alias `live` that leads to the first."""
    laptop.make(name, APP.format(word="one"), Environment={"Variables": {"SEEN": str(seen)}})
    laptop.client.publish_version(FunctionName=name)
    code = zipped({"app.py": APP.format(word=second)})
    laptop.client.update_function_code(FunctionName=name, ZipFile=code)
    laptop.client.publish_version(FunctionName=name)
    laptop.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def share(laptop: Laptop, name: str, weight: float) -> None:
    """Give version 2 a share of what `live` is called for."""
    weights = {"AdditionalVersionWeights": {"2": weight}}
    laptop.client.update_alias(FunctionName=name, Name="live", RoutingConfig=weights)


def versions_of(laptop: Laptop, function: str, calls: int, **more: Any) -> Counter[str]:
    answers = [laptop.client.invoke(FunctionName=function, **more) for _ in range(calls)]
    return Counter(answer["ExecutedVersion"] for answer in answers)


def refusal(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_an_alias_is_called_by_name_arn_or_qualifier(laptop: Laptop, seen: Any) -> None:
    name = two_versions(laptop, "called", seen)

    for function, more in ((f"{name}:live", {}), (arn(f"{name}:live"), {}), (name, "live")):
        qualifier = {"Qualifier": more} if more else {}
        answer = laptop.client.invoke(FunctionName=function, **qualifier)
        assert (json.loads(answer["Payload"].read()), answer["ExecutedVersion"]) == ("one", "1")

    assert seen.read_text() == "one called:live\n" * 3


def test_a_name_that_says_two_qualifiers_is_refused(laptop: Laptop, seen: Any) -> None:
    name = two_versions(laptop, "twofold", seen)

    with pytest.raises(ClientError, match="does not match") as caught:
        laptop.client.invoke(FunctionName=f"{name}:live", Qualifier="2")

    assert refusal(caught) == "InvalidParameterValueException"


def test_an_alias_shares_calls_out_between_its_versions(laptop: Laptop, seen: Any) -> None:
    name = two_versions(laptop, "shared", seen)

    share(laptop, name, 0.5)
    # A fair coin shows one side 60 times in a row once in 10^18 attempts.
    half = versions_of(laptop, f"{name}:live", 60)
    share(laptop, name, 1.0)
    whole = versions_of(laptop, f"{name}:live", 5)
    share(laptop, name, 0.0)
    none = versions_of(laptop, f"{name}:live", 5)

    assert set(half) == {"1", "2"}
    assert (whole, none) == (Counter({"2": 5}), Counter({"1": 5}))


@pytest.mark.parametrize(
    ("version", "weights", "code"),
    # Lambda Developer Guide, "Create a routing configuration for a Lambda alias"
    [
        ("1", {"2": 1.5}, "ValidationException"),
        ("1", {"live": 0.5}, "ValidationException"),
        ("1", {"1": 0.5}, "InvalidParameterValueException"),
        ("1", {"2": 0.5, "3": 0.1}, "InvalidParameterValueException"),
        ("$LATEST", {"2": 0.5}, "InvalidParameterValueException"),
        ("1", {"77": 0.5}, "ResourceNotFoundException"),
        ("77", {}, "ResourceNotFoundException"),
        ("live", {}, "ValidationException"),
    ],
)
def test_shares_that_cannot_be_are_refused(
    laptop: Laptop, seen: Any, version: str, weights: dict[str, float], code: str
) -> None:
    if "checked" not in [f["FunctionName"] for f in laptop.client.list_functions()["Functions"]]:
        two_versions(laptop, "checked", seen)
    wanted = {"FunctionVersion": version, "RoutingConfig": {"AdditionalVersionWeights": weights}}

    for change, name in (("create_alias", "other"), ("update_alias", "live")):
        with pytest.raises(ClientError) as caught:
            getattr(laptop.client, change)(FunctionName="checked", Name=name, **wanted)
        assert refusal(caught) == code

    alias = laptop.client.get_alias(FunctionName="checked", Name="live")
    assert (alias["FunctionVersion"], "RoutingConfig" in alias) == ("1", False)


def test_versions_with_different_roles_share_no_calls(laptop: Laptop, seen: Any) -> None:
    name = two_versions(laptop, "roles", seen)
    made = clients.developer_client("iam").create_role(
        RoleName="another", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    laptop.client.update_function_configuration(FunctionName=name, Role=made["Role"]["Arn"])
    laptop.client.publish_version(FunctionName=name)

    with pytest.raises(ClientError, match="role") as caught:
        laptop.client.update_alias(
            FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {"3": 0.1}}
        )

    assert refusal(caught) == "InvalidParameterValueException"


def test_a_change_of_an_alias_that_somebody_else_changed_is_refused(
    laptop: Laptop, seen: Any
) -> None:
    name = two_versions(laptop, "revised", seen)
    before = laptop.client.get_alias(FunctionName=name, Name="live")["RevisionId"]
    share(laptop, name, 0.5)

    with pytest.raises(ClientError) as caught:
        laptop.client.update_alias(
            FunctionName=name, Name="live", FunctionVersion="2", RevisionId=before
        )

    assert refusal(caught) == "PreconditionFailedException"
    now = laptop.client.get_alias(FunctionName=name, Name="live")
    assert now["FunctionVersion"] == "1"
    laptop.client.update_alias(FunctionName=name, Name="live", RevisionId=now["RevisionId"])


def test_shares_stay_until_they_are_taken_off(laptop: Laptop, seen: Any) -> None:
    # Lambda API, UpdateAlias: what is not given is not changed
    name = two_versions(laptop, "kept", seen)
    share(laptop, name, 0.25)

    laptop.client.update_alias(FunctionName=name, Name="live", Description="why")
    kept = laptop.client.get_alias(FunctionName=name, Name="live")
    with pytest.raises(ClientError, match="already included"):
        laptop.client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    off: dict[str, Any] = {"AdditionalVersionWeights": {}}
    laptop.client.update_alias(
        FunctionName=name, Name="live", FunctionVersion="2", RoutingConfig=off
    )

    assert kept["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.25}}
    assert versions_of(laptop, f"{name}:live", 1) == Counter({"2": 1})


def test_the_aliases_of_one_version_are_listed(laptop: Laptop, seen: Any) -> None:
    name = two_versions(laptop, "listed", seen)
    laptop.client.create_alias(FunctionName=name, Name="next", FunctionVersion="2")

    listed = laptop.client.list_aliases(FunctionName=name, FunctionVersion="2")["Aliases"]

    assert [(alias["Name"], alias["AliasArn"]) for alias in listed] == [
        ("next", arn(f"{name}:next"))
    ]


def test_an_event_keeps_its_version_through_its_retries(laptop: Laptop, seen: Any) -> None:
    name = two_versions(laptop, "tried", seen)
    share(laptop, name, 0.5)

    for _ in range(12):
        laptop.client.invoke(FunctionName=f"{name}:live", InvocationType="Event", Payload=b'"fail"')
    assert lambdas.drain_events(30)

    lambdas.flush_logs()
    starts = [line.split() for line in laptop.log_of(f"/aws/lambda/{name}") if "START Req" in line]
    ran: dict[str, set[str]] = {}
    for _, _, request, _, version in starts:
        ran.setdefault(request, set()).add(version)
    assert len(starts) == 36
    assert {len(versions) for versions in ran.values()} == {1}


def test_each_name_of_a_function_has_its_own_event_handling(laptop: Laptop, seen: Any) -> None:
    name = two_versions(laptop, "handled", seen)
    put = laptop.client.put_function_event_invoke_config
    put(FunctionName=name, MaximumRetryAttempts=2)
    put(FunctionName=f"{name}:live", MaximumRetryAttempts=1, MaximumEventAgeInSeconds=600)

    laptop.client.update_function_event_invoke_config(
        FunctionName=name, Qualifier="live", MaximumRetryAttempts=0
    )
    laptop.client.invoke(FunctionName=f"{name}:live", InvocationType="Event", Payload=b'"fail"')
    assert lambdas.drain_events(20)

    starts = [line for line in laptop.log_of(f"/aws/lambda/{name}") if "START Req" in line]
    listed = laptop.client.list_function_event_invoke_configs(FunctionName=name)
    found = {c["FunctionArn"]: c for c in listed["FunctionEventInvokeConfigs"]}
    assert len(starts) == 1
    assert found.keys() == {arn(f"{name}:$LATEST"), arn(f"{name}:live")}
    assert found[arn(f"{name}:live")]["MaximumEventAgeInSeconds"] == 600
    laptop.client.delete_function_event_invoke_config(FunctionName=name, Qualifier="live")
    with pytest.raises(ClientError) as caught:
        laptop.client.get_function_event_invoke_config(FunctionName=name, Qualifier="live")
    assert refusal(caught) == "ResourceNotFoundException"


def test_a_permission_on_an_alias_lets_a_rule_call_the_alias_only(
    laptop: Laptop, seen: Any
) -> None:
    name = two_versions(laptop, "ruled", seen)
    bus = clients.developer_client("events")
    rule = bus.put_rule(Name="ruled", EventPattern='{"source": ["test"]}')["RuleArn"]
    targets = [{"Id": "alias", "Arn": arn(f"{name}:live")}, {"Id": "plain", "Arn": arn(name)}]
    bus.put_targets(Rule="ruled", Targets=targets)
    laptop.client.add_permission(
        FunctionName=arn(f"{name}:live"),
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )

    bus.put_events(Entries=[{"Source": "test", "DetailType": "d", "Detail": "{}"}])
    assert comes_true(seen.exists)
    events.drain(20)
    assert lambdas.drain_events(20)

    assert seen.read_text() == "one ruled:live\n"
    laptop.client.remove_permission(FunctionName=name, Qualifier="live", StatementId="rule")
    with pytest.raises(ClientError):
        laptop.client.get_policy(FunctionName=name, Qualifier="live")


def test_a_queue_wakes_whatever_its_alias_leads_to(laptop: Laptop, seen: Any) -> None:
    name = two_versions(laptop, "woken", seen)
    sqs = clients.developer_client("sqs")
    url = sqs.create_queue(QueueName="woken")["QueueUrl"]
    mapping = laptop.client.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:woken", FunctionName=f"{name}:live"
    )

    sqs.send_message(QueueUrl=url, MessageBody="a")
    assert comes_true(lambda: seen.exists() and seen.read_text().count("\n") == 1)
    laptop.client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    sqs.send_message(QueueUrl=url, MessageBody="b")
    assert comes_true(lambda: seen.read_text().count("\n") == 2)

    assert mapping["FunctionArn"] == arn(f"{name}:live")
    assert seen.read_text() == "one woken:live\ntwo woken:live\n"
    laptop.client.delete_event_source_mapping(UUID=mapping["UUID"])


def test_the_versions_behind_an_alias_are_measured_apart(laptop: Laptop, seen: Any) -> None:
    name = two_versions(laptop, "measured", seen, second="bad")
    laptop.client.invoke(FunctionName=f"{name}:live")
    share(laptop, name, 1.0)
    for _ in range(3):
        laptop.client.invoke(FunctionName=f"{name}:live")
    MEASURED.flush()

    resource = {"FunctionName": name, "Resource": f"{name}:live"}
    # Lambda Developer Guide, "Viewing metrics for Lambda functions": by function name, by
    # resource (version or alias), by executed version of an alias
    assert total("Invocations", FunctionName=name) == 4.0
    assert total("Errors", **resource) == 3.0
    assert total("Errors", **resource, ExecutedVersion="1") == 0.0
    assert total("Errors", **resource, ExecutedVersion="2") == 3.0
    assert total("Invocations", FunctionName=name, Resource=name) is None


def total(metric: str, **dimensions: str) -> float | None:
    """The sum of a metric, None where it has no value."""
    found = clients.developer_client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime="2020-01-01T00:00:00Z",
        EndTime="2099-01-01T00:00:00Z",
        Period=3_000_000_000 // 60 * 60,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in found)) if found else None


def test_an_alarm_sees_the_errors_of_an_alias(laptop: Laptop, seen: Any) -> None:
    name = two_versions(laptop, "alarmed", seen, second="bad")
    clients.developer_client("cloudwatch").put_metric_alarm(
        AlarmName="alarmed",
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[
            {"Name": "FunctionName", "Value": name},
            {"Name": "Resource", "Value": f"{name}:live"},
        ],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    here = Place(ACCOUNT, "us-east-1")
    laptop.client.invoke(FunctionName=f"{name}:live")
    laptop.client.invoke(FunctionName=f"{name}:2")
    quiet = alarms.firing(here, ["alarmed"])

    share(laptop, name, 1.0)
    laptop.client.invoke(FunctionName=f"{name}:live")

    assert quiet == []
    assert alarms.firing(here, ["alarmed"]) == ["alarmed"]


def test_what_is_refused_for_its_number_is_counted_as_throttled(laptop: Laptop, seen: Any) -> None:
    name = two_versions(laptop, "throttled", seen)
    laptop.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

    with pytest.raises(ClientError, match="Rate Exceeded"):
        laptop.client.invoke(FunctionName=f"{name}:live")

    MEASURED.flush()
    assert total("Throttles", FunctionName=name, Resource=f"{name}:live") == 1.0
    assert total("Invocations", FunctionName=name) is None


def test_only_the_versions_behind_an_alias_are_kept_warm(laptop: Laptop, seen: Any) -> None:
    name = laptop.make("warm", APP.format(word="one"), Environment={"Variables": {"SEEN": "x"}})
    laptop.client.publish_version(FunctionName=name)
    code = zipped({"app.py": APP.format(word="two")})
    laptop.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert comes_true(lambda: warm(name) == {"1"})

    laptop.client.update_function_code(FunctionName=name, ZipFile=code)
    laptop.client.publish_version(FunctionName=name)
    share(laptop, name, 0.1)
    assert comes_true(lambda: warm(name) == {"1", "2"})
    off: dict[str, Any] = {"AdditionalVersionWeights": {}}
    laptop.client.update_alias(
        FunctionName=name, Name="live", FunctionVersion="2", RoutingConfig=off
    )
    assert comes_true(lambda: warm(name) == {"2"})

    laptop.client.delete_function(FunctionName=name)
    assert comes_true(lambda: warm(name) == set())


def warm(name: str) -> set[str]:
    """The versions of a function that have a process."""
    return {spec.version for spec in lambdas.warm_functions() if spec.name == name}


def test_a_machine_with_the_right_on_an_alias_calls_the_alias_only(
    laptop: Laptop, seen: Any
) -> None:
    name = two_versions(laptop, "tasks", seen)
    role = machine_role("tasks-machine", arn(f"{name}:live"))
    service, plain = "arn:aws:states:::lambda:invoke", {"FunctionName": arn(name)}

    by_service = ran(role, Resource=service, Parameters={"FunctionName": arn(f"{name}:live")})
    by_arn = ran(role, Resource=arn(f"{name}:live"))
    refused = ran(role, Resource=service, Parameters=plain)

    assert json.loads(by_service["output"])["ExecutedVersion"] == "1"
    assert json.loads(by_arn["output"]) == "one"
    assert (refused["status"], refused["error"]) == ("FAILED", "Lambda.AWSLambdaException")


def machine_role(name: str, function: str) -> str:
    """A role for machines that may call one function, version or alias."""
    iam = clients.developer_client("iam")
    trust = json.dumps(TRUST).replace("lambda.amazonaws.com", "states.amazonaws.com")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    document = stack_world.policy(stack_world.statement("lambda:InvokeFunction", function))
    iam.put_role_policy(RoleName=name, PolicyName="call", PolicyDocument=document)
    return str(made)


def ran(role: str, **task: Any) -> dict[str, Any]:
    """The end of an execution of a machine with this one task."""
    states = clients.developer_client("stepfunctions")
    definition = {"StartAt": "Call", "States": {"Call": {"Type": "Task", "End": True, **task}}}
    machine = states.create_state_machine(
        name=f"m{uuid.uuid4().hex[:8]}", roleArn=role, definition=json.dumps(definition)
    )["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]

    def end() -> dict[str, Any]:
        found: dict[str, Any] = states.describe_execution(executionArn=execution)
        return found

    assert comes_true(lambda: end()["status"] != "RUNNING")
    return end()
