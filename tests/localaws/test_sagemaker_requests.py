"""SageMaker requests are refused as AWS refuses them, and what is not supported says so."""

import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws import clients
from localaws.context import DEVELOPER_KEY_ID, DEVELOPER_SECRET
from localaws.sagemaker import shapes as sagemaker_shapes
from localaws.wire import AwsError
from tests.localaws.sagemaker_world import IMAGE, World, laptop, processing_input


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with laptop(tmp_path_factory.mktemp("state")) as served:
        yield served


PROCESSING: dict[str, Any] = {
    "ProcessingJobName": "job",
    "RoleArn": "arn:aws:iam::123456789012:role/job",
    "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["true"]},
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    },
}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"ProcessingJobName": "under_score"}, "regular expression pattern"),
        ({"ProcessingJobName": "x" * 64}, "length less than or equal to 63"),
        ({"RoleArn": None}, "Value null at 'roleArn'"),
        ({"RoleArn": "not-an-arn-at-all-but-long"}, "regular expression pattern"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 0}}, "greater than or equal to 1"),
        ({"Environment": {"a b": "x"}}, "environment"),
        ({"Environment": "text"}, "must be of type map"),
        ({"Surprise": 1}, "Unknown parameter 'surprise'"),
    ],
)
def test_shape_faults_are_told_in_sagemakers_words(
    world: World, change: dict[str, Any], complaint: str
) -> None:
    request = {k: v for k, v in {**PROCESSING, **change}.items() if v is not None}
    with pytest.raises(AwsError) as caught:
        sagemaker_shapes.validate("CreateProcessingJob", request)
    assert caught.value.code == "ValidationException"
    assert complaint in caught.value.message


def test_an_instance_type_that_does_not_exist_is_refused() -> None:
    cluster = {"InstanceCount": 1, "InstanceType": "ml.potato", "VolumeSizeInGB": 1}
    request = {**PROCESSING, "ProcessingResources": {"ClusterConfig": cluster}}
    with pytest.raises(AwsError, match="enum value set"):
        sagemaker_shapes.validate("CreateProcessingJob", request)


def test_a_job_name_can_be_used_once(world: World) -> None:
    world.process("once", "pass")
    with pytest.raises(world.sagemaker.exceptions.ResourceInUse):
        world.start_processing("once", "pass")


def test_any_image_but_scikit_learn_is_unsupported_by_name(world: World) -> None:
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/my-own:latest"
    specification = {"ImageUri": image, "ContainerEntrypoint": ["true"]}
    with pytest.raises(ClientError, match=f"UnsupportedByLocalAws.*{image}"):
        world.start_processing("foreign", "pass", AppSpecification=specification)


def test_scikit_learn_images_of_any_account_region_and_tag_run(world: World) -> None:
    image = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.4-2"
    entrypoint = ["python3", "/opt/ml/processing/input/code/run.py"]
    described = world.process(
        "other-region",
        "print('ran')",
        AppSpecification={"ImageUri": image, "ContainerEntrypoint": entrypoint},
    )
    assert described["ProcessingJobStatus"] == "Completed"


def test_a_local_path_outside_of_opt_ml_processing_is_refused(world: World) -> None:
    wrong = processing_input("code", "s3://world-bucket/code/", "input/code")
    wrong["S3Input"]["LocalPath"] = "/etc"
    with pytest.raises(ClientError, match=r"ValidationException.*/opt/ml/processing"):
        world.start_processing("outside", "pass", ProcessingInputs=[wrong])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            {"NetworkConfig": {"EnableInterContainerTrafficEncryption": True}},
            "EnableInterContainerTrafficEncryption",
        ),
        ({"ExperimentConfig": {"ExperimentName": "e"}}, "ExperimentConfig"),
        (
            {
                "ProcessingResources": {
                    "ClusterConfig": {
                        "InstanceCount": 2,
                        "InstanceType": "ml.m5.large",
                        "VolumeSizeInGB": 1,
                    }
                }
            },
            "InstanceCount 2",
        ),
    ],
)
def test_what_the_laptop_cannot_do_is_refused_by_name(
    world: World, change: dict[str, Any], named: str
) -> None:
    with pytest.raises(ClientError, match=f"UnsupportedByLocalAws.*{named}"):
        world.start_processing("unsupported", "pass", **change)
    with pytest.raises(ClientError, match="Could not find requested job"):
        world.sagemaker.describe_processing_job(ProcessingJobName="unsupported")


def test_an_operation_that_is_not_there_is_a_400_that_nobody_retries(world: World) -> None:
    with pytest.raises(ClientError, match="UnsupportedByLocalAws") as caught:
        world.sagemaker.list_notebook_instances()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_metric_pattern_must_have_one_group(world: World) -> None:
    with pytest.raises(ClientError, match="must have one group"):
        world.start_training(
            "no-group", {"train.py": "pass"}, metrics=[{"Name": "m", "Regex": "loss=[0-9]+"}]
        )


def test_jobs_are_listed_by_status_and_name_newest_first(world: World) -> None:
    for name in ("list-1", "list-2"):
        world.process(name, "pass")
    world.process("list-3", "raise SystemExit(1)")
    listed = world.sagemaker.list_processing_jobs(NameContains="list-", StatusEquals="Completed")
    names = [j["ProcessingJobName"] for j in listed["ProcessingJobSummaries"]]
    assert names == ["list-2", "list-1"]


def test_a_stock_client_over_the_socket_sees_the_same(world: World) -> None:
    """Not through the process: over HTTP, with retries on, as a user would."""
    world.process("over-http", "pass", Tags=[{"Key": "k", "Value": "v"}])
    client = boto3.client(
        "sagemaker",
        endpoint_url=clients.developer_client("sagemaker").meta.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=DEVELOPER_KEY_ID,
        aws_secret_access_key=DEVELOPER_SECRET,
        config=Config(retries={"total_max_attempts": 2}),
    )
    described = client.describe_processing_job(ProcessingJobName="over-http")
    assert described["ProcessingJobStatus"] == "Completed"
    tags = client.list_tags(ResourceArn=described["ProcessingJobArn"])["Tags"]
    assert tags == [{"Key": "k", "Value": "v"}]


VARIANT = {"ModelName": "one", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
SERVERLESS = {"ModelName": "one", "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 2}}
CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://world-bucket/capture",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


@pytest.mark.parametrize(
    ("variants", "further", "complaint"),
    [
        ([{"VariantName": "a", **VARIANT}] * 2, {}, "must be unique, got a twice"),
        (
            [{"VariantName": name, **VARIANT} for name in ("a", "b")],
            {"ShadowProductionVariants": [{"VariantName": "c", **VARIANT}]},
            "exactly one production variant and one shadow variant, got 2 and 1",
        ),
        (
            [{"VariantName": "a", **VARIANT, "InitialVariantWeight": 0.0}],
            {},
            "weight above 0",
        ),
        (
            [{"VariantName": "a", **SERVERLESS}],
            {"DataCaptureConfig": CAPTURE},
            "a serverless endpoint cannot have DataCaptureConfig",
        ),
        (
            [{"VariantName": name, **SERVERLESS} for name in ("a", "b")],
            {},
            "a serverless endpoint can have only one variant",
        ),
        ([{"VariantName": "a", **VARIANT, **SERVERLESS}], {}, "either an InstanceType or"),
    ],
)
def test_an_endpoint_config_that_aws_refuses_is_refused(
    world: World, variants: list[dict[str, Any]], further: dict[str, Any], complaint: str
) -> None:
    if not world.sagemaker.list_models(NameContains="one")["Models"]:
        world.model("one", {"code/inference.py": ""})
    with pytest.raises(ClientError, match=complaint):
        world.sagemaker.create_endpoint_config(
            EndpointConfigName="refused", ProductionVariants=variants, **further
        )


def test_a_model_or_config_cannot_be_created_twice_and_can_be_deleted(world: World) -> None:
    world.model("again", {"code/inference.py": ""})
    with pytest.raises(ClientError, match="Cannot create already existing model"):
        world.model("again", {"code/inference.py": ""})
    world.config("again", "again")
    with pytest.raises(ClientError, match="Cannot create already existing endpoint config"):
        world.config("again", "again")
    world.sagemaker.delete_endpoint_config(EndpointConfigName="again")
    world.sagemaker.delete_model(ModelName="again")
    with pytest.raises(ClientError, match="Could not find model"):
        world.sagemaker.describe_model(ModelName="again")


def test_every_pattern_of_the_model_can_be_read(world: World) -> None:
    seen: set[str] = set()
    unread = []
    for operation in sagemaker_shapes.service_model().operation_names:
        shape = sagemaker_shapes.service_model().operation_model(operation).input_shape
        if shape is not None:
            unread += [p for p in _patterns(shape, seen) if not _is_read(p)]
    assert unread == []


def _patterns(shape: Any, seen: set[str]) -> Iterator[str]:
    if shape.name in seen:
        return
    seen.add(shape.name)
    if "pattern" in shape.metadata:
        yield shape.metadata["pattern"]
    parts = [getattr(shape, name, None) for name in ("member", "key", "value")]
    for inner in [*getattr(shape, "members", {}).values(), *(p for p in parts if p is not None)]:
        yield from _patterns(inner, seen)


def _is_read(pattern: str) -> bool:
    try:
        sagemaker_shapes._pattern(pattern)
    except re.error:
        return False
    return True
