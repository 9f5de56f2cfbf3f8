"""approval_notifier: gates whose rule is met open, all others are asked about; ends are told."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from functions import approval_notifier
from signalbox import delivery
from signalbox.aws import clients
from signalbox.errors import EventError
from tests.functions import gate_stories as stories
from tests.functions.gate_stories import RUN, deliver, gate_event

ASKED = "ours to send"


def notify(world: Any, gate: str, state: str = "STARTED", **detail: Any) -> str:
    world.pipeline.gate = gate
    return deliver(gate_event(world, state, **detail))


@pytest.fixture
def endpoint_run(world, workload, author):
    """A run that serves an endpoint, so nobody uploads inference data."""
    author["inference"] = {"mode": "endpoint"}
    stories.release(world, workload, author)
    return world


@pytest.fixture
def version(world, workload, author):
    """The version of a run that waits at ApproveModel."""
    return stories.at_model_gate(world, workload, author)


def test_a_gate_that_the_mode_does_not_need_opens_and_says_why(endpoint_run):
    outcome = notify(endpoint_run, "UploadInferenceData")

    assert outcome == "opening made"
    ((_, request),) = endpoint_run.pipeline.answers
    assert request["pipelineName"] == "signalbox-dev-workflow"
    assert (request["stageName"], request["actionName"]) == ("UploadInferenceData",) * 2
    assert request["result"] == {
        "status": "Approved",
        "summary": "Opened by Signalbox: inference mode endpoint takes no uploaded data.",
    }
    assert endpoint_run.told() == []


def test_an_automatic_gate_opens(world, workload, author):
    author["approvals"] = {"approveModel": "automatic"}
    stories.release(world, workload, author)

    assert notify(world, "ApproveModel") == "opening made"
    assert "the manifest says automatic" in world.pipeline.answers[0][1]["result"]["summary"]


@pytest.mark.parametrize("gate", ["UploadSourceData", "UploadInferenceData"])
def test_a_gate_that_waits_for_data_asks_for_it_with_every_command(world, workload, author, gate):
    stories.release(world, workload, author)

    assert notify(world, gate) == ASKED
    assert world.pipeline.answers == []
    (message,) = world.told()
    lines = [command["line"] for command in message["commands"]]
    prefix = "source" if gate == "UploadSourceData" else "inference"
    bucket = "signalbox-dev-workflow-123456789012-us-east-1"
    assert f"aws s3 cp FILE s3://{bucket}/runs/{RUN}/{prefix}/ --region us-east-1" in lines
    assert any(f"--token {world.pipeline.token} " in line for line in lines)
    assert "Saturday, 28 November 2026, 09:31 UTC" in message["summary"][1]


def test_the_question_about_a_model_shows_its_evidence(world, version):
    assert notify(world, "ApproveModel") == ASKED

    (message,) = world.told()
    sections = {part["title"]: part["lines"] for part in message["sections"]}
    assert "The model is accepted." in sections["The verdict"]
    assert any("54.1" in line for line in sections["Metrics"])
    assert message["kind"] == "decision"


def test_the_same_event_twice_is_one_message(world, version):
    outcomes = [notify(world, "ApproveModel") for _ in range(3)]

    assert outcomes == [ASKED, "told before", "told before"]
    assert len(world.told()) == 1


def test_the_same_event_twice_is_one_decision(endpoint_run):
    first = notify(endpoint_run, "UploadInferenceData")
    second = notify(endpoint_run, "UploadInferenceData")

    assert (first, second) == ("opening made", "opening made before")
    assert len(endpoint_run.pipeline.answers) == 1


def test_a_decision_made_between_look_and_act_stands(endpoint_run):
    def decide_first(**_: object) -> None:
        endpoint_run.pipeline.gate_status = "Succeeded"

    hooks = clients.codepipeline().meta.events
    hooks.register_first("before-call.codepipeline.PutApprovalResult", decide_first)

    assert notify(endpoint_run, "UploadInferenceData") == "opening made before"
    assert endpoint_run.pipeline.answers == []


def test_a_gate_of_another_execution_is_left_alone(endpoint_run):
    """Raised, because the pipeline's record may be behind its event."""
    endpoint_run.pipeline.execution_id = "99999999-0000-4000-8000-000000000000"

    with pytest.raises(EventError, match="is not known yet"):
        notify(endpoint_run, "UploadInferenceData")
    assert endpoint_run.pipeline.answers == []


def test_a_gate_without_its_token_yet_is_asked_again(endpoint_run):
    """Raised, so that Lambda delivers the event again a minute later."""
    endpoint_run.pipeline.token = ""

    with pytest.raises(EventError, match="its token is not published yet"):
        notify(endpoint_run, "UploadInferenceData")


def test_an_event_that_is_faster_than_the_pipelines_state_is_asked_again(endpoint_run):
    """Taken for a decision of somebody else it would leave the run waiting for ever."""
    endpoint_run.pipeline.is_state_late = True

    with pytest.raises(EventError, match="its token is not published yet"):
        notify(endpoint_run, "UploadInferenceData")


@pytest.mark.parametrize(
    "detail",
    [
        {"state": "ABANDONED"},
        {"type": {"category": "Invoke", "provider": "Lambda", "owner": "AWS", "version": "1"}},
        {"action": "LegalReview"},
    ],
)
def test_what_is_no_waiting_gate_of_ours_is_left_alone(endpoint_run, detail):
    event = gate_event(endpoint_run, "STARTED", **detail)

    assert deliver(event) == "nothing to tell"
    assert endpoint_run.told() == []


def test_an_event_without_an_execution_is_refused_by_name(world):
    event = world.event("approval_notifier")
    del event["detail"]["execution-id"]

    with pytest.raises(EventError, match="/detail/execution-id: Field required"):
        approval_notifier.handler(event, None)


def test_an_event_that_no_rule_sends_is_refused(world):
    with pytest.raises(EventError, match="nothing is told of"):
        approval_notifier.handler({"source": "aws.ec2", "detail-type": "X"}, None)


def test_a_rejection_is_written_down_settles_the_version_and_is_told(world, version):
    stories.decide_at_gate(world, "Rejected", "drifts on weekends")

    deliver(gate_event(world, "FAILED"))

    status, description = stories.version_of(world, version)
    assert status == "Rejected"
    assert "ada (Reviewer)" in description
    assert "drifts on weekends" in description
    entry = world.manifest(RUN)["history"][-1]
    assert (entry["phase"], entry["status"]) == ("gate", "rejected")
    assert entry["detail"]["by"] == stories.ADA
    assert entry["detail"]["reason"] == "drifts on weekends"
    (message,) = world.told()
    assert message["kind"] == "rejected"
    assert "Nothing of this run was deployed." in message["summary"]
    assert "Reason: drifts on weekends" in message["summary"]


def test_an_approval_is_written_down_and_settles_the_version_and_tells_nobody(world, version):
    stories.decide_at_gate(world, "Approved", "better than last week's")

    deliver(gate_event(world, "SUCCEEDED"))

    assert stories.version_of(world, version)[0] == "Approved"
    assert world.manifest(RUN)["history"][-1]["status"] == "approved"
    assert world.told() == []


def test_a_gate_that_nobody_decided_is_told_and_leaves_the_version_pending(world, version):
    world.pipeline.gate_status = "Failed"

    deliver(gate_event(world, "FAILED"))

    assert stories.version_of(world, version)[0] == "PendingManualApproval"
    (message,) = world.told()
    assert message["kind"] == "expired"
    assert "retry-stage-execution" in message["commands"][0]["line"]


def test_the_author_s_own_approval_leaves_the_version_pending_where_two_are_asked_for(
    world, workload, author, monkeypatch
):
    world.pipeline.trigger = {
        "triggerType": "StartPipelineExecution",
        "triggerDetail": stories.ADA,
    }
    arn = stories.at_model_gate(world, workload, author)
    monkeypatch.setenv("TWO_PERSON_RULE", "true")
    stories.decide_at_gate(world, "Approved", "mine")

    deliver(gate_event(world, "SUCCEEDED"))

    assert stories.version_of(world, arn)[0] == "PendingManualApproval"


FAILED_TRAINING = {
    "actionExecutionId": "act-train",
    "stageName": "Train",
    "actionName": "Train",
    "status": "Failed",
    "startTime": datetime(2026, 11, 21, 9, 50, tzinfo=UTC),
    "lastUpdateTime": datetime(2026, 11, 21, 9, 55, tzinfo=UTC),
}


@pytest.fixture
def failed_training(world, workload, author):
    """A run whose training machine failed; the machine's ARN."""
    stories.release(world, workload, author)
    arn = "arn:aws:states:us-east-1:123456789012:execution:signalbox-dev-training:train-act-train"
    result = {"externalExecutionId": arn}
    world.pipeline.gate_status = "Succeeded"
    world.pipeline.other_actions = [
        {**FAILED_TRAINING, "output": {"executionResult": result}},
    ]
    world.machines.ended[arn] = {
        "status": "FAILED",
        "error": "States.TaskFailed",
        "cause": '{"TrainingJobName":"t-1","FailureReason":"AlgorithmError: no rows"}',
        "input": json.dumps({"run": {"executionId": world.pipeline.execution_id}}),
    }
    return arn


def test_a_failure_is_told_once_whichever_of_its_four_events_comes(world, failed_training):
    action = gate_event(
        world,
        "FAILED",
        **{"action-execution-id": "act-train", "action": "Train", "stage": "Train"},
        type={"category": "Invoke", "provider": "StepFunctions"},
    )
    machine = {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"executionArn": failed_training, "status": "FAILED", "input": None},
    }
    for event in (
        machine,
        stories.execution_event(world, "Stage", "FAILED"),
        action,
        stories.execution_event(world, "Pipeline", "FAILED"),
        machine,
    ):
        deliver(event)

    (message,) = world.told()
    assert message["kind"] == "failed"
    facts = "\n".join(next(p for p in message["sections"] if p["title"] == "What failed")["lines"])
    for word in ("Train", "States.TaskFailed", "AlgorithmError: no rows", "t-1"):
        assert word in facts
    assert "--stage-name Train" in message["commands"][0]["line"]


def training_task(end: str, cause: str = "") -> list[dict[str, Any]]:
    """The events of a training job that ended 72 seconds after SageMaker took it."""
    taken = datetime(2026, 11, 21, 9, 50, tzinfo=UTC)
    parameters = {
        "TrainingJobName": "t-1",
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
    }
    return [
        {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "Train"}},
        {
            "type": "TaskScheduled",
            "taskScheduledEventDetails": {"parameters": json.dumps(parameters)},
        },
        {"type": "TaskSubmitted", "timestamp": taken},
        {
            "type": end,
            "timestamp": taken + timedelta(seconds=72),
            "taskFailedEventDetails": {"cause": cause},
        },
    ]


def print_lines(name: str, lines: list[str]) -> None:
    logs, group = boto3.client("logs"), "/aws/sagemaker/TrainingJobs"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=f"{name}/algo-1-17")
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    events = [{"timestamp": now_ms + n, "message": line} for n, line in enumerate(lines)]
    logs.put_log_events(logGroupName=group, logStreamName=f"{name}/algo-1-17", logEvents=events)


def section_of(message: dict[str, Any], title: str) -> list[str]:
    lines: list[str] = next(p for p in message["sections"] if p["title"] == title)["lines"]
    return lines


LAST_LINES = "The last lines of its log"


def test_a_failure_shows_what_the_job_printed_last_and_what_it_has_cost(world, failed_training):
    cause = world.machines.ended[failed_training]["cause"]
    world.machines.tasks[failed_training] = training_task("TaskFailed", cause)
    print_lines("t-1", [f"epoch {n}" for n in range(30)] + ["ValueError: " + "1.5," * 99])

    deliver(stories.execution_event(world, "Pipeline", "FAILED"))

    (message,) = world.told()
    lines = section_of(message, LAST_LINES)
    assert lines[:9] == [f"epoch {n}" for n in range(21, 30)]
    assert len(lines[9]) == 200
    assert lines[11] == "The whole log: group /aws/sagemaker/TrainingJobs, streams t-1/"
    # 72 s of 0.23 USD an hour
    assert section_of(message, "Estimated cost so far")[0].endswith("72 s    0.0046 USD")


def test_a_job_that_ran_out_of_time_is_found_in_the_history(world, failed_training):
    """Its cause names no job: Step Functions gives none with a time-out."""
    world.machines.ended[failed_training] |= {"error": "States.Timeout", "cause": ""}
    world.machines.tasks[failed_training] = training_task("TaskTimedOut")
    print_lines("t-1", ["still at it"])

    deliver(stories.execution_event(world, "Pipeline", "FAILED"))

    (message,) = world.told()
    assert section_of(message, LAST_LINES)[0] == "still at it"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("AccessDeniedException", "The log could not be read: AccessDeniedException"),
        ("ResourceNotFoundException", "(it printed nothing)"),
    ],
)
def test_a_log_that_cannot_be_read_holds_no_failure_back(world, failed_training, code, line):
    refused = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    clients.logs().meta.events.register_first(
        "before-call.logs.DescribeLogStreams",
        lambda **_: (SimpleNamespace(status_code=400), refused),
    )

    deliver(stories.execution_event(world, "Pipeline", "FAILED"))

    (message,) = world.told()
    assert section_of(message, LAST_LINES)[0] == line


def test_a_failure_before_there_is_a_manifest_is_told_too(world):
    world.pipeline.execution_id = "f4f5a1de-2c0f-4a57-9d2b-6d1a5f0c7b11"
    fault = {"code": "ConfigurationError", "message": "manifest.json has 1 problem"}
    world.pipeline.gate_status = "Succeeded"
    world.pipeline.other_actions = [
        {
            **FAILED_TRAINING,
            "stageName": "Prepare",
            "actionName": "CreateSchema",
            "output": {"executionResult": {"errorDetails": fault}},
        }
    ]

    deliver(stories.execution_event(world, "Pipeline", "FAILED"))

    (message,) = world.told()
    assert "manifest.json has 1 problem" in message["summary"][0]


def test_a_run_that_finished_is_told_with_the_way_to_its_result(world, version):
    deliver(stories.execution_event(world, "Pipeline", "SUCCEEDED"))
    deliver(stories.execution_event(world, "Stage", "SUCCEEDED"))

    (message,) = world.told()
    assert message["kind"] == "succeeded"
    assert message["commands"][0]["line"].startswith("aws s3 cp --recursive s3://")


SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def test_the_schedule_asks_where_the_event_was_lost(world, version):
    deliver(SCHEDULED)
    deliver(SCHEDULED)

    assert [message["kind"] for message in world.told()] == ["decision"]


def test_the_schedule_reminds_once_when_time_runs_out(world, workload, author):
    now = datetime.now(UTC)
    world.pipeline.started_at = now.replace(microsecond=0) - timedelta(days=5)
    stories.release(world, workload, author)
    world.pipeline.gate = "UploadSourceData"
    deliver(gate_event(world, "STARTED"))

    for _ in range(3):
        deliver(SCHEDULED)

    assert [message["kind"] for message in world.told()] == ["decision", "reminder"]


def crash_at(client: Any, operation: str) -> list[int]:
    """Let the next call of an operation fail, as a process that dies there; how often it did."""
    crashes: list[int] = []

    def crash(**_: object) -> None:
        if not crashes:
            crashes.append(1)
            raise KeyboardInterrupt

    client.meta.events.register_first(f"before-call.{operation}", crash)
    return crashes


def test_a_crash_between_claim_and_send_loses_nothing(world, version):
    """Lambda runs the same invocation again, with the same request id: it goes on at once."""
    crash_at(clients.sns(), "sns.Publish")
    event, first = gate_event(world, "STARTED"), SimpleNamespace(aws_request_id="r-1")
    with pytest.raises(KeyboardInterrupt):
        approval_notifier.handler(event, first)
    assert world.told() == []

    other = approval_notifier.handler(event, SimpleNamespace(aws_request_id="r-2"))
    again = approval_notifier.handler(event, first)

    assert other["outcome"] == "being told by another delivery"
    assert again["outcome"] == ASKED
    assert len(world.told()) == 1


def test_a_lease_that_has_passed_is_taken_over_by_any_later_event(world, version):
    crash_at(clients.sns(), "sns.Publish")
    event = gate_event(world, "STARTED")
    with pytest.raises(KeyboardInterrupt):
        approval_notifier.handler(event, SimpleNamespace(aws_request_id="r-1"))
    key = delivery.claim_key(RUN, f"ask-{world.pipeline.gate_action_id}")
    bucket = approval_notifier._settings().workflow_bucket
    stored = json.loads(world.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    stored["leaseUntil"] = "2026-11-21T00:00:00Z"
    world.s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(stored).encode())

    outcome = approval_notifier.handler(event, SimpleNamespace(aws_request_id="r-2"))

    assert outcome["outcome"] == ASKED
    assert len(world.told()) == 1
