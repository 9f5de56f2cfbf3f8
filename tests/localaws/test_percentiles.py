"""GetMetricData answers percentiles on the laptop, and says nothing where it knows none."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localaws import clients
from localaws.server import LaptopServer


def ask(stat: str, metric: str = "ModelLatency") -> list[float]:
    """The values of one statistic over the last minutes."""
    now = datetime.now(UTC)
    query = {
        "Id": "q",
        "MetricStat": {
            "Metric": {"Namespace": "AWS/SageMaker", "MetricName": metric},
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


def test_moto_asks_for_statistics_by_the_name_that_is_replaced():
    from moto.cloudwatch.models import CloudWatchBackend, Statistics

    assert "get_statistics_for_type" in vars(Statistics)
    assert "get_metric_data" in vars(CloudWatchBackend)
