"""An alarm's state follows its metric on the laptop's clock, and changes are told."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import clients
from localaws.context import Config
from localaws.events import service as events
from localaws.monitoring.alarm_rules import AlarmRule
from localaws.monitoring.metrics import MetricKey, MetricStore, Sample, percentile
from localaws.sagemaker.store import Place
from localaws.server import LaptopServer
from tests.localaws.sagemaker_world import comes_true
from tests.localaws.test_async_endpoints import topic

ABOVE = "GreaterThanThreshold"


def rule(missing: str = "missing", periods: int = 3, datapoints: int = 2) -> AlarmRule:
    return AlarmRule(ABOVE, 1.0, periods, datapoints, missing)


@pytest.mark.parametrize(
    ("values", "missing", "before", "state"),
    [
        # CloudWatch User Guide, "Configuring how alarms treat missing data", M of N = 2 of 3.
        ([2.0, 0.0, 2.0], "missing", "OK", "ALARM"),
        ([2.0, 0.0, 0.0], "missing", "ALARM", "OK"),
        ([None, None, None], "missing", "ALARM", "INSUFFICIENT_DATA"),
        ([None, None, None], "ignore", "ALARM", "ALARM"),
        ([None, None, None], "breaching", "OK", "ALARM"),
        ([None, None, None], "notBreaching", "ALARM", "OK"),
        ([None, 2.0, 2.0], "notBreaching", "OK", "ALARM"),
        ([None, None, 2.0], "breaching", "OK", "ALARM"),
        ([1.0, 1.0, 1.0], "missing", "OK", "OK"),
    ],
)
def test_a_state_follows_from_the_last_values(
    values: list[float | None], missing: str, before: str, state: str
) -> None:
    assert rule(missing).state(values, before) == state


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1.0), (50, 2.5), (100, 4.0), (90, 3.7)]
)  # numpy.percentile([1, 2, 3, 4], [0, 50, 100, 90])
def test_percentiles_lie_between_neighbours(percent: float, value: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], percent) == pytest.approx(value)


def test_a_window_holds_what_came_within_it() -> None:
    store, key = MetricStore(), MetricKey.of(Place("1", "r"), "n", "m", {"d": "v"})
    for moment_s, value in ((100.0, 1.0), (100.5, 2.0), (101.0, 4.0)):
        store.add(key, moment_s, [value])
    found = store.window(key, 100.2, 101.0)
    assert found is not None
    assert {name: found.statistic(name) for name in ("Sum", "SampleCount", "Maximum", "p100")} == {
        "Sum": 6.0,
        "SampleCount": 2.0,
        "Maximum": 4.0,
        "p100": 4.0,
    }
    assert store.window(key, 102.0, 103.0) is None


def test_a_sample_keeps_its_sum_when_it_drops_single_values() -> None:
    sample = Sample()
    sample.take([1.0] * 2_000)
    assert (sample.statistic("Sum"), len(sample.values)) == (2_000.0, 512)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """A laptop on which a minute takes half a second, and its events."""
    place = tmp_path_factory.mktemp("state")
    with LaptopServer(Config(port=0, state_dir=place, time_scale=120)):
        seen: list[dict[str, Any]] = []
        events.subscribe(seen.append)
        yield seen


def put_alarm(name: str, **changes: Any) -> None:
    clients.developer_client("cloudwatch").put_metric_alarm(
        **{
            "AlarmName": name,
            "Namespace": "Mine",
            "MetricName": name,
            "Statistic": "Average",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 10.0,
            "ComparisonOperator": ABOVE,
            "TreatMissingData": "notBreaching",
            **changes,
        }
    )


def state_of(name: str) -> str:
    found = clients.developer_client("cloudwatch").describe_alarms(AlarmNames=[name])
    state: str = found["MetricAlarms"][0]["StateValue"]
    return state


def put_value(name: str, value: float) -> None:
    datum = {"MetricName": name, "Value": value}
    clients.developer_client("cloudwatch").put_metric_data(Namespace="Mine", MetricData=[datum])


def changes(told: list[dict[str, Any]], name: str) -> list[tuple[str, str]]:
    """Before and after of each change of an alarm that was told."""
    return [
        (event["detail"]["previousState"]["value"], event["detail"]["state"]["value"])
        for event in told
        if event["detail-type"] == "CloudWatch Alarm State Change"
        and event["detail"]["alarmName"] == name
    ]


def test_an_alarm_begins_without_data(told: list[dict[str, Any]]) -> None:
    put_alarm("new", Period=3600, TreatMissingData="missing")
    assert state_of("new") == "INSUFFICIENT_DATA"


def test_a_metric_above_the_threshold_fires_and_ends_with_its_period(
    told: list[dict[str, Any]],
) -> None:
    put_alarm("high")
    assert comes_true(lambda: state_of("high") == "OK")
    put_value("high", 11.0)
    assert comes_true(lambda: state_of("high") == "ALARM")
    assert comes_true(lambda: state_of("high") == "OK")
    # The bus hears of a state a moment after DescribeAlarms tells it.
    assert comes_true(lambda: len(changes(told, "high")) == 3)
    assert changes(told, "high") == [("INSUFFICIENT_DATA", "OK"), ("OK", "ALARM"), ("ALARM", "OK")]


def test_a_state_that_was_set_stands_for_a_while_and_is_evaluated_again(
    told: list[dict[str, Any]],
) -> None:
    put_alarm("set")
    assert comes_true(lambda: state_of("set") == "OK")
    clients.developer_client("cloudwatch").set_alarm_state(
        AlarmName="set", StateValue="ALARM", StateReason="a test"
    )
    assert state_of("set") == "ALARM"
    assert comes_true(lambda: state_of("set") == "OK")


def test_an_alarm_tells_its_topics(told: list[dict[str, Any]]) -> None:
    arn = topic("alarmed")
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": arn,
        },
    }
    clients.developer_client("sns").set_topic_attributes(
        TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(policy)
    )
    put_alarm("tells", AlarmActions=[arn])
    put_value("tells", 11.0)
    sqs = clients.developer_client("sqs")
    url = sqs.get_queue_url(QueueName="alarmed")["QueueUrl"]
    received: list[dict[str, Any]] = []

    def is_told() -> bool:
        for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
            received.append(json.loads(json.loads(message["Body"])["Message"]))
        return bool(received)

    assert comes_true(is_told)
    assert (received[0]["AlarmName"], received[0]["NewStateValue"]) == ("tells", "ALARM")


def test_an_alarm_that_does_not_exist_cannot_be_set(told: list[dict[str, Any]]) -> None:
    with pytest.raises(ClientError, match="ResourceNotFound"):
        clients.developer_client("cloudwatch").set_alarm_state(
            AlarmName="nothing", StateValue="OK", StateReason="a test"
        )
