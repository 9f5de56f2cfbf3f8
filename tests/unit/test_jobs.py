"""Jobs in the history of a state machine, in the shapes that Step Functions documents."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signalbox.jobs import Job, JobKind, JobName, in_history, shown_log

START = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
TRAINING = {
    "TrainingJobName": "t-1",
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30},
}
PROCESSING = {
    "ProcessingJobName": "p-1",
    "ProcessingResources": {
        "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
    },
}
TRANSFORM = {
    "TransformJobName": "x-1",
    "TransformResources": {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1},
}


def task(
    state: str, parameters: dict[str, Any], end: str, details: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """One task from its state's entry on; it is taken at 10 s and over at 100 s."""
    key = f"{end[0].lower()}{end[1:]}EventDetails"
    return [
        {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": state}},
        {
            "type": "TaskScheduled",
            "taskScheduledEventDetails": {"parameters": json.dumps(parameters)},
        },
        {"type": "TaskStarted"},
        {"type": "TaskSubmitted", "timestamp": START + timedelta(seconds=10)},
        {"type": end, "timestamp": START + timedelta(seconds=100), key: details or {}},
    ]


def test_a_training_job_is_billed_as_sagemaker_says():
    output = json.dumps({**TRAINING, "BillableTimeInSeconds": 61})

    (job,) = in_history(task("Train", TRAINING, "TaskSucceeded", {"output": output}))

    named = JobName(JobKind.TRAINING, "t-1")
    assert job == Job(named, "Train", "ml.m5.xlarge", 2, 61.0, is_completed=True)


@pytest.mark.parametrize(
    ("kind", "parameters", "instance_type"),
    [
        (JobKind.PROCESSING, PROCESSING, "ml.m5.large"),
        (JobKind.TRANSFORM, TRANSFORM, "ml.c5.xlarge"),
    ],
)
def test_other_jobs_are_billed_from_their_start_to_their_end(kind, parameters, instance_type):
    moments = {f"{kind}StartTime": 1_795_253_400_500, f"{kind}EndTime": 1_795_253_442_750}

    (job,) = in_history(task("S", parameters, "TaskSucceeded", {"output": json.dumps(moments)}))

    assert (job.named.kind, job.instance_type, job.seconds) == (kind, instance_type, 42.25)


def test_a_failed_job_is_read_from_its_cause():
    cause = json.dumps({"TrainingJobName": "t-1", "BillableTimeInSeconds": 7})

    (job,) = in_history(task("Train", TRAINING, "TaskFailed", {"cause": cause}))

    assert (job.seconds, job.is_completed) == (7.0, False)


@pytest.mark.parametrize("end", ["TaskTimedOut", "ExecutionAborted", "ExecutionTimedOut"])
def test_a_job_that_nobody_describes_counts_from_submission_to_the_end(end):
    (job,) = in_history(task("Train", TRAINING, end))

    assert (job.seconds, job.is_completed) == (90.0, False)


def test_a_description_that_was_cut_off_counts_from_submission_to_the_end():
    (job,) = in_history(task("Train", TRAINING, "TaskFailed", {"cause": '{"TrainingJobNa'}))

    assert job.seconds == 90.0


def test_a_retried_job_counts_twice_and_a_refused_one_not_at_all():
    """SageMaker takes no job above a quota: the task fails before TaskSubmitted."""
    refused = [e for e in task("Train", TRAINING, "TaskFailed") if e["type"] != "TaskSubmitted"]
    once = task("Train", TRAINING, "TaskFailed")

    assert len(in_history([*refused, *once, *once[1:]])) == 2


def test_a_running_job_is_not_counted_yet():
    assert in_history(task("Train", TRAINING, "TaskSucceeded")[:-1]) == ()


def test_a_task_that_is_no_job_is_no_job():
    assert in_history(task("Judge", {"FunctionName": "f"}, "TaskSucceeded")) == ()


def test_a_log_line_is_cut_and_holds_nothing_that_moves_a_terminal():
    (line,) = shown_log(["\x1b[2J" + "1,2,3;" * 100 + "\n"])

    assert len(line) == 200
    assert line.isprintable()
    assert line.endswith("...")


def test_a_message_of_several_lines_is_several_lines():
    assert shown_log(["a\n  b\n\nc\n"]) == ["a", "  b", "", "c"]
