"""run_schedule: a retraining or a batch by the champion; one time of a schedule starts once."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from functions import approval_notifier, run_schedule
from signalbox.errors import EventError, ScheduleRefused
from tests.functions import gate_stories as stories
from tests.functions.conftest import WORKFLOW
from tests.functions.gate_stories import RUN

SOURCE = "datasets/diabetes/inference"
SCHEDULED = "261122-030000-e5b310"  # sha256 of batch/diabetes


@pytest.fixture
def champion(world, workload, author):
    """The approved version of a batch workload that reads standing data."""
    author["inference"] |= {"mode": "batch", "source": SOURCE}
    arn = stories.at_model_gate(world, workload, author)
    stories.decide_in_registry(world, arn, "Approved", "good")
    return arn


def run(world: Any, **changes: Any) -> dict[str, str]:
    return run_schedule.handler(world.event("run_schedule") | changes, None)


def test_the_champion_predicts_in_a_run_of_its_own(world, champion):
    answer = run(world)

    (started,) = world.machines.started
    given = json.loads(started["input"])
    assert answer == {"diabetes": f"run {SCHEDULED} with {champion}"}
    assert started["name"] == f"scheduled-{SCHEDULED}"
    assert given["inference"] == {
        "modelPackageArn": champion,
        "mode": "batch",
        "inputUri": f"s3://{WORKFLOW}/{SOURCE}",
        "predictionsUri": f"s3://{WORKFLOW}/runs/{SCHEDULED}/predictions",
        "endpoint": "signalbox-dev-diabetes",
    }
    assert given["names"]["transform"] == f"signalbox-dev-transform-{SCHEDULED}"
    assert given["run"]["scheduledFor"] == "2026-11-22T03:00:00Z"


def test_its_manifest_says_where_it_comes_from(world, champion):
    run(world)

    manifest = world.manifest(SCHEDULED)
    assert [(e["phase"], e["status"], e["arn"]) for e in manifest["history"]] == [
        ("training", "registered", champion),
        ("approval", "approved", champion),
    ]
    assert manifest["locations"]["sourcedir"].endswith(f"/runs/{RUN}/code/sourcedir.tar.gz")
    assert manifest["author"] == world.manifest(RUN)["author"]
    assert manifest["run"]["executionId"] == ""


def test_one_time_told_twice_is_one_run(world, champion):
    run(world)
    before = world.manifest(SCHEDULED)

    run(world)

    assert len(world.machines.started) == 1
    assert world.manifest(SCHEDULED) == before


def test_the_next_time_is_the_next_run(world, champion):
    run(world)
    run(world, scheduledFor="2026-11-23T03:00:00Z")

    uris = [json.loads(s["input"])["inference"]["predictionsUri"] for s in world.machines.started]
    assert len(set(uris)) == 2


def test_a_version_that_was_rolled_back_is_no_champion(world, champion):
    world.sagemaker.update_model_package(
        ModelPackageArn=champion,
        CustomerMetadataProperties={"run_id": RUN, "rolled_back": "2026-11-21: errors"},
    )

    with pytest.raises(ScheduleRefused, match="no approved version"):
        run(world)
    assert world.machines.started == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mode": "endpoint"}, "by mode endpoint, not batch"),
        ({"mode": "batch"}, "inference.source"),
    ],
)
def test_what_cannot_be_predicted_by_schedule_is_refused(world, workload, author, changes, said):
    author["inference"] |= changes
    arn = stories.at_model_gate(world, workload, author)
    stories.decide_in_registry(world, arn, "Approved", "good")

    with pytest.raises(ScheduleRefused, match=said):
        run(world)


def test_one_workload_that_cannot_holds_up_no_other(world, champion):
    with pytest.raises(ScheduleRefused, match=r"^unknown: "):
        run(world, workloads=["unknown", "diabetes"])

    assert [s["name"] for s in world.machines.started] == [f"scheduled-{SCHEDULED}"]


def test_a_retraining_is_released_once_for_its_time(world):
    answers = [run(world, kind="retrain", workloads=["auto"]) for _ in range(2)]

    first, second = world.pipeline.released
    assert first == second
    assert first["clientRequestToken"] == "retrain-auto-20261122-030000"
    assert first["variables"] == [
        {"name": "Workload", "value": "auto"},
        {"name": "Options", "value": "{}"},
    ]
    assert "sourceRevisions" not in first
    assert answers[0] == {"auto": "released as 0a1b2c3d"}


def test_a_retraining_takes_the_archive_it_is_told(world):
    run(world, kind="retrain", archive="workloads/diabetes.zip", options={"train": {"seed": 1}})

    (released,) = world.pipeline.released
    assert released["sourceRevisions"][0]["revisionValue"] == "workloads/diabetes.zip"
    assert released["variables"][1]["value"] == '{"train":{"seed":1}}'


@pytest.mark.parametrize(
    ("status", "who", "released"),
    [
        ("InProgress", "signalbox-dev-run-schedule-us-east-1", 0),
        ("Succeeded", "signalbox-dev-run-schedule-us-east-1", 1),
        ("InProgress", "developer", 1),
    ],
)
def test_a_retraining_waits_for_the_one_before(world, status, who, released):
    arn = f"arn:aws:sts::123456789012:assumed-role/{who}/s"
    world.pipeline.executions = [
        {"pipelineExecutionId": "before", "status": status, "trigger": {"triggerDetail": arn}}
    ]

    run(world, kind="retrain", workloads=["auto"])

    assert len(world.pipeline.released) == released


@pytest.mark.parametrize(
    "changes",
    [{"kind": "forget"}, {"workloads": []}, {"scheduledFor": "2026-11-22T03:00:00"}],
)
def test_an_input_that_cannot_be_meant_is_refused(world, changes):
    with pytest.raises(EventError, match="no ScheduledStart"):
        run(world, **changes)


def test_people_are_told_when_a_scheduled_run_fails(world, champion):
    run(world)
    (arn,) = world.machines.ended
    world.machines.end(arn, "FAILED", "StepFailed", "the disk is full")
    event = {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"executionArn": arn, "status": "FAILED", "input": None},
    }

    for _ in range(2):
        approval_notifier.handler(event, SimpleNamespace(aws_request_id="one"))

    (message,) = world.told()
    text = json.dumps(message)
    assert "the disk is full" in text
    assert f"execution scheduled-{SCHEDULED}" in text
    assert "aws lambda invoke --function-name signalbox-dev-run-schedule" in text
    assert "retry-stage-execution" not in text
