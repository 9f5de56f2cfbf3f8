"""What things cost: by the published prices, calculated by hand here."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signalbox_cli import bills, prices
from signalbox_cli.doctor.patients import Resource
from signalbox_cli.planning import plan
from signalbox_cli.prices import Item
from signalbox_cli.runs import ActionView, RunView
from signalbox_cli.target import Target
from tests.cli.conftest import ROOT, Answer

Run = Callable[..., Answer]
DIABETES = ROOT / "workloads" / "diabetes"
# "Amazon SageMaker AI pricing", us-east-1: ml.m5.large, USD an hour.
M5_LARGE = 0.115
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def planned(**inference: Any) -> Any:
    options = {"inference": inference} if inference else {}
    return plan(DIABETES, options, prefix="signalbox-dev", environment="dev")


def test_a_run_costs_at_most_the_time_its_manifest_allows() -> None:
    items = prices.at_most(planned())

    # preprocess, train, evaluate, transform: one instance, one hour each
    assert prices.total(items) == pytest.approx(4 * M5_LARGE)


def test_an_endpoint_costs_a_month_of_hours_whether_it_is_asked_or_not() -> None:
    (item,) = prices.hosting(planned(mode="endpoint", instanceCount=2))

    assert item.usd == pytest.approx(2 * M5_LARGE * 730)  # 167.90


def test_a_serverless_endpoint_costs_nothing_while_idle() -> None:
    (item,) = prices.hosting(planned(mode="serverless"))

    # 2 GB at 0.00002 USD for a GB second
    assert (item.usd, item.how) == (
        0.0,
        "2048 MB, 0.000040 USD for each second of work; nothing while idle",
    )


def test_a_workload_in_batch_mode_keeps_nothing_running() -> None:
    assert prices.hosting(planned()) == []


def test_an_instance_type_without_a_price_is_named_and_not_taken_for_free() -> None:
    items = prices.at_most(
        plan(DIABETES, {"train": {"instanceType": "ml.x9.huge"}}, prefix="p", environment="dev")
    )

    assert prices.unpriced(items) == ["train"]
    assert prices.total(items) == pytest.approx(3 * M5_LARGE)


def resource(kind: str, **properties: Any) -> Resource:
    return Resource("R", kind, "r", properties)


def test_what_a_stack_costs_while_nothing_happens() -> None:
    items = prices.standing(
        [
            resource("AWS::KMS::Key"),
            resource("AWS::CloudWatch::Alarm"),
            resource("AWS::CloudWatch::Alarm"),
            resource("AWS::SecretsManager::Secret"),
            resource("AWS::S3::Bucket"),
            resource("AWS::EC2::VPCEndpoint", VpcEndpointType="Interface", SubnetIds=["a", "b"]),
            resource("AWS::EC2::VPCEndpoint", VpcEndpointType="Gateway"),
        ]
    )

    assert {item.what: item.usd for item in items} == {
        "keys": 1.0,
        "alarms": pytest.approx(0.20),
        "secrets": pytest.approx(0.40),
        "VPC endpoints": pytest.approx(2 * 0.01 * 730),  # 14.60
    }


def test_minutes_of_a_pipeline_are_rounded_up_for_each_action() -> None:
    # 1 + 2 + 1 minutes at 0.002 USD
    assert prices.pipeline([3.0, 61.0, 60.0]).usd == pytest.approx(0.008)


class Histories:
    """Step Functions, as far as a bill reads it."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self._events = events

    def get_paginator(self, _operation: str) -> "Histories":
        return self

    def paginate(self, **_request: str) -> Iterator[dict[str, Any]]:
        yield {"events": self._events[:3]}
        yield {"events": self._events[3:]}


def history() -> list[dict[str, Any]]:
    job = {
        "TrainingJobName": "signalbox-dev-train-261121-120000-a1b2c3-1-0",
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2},
    }
    ended = {"BillableTimeInSeconds": 360, "TrainingJobStatus": "Completed"}
    return [
        {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "Train"}},
        {"type": "TaskScheduled", "taskScheduledEventDetails": {"parameters": json.dumps(job)}},
        {"type": "TaskSubmitted", "timestamp": NOON},
        {
            "type": "TaskSucceeded",
            "timestamp": NOON + timedelta(minutes=6),
            "taskSucceededEventDetails": {"output": json.dumps(ended)},
        },
        {"type": "PassStateEntered", "stateEnteredEventDetails": {"name": "Done"}},
    ]


def action(stage: str, seconds: float, **more: str) -> ActionView:
    output = {"run_id": "261121-120000-a1b2c3", "workload": "diabetes"}
    return ActionView(
        stage=stage,
        status="Succeeded",
        started_at=NOON,
        updated_at=NOON + timedelta(seconds=seconds),
        summary="",
        external_id=more.get("external_id", ""),
        action_execution_id=stage,
        error="",
        output=output,
    )


RUN = RunView(
    "e-1",
    "Succeeded",
    (
        action("Source", 2),
        action("Prepare", 5),
        action("UploadSourceData", 86_400),  # a day of waiting is free
        action("Train", 400, external_id="arn:aws:states:us-east-1:1:execution:m:e"),
    ),
)


def test_the_bill_of_a_run_is_its_jobs_its_pipeline_and_its_states() -> None:
    target = Target(_memo={"stepfunctions": Histories(history())})

    bill = bills.of_run(target, RUN)

    job, pipeline, machines = bill.items
    assert job.usd == pytest.approx(2 * M5_LARGE * 0.1)  # two instances, six minutes
    assert pipeline.usd == pytest.approx((1 + 1 + 7) * 0.002)
    assert machines.usd == pytest.approx(2 * 0.000025)
    assert bill.document()["usd"] == pytest.approx(0.023 + 0.018 + 0.00005)


def test_runs_of_a_month_are_summed_by_workload() -> None:
    bill = bills.RunBill(RUN, (Item("Train", 0.5, ""), Item("Odd", None, "")))

    (line,) = bills.by_workload([bill, bill])

    assert (line.what, line.usd) == ("runs of diabetes", 1.0)
    assert line.how == "2 runs, 0.5000 USD each"


def test_the_command_says_the_day_and_the_region_of_its_prices(
    signalbox: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    shown = signalbox("cost", "workloads/diabetes", "--runs-per-month", "10")

    assert shown.code == 0
    assert "On-demand prices of us-east-1, 2026-11-21" in shown.stdout
    assert "at most, 10 runs" in shown.stdout


def test_the_command_gives_json(signalbox: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    options = ("--set", "inference.mode=endpoint", "--runs-per-month", "0", "--json")

    found = json.loads(signalbox("cost", "workloads/diabetes", *options).stdout)

    assert found["perRun"]["usd"] == pytest.approx(3 * M5_LARGE)
    month = {item["what"]: item["usd"] for item in found["perMonth"]["items"]}
    assert (month["runs of diabetes"], month["endpoint"]) == (0.0, pytest.approx(83.95))
    assert month["keys"] == 1.0
    assert (found["pricesOf"], found["region"]) == ("2026-11-21", "us-east-1")


def test_a_folder_and_a_run_at_once_are_refused(signalbox: Run) -> None:
    answer = signalbox("cost", str(DIABETES), "--run", "261121-120000-a1b2c3")

    assert answer.code == 2
    assert "give FOLDER or --run, not both" in answer.stderr
