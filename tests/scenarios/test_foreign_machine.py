"""A state machine and scripts written by others, for AWS, run on the laptop as they are.

The set in `foreign/` knows nothing of Signalbox: paths below /opt/ml are written out, ARNs, image
and roles too, functions are plain ARNs, two containers serve one after the other, and a Wait loop
looks after the endpoint. The roles are what AWS's guides ask for, no more.
"""

import csv
import importlib
import io
import json
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import joblib
import numpy as np
import pandas as pd
import pytest

FOREIGN = Path(__file__).parent / "foreign"
REPOSITORY = Path(__file__).parents[2]
ACCOUNT, REGION, BUCKET = "123456789012", "us-east-1", "cars-data"
SMOKE_ROWS = ["3504,130,usa", "2372,95,japan", "1835,46,europe"]
SAGEMAKER = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
RULES = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/StepFunctionsGetEventsForSageMaker"
JOB_ROLE = f"arn:aws:iam::{ACCOUNT}:role/cars-sagemaker"


def allow(actions: list[str], resources: list[str], **condition: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **condition}


def sagemaker_actions(*names: str) -> list[str]:
    return [f"sagemaker:{name}" for name in names]


PASSED = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
MADE = ("model", "endpoint", "endpoint-config")
ROLES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "cars-machine": (
        "states.amazonaws.com",
        [
            allow(
                ["lambda:InvokeFunction"], [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:cars-*"]
            ),
            allow(
                sagemaker_actions(
                    "CreateProcessingJob", "DescribeProcessingJob", "StopProcessingJob", "AddTags"
                ),
                [f"{SAGEMAKER}:processing-job/cars-*"],
            ),
            allow(
                sagemaker_actions(
                    "CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob", "AddTags"
                ),
                [f"{SAGEMAKER}:training-job/cars-*"],
            ),
            allow(
                sagemaker_actions(
                    "CreateModel",
                    "CreateEndpointConfig",
                    "CreateEndpoint",
                    "UpdateEndpoint",
                    "DescribeEndpoint",
                    "AddTags",
                ),
                [f"{SAGEMAKER}:{kind}/cars-*" for kind in MADE],
            ),
            allow(["sagemaker:ListTags"], ["*"]),
            allow(["iam:PassRole"], [JOB_ROLE], Condition=PASSED),
            allow(
                ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
                [f"{RULES}ProcessingJobsRule", f"{RULES}TrainingJobsRule"],
            ),
        ],
    ),
    "cars-sagemaker": (
        "sagemaker.amazonaws.com",
        [
            allow(
                ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
                [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
            ),
            allow(
                [
                    "logs:CreateLogGroup",
                    "logs:CreateLogStream",
                    "logs:PutLogEvents",
                    "logs:DescribeLogStreams",
                    "cloudwatch:PutMetricData",
                ],
                ["*"],
            ),
        ],
    ),
    "cars-function": (
        "lambda.amazonaws.com",
        [
            allow(
                ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                [f"arn:aws:logs:{REGION}:{ACCOUNT}:*"],
            ),
            allow(["sagemaker:InvokeEndpoint"], [f"{SAGEMAKER}:endpoint/cars-live"]),
        ],
    ),
}


@dataclass(frozen=True)
class Account:
    """Somebody's AWS account, which happens to be a laptop."""

    url: str

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="AKIALAPTOPDEVELOPER0",
            aws_secret_access_key="laptop-developer-secret",
        )

    def object(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body: bytes = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def run(self, machine: str, name: str, config: dict[str, Any]) -> dict[str, Any]:
        """Start an execution and wait for its end."""
        states = self.client("stepfunctions")
        started = states.start_execution(
            stateMachineArn=machine, name=name, input=json.dumps({"config": json.dumps(config)})
        )
        while True:
            described: dict[str, Any] = states.describe_execution(
                executionArn=started["executionArn"]
            )
            if described["status"] != "RUNNING":
                return described
            time.sleep(0.1)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    state = tmp_path_factory.mktemp("foreign")
    command = [sys.executable, "-m", "localaws", "--port", "0", "--time-scale", "600"]
    with subprocess.Popen(
        [*command, "--state-dir", str(state)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as served:
        assert served.stdout is not None
        ready = json.loads(served.stdout.readline())
        yield Account(ready["url"])
        served.terminate()


@pytest.fixture(scope="module")
def machine(account: Account) -> str:
    """The account set up as the authors' README would say; the machine's ARN."""
    for name, (service, statements) in ROLES.items():
        make_role(account.client("iam"), name, service, statements)
    upload(account.client("s3"))
    functions = account.client("lambda")
    layer = publish_sdk(functions)
    for name, source in (("choose-names", "choose_names"), ("smoke-test", "smoke_test")):
        make_function(functions, name, source, layer)
    made = account.client("stepfunctions").create_state_machine(
        name="cars-retraining",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/cars-machine",
        definition=(FOREIGN / "cars.asl.json").read_text("utf-8"),
    )
    return str(made["stateMachineArn"])


def make_role(iam: Any, name: str, service: str, statements: list[dict[str, Any]]) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document([trust]))
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=document(statements))


def document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def upload(s3: Any) -> None:
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="raw/cars.csv", Body=cars())
    scripts = FOREIGN / "scripts"
    s3.upload_file(str(scripts / "preprocess.py"), BUCKET, "code/preprocess.py")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in ("train.py", "featurizer.py"):
            tar.add(scripts / name, arcname=name)
    s3.put_object(Bucket=BUCKET, Key="code/sourcedir.tar.gz", Body=packed.getvalue())


def cars() -> str:
    """A made-up data set: heavier and stronger cars need more, American ones a little more."""
    chance = np.random.default_rng(7)
    written = io.StringIO()
    rows = csv.writer(written)
    for _ in range(200):
        weight, power = chance.uniform(1600, 4200), chance.uniform(45, 200)
        origin = chance.choice(["usa", "japan", "europe"])
        needs = weight / 500 + power / 60 + (origin == "usa") + chance.normal(0, 0.1)
        rows.writerow([f"{weight:.0f}", f"{power:.0f}", origin, f"{needs:.3f}"])
    return written.getvalue()


def publish_sdk(functions: Any) -> str:
    """A layer with boto3, which AWS's runtime brings along and the laptop's leaves to layers."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for package in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3"):
            root = Path(str(importlib.import_module(package).__file__)).parent
            for path in root.rglob("*"):
                if path.is_file() and belongs(path.relative_to(root)):
                    archive.write(path, f"python/{package}/{path.relative_to(root)}")
        six = Path(str(importlib.import_module("six").__file__))
        archive.write(six, "python/six.py")
    layer = functions.publish_layer_version(
        LayerName="cars-sdk", Content={"ZipFile": packed.getvalue()}
    )
    return str(layer["LayerVersionArn"])


def belongs(path: Path) -> bool:
    """All of a package but its caches and the descriptions of services that nobody calls."""
    described = path.parts[0] == "data" and len(path.parts) > 2
    return "__pycache__" not in path.parts and (not described or "sagemaker-runtime" in path.parts)


def make_function(functions: Any, name: str, source: str, layer: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(FOREIGN / "functions" / f"{source}.py", f"{source}.py")
    functions.create_function(
        FunctionName=f"cars-{name}",
        Runtime="python3.13",
        Handler=f"{source}.lambda_handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/cars-function",
        Code={"ZipFile": packed.getvalue()},
        Layers=[layer],
        Timeout=30,
    )


CONFIG = {
    "project": "cars",
    "bucket": BUCKET,
    "testSize": 0.25,
    "alpha": 0.5,
    "smokeRows": SMOKE_ROWS,
}


def loaded(account: Account, uri: str, member: str) -> Any:
    """An object that a job pickled into a model archive."""
    with tarfile.open(fileobj=io.BytesIO(account.object(uri))) as tar:
        packed = tar.extractfile(member)
        assert packed is not None
        return joblib.load(io.BytesIO(packed.read()))


def expected(account: Account, output: dict[str, Any]) -> list[float]:
    """Predictions of the two models, called directly one after the other."""
    job = output["names"]["job"]
    featurizer = loaded(
        account, f"s3://{BUCKET}/{job}/featurizer/model.tar.gz", "featurizer.joblib"
    )
    trained = output["training"]["ModelArtifacts"]["S3ModelArtifacts"]
    rows = pd.read_csv(
        io.StringIO("\n".join(SMOKE_ROWS)), header=None, names=["weight", "horsepower", "origin"]
    )
    predictions = loaded(account, trained, "regressor.joblib").predict(featurizer.transform(rows))
    return [float(value) for value in predictions]


def test_foreign_machine_trains_hosts_and_asks_two_containers(
    account: Account, machine: str
) -> None:
    described = account.run(machine, "first-retraining", CONFIG)

    assert described["status"] == "SUCCEEDED", (described.get("error"), described.get("cause"))
    output = json.loads(described["output"])
    assert output["smoke"]["predictions"] == pytest.approx(expected(account, output), abs=1e-4)
    assert output["training"]["HyperParameters"]["alpha"] == "0.5"
    assert output["endpoint"] == {"status": "InService", "config": output["names"]["job"]}


def test_foreign_machine_updates_its_endpoint_when_it_is_there_already(
    account: Account, machine: str
) -> None:
    described = account.run(machine, "second-retraining", CONFIG)

    assert described["status"] == "SUCCEEDED", (described.get("error"), described.get("cause"))
    output = json.loads(described["output"])
    assert output["names"]["job"] == "cars-second-retraining"
    assert output["error"]["Error"] == "SageMaker.AmazonSageMakerException"
    serving = account.client("sagemaker").describe_endpoint(EndpointName="cars-live")
    assert serving["EndpointConfigName"] == "cars-second-retraining"


def test_foreign_machine_fails_as_its_authors_meant_when_a_job_fails(
    account: Account, machine: str
) -> None:
    described = account.run(machine, "impossible-split", {**CONFIG, "testSize": 7})

    assert (described["status"], described["error"]) == ("FAILED", "RetrainingFailed")
