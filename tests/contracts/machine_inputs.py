"""A resolved manifest and a SageMaker that does what is asked: the machines' ordinary day."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from signalbox import job_network, manifest, registration
from signalbox.job_network import JobNetwork
from signalbox.manifest_resolution import Authored, Platform, Release, resolve
from signalbox.manifest_resolved import Source, to_document
from tests.contracts.machine_harness import Answer, in_turn

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
NO_CONSEQUENCES: dict[str, Any] = {"superseded": [], "retired": [], "marks": [], "failed": []}
SAGEMAKERS_NETWORK = job_network.described(JobNetwork((), (), is_isolated=False))
OLD_VARIANT: dict[str, Any] = {
    "VariantName": "primary",
    "ModelName": "signalbox-dev-model-261120-101500-ffff00-1-0",
    "InstanceType": "ml.m5.large",
    "InitialInstanceCount": 1,
    "InitialVariantWeight": 1.0,
}
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
    inference: dict[str, Any] | None = None,
    app: str = "signalbox",
    environment: str = "dev",
    workload: str = "diabetes",
    name: str | None = None,
    is_isolated: bool = False,
) -> dict[str, Any]:
    """What create_schema and update_schema hand to the machines for one of our workloads."""
    written = json.loads((WORKLOADS / workload / "manifest.json").read_text())
    patched = written | {
        "name": name or written["name"],
        "inference": {"mode": mode, **(inference or {})},
    }
    platform = replace(_platform(app, environment), is_isolated=is_isolated)
    authored = Authored(written, patched, {}, manifest.validate(patched))
    resolved = resolve(authored, platform, _release())
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


def _functions(
    verdict: dict[str, Any], consequences: dict[str, Any], network: dict[str, Any]
) -> Answer:
    def invoke(parameters: dict[str, Any]) -> dict[str, Any]:
        if "JudgeModel" in parameters["FunctionName"]:
            return {"Payload": verdict}
        if "BuildReport" in parameters["FunctionName"]:
            return {"Payload": {"uri": REPORT_URI}}
        if "ProbeEndpoint" in parameters["FunctionName"]:
            return {"Payload": {"rows": 20, "maxDifference": 0.0}}
        if parameters["Payload"]["status"] == "started":
            data = {"digest": "sha256:ab12", "objects": 1, "bytes": 9876}
            answer = {"attempt": "1", "data": data, "champion": [], "network": network}
            return {"Payload": answer}
        return {"Payload": {"recorded": True, **consequences}}

    return invoke


def described_endpoint(status: str, config: str, **more: str) -> dict[str, Any]:
    """An answer of DescribeEndpoint, as far as the machine looks at it."""
    return {"EndpointName": "e", "EndpointStatus": status, "EndpointConfigName": config, **more}


def first_config(retry: int = 0) -> str:
    """The config name of the first attempt."""
    return f"signalbox-dev-config-{RUN_ID}-1-{retry}"


def known_endpoint(*descriptions: Any) -> dict[str, Answer]:
    """An endpoint that is there already, look by look; one for a probe serves at once."""
    looks = in_turn(*descriptions)

    def describe(parameters: dict[str, Any]) -> Any:
        if "-probe-" in parameters["EndpointName"]:
            return described_endpoint("InService", first_config())
        return looks(parameters)

    found = {"Endpoints": [{"EndpointName": "signalbox-dev-diabetes"}]}
    return {"listEndpoints": in_turn(found), "describeEndpoint": describe}


def obliging_aws(
    *,
    verdict: dict[str, Any] = VERDICT,
    consequences: dict[str, Any] | None = None,
    network: dict[str, Any] = SAGEMAKERS_NETWORK,
    **instead: Answer,
) -> dict[str, Answer]:
    """Every call succeeds at once, on an account where group and endpoint do not exist yet.

    `network` is where record_outcome says that jobs run, `consequences` replaces parts of what it
    says after a deployment, and `instead` answers by the last part of their action:
    `createModel=...`.
    """
    sagemaker: dict[str, Answer] = {
        "sagemaker:createProcessingJob.sync": _processing_job,
        "sagemaker:createTrainingJob.sync": _training_job,
        "sagemaker:createTransformJob.sync": copy.deepcopy,
        "sagemaker:createModel": lambda p: {"ModelArn": _arn("model", p["ModelName"])},
        "aws-sdk:sagemaker:createEndpointConfig": lambda p: {
            "EndpointConfigArn": _arn("endpoint-config", p["EndpointConfigName"])
        },
        "sagemaker:createEndpoint": lambda p: {"EndpointArn": _arn("endpoint", p["EndpointName"])},
        "aws-sdk:sagemaker:stopProcessingJob": lambda _: {},
        "aws-sdk:sagemaker:stopTrainingJob": lambda _: {},
        "aws-sdk:sagemaker:stopTransformJob": lambda _: {},
        "aws-sdk:sagemaker:updateEndpoint": lambda p: {
            "EndpointArn": _arn("endpoint", p["EndpointName"])
        },
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
            "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": VERDICT["evaluationUri"]}}},
            "CustomerMetadataProperties": {"run_id": RUN_ID},
        },
        "listEndpoints": lambda _: {"Endpoints": []},
        "describeEndpoint": lambda _: described_endpoint("InService", first_config()),
        "describeEndpointConfig": lambda p: {
            "EndpointConfigName": p["EndpointConfigName"],
            "ProductionVariants": [OLD_VARIANT],
        },
        "deleteEndpoint": lambda _: {},
        "deleteEndpointConfig": lambda _: {},
        "deleteModel": lambda _: {},
        "updateModelPackage": lambda p: {"ModelPackageArn": p["ModelPackageArn"]},
    }
    answers = sagemaker | {f"aws-sdk:sagemaker:{name}": one for name, one in registry.items()}
    answers |= {
        "aws-sdk:cloudwatch:putMetricAlarm": lambda _: {},
        "aws-sdk:cloudwatch:describeAlarms": lambda _: {"MetricAlarms": [], "CompositeAlarms": []},
        "aws-sdk:applicationautoscaling:registerScalableTarget": lambda _: {},
        "aws-sdk:applicationautoscaling:deregisterScalableTarget": lambda _: {},
        "aws-sdk:applicationautoscaling:putScalingPolicy": lambda _: {"PolicyARN": "arn"},
        "lambda:invoke": _functions(verdict, NO_CONSEQUENCES | (consequences or {}), network),
    }
    for name, answer in instead.items():
        (action,) = [key for key in answers if key.split(":")[-1].split(".")[0] == name]
        answers[action] = answer
    return answers
