"""An environment with one endpoint and two versions: moto for S3, SSM, STS and CloudWatch, a fake
for SageMaker's endpoints, which moto lacks, and for Step Functions.

The fakes answer at botocore's `before-call` hook, so requests are still checked against the
services' models.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from signalbox import serving
from signalbox.serving import Deployment, DeploymentStatus, ServingRecord
from signalbox_cli.target import Target

ACCOUNT, REGION = "123456789012", "us-east-1"
BUCKET = "workflow"
GROUP = "signalbox-dev-diabetes"
LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:signalbox-dev-promotion"
PATH = [{"environment": "staging"}, {"environment": "prod"}]


def arn(version: int) -> str:
    """The ARN of a version."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/{GROUP}/{version}"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C at a chosen call."""


@dataclass
class World:
    """What the fakes know, and how often they were called."""

    served: str = "config-2"
    status: str = "InService"
    pending: str = ""
    looks_until_done: int = 2
    takes_back: bool = False
    rival: str = ""
    first_instances: int = 2
    keeps_instances: bool = False
    configs: set[str] = field(default_factory=lambda: {"config-1", "config-2"})
    approvals: dict[int, str] = field(default_factory=lambda: {1: "Approved", 2: "Approved"})
    metadata: dict[int, dict[str, str]] = field(default_factory=lambda: {1: {}, 2: {}})
    stages: dict[int, dict[str, str]] = field(default_factory=dict)
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)
    updates: int = 0
    calls: int = 0
    interrupt_at: int = 0
    target: Target = field(default_factory=lambda: Target(region=REGION))

    def attach(self) -> None:
        """Answer the target's clients, and make its bucket and parameters.

        Clients cost more than all else: a target goes from world to world, the last one answers.
        """
        is_new = "world" not in self.target._memo
        self.target._memo["world"] = self
        self.target._memo.pop("wiring", None)
        if is_new:
            self._hook()
        self.target.client("s3").create_bucket(Bucket=BUCKET)
        values = {
            **dict.fromkeys(("pipeline-name", "source-bucket", "source-key"), "x"),
            "workflow-bucket": BUCKET,
            "training-state-machine-arn": "x",
            "inference-state-machine-arn": "x",
            "promotion-state-machine-arn": MACHINE,
            "promotion-path": json.dumps(PATH),
        }
        for name, value in values.items():
            self.target.client("ssm").put_parameter(
                Name=f"/signalbox/dev/{name}", Value=value, Type="String", Overwrite=True
            )

    def _hook(self) -> None:
        current, client = self.target._memo, self.target.client
        for service in ("sagemaker", "stepfunctions"):
            client(service).meta.events.register_first("before-call", _answer_of(current))
        client("s3").meta.events.register_first(
            "before-call", lambda **_: current["world"]._count()
        )

    def put_record(self, *statuses: str) -> None:
        """Version 1, 2, ... of the endpoint, each with the status it ended in."""
        entries = [
            Deployment(
                key=f"inference-{number}",
                at="2026-11-20T10:00:00Z",
                run_id=f"run-{number}",
                model_package_arn=arn(number),
                version=number,
                endpoint_config=f"config-{number}",
                model=f"model-{number}",
                status=DeploymentStatus(status),
            )
            for number, status in enumerate(statuses, start=1)
        ]
        record = ServingRecord(endpoint=GROUP, deployments=entries)
        self.put(serving.record_key(GROUP), serving.to_json(record))

    def put(self, key: str, content: bytes) -> None:
        """An object of the workflow bucket."""
        self.target.client("s3").put_object(Bucket=BUCKET, Key=key, Body=content)

    def record(self) -> list[tuple[int, str]]:
        """The record's deployments: version and status."""
        body = self.target.client("s3").get_object(Bucket=BUCKET, Key=serving.record_key(GROUP))
        found = serving.from_json(body["Body"].read(), source="record")
        return [(d.version, d.status.value) for d in found.deployments]

    def _count(self, **_: Any) -> None:
        self.calls += 1
        if self.calls == self.interrupt_at:
            raise Interrupted

    def _answer(self, model: Any, params: dict[str, Any], **_: Any) -> Any:
        self._count()
        request = json.loads(params["body"] or "{}")
        return getattr(self, f"_{model.name}")(request)

    # ---------------------------------------------------------------------------- SageMaker

    def _ListEndpoints(self, _request: dict[str, Any]) -> Any:
        one = {
            "EndpointName": GROUP,
            "EndpointArn": "a" * 20,
            "CreationTime": LONG_AGO,
            "LastModifiedTime": LONG_AGO,
            "EndpointStatus": self.status,
        }
        return ok({"Endpoints": [one]})

    def _DescribeEndpoint(self, _request: dict[str, Any]) -> Any:
        if self.pending:
            self.looks_until_done -= 1
            if self.looks_until_done <= 0:
                self.served = self.served if self.takes_back else self.pending
                self.status, self.pending = "InService", ""
        summary = {"EndpointConfigName": self.pending, "ProductionVariants": []}
        variant = {
            "VariantName": "primary",
            "CurrentWeight": 1.0,
            "CurrentInstanceCount": 2,
            "DesiredInstanceCount": 2,
        }
        return ok(
            {
                "EndpointName": GROUP,
                "EndpointStatus": self.status,
                "EndpointConfigName": self.served,
                "LastModifiedTime": LONG_AGO,
                "ProductionVariants": [variant],
                **({"PendingDeploymentSummary": summary} if self.pending else {}),
            }
        )

    def _UpdateEndpoint(self, request: dict[str, Any]) -> Any:
        if self.rival:  # whose update came in between
            self.pending, self.status, self.looks_until_done = self.rival, "Updating", 3
            return error("ValidationException", f"Cannot update in-progress endpoint {GROUP}")
        self.updates += 1
        self.keeps_instances = request.get("RetainAllVariantProperties", False)
        self.pending, self.status = request["EndpointConfigName"], "Updating"
        self.looks_until_done = 2
        return ok({"EndpointArn": "a"})

    def _DescribeEndpointConfig(self, request: dict[str, Any]) -> Any:
        name = request["EndpointConfigName"]
        if name not in self.configs:
            return error("ValidationException", f'Could not find endpoint configuration "{name}".')
        variant = {
            "VariantName": "primary",
            "ModelName": name.replace("config", "model"),
            "InitialInstanceCount": self.first_instances,
        }
        return ok({"EndpointConfigName": name, "ProductionVariants": [variant]})

    def _DescribeModel(self, request: dict[str, Any]) -> Any:
        return ok({"ModelName": request["ModelName"]})

    def _ListModelPackageGroups(self, _request: dict[str, Any]) -> Any:
        return ok({"ModelPackageGroupSummaryList": [{"ModelPackageGroupName": GROUP}]})

    def _ListModelPackages(self, _request: dict[str, Any]) -> Any:
        listed = [{"ModelPackageArn": arn(version)} for version in sorted(self.approvals)[::-1]]
        return ok({"ModelPackageSummaryList": listed})

    def _DescribeModelPackage(self, request: dict[str, Any]) -> Any:
        version = int(request["ModelPackageName"].rpartition("/")[2])
        uri = f"s3://{BUCKET}/evaluation/{version}.json"
        return ok(
            {
                "ModelPackageGroupName": GROUP,
                "ModelPackageVersion": version,
                "ModelPackageArn": arn(version),
                "ModelApprovalStatus": self.approvals[version],
                "CreationTime": LONG_AGO,
                "CustomerMetadataProperties": self.metadata[version],
                "ModelLifeCycle": self.stages.get(version, {}),
                "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": uri}}},
            }
        )

    def _UpdateModelPackage(self, request: dict[str, Any]) -> Any:
        version = int(request["ModelPackageArn"].rpartition("/")[2])
        self.metadata[version] |= request.get("CustomerMetadataProperties", {})
        for name in request.get("CustomerMetadataPropertiesToRemove", []):
            self.metadata[version].pop(name, None)
        self.stages[version] = request.get("ModelLifeCycle", {})
        return ok({"ModelPackageArn": request["ModelPackageArn"]})

    # ------------------------------------------------------------------------ Step Functions

    def _StartExecution(self, request: dict[str, Any]) -> Any:
        execution = f"{MACHINE.replace('stateMachine', 'execution')}:{request['name']}"
        self.executions[execution] = {"status": "RUNNING", "input": request["input"]}
        return ok({"executionArn": execution, "startDate": LONG_AGO})

    def _DescribeExecution(self, request: dict[str, Any]) -> Any:
        found = self.executions.get(request["executionArn"])
        if found is None:
            return error("ExecutionDoesNotExist", "no such execution")
        return ok({"executionArn": request["executionArn"], **found})

    def _GetExecutionHistory(self, _request: dict[str, Any]) -> Any:
        entered = {"name": "Verify"}
        return ok({"events": [{"type": "TaskStateEntered", "stateEnteredEventDetails": entered,
                               "timestamp": LONG_AGO}]})  # fmt: skip


def _answer_of(current: dict[str, Any]) -> Any:
    def answer(**given: Any) -> Any:
        return current["world"]._answer(**given)

    return answer


def ok(parsed: dict[str, Any]) -> Any:
    """An answer."""
    return SimpleNamespace(status_code=200), parsed


def error(code: str, message: str) -> Any:
    """A refusal."""
    refused = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return SimpleNamespace(status_code=400), refused
