"""Several variants, shadow copies, captured data, other weights and capacities, scaling targets."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import clients, clock
from localaws.endpoints.meter import METERS
from tests.localaws.iam_roles import allow, role
from tests.localaws.sagemaker_world import (
    ACCOUNT,
    BUCKET,
    FACTOR,
    REGION,
    World,
    comes_true,
    laptop,
)
from tests.localaws.test_endpoint_rollouts import FAULTY

INSTANCES = {"InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
DIMENSION = "sagemaker:variant:DesiredInstanceCount"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with laptop(tmp_path_factory.mktemp("state")) as served:
        for factor in (2, 3):
            files = {"code/inference.py": FACTOR, "factor.txt": str(factor)}
            served.model(f"times-{factor}", files)
        served.model("faulty", {"code/inference.py": FAULTY, "factor.txt": "9"})
        yield served


def variant(name: str, model: str, weight: float = 1.0, **changes: Any) -> dict[str, Any]:
    return {
        "VariantName": name,
        "ModelName": model,
        "InitialVariantWeight": weight,
        **INSTANCES,
        **changes,
    }


def serve(world: World, name: str, *variants: dict[str, Any], **config: Any) -> None:
    """An endpoint and a configuration of the same name."""
    world.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=list(variants), **config
    )
    assert world.endpoint(name, name)["EndpointStatus"] == "InService"


def invoked_variants(world: World, endpoint: str, count: int) -> Counter[str]:
    return Counter(
        world.runtime.invoke_endpoint(
            EndpointName=endpoint, Body=b"1\n", ContentType="text/csv", Accept="text/csv"
        )["InvokedProductionVariant"]
        for _ in range(count)
    )


def metric(endpoint: str, variant_name: str, name: str, statistic: str, **extra: str) -> float:
    """One statistic of an endpoint's metric over the last hour."""
    METERS.flush()
    dimensions = {"EndpointName": endpoint, "VariantName": variant_name, **extra}
    answer = clients.developer_client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=name,
        Dimensions=[{"Name": n, "Value": v} for n, v in dimensions.items()],
        StartTime=clock.now() - timedelta(hours=1),
        EndTime=clock.now() + timedelta(minutes=1),
        Period=7200,
        Statistics=[statistic],
    )
    return float(sum(point[statistic] for point in answer["Datapoints"]))


def test_each_variant_gets_the_share_of_its_weight(world: World) -> None:
    serve(world, "shares", variant("a", "times-2", 3.0), variant("b", "times-3", 1.0))
    assert invoked_variants(world, "shares", 40) == {"a": 30, "b": 10}


def test_a_target_variant_answers_whatever_its_weight(world: World) -> None:
    serve(world, "targets", variant("a", "times-2"), variant("b", "times-3", 0.0))
    assert invoked_variants(world, "targets", 10) == {"a": 10}
    assert world.invoke("targets", "1\n", TargetVariant="b") == b"3.0\n"


def test_weights_and_capacities_change_in_place(world: World) -> None:
    serve(world, "changes", variant("a", "times-2"), variant("b", "times-3"))
    world.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="changes",
        DesiredWeightsAndCapacities=[
            {"VariantName": "a", "DesiredWeight": 0.0},
            {"VariantName": "b", "DesiredWeight": 2.0, "DesiredInstanceCount": 3},
        ],
    )
    described = world.settled("changes")
    assert [
        (v["VariantName"], v["CurrentWeight"], v["CurrentInstanceCount"])
        for v in described["ProductionVariants"]
    ] == [("a", 0.0, 1), ("b", 2.0, 3)]
    assert invoked_variants(world, "changes", 10) == {"b": 10}


def test_a_weight_of_a_variant_that_is_not_there_is_refused(world: World) -> None:
    serve(world, "unknown", variant("a", "times-2"))
    with pytest.raises(ClientError, match=r"variant c is not one of the endpoint's: a"):
        world.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="unknown",
            DesiredWeightsAndCapacities=[{"VariantName": "c", "DesiredWeight": 1.0}],
        )


def test_an_update_can_retain_weights_and_instances(world: World) -> None:
    serve(world, "retains", variant("a", "times-2"), variant("b", "times-3"))
    world.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="retains",
        DesiredWeightsAndCapacities=[
            {"VariantName": "a", "DesiredWeight": 5.0, "DesiredInstanceCount": 2}
        ],
    )
    world.settled("retains")
    world.sagemaker.create_endpoint_config(
        EndpointConfigName="retains-2",
        ProductionVariants=[variant("a", "times-3"), variant("b", "times-2")],
    )
    world.sagemaker.update_endpoint(
        EndpointName="retains",
        EndpointConfigName="retains-2",
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredInstanceCount"}],
    )
    first = world.settled("retains")["ProductionVariants"][0]
    assert (first["CurrentWeight"], first["CurrentInstanceCount"]) == (5.0, 1)


def test_a_shadow_gets_copies_and_its_answers_reach_nobody(world: World) -> None:
    serve(
        world,
        "shadowed",
        variant("live", "times-2"),
        ShadowProductionVariants=[variant("dark", "faulty", 0.5)],
    )
    assert invoked_variants(world, "shadowed", 20) == {"live": 20}

    def copies() -> tuple[float, float]:
        asked = metric("shadowed", "dark", "Invocations", "Sum")
        return asked, metric("shadowed", "dark", "Invocation5XXErrors", "Sum")

    assert comes_true(lambda: copies() == (10.0, 10.0))
    assert metric("shadowed", "live", "Invocation5XXErrors", "Sum") == 0.0
    described = world.sagemaker.describe_endpoint(EndpointName="shadowed")
    assert described["ShadowProductionVariants"][0]["VariantName"] == "dark"


def test_requests_are_counted_and_timed_for_each_variant_and_config(world: World) -> None:
    serve(world, "counted", variant("a", "times-2"))
    for body in ("1\n", "2\n", "three\n"):
        try:
            world.invoke("counted", body)
        except world.runtime.exceptions.ModelError:
            continue
    found = {
        name: metric("counted", "a", name, "Sum", EndpointConfigName="counted")
        for name in ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors")
    }
    assert found == {"Invocations": 3.0, "Invocation4XXErrors": 0.0, "Invocation5XXErrors": 1.0}
    # Microseconds: a process that answers at all takes more than ten of them.
    assert metric("counted", "a", "ModelLatency", "Average") > 10.0
    assert metric("counted", "a", "OverheadLatency", "Minimum") > 0.0


def captured(world: World, endpoint: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for key in world.keys(f"capture/{endpoint}/"):
        lines += [json.loads(line) for line in world.get(key).splitlines()]
    return lines


def capture(percent: int, **changes: Any) -> dict[str, Any]:
    modes = [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}]
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": percent,
        "DestinationS3Uri": f"s3://{BUCKET}/capture",
        "CaptureOptions": modes,
        **changes,
    }


def test_captured_requests_lie_in_s3_by_endpoint_variant_and_hour(world: World) -> None:
    serve(world, "captures", variant("a", "times-2"), DataCaptureConfig=capture(50))
    for number in range(8):
        world.invoke("captures", f"{number}\n", InferenceId=f"id-{number}")
    assert comes_true(lambda: len(captured(world, "captures")) == 4)
    key = world.keys("capture/captures/")[0]
    parts = key.split("/")
    assert parts[:3] == ["capture", "captures", "a"]
    assert [len(part) for part in parts[3:7]] == [4, 2, 2, 2]
    assert key.endswith(".jsonl")
    line = captured(world, "captures")[0]
    assert line["captureData"] == {
        "endpointInput": {
            "observedContentType": "text/csv",
            "mode": "INPUT",
            "data": "1\n",
            "encoding": "CSV",
        },
        "endpointOutput": {
            "observedContentType": "text/csv",
            "mode": "OUTPUT",
            "data": "2.0\n",
            "encoding": "CSV",
        },
    }
    assert line["eventMetadata"]["inferenceId"] == "id-1"
    assert line["eventVersion"] == "0"
    described = world.sagemaker.describe_endpoint(EndpointName="captures")["DataCaptureConfig"]
    assert (described["CaptureStatus"], described["CurrentSamplingPercentage"]) == ("Started", 50)


def test_a_body_of_another_type_is_captured_in_base64(world: World) -> None:
    plain = {"CsvContentTypes": ["text/plain"]}
    config = capture(100, CaptureContentTypeHeader=plain, CaptureOptions=[{"CaptureMode": "Input"}])
    serve(world, "captures-64", variant("a", "times-2"), DataCaptureConfig=config)
    world.invoke("captures-64", "7\n")
    assert comes_true(lambda: len(captured(world, "captures-64")) == 1)
    sides = captured(world, "captures-64")[0]["captureData"]
    assert list(sides) == ["endpointInput"]
    assert sides["endpointInput"]["encoding"] == "BASE64"
    assert base64.b64decode(sides["endpointInput"]["data"]) == b"7\n"


def target(endpoint: str, least: int, most: int) -> dict[str, Any]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/a",
        "ScalableDimension": DIMENSION,
        "MinCapacity": least,
        "MaxCapacity": most,
    }


def test_a_scaling_target_keeps_its_variant_within_bounds(world: World) -> None:
    serve(world, "scales", variant("a", "times-2"))
    scaling = clients.developer_client("application-autoscaling")
    scaling.register_scalable_target(**target("scales", 2, 4))
    assert world.settled("scales")["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    of_target = {k: v for k, v in target("scales", 2, 4).items() if "Capacity" not in k}
    scaling.put_scaling_policy(
        PolicyName="invocations",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {
                "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
            },
        },
        **of_target,
    )
    found = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert [policy["PolicyName"] for policy in found] == ["invocations"]
    targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert [(t["MinCapacity"], t["MaxCapacity"]) for t in targets] == [(2, 4)]


def test_a_scaled_variant_keeps_its_instance_type_until_it_is_deregistered(world: World) -> None:
    serve(world, "registered", variant("a", "times-2"))
    scaling = clients.developer_client("application-autoscaling")
    scaling.register_scalable_target(**target("registered", 1, 2))
    world.sagemaker.create_endpoint_config(
        EndpointConfigName="larger",
        ProductionVariants=[variant("a", "times-3", InstanceType="ml.m5.xlarge")],
    )
    change = {"EndpointName": "registered", "EndpointConfigName": "larger"}
    with pytest.raises(ClientError, match="must be deregistered as scalable targets"):
        world.sagemaker.update_endpoint(**change)
    of_target = {k: v for k, v in target("registered", 1, 2).items() if "Capacity" not in k}
    scaling.deregister_scalable_target(**of_target)
    world.sagemaker.update_endpoint(**change)
    assert world.settled("registered")["EndpointConfigName"] == "larger"


def test_a_scaling_target_needs_a_variant_in_service(world: World) -> None:
    scaling = clients.developer_client("application-autoscaling")
    with pytest.raises(ClientError, match="no variant in service for endpoint/nowhere/variant/a"):
        scaling.register_scalable_target(**target("nowhere", 1, 2))
    of_target = {k: v for k, v in target("nowhere", 1, 2).items() if "Capacity" not in k}
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaling.deregister_scalable_target(**of_target)


def test_a_scaling_target_is_decided_on_its_endpoint_too(world: World) -> None:
    """Application Auto Scaling asks whether its caller may describe and change the endpoint."""
    serve(world, "decided", variant("a", "times-2"))
    endpoint = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/decided"
    needed = ["sagemaker:DescribeEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities"]
    granted = [
        allow("application-autoscaling:RegisterScalableTarget"),
        allow("iam:CreateServiceLinkedRole"),
        allow(needed[0], endpoint),
    ]
    narrow = role(*granted).client("application-autoscaling")
    with pytest.raises(ClientError, match=f"{needed[1]} on resource: {endpoint}"):
        narrow.register_scalable_target(**target("decided", 1, 2))
    wide = role(*granted, allow(needed[1], endpoint)).client("application-autoscaling")
    assert wide.register_scalable_target(**target("decided", 1, 2))["ScalableTargetARN"]


def test_an_update_with_alarms_is_decided_on_each_alarm(world: World) -> None:
    serve(world, "alarmed", variant("a", "times-2"))
    alarm = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:mine"
    request: dict[str, Any] = {
        "EndpointName": "alarmed",
        "EndpointConfigName": "alarmed",
        "DeploymentConfig": {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
            },
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "mine"}]},
        },
    }
    narrow = role(allow("sagemaker:UpdateEndpoint")).client("sagemaker")
    with pytest.raises(ClientError, match=f"cloudwatch:DescribeAlarms on resource: {alarm}"):
        narrow.update_endpoint(**request)
    wide = role(allow("sagemaker:UpdateEndpoint"), allow("cloudwatch:DescribeAlarms", alarm))
    wide.client("sagemaker").update_endpoint(**request)
    assert world.settled("alarmed")["EndpointStatus"] == "InService"
