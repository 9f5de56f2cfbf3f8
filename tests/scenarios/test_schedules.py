"""Retraining and predictions that start by themselves, on a clock that passes 600 times faster."""

import json
import re
from typing import Any

import pytest

from tests.scenarios import exercise, schedules, stories
from tests.scenarios.conftest import Laptop


@pytest.fixture
def champion(served: Laptop, sample: Any) -> str:
    """A batch workload whose model is approved; the ARN of its version."""
    found = sample("diabetes")
    options = exercise.standing_data(served, found.source, found.inference)
    run = stories.run_to_end(served, stories.archive(exercise.diabetes_files()), options=options)
    assert run.status == "Succeeded", run.error
    return stories.version_of(served, run)


def scheduled_runs(served: Laptop) -> dict[str, dict[str, Any]]:
    """Manifests of the runs that a schedule has started, by id."""
    bucket, s3 = served.target.wiring().workflow_bucket, served.target.client("s3")
    keys = [
        k
        for k in stories.objects_under(served, "runs/")
        if re.fullmatch(r"runs/[^/]+/manifest.json", k)
    ]
    found = [json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]
    return {m["run"]["id"]: m for m in found if m["run"].get("scheduledFor")}


def finished(served: Laptop) -> list[dict[str, Any]]:
    """Those that have made their predictions."""
    return [
        manifest
        for manifest in scheduled_runs(served).values()
        if any(
            e["phase"] == "inference" and e["status"] == "succeeded" for e in manifest["history"]
        )
    ]


def test_a_champion_predicts_again_and_again_and_overwrites_nothing(
    served: Laptop, champion: str
) -> None:
    given = {"kind": "batch", "workloads": ["diabetes"]}
    with schedules.running(served, "batch", "rate(1 hour)", given):
        stories.await_true(lambda: len(finished(served)) >= 2, "two scheduled batches")

    bucket, s3 = served.target.wiring().workflow_bucket, served.target.client("s3")
    for manifest in finished(served):
        run_id = manifest["run"]["id"]
        (key,) = stories.objects_under(served, f"runs/{run_id}/predictions/")
        versions = s3.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
        assert key == f"runs/{run_id}/predictions/1/rows.csv.out"
        assert (len(versions), manifest["inference"]["modelPackageArn"]) == (1, champion)


def test_one_time_told_again_predicts_once(served: Laptop, champion: str) -> None:
    given = {"kind": "batch", "workloads": ["diabetes"], "scheduledFor": "2027-03-01T04:05:06Z"}

    answers = [schedules.run(served, **given) for _ in range(2)]

    (run_id,) = [r for r in scheduled_runs(served) if r.startswith("270301-040506-")]
    assert answers[0] == answers[1] == {"diabetes": f"run {run_id} with {champion}"}


def batch_run(served: Laptop, scheduled_for: str) -> str:
    """The id of the run that run_schedule starts for one time of a schedule."""
    given = {"kind": "batch", "workloads": ["diabetes"], "scheduledFor": scheduled_for}
    return schedules.run(served, **given)["diabetes"].split()[1]


@pytest.mark.usefixtures("champion")
def test_a_scheduled_batch_is_seen_as_any_run_is(served: Laptop) -> None:
    run_id = batch_run(served, "2027-04-01T04:05:06Z")

    watched = served.signalbox("watch", run_id)
    listed = json.loads(served.signalbox("status", "--json").stdout)
    told = served.signalbox("explain", run_id).stdout
    again = json.loads(served.signalbox("status", f"scheduled-{run_id}", "--json").stdout)

    assert "Transform" in watched.stderr
    assert f"Run {run_id} Succeeded" in watched.stdout
    (found,) = [one for one in listed if one["runId"] == run_id]
    assert (found["workload"], found["startedBy"]) == ("diabetes", "batch schedule")
    assert found["executionId"] == f"scheduled-{run_id}"
    assert [one["stage"] for one in found["stages"]] == ["Inference"]
    assert f"Run {run_id} of diabetes: Succeeded, started by batch schedule" in told
    assert "It has ended; nothing is left to do." in told
    assert again == found
    assert {one["startedBy"] for one in listed} >= {"batch schedule", "developer"}


@pytest.mark.usefixtures("champion")
def test_what_a_scheduled_batch_printed_and_cost_is_told_as_of_any_run(served: Laptop) -> None:
    run_id = batch_run(served, "2027-04-04T04:05:06Z")

    followed = served.signalbox("logs", run_id, "--follow", "--json").stdout
    again = served.signalbox("logs", f"scheduled-{run_id}", "--step", "transform", "--json").stdout
    other = served.signalbox("logs", run_id, "--step", "train")
    bill = json.loads(served.signalbox("cost", "--run", run_id, "--json").stdout)["run"]
    month = json.loads(served.signalbox("cost", "--json").stdout)

    lines = [json.loads(line) for line in followed.splitlines()]
    assert lines
    assert {line["step"] for line in lines} == {"Transform"}
    assert again == followed
    assert (other.stdout, f"No job of run {run_id} has printed" in other.stderr) == ("", True)
    assert (bill["run"], bill["workload"], bill["status"]) == (run_id, "diabetes", "Succeeded")
    items = {item["what"]: item for item in bill["items"]}
    assert items["Transform"]["usd"] > 0
    assert "1 x ml.m5.large" in items["Transform"]["how"]
    assert items["pipeline"]["usd"] == 0
    assert bill["usd"] == pytest.approx(sum(item["usd"] for item in bill["items"]), abs=1e-6)
    assert [one["run"] for one in month["runs"]].count(run_id) == 1


@pytest.mark.usefixtures("champion")
def test_a_scheduled_batch_that_failed_is_explained_with_the_next_command(
    served: Laptop,
) -> None:
    bucket, s3 = served.target.wiring().workflow_bucket, served.target.client("s3")
    for key in stories.objects_under(served, "datasets/exercise/inference/"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"age\nnot,a,row\n")
    run_id = batch_run(served, "2027-04-02T04:05:06Z")

    watched = served.signalbox("watch", run_id, check=False)
    told = served.signalbox("explain", run_id).stdout

    assert watched.returncode == 4
    assert f"run {run_id} failed" in watched.stderr
    assert "aws lambda invoke --function-name signalbox-dev-run-schedule" in told
    assert "retry-stage-execution" not in told


def test_a_workload_that_was_never_trained_is_named_and_holds_up_no_other(
    served: Laptop, champion: str
) -> None:
    # The registry has no group of such a workload: SageMaker answers ValidationException.
    given = {"kind": "batch", "scheduledFor": "2027-04-03T04:05:06Z"}

    told = schedules.refused(served, workloads=["never", "diabetes"], **given)

    (run_id,) = [r for r in scheduled_runs(served) if r.startswith("270403-040506-")]
    assert told["errorType"] == "ScheduleRefused"
    assert told["errorMessage"] == (
        "never: group signalbox-dev-never has no approved version that was not rolled back; "
        "release the workload and approve its model, or take the workload out of the parameter "
        "BatchWorkloads"
    )
    assert scheduled_runs(served)[run_id]["inference"]["modelPackageArn"] == champion


def test_a_retraining_is_released_and_not_piled_up_behind_its_gate(served: Laptop) -> None:
    manifest = {**stories.MANIFEST["approvals"], "approveModel": "manual"}
    wiring, client = served.target.wiring(), served.target.client("codepipeline")
    stories.put_standing_data(served)
    served.target.client("s3").put_object(
        Bucket=wiring.source_bucket,
        Key="workloads/retrained.zip",
        Body=stories.with_manifest(approvals=manifest),
    )
    given = {"kind": "retrain", "workloads": ["smallest"], "archive": "workloads/retrained.zip"}

    def released() -> list[dict[str, Any]]:
        found = client.list_pipeline_executions(pipelineName=wiring.pipeline, maxResults=50)
        return [
            e
            for e in found["pipelineExecutionSummaries"]
            if "-run-schedule-" in e["trigger"]["triggerDetail"]
        ]

    with schedules.running(served, "retrain", "rate(10 minutes)", given):
        stories.await_true(lambda: bool(released()), "a retraining")
        run_id = released()[0]["pipelineExecutionId"]
        stories.await_stage(served, run_id, "ApproveModel")
    times = schedules.run(served, **given, scheduledFor="2027-03-01T04:05:06Z")

    listed = json.loads(served.signalbox("status", "--json").stdout)
    (found,) = [one for one in listed if one["executionId"] == run_id]
    assert found["startedBy"] == "retrain schedule"
    assert times == {"smallest": f"left out: execution {run_id} has not ended"}
    assert len(released()) == 1
