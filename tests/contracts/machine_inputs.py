"""A resolved manifest and a SageMaker that does what is asked: the machines' ordinary day."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from signalbox import manifest, registration
from signalbox.manifest_resolution import Authored, Platform, Release, resolve
from signalbox.manifest_resolved import Source, to_document
from tests.contracts.machine_harness import Answer

WORKLOADS = Path(__file__).parents[2] / "workloads"
ACCOUNT = "123456789012"
RUN_ID = "261121-000642-abc123"
STARTED_AT = datetime(2026, 11, 21, 0, 6, 42, tzinfo=UTC)
BUCKET = f"signalbox-dev-workflow-{ACCOUNT}-us-east-1"
RUN_URI = f"s3://{BUCKET}/runs/{RUN_ID}"
PACKAGE_ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/signalbox-dev-diabetes/1"
REPORT_URI = f"{RUN_URI}/report/index.html"
CHAMPION_ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/signalbox-dev-diabetes/7"
CHAMPION_MODEL = f"s3://{BUCKET}/runs/old/training/old/output/model.tar.gz"
VERDICT: dict[str, Any] = {
    "accepted": True,
    "reasons": ["rmse 54.1 is at most 60.0"],
    "unmet": [],
    "metrics": {"regression_metrics.rmse.value": 54.1},
    "rows": 89,
    "champion": None,
    "comparisons": [],
    "slices": [],
    "evaluationUri": f"{RUN_URI}/evaluation/1/evaluation.json",
    "artifact": {"version": "v1", "etag": "0f1e", "bytes": "2048"},
}


def resolved_manifest(
    *,
    mode: str = "batch",
    app: str = "signalbox",
    environment: str = "dev",
    workload: str = "diabetes",
    name: str | None = None,
) -> dict[str, Any]:
    """What create_schema and update_schema hand to the machines for one of our workloads."""
    written = json.loads((WORKLOADS / workload / "manifest.json").read_text())
    patched = written | {"name": name or written["name"], "inference": {"mode": mode}}
    authored = Authored(written, patched, {}, manifest.validate(patched))
    resolved = resolve(authored, _platform(app, environment), _release())
    served = registration.with_serving(resolved, PACKAGE_ARN, at=STARTED_AT)
    return to_document(served)


def _platform(app: str, environment: str) -> Platform:
    prefix = f"{app}-{environment}"
    return Platform(
        app=app,
        environment=environment,
        region="us-east-1",
        pipeline=f"{prefix}-workflow",
        workflow_bucket=BUCKET,
        image=f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3",
        job_role_arn=f"arn:aws:iam::{ACCOUNT}:role/{prefix}-job",
        hosting_role_arn=f"arn:aws:iam::{ACCOUNT}:role/{prefix}-hosting",
        kms_key_arn=f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
    )


def _release() -> Release:
    return Release(
        run_id=RUN_ID,
        execution_id="0a1b2c3d-1111-2222-3333-444455556666",
        started_at=STARTED_AT,
        source=Source(
            revision_id="3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",
            revision_summary="Amazon S3 version",
            digest="sha256:0f1e",
        ),
        code_digest="sha256:00ff",
    )


def _arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:{kind}/{name}"


def _processing_job(parameters: dict[str, Any]) -> dict[str, Any]:
    name = parameters["ProcessingJobName"]
    return {"ProcessingJobName": name, "ProcessingJobArn": _arn("processing-job", name)}


def _training_job(parameters: dict[str, Any]) -> dict[str, Any]:
    name = parameters["TrainingJobName"]
    folder = parameters["OutputDataConfig"]["S3OutputPath"]
    return {
        "TrainingJobName": name,
        "TrainingJobArn": _arn("training-job", name),
        "ModelArtifacts": {"S3ModelArtifacts": f"{folder}/{name}/output/model.tar.gz"},
    }


def _functions(verdict: dict[str, Any]) -> Answer:
    def invoke(parameters: dict[str, Any]) -> dict[str, Any]:
        if "JudgeModel" in parameters["FunctionName"]:
            return {"Payload": verdict}
        if "BuildReport" in parameters["FunctionName"]:
            return {"Payload": {"uri": REPORT_URI}}
        if parameters["Payload"]["status"] == "started":
            data = {"digest": "sha256:ab12", "objects": 1, "bytes": 9876}
            return {"Payload": {"attempt": "1", "data": data}}
        return {"Payload": {"recorded": True}}

    return invoke


def described_endpoint(status: str, config: str, **more: str) -> dict[str, Any]:
    """An answer of DescribeEndpoint, as far as the machine looks at it."""
    return {"EndpointName": "e", "EndpointStatus": status, "EndpointConfigName": config, **more}


def first_config(retry: int = 0) -> str:
    """The config name of the first attempt."""
    return f"signalbox-dev-config-{RUN_ID}-1-{retry}"


def obliging_aws(*, verdict: dict[str, Any] = VERDICT, **instead: Answer) -> dict[str, Answer]:
    """Every call succeeds at once, on an account where group and endpoint do not exist yet.

    `instead` replaces answers by the last part of their action: `createModel=...`.
    """
    sagemaker: dict[str, Answer] = {
        "sagemaker:createProcessingJob.sync": _processing_job,
        "sagemaker:createTrainingJob.sync": _training_job,
        "sagemaker:createTransformJob.sync": copy.deepcopy,
        "sagemaker:createModel": lambda p: {"ModelArn": _arn("model", p["ModelName"])},
        "sagemaker:createEndpointConfig": lambda p: {
            "EndpointConfigArn": _arn("endpoint-config", p["EndpointConfigName"])
        },
        "sagemaker:createEndpoint": lambda p: {"EndpointArn": _arn("endpoint", p["EndpointName"])},
        "sagemaker:updateEndpoint": lambda p: {"EndpointArn": _arn("endpoint", p["EndpointName"])},
    }
    registry: dict[str, Answer] = {
        "listModelPackageGroups": lambda _: {"ModelPackageGroupSummaryList": []},
        "createModelPackageGroup": lambda p: {"ModelPackageGroupArn": "arn"},
        "describeModelPackageGroup": lambda _: {"ModelPackageGroupStatus": "Completed"},
        "createModelPackage": lambda _: {"ModelPackageArn": PACKAGE_ARN},
        "listModelPackages": lambda _: {"ModelPackageSummaryList": []},
        "describeModelPackage": lambda p: {
            "ModelPackageArn": p["ModelPackageName"],
            "InferenceSpecification": {"Containers": [{"ModelDataUrl": CHAMPION_MODEL}]},
        },
        "listEndpoints": lambda _: {"Endpoints": []},
        "describeEndpoint": lambda _: described_endpoint("InService", first_config()),
    }
    answers = sagemaker | {f"aws-sdk:sagemaker:{name}": one for name, one in registry.items()}
    answers["lambda:invoke"] = _functions(verdict)
    for name, answer in instead.items():
        (action,) = [key for key in answers if key.split(":")[-1].split(".")[0] == name]
        answers[action] = answer
    return answers
