"""What the tests of pipelines share: a pipeline of any actions, and a way to wait without polling.

Waiting is on the events of `aws.codepipeline`, inside the process.
"""

import io
import json
import threading
import zipfile
from collections.abc import Callable
from typing import Any

from localaws import clients
from localaws.events import service as events

ACCOUNT = "123456789012"
REGION = "us-east-1"
PATIENCE_S = 120.0


def client(service: str) -> Any:
    """A boto3 client of the developer."""
    return clients.developer_client(service)


def zip_of(**files: str) -> bytes:
    """A zip with the given files; `__` stands for a dot."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return buffer.getvalue()


def action(name: str, category: str, provider: str, **more: Any) -> dict[str, Any]:
    """An action of the declaration; artifacts as lists of names."""
    declared: dict[str, Any] = {
        "name": name,
        "actionTypeId": {
            "category": category,
            "owner": "AWS",
            "provider": provider,
            "version": "1",
        },
    }
    for key in ("inputArtifacts", "outputArtifacts"):
        declared[key] = [{"name": item} for item in more.pop(key, [])]
    return {**declared, **more}


def approval(name: str, **more: Any) -> dict[str, Any]:
    """A manual approval."""
    return action(name, "Approval", "Manual", **more)


def stage(name: str, *actions: dict[str, Any]) -> dict[str, Any]:
    """A stage."""
    return {"name": name, "actions": list(actions)}


class Heard:
    """Collects the events of one pipeline and waits for some of them."""

    def __init__(self, pipeline: str) -> None:
        self._pipeline = pipeline
        self._changed = threading.Condition()
        self.events: list[dict[str, Any]] = []
        self.stop = events.subscribe(self._take)

    def _take(self, event: dict[str, Any]) -> None:
        if event["source"] == "aws.codepipeline" and event["detail"]["pipeline"] == self._pipeline:
            with self._changed:
                self.events.append(event)
                self._changed.notify_all()

    def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event that is wanted, waiting for it if need be."""
        with self._changed:
            found: list[dict[str, Any]] = []

            def there() -> bool:
                found[:] = [event for event in self.events if wanted(event)]
                return bool(found)

            assert self._changed.wait_for(there, PATIENCE_S), self.states()
            return found[0]

    def states(self) -> list[tuple[str, ...]]:
        """All changes so far, in order: level or name, and state."""
        return [_state(event) for event in self.events]


def _state(event: dict[str, Any]) -> tuple[str, ...]:
    detail = event["detail"]
    name = detail.get("action") or detail.get("stage") or "pipeline"
    level = event["detail-type"].split()[1]
    return level, name, detail["state"]


class PipelineBench:
    """One pipeline with its bucket, role and topic, made for one test."""

    def __init__(self, name: str) -> None:
        self.name = name[:60]
        self.bucket = f"{self.name[:45].lower().replace('_', '-')}-artifacts"
        self.heard = Heard(self.name)
        self._grants: list[dict[str, Any]] = []
        s3 = client("s3")
        s3.create_bucket(Bucket=self.bucket)
        s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        self.role = self._role()

    def _role(self) -> str:
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "codepipeline.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        made = client("iam").create_role(
            RoleName=self.name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
        bucket = f"arn:aws:s3:::{self.bucket}"
        self.grant("s3:GetBucketVersioning", bucket)
        self.grant("s3:*Object*", f"{bucket}/*")
        return str(made["Role"]["Arn"])

    def grant(self, action_: str, resource: str) -> None:
        """Allow the pipeline's role one more thing."""
        self._grants.append({"Effect": "Allow", "Action": action_, "Resource": resource})
        client("iam").put_role_policy(
            RoleName=self.name,
            PolicyName="inline",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": self._grants}),
        )

    def source(self, **more: Any) -> dict[str, Any]:
        """An S3 source of `in.zip` in the pipeline's own bucket."""
        configuration = {
            "S3Bucket": self.bucket,
            "S3ObjectKey": "in.zip",
            "PollForSourceChanges": "false",
            "AllowOverrideForS3ObjectKey": "true",
        }
        return action(
            "Source", "Source", "S3", configuration=configuration, outputArtifacts=["Zip"], **more
        )

    def upload(self, key: str = "in.zip", **files: str) -> str:
        """Put a source archive; returns its version."""
        body = zip_of(**(files or {"input__json": '{"from": "file"}'}))
        put = client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return str(put["VersionId"])

    def declare(self, *stages: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A declaration whose first stage is the S3 source; None takes something out."""
        declared = {
            "name": self.name,
            "roleArn": self.role,
            "pipelineType": "V2",
            "executionMode": "QUEUED",
            "artifactStore": {"type": "S3", "location": self.bucket},
            "stages": [stage("Source", self.source(namespace="Source")), *stages],
            **more,
        }
        return {name: value for name, value in declared.items() if value is not None}

    def create(self, *stages: dict[str, Any], **more: Any) -> None:
        """Upload a source and make the pipeline."""
        self.upload()
        client("codepipeline").create_pipeline(pipeline=self.declare(*stages, **more))

    def start(self, **more: Any) -> str:
        """Release."""
        answer = client("codepipeline").start_pipeline_execution(name=self.name, **more)
        return str(answer["pipelineExecutionId"])

    def ends(self, execution: str) -> str:
        """Wait for the end of an execution; returns its state."""
        event = self.heard.wait(
            lambda e: (
                _state(e)[0] == "Pipeline"
                and e["detail"]["execution-id"] == execution
                and e["detail"]["state"] not in {"STARTED", "STOPPING", "RESUMED"}
            )
        )
        return str(event["detail"]["state"])

    def begins(self, name: str, execution: str) -> dict[str, Any]:
        """Wait until an action has started in an execution; returns its state."""
        self.heard.wait(
            lambda e: (
                _state(e) == ("Action", name, "STARTED")
                and e["detail"]["execution-id"] == execution
            )
        )
        return self.action_state(name)

    def state(self) -> dict[str, dict[str, Any]]:
        """GetPipelineState by stage."""
        answer = client("codepipeline").get_pipeline_state(name=self.name)
        return {stage_["stageName"]: stage_ for stage_ in answer["stageStates"]}

    def action_state(self, name: str) -> dict[str, Any]:
        """The latest execution of an action as GetPipelineState shows it."""
        for stage_ in self.state().values():
            for state in stage_["actionStates"]:
                if state["actionName"] == name and "latestExecution" in state:
                    return dict(state["latestExecution"])
        return {}

    def decide(self, name: str, token: str, status: str = "Approved", summary: str = "ok") -> None:
        """Answer an approval; its stage has the same name."""
        client("codepipeline").put_approval_result(
            pipelineName=self.name,
            stageName=name,
            actionName=name,
            token=token,
            result={"status": status, "summary": summary},
        )

    def actions(self, execution: str) -> dict[str, dict[str, Any]]:
        """The latest run of each action of an execution."""
        answer = client("codepipeline").list_action_executions(
            pipelineName=self.name, filter={"pipelineExecutionId": execution}
        )
        newest_last = reversed(answer["actionExecutionDetails"])
        return {detail["actionName"]: detail for detail in newest_last}
