"""A laptop with a role, a bucket and short ways to start SageMaker's jobs, for the tests here."""

import io
import json
import tarfile
import textwrap
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws import clients
from localaws.context import Config
from localaws.events import service as events
from localaws.jobs import service as jobs
from localaws.jobs.state import Job
from localaws.sagemaker.store import Kind, Place
from localaws.server import LaptopServer

ACCOUNT = "123456789012"
REGION = "us-east-1"
PLACE = Place(ACCOUNT, REGION)
BUCKET = "world-bucket"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/job"
IMAGE = f"683313688378.dkr.ecr.{REGION}.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
FACTOR = """
    def model_fn(model_dir):
        return float(open(model_dir + "/factor.txt").read())

    def input_fn(body, content_type):
        return [float(line) for line in body.splitlines()]

    def predict_fn(rows, factor):
        return [row * factor for row in rows]

    def output_fn(prediction, accept):
        return "".join(f"{value}\\n" for value in prediction)
"""
"""inference.py of a model that multiplies each line by its factor.txt."""
_MOVING = ("Creating", "Updating", "SystemUpdating", "RollingBack")
_KINDS = {
    "Processing": Kind.PROCESSING_JOB,
    "Training": Kind.TRAINING_JOB,
    "Transform": Kind.TRANSFORM_JOB,
}


@dataclass(frozen=True)
class World:
    """The clients of a developer, and the events that came by."""

    sagemaker: Any
    runtime: Any
    s3: Any
    iam: Any
    logs: Any
    events: list[dict[str, Any]]
    state_dir: Path

    def put(self, key: str, text: str | bytes) -> str:
        """Store an object; its address."""
        body = textwrap.dedent(text).encode() if isinstance(text, str) else text
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def get(self, key: str) -> bytes:
        """An object's bytes."""
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix."""
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in found]

    def put_archive(self, key: str, files: Mapping[str, str | bytes]) -> str:
        """Store a tar.gz of the given files; its address."""
        return self.put(key, archive(files))

    def role(self, name: str, *statements: dict[str, Any]) -> str:
        """A role that SageMaker may assume, with the given statements; its ARN."""
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
        if statements:
            self.iam.put_role_policy(
                RoleName=name, PolicyName="p", PolicyDocument=_policy(*statements)
            )
        return f"arn:aws:iam::{ACCOUNT}:role/{name}"

    def start_processing(self, name: str, script: str, **changes: Any) -> None:
        """Start a processing job that runs the script as /opt/ml/processing/input/code/run.py."""
        code = self.put(f"code/{name}/run.py", script)
        request: dict[str, Any] = {
            "ProcessingJobName": name,
            "RoleArn": ROLE,
            "AppSpecification": {
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/run.py"],
            },
            "ProcessingInputs": [processing_input("code", code, "input/code")],
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceCount": 1,
                    "InstanceType": "ml.m5.large",
                    "VolumeSizeInGB": 1,
                }
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        }
        self.sagemaker.create_processing_job(**{**request, **changes})

    def process(self, name: str, script: str, **changes: Any) -> dict[str, Any]:
        """Run a processing job to its end; its description."""
        self.start_processing(name, script, **changes)
        return self.finished("Processing", name)

    def start_training(self, name: str, files: Mapping[str, str], **changes: Any) -> None:
        """Start a training job whose program is train.py."""
        code = self.put_archive(f"code/{name}/sourcedir.tar.gz", files)
        own = {"sagemaker_program": "train.py", "sagemaker_submit_directory": code}
        hyperparameters = {**own, **changes.pop("hyperparameters", {})}
        metrics = changes.pop("metrics", [])
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": metrics,
            },
            "HyperParameters": hyperparameters,
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/training"},
            "ResourceConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "VolumeSizeInGB": 1,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        }
        self.sagemaker.create_training_job(**{**request, **changes})

    def train(self, name: str, files: Mapping[str, str], **changes: Any) -> dict[str, Any]:
        """Run a training job to its end; its description."""
        self.start_training(name, files, **changes)
        return self.finished("Training", name)

    def job(self, kind: str, name: str) -> Job:
        """The live job."""
        job = jobs.find(_KINDS[kind], name, PLACE)
        assert job is not None
        return job

    def finished(self, kind: str, name: str) -> dict[str, Any]:
        """Wait for a job's end; its description."""
        assert self.job(kind, name).finished.wait(180), f"{name} did not end"
        operation = getattr(self.sagemaker, f"describe_{kind.lower()}_job")
        described: dict[str, Any] = operation(**{f"{kind}JobName": name})
        return described

    def log(self, group: str, prefix: str) -> list[str]:
        """Messages of all streams that begin with the prefix."""
        streams = self.logs.describe_log_streams(
            logGroupName=f"/aws/sagemaker/{group}", logStreamNamePrefix=prefix
        )
        messages: list[str] = []
        for stream in streams["logStreams"]:
            answer = self.logs.get_log_events(
                logGroupName=f"/aws/sagemaker/{group}",
                logStreamName=stream["logStreamName"],
                startFromHead=True,
            )
            messages += [event["message"] for event in answer["events"]]
        return messages

    def log_comes(self, group: str, prefix: str, text: str) -> bool:
        """Wait until a line with the text is in the log."""
        return comes_true(lambda: any(text in line for line in self._log(group, prefix)))

    def _log(self, group: str, prefix: str) -> list[str]:
        try:
            return self.log(group, prefix)
        except self.logs.exceptions.ResourceNotFoundException:
            return []

    def model(self, name: str, files: Mapping[str, str | bytes], **environment: str) -> None:
        """Create a model whose code travels in the archive under code/."""
        url = self.put_archive(f"models/{name}/model.tar.gz", files)
        self.sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=ROLE,
            PrimaryContainer=container(url, **environment),
        )

    def transform(self, name: str, model: str, source: str, **changes: Any) -> dict[str, Any]:
        """Run a batch transform of CSV lines to its end; its description."""
        request: dict[str, Any] = {
            "TransformJobName": name,
            "ModelName": model,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            "TransformOutput": {
                "S3OutputPath": f"s3://{BUCKET}/predictions/{name}",
                "Accept": "text/csv",
                "AssembleWith": "Line",
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        }
        self.sagemaker.create_transform_job(**{**request, **changes})
        return self.finished("Transform", name)

    def config(self, name: str, model: str, **changes: Any) -> None:
        """An endpoint configuration of one variant."""
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": model,
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
            **changes,
        }
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[{k: v for k, v in variant.items() if v is not None}],
        )

    def endpoint(self, name: str, config: str) -> dict[str, Any]:
        """Create an endpoint and wait until it is no longer Creating."""
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        return self.settled(name)

    def settled(self, name: str) -> dict[str, Any]:
        """Wait until an endpoint is not being changed; its description."""

        def is_settled() -> bool:
            described = self.sagemaker.describe_endpoint(EndpointName=name)
            return described["EndpointStatus"] not in _MOVING

        assert comes_true(is_settled)
        described: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
        return described

    def invoke(self, endpoint: str, body: str | bytes, **changes: Any) -> bytes:
        """One invocation with CSV both ways."""
        request = {"ContentType": "text/csv", "Accept": "text/csv", **changes}
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **request)
        body = answer["Body"].read()
        assert isinstance(body, bytes)
        return body

    def told(self, detail_type: str, **detail: Any) -> list[dict[str, Any]]:
        """Events of a type whose detail holds the given values."""
        return [
            event
            for event in list(self.events)
            if event["detail-type"] == detail_type and detail.items() <= event["detail"].items()
        ]


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def comes_true(condition: Any, timeout_s: float = 120.0) -> bool:
    """Wait for a condition of another thread or process."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """A tar.gz of the given files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            body = textwrap.dedent(text).encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def members(packed: bytes) -> dict[str, bytes]:
    """Names and contents of a tar.gz."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        files = [member for member in tar if member.isfile()]
        return {member.name: tar.extractfile(member).read() for member in files}  # type: ignore[union-attr]


def processing_input(name: str, uri: str, path: str) -> dict[str, Any]:
    """An S3 input below /opt/ml/processing."""
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": f"/opt/ml/processing/{path}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        },
    }


def processing_output(name: str, uri: str, path: str) -> dict[str, Any]:
    """An S3 output from below /opt/ml/processing."""
    return {
        "OutputName": name,
        "S3Output": {
            "S3Uri": uri,
            "LocalPath": f"/opt/ml/processing/{path}",
            "S3UploadMode": "EndOfJob",
        },
    }


def container(url: str, **environment: str) -> dict[str, Any]:
    """A container that serves inference.py out of its archive."""
    variables = {
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        **environment,
    }
    return {"Image": IMAGE, "ModelDataUrl": url, "Environment": variables}


@contextmanager
def laptop(state_dir: Path) -> Iterator[World]:
    """A served laptop with the role `job`, which may do everything, and a bucket."""
    with LaptopServer(Config(port=0, state_dir=state_dir, time_scale=600)):
        seen: list[dict[str, Any]] = []
        events.subscribe(seen.append)
        names = ("sagemaker", "sagemaker-runtime", "s3", "iam", "logs")
        made = [clients.developer_client(name) for name in names]
        world = World(*made, events=seen, state_dir=state_dir)
        world.role("job", {"Effect": "Allow", "Action": "*", "Resource": "*"})
        world.s3.create_bucket(Bucket=BUCKET)
        yield world
