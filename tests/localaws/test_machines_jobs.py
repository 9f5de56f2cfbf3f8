"""`sagemaker:create*Job.sync` on real jobs: awaited, described, failed, stopped, by whose right."""

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.iam import service as iam
from localaws.machines import pace as machine_pace
from tests.localaws import machine_bench as bench

BUCKET = "machine-jobs"
IMAGE = f"683313688378.dkr.ecr.{bench.REGION}.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
RULE = "StepFunctionsGetEventsForSageMakerProcessingJobsRule"


@dataclass(frozen=True)
class Jobs:
    """Where the scripts lie, and the role that they run under."""

    role: str

    def definition(self, name: str, script: str, **state: Any) -> dict[str, Any]:
        """A machine that runs the script as a processing job called `name`."""
        key = f"{name}/run.py"
        bench.client("s3").put_object(Bucket=BUCKET, Key=key, Body=script.encode())
        code = {
            "InputName": "code",
            "S3Input": {
                "S3Uri": f"s3://{BUCKET}/{key}",
                "LocalPath": "/opt/ml/processing/input/code",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
        cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        return bench.one_state(
            Type="Task",
            Resource="arn:aws:states:::sagemaker:createProcessingJob.sync",
            Parameters={
                "ProcessingJobName.$": f"States.Format('{name}-{{}}', $$.State.RetryCount)",
                "RoleArn": self.role,
                "AppSpecification": {
                    "ImageUri": IMAGE,
                    "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/run.py"],
                },
                "ProcessingInputs": [code],
                "ProcessingResources": {"ClusterConfig": cluster},
                "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            },
            **state,
        )


@pytest.fixture(scope="module")
def jobs(laptop: Any) -> Jobs:
    bench.client("s3").create_bucket(Bucket=BUCKET)
    return Jobs(bench.make_role("sagemaker.amazonaws.com"))


def describe_job(name: str) -> dict[str, Any]:
    answer: dict[str, Any] = bench.client("sagemaker").describe_processing_job(
        ProcessingJobName=name
    )
    return answer


def test_result_is_the_description_with_dates_in_milliseconds_and_tags(jobs: Jobs) -> None:
    execution = bench.start(bench.make_machine(jobs.definition("good", "print('done')")))

    result = json.loads(bench.ended(execution)["output"])

    described = describe_job("good-0")
    assert result["ProcessingJobStatus"] == "Completed"
    assert result["ProcessingJobArn"] == described["ProcessingJobArn"]
    assert result["CreationTime"] == int(described["CreationTime"].timestamp() * 1000)
    assert result["Tags"] == {
        "AWS_STEP_FUNCTIONS_EXECUTION_ARN": execution,
        "MANAGED_BY_AWS": "STARTED_BY_STEP_FUNCTIONS",
    }
    assert bench.types_of(execution)[2:6] == [
        "TaskScheduled",
        "TaskStarted",
        "TaskSubmitted",
        "TaskSucceeded",
    ]


def test_failed_job_fails_its_task_with_the_description_as_cause(jobs: Jobs) -> None:
    description = bench.run(jobs.definition("bad", "raise SystemExit(3)"))

    cause = json.loads(description["cause"])
    assert description["error"] == "States.TaskFailed"
    assert cause["ProcessingJobStatus"] == "Failed"
    assert "3" in cause["FailureReason"]


def test_retried_job_gets_a_name_of_its_own(jobs: Jobs) -> None:
    retry = [{"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1, "IntervalSeconds": 60}]

    bench.run(jobs.definition("again", "raise SystemExit(1)", Retry=retry))

    assert describe_job("again-0")["ProcessingJobStatus"] == "Failed"
    assert describe_job("again-1")["ProcessingJobStatus"] == "Failed"


def running(name: str) -> bool:
    try:
        return describe_job(name)["ProcessingJobStatus"] == "InProgress"
    except ClientError:
        return False


def test_stopped_execution_stops_its_job(jobs: Jobs) -> None:
    script = "import time; time.sleep(50)"
    execution = bench.start(bench.make_machine(jobs.definition("long", script)))
    # The job exists a moment before the history tells that it was submitted.
    bench.until(lambda: running("long-0") and "TaskSubmitted" in bench.types_of(execution))

    bench.client("stepfunctions").stop_execution(executionArn=execution)

    assert bench.ended(execution)["status"] == "ABORTED"
    bench.until(lambda: describe_job("long-0")["ProcessingJobStatus"] == "Stopped")
    assert bench.types_of(execution)[4:] == ["TaskSubmitted", "ExecutionAborted"]


def test_a_task_left_behind_tells_the_history_nothing_more() -> None:
    told: list[str] = []

    class History:
        def add_event(self, kind: str) -> int:
            told.append(kind)
            return len(told)

    frame = SimpleNamespace(is_running=lambda: "ExecutionAborted" not in told)
    voice = machine_pace.AttemptHistory(History(), frame)

    assert voice.add_event("TaskSubmitted") == 1
    told.append("ExecutionAborted")  # by the execution itself
    assert voice.add_event("TaskSucceeded") == 0
    assert told == ["TaskSubmitted", "ExecutionAborted"]


def test_job_that_somebody_stops_fails_its_task(jobs: Jobs) -> None:
    script = "import time; time.sleep(50)"
    execution = bench.start(bench.make_machine(jobs.definition("halted", script)))
    bench.until(lambda: running("halted-0"))

    bench.client("sagemaker").stop_processing_job(ProcessingJobName="halted-0")

    description = bench.ended(execution)
    assert description["error"] == "States.TaskFailed"
    assert json.loads(description["cause"])["ProcessingJobStatus"] == "Stopped"


def test_task_over_its_time_limit_stops_its_job(jobs: Jobs) -> None:
    script = "import time; time.sleep(50)"

    description = bench.run(jobs.definition("slow", script, TimeoutSeconds=3))

    assert description["error"] == "States.Timeout"
    bench.until(lambda: describe_job("slow-0")["ProcessingJobStatus"] == "Stopped")


def allow(*actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*"}


EVERYTHING_BUT = {
    "sagemaker:CreateProcessingJob",
    "sagemaker:AddTags",
    "sagemaker:DescribeProcessingJob",
    "sagemaker:ListTags",
    "iam:PassRole",
}
MANAGED_RULE = ("events:PutRule", "events:PutTargets", "events:DescribeRule")


@pytest.mark.parametrize("missing", MANAGED_RULE)
def test_machine_is_refused_when_its_role_may_not_make_the_managed_rule(
    jobs: Jobs, missing: str
) -> None:
    granted = allow(*({*EVERYTHING_BUT, *MANAGED_RULE} - {missing}))
    role = bench.make_role(statements=[granted])

    with pytest.raises(ClientError) as caught:
        bench.make_machine(jobs.definition("refused", ""), role)

    error = caught.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert f"'{role}' is not authorized to create managed-rule" in error["Message"]
    assert missing in error["Message"]
    assert RULE in error["Message"]


@pytest.mark.parametrize("missing", sorted(EVERYTHING_BUT))
def test_missing_permission_fails_the_task_and_names_the_action(jobs: Jobs, missing: str) -> None:
    granted = allow(*({*EVERYTHING_BUT, *MANAGED_RULE} - {missing}))
    role = bench.make_role(statements=[granted])
    name = f"denied-{missing.partition(':')[2].lower()}"

    description = bench.run(jobs.definition(name, "print('ran')"), role=role)

    assert description["error"] == "SageMaker.AmazonSageMakerException"
    assert "not authorized to perform" in description["cause"]
    assert missing in description["cause"]
    assert "Error Code: AccessDeniedException" in description["cause"]


def test_requests_of_a_machine_are_recorded_under_its_role(jobs: Jobs) -> None:
    role = bench.make_role(statements=[allow(*EVERYTHING_BUT, *MANAGED_RULE)])

    bench.run(jobs.definition("recorded", "print('ran')"), role=role)

    asked = {record.action for record in iam.decisions() if record.role == role}
    assert asked == {*EVERYTHING_BUT, *MANAGED_RULE}
