"""A small AWS for the functions: moto for S3 and SageMaker, a fake for what moto lacks.

moto runs no pipelines, so `FakePipeline` answers CodePipeline's operations at botocore's own
`before-call` hook: parameters are still validated against the service's model.
"""

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import time_machine
from moto import mock_aws

from functions import (
    approval_notifier,
    create_schema,
    data_intake,
    promote_version,
    promotion_handler,
    receive_version,
    reconciler,
    record_outcome,
    run_schedule,
    update_schema,
    webhook_sender,
)
from signalbox.aws import clients, promotion_target, webhook_posts

ROOT = Path(__file__).parents[2]
ARTIFACTS = "signalbox-dev-artifacts-123456789012-us-east-1"
WORKFLOW = "signalbox-dev-workflow-123456789012-us-east-1"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "APP_NAME": "signalbox",
    "ENVIRONMENT_NAME": "dev",
    "WORKFLOW_BUCKET": WORKFLOW,
    "PIPELINE_NAME": "signalbox-dev-workflow",
    "JOB_ROLE_ARN": "arn:aws:iam::123456789012:role/signalbox-dev-job",
    "HOSTING_ROLE_ARN": "arn:aws:iam::123456789012:role/signalbox-dev-hosting",
    "KMS_KEY_ARN": "arn:aws:kms:us-east-1:123456789012:key/1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d",
    "NOTIFICATION_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:signalbox-dev-notifications",
    "UPLOAD_GATE_TIMEOUT_MINUTES": "10080",
    "APPROVE_MODEL_TIMEOUT_MINUTES": "10080",
    "TWO_PERSON_RULE": "false",
    "PROMOTION_STATE_MACHINE_ARN": (
        "arn:aws:states:us-east-1:123456789012:stateMachine:signalbox-dev-promotion"
    ),
    "WEBHOOK_KIND": "generic",
    "WEBHOOK_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:webhook-a1B2c3",
    "TRAINING_MACHINE_ARN": "arn:aws:states:us-east-1:123456789012:stateMachine:training",
    "INFERENCE_MACHINE_ARN": "arn:aws:states:us-east-1:123456789012:stateMachine:inference",
    "PROMOTION_SOURCE_ACCOUNTS": "123456789012",
    "PROMOTION_APPROVAL": "none",
    "JOB_SUBNETS": "",
    "JOB_SECURITY_GROUPS": "",
    "JOB_NETWORK_ISOLATION": "false",
    "IMAGE_URI": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2",
}


@dataclass
class FakePipeline:
    """CodePipeline's side of the functions: one execution, its jobs' answers, its gates."""

    started_at: datetime = datetime(2026, 11, 21, 9, 30, 5, tzinfo=UTC)
    variables: dict[str, str] = field(default_factory=lambda: {"Workload": "auto", "Options": "{}"})
    execution_id: str = ""
    token: str = "00000000-0000-4000-8000-000000000009"
    gate: str = "UploadInferenceData"
    gate_status: str = "InProgress"
    is_state_late: bool = False
    gate_action_id: str = "7c0de5a1-9b7b-4b43-8a43-6f9b7a1c2d33"
    decided_by: str = ""
    summary: str = ""
    caller: str = "arn:aws:sts::123456789012:assumed-role/Reviewer/ada"
    trigger: dict[str, str] = field(default_factory=dict)
    other_actions: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)
    executions: list[dict[str, Any]] = field(default_factory=list)
    released: list[dict[str, Any]] = field(default_factory=list)

    def attach(self, client: Any) -> None:
        """Answer this client's operations in place of the network."""
        client.meta.events.register_first("before-call.codepipeline", self._answer)

    def _answer(self, model: Any, params: dict[str, Any], **_: object) -> Any:
        request = json.loads(params["body"])
        if model.name in self.denied:
            return _error(400, "AccessDeniedException", f"not authorized to {model.name}")
        return getattr(self, f"_{model.name}")(request)

    def _ListPipelineExecutions(self, request: dict[str, Any]) -> Any:
        return _ok({"pipelineExecutionSummaries": self.executions})

    def _StartPipelineExecution(self, request: dict[str, Any]) -> Any:
        self.released.append(request)
        return _ok({"pipelineExecutionId": "0a1b2c3d"})

    def _GetPipelineExecution(self, request: dict[str, Any]) -> Any:
        self.execution_id = request["pipelineExecutionId"]
        variables = [{"name": k, "resolvedValue": v} for k, v in self.variables.items()]
        revision = {
            "name": "WorkloadArchive",
            "revisionId": "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",
            "revisionSummary": "Amazon S3 version id: 3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",
        }
        answer = {
            "variables": variables,
            "artifactRevisions": [revision],
            "trigger": self.trigger,
        }
        return _ok({"pipelineExecution": answer})

    def _ListActionExecutions(self, request: dict[str, Any]) -> Any:
        first = {
            "pipelineExecutionId": self.execution_id,
            "actionExecutionId": "source",
            "stageName": "Source",
            "actionName": "Source",
            "status": "Succeeded",
            "startTime": self.started_at,
        }
        wanted = request.get("filter", {}).get("pipelineExecutionId", self.execution_id)
        gate = [self._gate()] if wanted == self.execution_id else []
        return _ok({"actionExecutionDetails": [*gate, *self.other_actions, first]})

    def _gate(self) -> dict[str, Any]:
        since = self.started_at.replace(minute=31)
        result = {"externalExecutionSummary": self.summary} if self.summary else {}
        return {
            "pipelineExecutionId": self.execution_id,
            "actionExecutionId": self.gate_action_id,
            "stageName": self.gate,
            "actionName": self.gate,
            "status": self.gate_status,
            "startTime": since,
            "lastUpdateTime": since.replace(minute=45),
            **({"updatedBy": self.decided_by} if self.decided_by else {}),
            "output": {"executionResult": result},
        }

    def _PutJobSuccessResult(self, request: dict[str, Any]) -> Any:
        return self._record("success", request)

    def _PutJobFailureResult(self, request: dict[str, Any]) -> Any:
        return self._record("failure", request)

    def _record(self, kind: str, request: dict[str, Any]) -> Any:
        if any(known["jobId"] == request["jobId"] for _, known in self.answers):
            return _error(400, "InvalidJobStateException", "the job has been answered")
        self.answers.append((kind, request))
        return _ok({})

    def _GetPipelineState(self, request: dict[str, Any]) -> Any:
        latest = {
            "status": self.gate_status,
            "token": self.token,
            "actionExecutionId": self.gate_action_id,
        }
        held_by = "the run before" if self.is_state_late else self.execution_id
        stage = {
            "stageName": self.gate,
            "latestExecution": {"pipelineExecutionId": held_by, "status": "InProgress"},
            "actionStates": [{"actionName": self.gate, "latestExecution": latest}],
        }
        return _ok({"stageStates": [{"stageName": "Source", "actionStates": []}, stage]})

    def _PutApprovalResult(self, request: dict[str, Any]) -> Any:
        if self.gate_status != "InProgress":
            return _error(400, "ApprovalAlreadyCompletedException", "already completed")
        if request["token"] != self.token:
            return _error(400, "InvalidApprovalTokenException", "the token is not valid")
        approved = request["result"]["status"] == "Approved"
        self.gate_status = "Succeeded" if approved else "Failed"
        self.decided_by, self.summary = self.caller, request["result"]["summary"]
        self.answers.append(("approval", request))
        return _ok({"approvedAt": self.started_at})


@dataclass
class FakeMachines:
    """Step Functions' side: executions by ARN, ended or running, in every account alike."""

    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    now: datetime = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    started: list[dict[str, Any]] = field(default_factory=list)
    stopped: list[dict[str, Any]] = field(default_factory=list)

    def attach(self, client: Any) -> None:
        """Answer this client's operations in place of the network."""
        client.meta.events.register_first("before-call.sfn", self._answer)
        client.meta.events.register_first("before-call.stepfunctions", self._answer)

    def end(self, arn: str, status: str, error: str = "", cause: str = "") -> None:
        """Let an execution end."""
        ending = {"status": status, "error": error, "cause": cause, "stopDate": self.now}
        self.ended[arn] = {**self.ended[arn], **ending}

    def _answer(self, model: Any, params: dict[str, Any], **_: object) -> Any:
        request = json.loads(params["body"])
        if model.name == "StartExecution":
            return self._start(request)
        if model.name == "StopExecution":
            self.stopped.append(request)
            self.end(request["executionArn"], "ABORTED", request["error"], request["cause"])
            return _ok({"stopDate": self.now})
        if model.name == "ListExecutions":
            return _ok({"executions": self._of(request["stateMachineArn"])})
        return self._describe(model.name, request)

    def _start(self, request: dict[str, Any]) -> Any:
        machine = request["stateMachineArn"].replace(":stateMachine:", ":execution:")
        arn = f"{machine}:{request['name']}"
        if arn in self.ended:
            return _error(400, "ExecutionAlreadyExists", "the name is taken")
        self.started.append(request)
        self.ended[arn] = {"executionArn": arn, "status": "RUNNING", "input": request["input"]}
        return _ok({"executionArn": arn, "startDate": self.now})

    def _of(self, machine: str) -> list[dict[str, Any]]:
        """The machine's executions, as a list shows them."""
        return [
            {"name": arn.rpartition(":")[2], **found}
            for arn, found in self.ended.items()
            if found.get("stateMachineArn") == machine
        ]

    def _describe(self, operation: str, request: dict[str, Any]) -> Any:
        arn = request["executionArn"]
        if arn not in self.ended:
            return _error(400, "ExecutionDoesNotExist", "no such execution")
        if operation == "DescribeExecution":
            return _ok(self.ended[arn])
        if not request.get("reverseOrder"):
            return _ok({"events": self.tasks.get(arn, [])})
        entered = {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": "Train"}}
        return _ok({"events": [{"type": "ExecutionFailed"}, {"type": "TaskFailed"}, entered]})


def _ok(parsed: dict[str, Any]) -> Any:
    return SimpleNamespace(status_code=200), parsed


def _error(status: int, code: str, message: str) -> Any:
    parsed = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return SimpleNamespace(status_code=status), parsed


@dataclass
class World:
    """What a test arranges and looks at."""

    s3: Any
    pipeline: FakePipeline
    machines: "FakeMachines"
    queue_url: str

    @property
    def sagemaker(self) -> Any:
        """The registry."""
        return clients.sagemaker()

    def told(self) -> list[dict[str, Any]]:
        """Every message that SNS has taken to the webhook's queue so far, in order."""
        sqs = boto3.client("sqs")
        found = []
        while True:
            received = sqs.receive_message(
                QueueUrl=self.queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0
            ).get("Messages", [])
            for message in received:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
            if not received:
                return found

    def event(self, function: str) -> dict[str, Any]:
        """The function's documented event."""
        text = (ROOT / "events" / f"{function}.json").read_text()
        event: dict[str, Any] = json.loads(text)
        return event

    def put_archive(self, files: dict[str, str]) -> None:
        """A workload archive where the create_schema event says that it is."""
        self.put_input("create_schema", zip_of(files))

    def put_input(self, function: str, content: bytes) -> None:
        """The input artifact of a function's event."""
        data = self.event(function)["CodePipeline.job"]["data"]
        place = data["inputArtifacts"][0]["location"]["s3Location"]
        self.s3.put_object(Bucket=place["bucketName"], Key=place["objectKey"], Body=content)

    def output(self, function: str) -> dict[str, Any]:
        """The manifest in the output artifact of a function's event."""
        data = self.event(function)["CodePipeline.job"]["data"]
        place = data["outputArtifacts"][0]["location"]["s3Location"]
        packed = self.s3.get_object(Bucket=place["bucketName"], Key=place["objectKey"])["Body"]
        with zipfile.ZipFile(io.BytesIO(packed.read())) as archive:
            document: dict[str, Any] = json.loads(archive.read("manifest.json"))
        return document

    def manifest(self, run_id: str) -> dict[str, Any]:
        """The manifest of a run."""
        stored = self.s3.get_object(Bucket=WORKFLOW, Key=f"runs/{run_id}/manifest.json")
        document: dict[str, Any] = json.loads(stored["Body"].read())
        return document

    def keys(self) -> list[str]:
        """Every key in the workflow bucket."""
        listed = self.s3.list_objects_v2(Bucket=WORKFLOW)
        return [found["Key"] for found in listed.get("Contents", [])]

    def put_objects_one_at_a_time(self) -> None:
        """Make moto's check-then-write of a conditional put as atomic as S3's is."""
        lock = threading.RLock()
        hooks = self.s3.meta.events
        hooks.register_first("before-call.s3.PutObject", lambda **_: lock.acquire() and None)
        hooks.register_last("after-call.s3.PutObject", lambda **_: lock.release())


def zip_of(files: dict[str, str]) -> bytes:
    """A zip archive with these files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.fixture(scope="module", autouse=True)
def _the_day_of_the_story() -> Iterator[None]:
    """The pipeline's answers and the events have fixed times; what happens now happens then."""
    with time_machine.travel(datetime(2026, 11, 21, 9, 30, 6, tzinfo=UTC), tick=True):
        yield


@pytest.fixture
def author() -> dict[str, Any]:
    """An author's manifest that is good as it is."""
    return {
        "schemaVersion": "1",
        "name": "diabetes",
        "problem": "regression",
        "data": {"format": "csv", "label": "target", "columns": {"age": "number"}},
        "train": {"hyperparameters": {"alpha": 0.5, "solver": "lbfgs"}},
        "evaluate": {"gates": [{"metric": "regression_metrics.rmse.value", "max": 65.0}]},
        "inference": {"mode": "batch"},
    }


@pytest.fixture
def workload(author: dict[str, Any]) -> dict[str, str]:
    """The files of a workload folder."""
    scripts = ("preprocess.py", "train.py", "evaluate.py", "inference.py")
    return {"manifest.json": json.dumps(author), **{name: "print(1)\n" for name in scripts}}


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    """moto for one file of tests: boto3 reads its service models once (0.2 s a test otherwise)."""
    with pytest.MonkeyPatch.context() as environment, mock_aws() as mock:
        for name, value in ENVIRONMENT.items():
            environment.setenv(name, value)
        yield mock


@pytest.fixture
def world(fresh_world: Callable[[], World]) -> World:
    """Buckets as the template makes them, and a pipeline that has just started an execution."""
    return fresh_world()


@pytest.fixture
def fresh_world(aws: Any) -> Iterator[Callable[[], World]]:
    """Makes worlds, each in place of the one before.

    Clients are new in each world, and with them what a test hooks into them.
    """

    def make() -> World:
        aws.reset()
        _forget()
        s3 = clients.s3()
        for bucket in (ARTIFACTS, WORKFLOW):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        pipeline, machines = FakePipeline(), FakeMachines()
        pipeline.attach(clients.codepipeline())
        machines.attach(clients.stepfunctions())
        clients.ssm().put_parameter(Name="/signalbox/dev/promotion-path", Value="[]", Type="String")
        return World(s3, pipeline, machines, _listen())

    yield make
    clients.forget()


def _forget() -> None:
    clients.forget()
    webhook_posts.forget()
    promotion_target.forget()
    create_schema._platform.cache_clear()
    record_outcome._network.cache_clear()
    run_schedule._settings.cache_clear()
    for function in (
        approval_notifier,
        data_intake,
        promote_version,
        promotion_handler,
        receive_version,
        reconciler,
        update_schema,
        webhook_sender,
    ):
        function._settings.cache_clear()


def _listen() -> str:
    """The topic, and a queue that hears all of it; the queue's URL."""
    topic = clients.sns().create_topic(Name="signalbox-dev-notifications")["TopicArn"]
    url = boto3.client("sqs").create_queue(QueueName="signalbox-dev-webhook")["QueueUrl"]
    clients.sns().subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint="arn:aws:sqs:us-east-1:123456789012:signalbox-dev-webhook",
        Attributes={
            "RawMessageDelivery": "true",
            "FilterPolicy": '{"signalbox":[{"exists":true}]}',
        },
    )
    return url
