"""What endpoints serve and how much: read from SageMaker's and CloudWatch's own answers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localaws.monitoring import percentiles
from localaws.moto_seams import patches as moto_patches
from localaws.moto_seams import percentiles as moto_seams_percentiles
from signalbox_cli import served, traffic
from signalbox_cli.target import Target
from signalbox_cli.traffic import VariantTraffic
from tests.cli.serving_world import GROUP, World, arn


@pytest.fixture
def world(target: Target) -> Iterator[World]:
    """An endpoint that serves version 2; percentiles as the laptop answers them."""
    moto_seams_percentiles.install(percentiles.percentile)
    yield _world(target)
    moto_patches.restore()


def _world(target: Target) -> World:
    made = World(target=target)
    made.attach()
    made.put_record("superseded", "serving")
    return made


def count(target: Target, metric: str, *values: float, variant: str = "primary") -> None:
    """Put values of a metric into the current minute."""
    dimensions = [
        {"Name": "EndpointName", "Value": GROUP},
        {"Name": "VariantName", "Value": variant},
    ]
    target.client("cloudwatch").put_metric_data(
        Namespace=traffic.NAMESPACE,
        MetricData=[
            {
                "MetricName": metric,
                "Dimensions": dimensions,
                "Value": value,
                "Timestamp": datetime.now(UTC) - timedelta(seconds=1),
            }
            for value in values
        ],
    )


def test_an_endpoint_is_shown_with_the_version_its_configuration_stands_for(world):
    (found,) = served.endpoints(world.target)

    assert (found.version, found.version_arn) == (f"{GROUP}/2", arn(2))
    assert [v.document() for v in found.variants] == [
        {"variant": "primary", "weight": 1.0, "instances": 2, "wantedInstances": 2, "shadow": False}
    ]


def test_a_configuration_that_nobody_recorded_shows_what_the_record_says_serves(world):
    world.served = "by-hand"

    (found,) = served.endpoints(world.target)

    assert (found.config, found.version_arn) == ("by-hand", arn(2))


def test_alarms_of_the_endpoint_are_shown_and_not_those_of_one_with_a_longer_name(world):
    cloudwatch = world.target.client("cloudwatch")
    for endpoint in (GROUP, f"{GROUP}-two"):
        cloudwatch.put_metric_alarm(
            AlarmName=f"{endpoint}-errors",
            Namespace=traffic.NAMESPACE,
            MetricName="Invocation5XXErrors",
            Dimensions=[{"Name": "EndpointName", "Value": endpoint}],
            Statistic="Average",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0.01,
            ComparisonOperator="GreaterThanThreshold",
        )

    (found,) = served.endpoints(world.target)

    assert [alarm.name for alarm in found.alarms] == [f"{GROUP}-errors"]


@pytest.mark.parametrize("name", [None, "diabetes", GROUP])
def test_an_endpoint_is_found_by_its_workload_or_by_its_name(world, name: str | None):
    assert served.find_endpoint(world.target, name) == GROUP


def test_an_update_under_way_is_told_with_the_stage_it_is_at():
    status = [{"Status": "Creating"}, {"Status": "Baking"}]
    pending: dict[str, Any] = {
        "EndpointConfigName": "config-3",
        "ProductionVariants": [{"VariantName": "primary", "VariantStatus": status}],
    }

    assert served.rollout_of({"PendingDeploymentSummary": pending}) == "to config-3: primary Baking"
    assert served.rollout_of({}) == ""


def test_requests_errors_and_times_are_read_by_variant(world):
    count(world.target, "Invocations", *([1.0] * 120))
    count(world.target, "Invocation5XXErrors", 3.0)
    count(world.target, "ModelLatency", 10_000.0, 30_000.0)
    count(world.target, "Invocations", 1.0, variant="shadow")

    primary, shadow = traffic.read_traffic(world.target, GROUP, ["primary", "shadow"], minutes=5)

    assert (primary.total, shadow.total) == (120.0, 1.0)
    assert primary.per_second == 2.0  # 120 requests in a minute
    assert primary.error_share == 0.025  # 3 of 120
    assert (primary.p50_ms, primary.average_ms, primary.longest_ms) == (20.0, 20.0, 30.0)
    assert primary.p99_ms == pytest.approx(29.8)  # 10 + 0.99 x 20
    assert len(primary.requests) == 5


def test_without_a_request_there_is_nothing_to_divide():
    quiet = VariantTraffic("primary", 60, (0.0, 0.0))

    assert (quiet.per_second, quiet.error_share, quiet.p99_ms) == (0.0, 0.0, None)


def test_the_picture_draws_all_variants_to_one_scale():
    found = [VariantTraffic("primary", 60, (80.0, 40.0, 0.0)), VariantTraffic("b", 60, (0, 0, 1.0))]

    assert traffic.picture(found) == [
        "primary  |█▄ |  120 requests",
        "b        |  ▁|  1 requests",
    ]
