"""A resolved manifest and a SageMaker that does what is asked: the machines' ordinary day."""

import copy
from typing import Any

from tests.contracts.machine_harness import Answer

ACCOUNT = "123456789012"
RUN_ID = "261121-000642-abc123"
BUCKET = f"s3://signalbox-dev-workflow-{ACCOUNT}-us-east-1"
RUN_URI = f"{BUCKET}/runs/{RUN_ID}"
PACKAGE_ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/signalbox-dev-diabetes/1"
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
VERDICT: dict[str, Any] = {
    "accepted": True,
    "reasons": ["rmse 54.1 is at most 60.0"],
    "metrics": {"regression_metrics.rmse.value": 54.1},
    "champion": None,
    "evaluationUri": f"{RUN_URI}/evaluation/1/evaluation.json",
}


def resolved_manifest(
    *, mode: str = "batch", prefix: str = "signalbox-dev", workload: str = "diabetes"
) -> dict[str, Any]:
    """What create_schema and update_schema hand to the machines."""
    steps = ("preprocess", "train", "evaluate", "transform", "model", "config")
    folders = ("source", "preprocess", "training", "evaluation", "inference", "predictions")
    return {
        "schemaVersion": "1",
        "workload": {
            "name": workload,
            "evaluate": {
                "gates": [{"metric": "regression_metrics.rmse.value", "max": 60.0}],
                "champion": None,
            },
        },
        "run": {
            "id": RUN_ID,
            "pipeline": f"{prefix}-workflow",
            "source": {"revisionId": "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY"},
        },
        "names": {step: f"{prefix}-{step}-{RUN_ID}" for step in steps}
        | {"endpoint": f"{prefix}-{workload}", "modelPackageGroup": f"{prefix}-{workload}"},
        "images": dict.fromkeys(("preprocess", "train", "evaluate", "inference"), IMAGE),
        "locations": {
            "run": RUN_URI,
            "manifest": f"{RUN_URI}/manifest.json",
            "scripts": f"{RUN_URI}/code/scripts",
            "sourcedir": f"{RUN_URI}/code/sourcedir.tar.gz",
        }
        | {folder: f"{RUN_URI}/{folder}" for folder in folders},
        "roles": {
            "job": f"arn:aws:iam::{ACCOUNT}:role/{prefix}-job",
            "hosting": f"arn:aws:iam::{ACCOUNT}:role/{prefix}-hosting",
        },
        "kmsKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
        "steps": {
            "preprocess": _processing("preprocess.py"),
            "train": _training(),
            "evaluate": _processing("evaluate.py"),
            "inference": _inference(mode),
        },
        "registration": {
            "metadata": {"run_id": RUN_ID, "workload": workload, "code_digest": "sha256:00ff"},
            "description": f"{workload} trained in run {RUN_ID}",
        },
        "inference": {
            "mode": mode,
            "modelPackageArn": PACKAGE_ARN,
            "inputUri": f"{RUN_URI}/inference",
            "predictionsUri": f"{RUN_URI}/predictions",
            "endpoint": f"{prefix}-{workload}",
        },
        "history": [],
    }


def _machine(count: int = 1) -> dict[str, Any]:
    return {"instanceType": "ml.m5.large", "instanceCount": count, "maxRuntimeSeconds": 3600}


def _processing(script: str) -> dict[str, Any]:
    entrypoint = ["python3", f"/opt/ml/processing/input/code/{script}"]
    return _machine() | {"entrypoint": entrypoint, "volumeSizeGb": 10, "environment": {}}


def _training() -> dict[str, Any]:
    return _machine() | {
        "volumeSizeGb": 10,
        "environment": {},
        "hyperparameters": {"sagemaker_program": '"train.py"', "max_iter": "300"},
        "channels": [
            {"name": "train", "path": "train"},
            {"name": "preprocessor", "path": "preprocessor"},
        ],
        "metricDefinitions": [{"Name": "validation:rmse", "Regex": "rmse=([0-9.]+)"}],
    }


def _inference(mode: str) -> dict[str, Any]:
    return _machine() | {
        "mode": mode,
        "environment": {
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": f"{RUN_URI}/code/sourcedir.tar.gz",
        },
        "contentType": "text/csv",
        "accept": "text/csv",
        "maxPayloadMb": 6,
        "maxConcurrentTransforms": 1,
        "serverless": {"memoryMb": 2048, "maxConcurrency": 5},
        "contentTypes": ["text/csv", "application/jsonlines"],
        "responseTypes": ["text/csv"],
        "realtimeInstanceTypes": ["ml.m5.large"],
        "transformInstanceTypes": ["ml.m5.large"],
    }


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
        "listEndpoints": lambda _: {"Endpoints": []},
        "describeEndpoint": lambda _: described_endpoint("InService", first_config()),
    }
    answers = sagemaker | {f"aws-sdk:sagemaker:{name}": one for name, one in registry.items()}
    answers["lambda:invoke"] = _functions(verdict)
    for name, answer in instead.items():
        (action,) = [key for key in answers if key.split(":")[-1].split(".")[0] == name]
        answers[action] = answer
    return answers
