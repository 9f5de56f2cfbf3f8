"""GetMetricData answers percentiles on the laptop, and says nothing where it knows none."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localaws import clients, clock
from localaws.endpoints.meter import METERS, Meter
from localaws.moto_seams import metrics as moto_seams_metrics
from localaws.sagemaker.store import Place
from localaws.server import LaptopServer

Dimensions = Sequence[dict[str, str]]


def ask(stat: str, metric: str = "ModelLatency", dimensions: Dimensions = ()) -> list[float]:
    """The values of one statistic over the last minutes."""
    now = datetime.now(UTC)
    query = {
        "Id": "q",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/SageMaker",
                "MetricName": metric,
                "Dimensions": list(dimensions),
            },
            "Period": 3600,
            "Stat": stat,
        },
    }
    answer = clients.developer_client("cloudwatch").get_metric_data(
        MetricDataQueries=[query],
        StartTime=now - timedelta(minutes=50),
        EndTime=now + timedelta(minutes=5),
    )
    values: list[float] = answer["MetricDataResults"][0]["Values"]
    return values


@pytest.fixture(scope="module")
def measured(laptop: LaptopServer) -> None:
    """The values 1 to 100, and one aggregate of another metric."""
    data: list[dict[str, Any]] = [
        {"MetricName": "ModelLatency", "Value": float(value)} for value in range(1, 101)
    ]
    together = {"SampleCount": 2.0, "Sum": 3.0, "Minimum": 1.0, "Maximum": 2.0}
    data.append({"MetricName": "Together", "StatisticValues": together})
    clients.developer_client("cloudwatch").put_metric_data(
        Namespace="AWS/SageMaker", MetricData=data
    )


@pytest.mark.parametrize(
    ("stat", "expected"),
    [("p50", 50.5), ("p99", 99.01), ("p0", 1.0), ("p100", 100.0), ("Maximum", 100.0)],
)
def test_a_percentile_lies_between_its_neighbours(measured: None, stat: str, expected: float):
    """numpy.percentile(range(1, 101), [50, 99]) is [50.5, 99.01]."""
    assert ask(stat) == [pytest.approx(expected)]


def test_where_only_sums_are_kept_there_is_no_percentile(measured: None):
    assert ask("p99", "Together") == []
    assert ask("Sum", "Together") == [3.0]


@pytest.fixture
def meter(laptop: LaptopServer) -> Iterator[Meter]:
    """The meter of a variant that nobody asks but the test."""
    made = Meter(Place("123456789012", "us-east-1"), "ridge", "AllTraffic", "ridge-1")
    METERS.add(made)
    yield made
    METERS.drop(made)


def of_endpoint(stat: str, metric: str) -> list[float]:
    """One statistic of the endpoint's metric over the last minutes."""
    names = {"EndpointName": "ridge", "VariantName": "AllTraffic"}
    return ask(stat, metric, [{"Name": name, "Value": value} for name, value in names.items()])


def test_an_endpoints_latencies_have_percentiles(meter: Meter):
    """Published twice: a percentile is of the values of both, and not of the two publications."""
    for latencies_ms in (range(1, 51), range(51, 101)):
        for latency_ms in latencies_ms:
            meter.took(200, latency_ms / 1e3, 0.002)
        METERS.flush()
    assert of_endpoint("p50", "ModelLatency") == [pytest.approx(50_500.0)]
    assert of_endpoint("p99", "ModelLatency") == [pytest.approx(99_010.0)]
    assert of_endpoint("p99", "OverheadLatency") == [pytest.approx(2_000.0)]
    assert of_endpoint("Sum", "Invocations") == [100.0]


def test_the_values_of_old_latencies_are_let_go_their_statistics_stay(laptop: LaptopServer):
    """Else hours of load would fill the memory: of 2,001 publications the last 2,000 are kept."""
    moment = clock.now().replace(tzinfo=None)
    data = [
        {
            "MetricName": "Old",
            "Dimensions": [],
            "Timestamp": moment,
            "Unit": "Microseconds",
            "SampleCount": 1.0,
            "Sum": value,
            "Minimum": value,
            "Maximum": value,
            "Values": [value],
        }
        for value in [9.0] + [1.0] * 2_000
    ]
    moto_seams_metrics.publish("123456789012", "us-east-1", "AWS/SageMaker", data)
    assert ask("p100", "Old") == [1.0]
    assert ask("Maximum", "Old") == [9.0]


def test_moto_asks_for_statistics_by_the_name_that_is_replaced():
    from moto.cloudwatch.models import CloudWatchBackend, Statistics

    assert "get_statistics_for_type" in vars(Statistics)
    assert "get_metric_data" in vars(CloudWatchBackend)
