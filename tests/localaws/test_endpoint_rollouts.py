"""Updates in steps: traffic is shifted, alarms are watched, the way back loses no request."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import clients, faults
from tests.localaws.sagemaker_world import FACTOR, World, comes_true, laptop

FAULTY = FACTOR.replace("return [row * factor", "raise ValueError('faulty'); return [row * factor")
OLD, NEW = b"2.0\n", b"3.0\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with laptop(tmp_path_factory.mktemp("state")) as served:
        for factor in (2, 3):
            files = {"code/inference.py": FACTOR, "factor.txt": str(factor)}
            served.model(f"times-{factor}", files)
            served.config(f"times-{factor}", f"times-{factor}")
        served.model("faulty", {"code/inference.py": FAULTY, "factor.txt": "9"})
        served.config("faulty", "faulty")
        yield served


@pytest.fixture(autouse=True)
def no_faults() -> Iterator[None]:
    yield
    faults.clear()


def blue_green(kind: str, wait_s: int, bake_s: int = 0, **size: Any) -> dict[str, Any]:
    """A BlueGreenUpdatePolicy without alarms."""
    routing = {"Type": kind, "WaitIntervalInSeconds": wait_s, **size}
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": routing,
            "TerminationWaitInSeconds": bake_s,
        }
    }


def percent(value: int) -> dict[str, Any]:
    """A CapacitySize."""
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def canary(wait_s: int, share: int = 25, bake_s: int = 0) -> dict[str, Any]:
    """A canary deployment."""
    return blue_green("CANARY", wait_s, bake_s, CanarySize=percent(share))


def watched(deployment: dict[str, Any], *alarms: str) -> dict[str, Any]:
    """The deployment with alarms that roll it back."""
    names = [{"AlarmName": name} for name in alarms]
    return {**deployment, "AutoRollbackConfiguration": {"Alarms": names}}


def error_alarm(name: str, endpoint: str, missing: str = "notBreaching") -> str:
    """An alarm on the share of requests that the model fails to answer; its name."""
    clients.developer_client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[
            {"Name": "EndpointName", "Value": endpoint},
            {"Name": "VariantName", "Value": "AllTraffic"},
        ],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0.05,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData=missing,
    )
    return name


@contextmanager
def load(world: World, endpoint: str) -> Iterator[Counter[bytes]]:
    """Call the endpoint without a pause; counts answers, and `b"error"` for ModelError."""
    stop, seen = threading.Event(), Counter[bytes]()

    def call() -> None:
        while not stop.is_set():
            try:
                seen[world.invoke(endpoint, "1\n")] += 1
            except world.runtime.exceptions.ModelError:
                seen[b"error"] += 1
            except ClientError as error:
                seen[str(error).encode()] += 1

    callers = [threading.Thread(target=call) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        yield seen
    finally:
        stop.set()
        for caller in callers:
            caller.join()


def update(world: World, endpoint: str, config: str, deployment: dict[str, Any]) -> None:
    world.sagemaker.update_endpoint(
        EndpointName=endpoint, EndpointConfigName=config, DeploymentConfig=deployment
    )


def status_of(world: World, endpoint: str) -> str:
    described = world.sagemaker.describe_endpoint(EndpointName=endpoint)
    status: str = described["EndpointStatus"]
    return status


def test_a_canary_gets_its_share_of_the_requests_and_then_all(world: World) -> None:
    world.endpoint("canary", "times-2")
    update(world, "canary", "times-3", canary(wait_s=3600))
    assert comes_true(lambda: world.invoke("canary", "1\n") == NEW)
    answers = Counter(world.invoke("canary", "1\n") for _ in range(40))
    # 25 per cent of forty, spread evenly.
    assert answers == {OLD: 30, NEW: 10}
    described = world.settled("canary")
    assert described["EndpointConfigName"] == "times-3"
    assert "PendingDeploymentSummary" not in described
    assert {world.invoke("canary", "1\n") for _ in range(8)} == {NEW}


def test_a_linear_update_shifts_in_steps_of_its_size(world: World) -> None:
    world.endpoint("linear", "times-2")
    step = blue_green("LINEAR", 600, LinearStepSize=percent(40))
    update(world, "linear", "times-3", step)
    world.settled("linear")
    kind = "SageMaker Endpoint Deployment State Change"
    told = [
        event["detail"]["PendingDeploymentSummary"]["ProductionVariants"][0]["VariantStatus"][0]
        for event in world.told(kind, EndpointName="linear")
    ]
    # 40, 80 and 100 per cent; a wait after the first two, none asked for after the last.
    assert [status["Status"] for status in told] == [
        "Creating",
        "ActivatingTraffic",
        "Baking",
        "ActivatingTraffic",
        "Baking",
        "ActivatingTraffic",
        "Deleting",
    ]
    assert "Baking for 600 seconds (WaitIntervalInSeconds)" in told[2]["StatusMessage"]


def test_while_an_update_waits_its_summary_says_what_it_does(world: World) -> None:
    world.endpoint("summary", "times-2")
    update(world, "summary", "times-3", canary(wait_s=3600))
    described: dict[str, Any] = {}

    def is_baking() -> bool:
        described.update(world.sagemaker.describe_endpoint(EndpointName="summary"))
        pending = described.get("PendingDeploymentSummary") or {"ProductionVariants": [{}]}
        statuses = pending["ProductionVariants"][0].get("VariantStatus") or [{}]
        return bool(statuses[0].get("Status") == "Baking")

    assert comes_true(is_baking)
    assert described["EndpointStatus"] == "Updating"
    assert described["EndpointConfigName"] == "times-2"
    assert described["PendingDeploymentSummary"]["EndpointConfigName"] == "times-3"
    assert described["LastDeploymentConfig"] == canary(wait_s=3600)
    with pytest.raises(ClientError, match="while it is Updating"):
        update(world, "summary", "times-2", canary(wait_s=0))
    world.settled("summary")


def test_an_alarm_rolls_back_and_the_old_fleet_answers_every_request(world: World) -> None:
    world.endpoint("guarded", "times-2")
    alarm = error_alarm("guarded-errors", "guarded")
    with load(world, "guarded") as answers:
        assert comes_true(lambda: answers[OLD] > 20)
        update(world, "guarded", "faulty", watched(canary(wait_s=3600, share=50), alarm))
        described = world.settled("guarded")
        before = answers[OLD]
        assert comes_true(lambda: answers[OLD] > before + 20)
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointConfigName"] == "times-2"
    assert "guarded-errors" in described["FailureReason"]
    # The new fleet's own errors reach its share of the callers, nothing else goes wrong.
    assert set(answers) == {OLD, b"error"}
    # The bus hears of a status a moment after DescribeEndpoint tells it.
    assert comes_true(lambda: len(world.told(STATE_CHANGE, EndpointName="guarded")) == 5)
    events = world.told(STATE_CHANGE, EndpointName="guarded")
    told = [event["detail"]["EndpointStatus"] for event in events]
    assert told == ["CREATING", "IN_SERVICE", "UPDATING", "ROLLING_BACK", "IN_SERVICE"]


def test_an_alarm_that_is_firing_before_rolls_back_at_once(world: World) -> None:
    world.endpoint("fires", "times-2")
    # Nobody calls it, which this alarm takes for an error: it fires for as long as it is needed.
    alarm = error_alarm("fires-errors", "fires", missing="breaching")
    update(world, "fires", "times-3", watched(canary(wait_s=3600), alarm))
    described = world.settled("fires")
    assert described["EndpointConfigName"] == "times-2"
    assert "fires-errors" in described["FailureReason"]


def test_an_alarm_that_is_not_there_never_rolls_back(world: World) -> None:
    world.endpoint("no-alarm", "times-2")
    update(world, "no-alarm", "times-3", watched(canary(wait_s=10), "nothing-of-that-name"))
    assert world.settled("no-alarm")["EndpointConfigName"] == "times-3"


def test_the_wait_before_termination_is_watched_as_well(world: World) -> None:
    world.endpoint("bakes", "times-2")
    alarm = error_alarm("bakes-errors", "bakes")
    all_at_once = blue_green("ALL_AT_ONCE", 0, bake_s=3600)
    with load(world, "bakes") as answers:
        update(world, "bakes", "faulty", watched(all_at_once, alarm))
        described = world.settled("bakes")
    assert described["EndpointConfigName"] == "times-2"
    assert set(answers) <= {OLD, b"error"}


def test_an_update_that_takes_too_long_is_rolled_back(world: World) -> None:
    world.endpoint("late", "times-2")
    deployment = canary(wait_s=3600)
    deployment["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    update(world, "late", "times-3", deployment)
    described = world.settled("late")
    assert described["EndpointConfigName"] == "times-2"
    assert "MaximumExecutionTimeoutInSeconds (600)" in described["FailureReason"]


def test_a_rolling_update_goes_in_batches(world: World) -> None:
    world.config("four", "times-2", InitialInstanceCount=4)
    world.config("four-new", "times-3", InitialInstanceCount=4)
    world.endpoint("rolling", "four")
    batch = {"Type": "INSTANCE_COUNT", "Value": 2}
    policy = {"MaximumBatchSize": batch, "WaitIntervalInSeconds": 10}
    update(world, "rolling", "four-new", {"RollingUpdatePolicy": policy})
    assert world.settled("rolling")["EndpointConfigName"] == "four-new"
    kind = "SageMaker Endpoint Deployment State Change"
    told = [
        event["detail"]["PendingDeploymentSummary"]["ProductionVariants"][0]
        for event in world.told(kind, EndpointName="rolling")
    ]
    baking = [v for v in told if v["VariantStatus"][0]["Status"] == "Baking"]
    assert [variant["CurrentInstanceCount"] for variant in baking] == [2, 4]


@pytest.mark.parametrize(
    ("deployment", "complaint"),
    [
        ({}, None),
        (canary(0, share=51), "CanarySize is 51 percent"),
        (blue_green("CANARY", 0), "CanarySize is required"),
        (blue_green("LINEAR", 0, LinearStepSize=percent(9)), "between 10 and 50 percent"),
        (
            blue_green("CANARY", 0, CanarySize={"Type": "INSTANCE_COUNT", "Value": 2}),
            "CanarySize is 2 instance",
        ),
        (
            {
                **canary(0),
                "RollingUpdatePolicy": {
                    "MaximumBatchSize": percent(10),
                    "WaitIntervalInSeconds": 0,
                },
            },
            "exactly one of BlueGreenUpdatePolicy and RollingUpdatePolicy",
        ),
        (
            {"RollingUpdatePolicy": {"MaximumBatchSize": percent(60), "WaitIntervalInSeconds": 0}},
            "MaximumBatchSize is 60 percent",
        ),
        (blue_green("CANARY", 3601, CanarySize=percent(10)), "less than or equal to 3600"),
        (blue_green("SLOWLY", 0), "enum value set"),
    ],
)
def test_a_deployment_that_aws_refuses_is_refused(
    world: World, deployment: dict[str, Any], complaint: str | None
) -> None:
    if status_or_none(world, "refuses") is None:
        world.endpoint("refuses", "times-2")
    if complaint is None:
        return
    with pytest.raises(ClientError, match=complaint):
        update(world, "refuses", "times-3", deployment)
    assert status_of(world, "refuses") == "InService"


def status_or_none(world: World, endpoint: str) -> str | None:
    try:
        return status_of(world, endpoint)
    except ClientError:
        return None


def test_a_variant_must_keep_its_name_in_a_guarded_update(world: World) -> None:
    world.endpoint("renames", "times-2")
    world.config("renamed", "times-3", VariantName="Other")
    with pytest.raises(ClientError, match=r"\(Other\) must be those of the current one"):
        update(world, "renames", "renamed", canary(0))


def test_an_endpoint_with_instances_does_not_become_serverless(world: World) -> None:
    world.endpoint("stays", "times-2")
    world.config(
        "less",
        "times-3",
        InitialInstanceCount=None,
        InstanceType=None,
        ServerlessConfig={"MemorySizeInMB": 1024, "MaxConcurrency": 1},
    )
    with pytest.raises(ClientError, match="cannot be updated to a serverless endpoint"):
        world.sagemaker.update_endpoint(EndpointName="stays", EndpointConfigName="less")


@pytest.mark.parametrize(
    ("ending", "status", "config"),
    [
        ("Failed", "Failed", "times-2"),
        ("SilentRollback", "InService", "times-2"),
        ("Rollback", "InService", "times-2"),
        ("UpdateRollbackFailed", "UpdateRollbackFailed", "times-2"),
        ("SystemUpdating", "InService", "times-3"),
        ("Stuck", "InService", "times-3"),
    ],
)
def test_every_ending_of_an_update_can_be_asked_for(
    world: World, ending: str, status: str, config: str
) -> None:
    name = f"ends-{ending.lower()}"
    world.endpoint(name, "times-2")
    faults.put({"faults": [{"deployment": ending, "endpoint": name, "reason": "why"}]})
    update(world, name, "times-3", canary(wait_s=0))
    described = world.settled(name)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == (status, config)
    assert described.get("FailureReason") == (
        "why" if ending in ("Failed", "Rollback", "UpdateRollbackFailed") else None
    )
    assert world.invoke(name, "1\n") in (OLD, NEW)
    seen = {e["detail"]["EndpointStatus"] for e in world.told(STATE_CHANGE, EndpointName=name)}
    assert ("SYSTEM_UPDATING" in seen) == (ending == "SystemUpdating")


STATE_CHANGE = "SageMaker Endpoint State Change"


def test_after_a_failed_rollback_both_fleets_serve_until_the_next_update(world: World) -> None:
    world.endpoint("mixed", "times-2")
    faults.put({"faults": [{"deployment": "UpdateRollbackFailed", "endpoint": "mixed"}]})
    update(world, "mixed", "times-3", canary(wait_s=0))
    assert world.settled("mixed")["EndpointStatus"] == "UpdateRollbackFailed"
    assert Counter(world.invoke("mixed", "1\n") for _ in range(10)) == {OLD: 5, NEW: 5}
    update(world, "mixed", "times-3", canary(wait_s=0))
    described = world.settled("mixed")
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == (
        "InService",
        "times-3",
    )
    assert {world.invoke("mixed", "1\n") for _ in range(4)} == {NEW}
