"""What is taken away with an environment, and what is not, on the laptop's AWS."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from localaws.context import ACCOUNT_ID, DEVELOPER_KEY_ID, DEVELOPER_SECRET, REGION
from localaws.server import Config, LaptopServer
from signalbox_cli.destroying import Doomed, empty_buckets, remove_registry, remove_serving, survey
from signalbox_cli.target import Target

RUN = "261121-101500-a1b2c3"
IMAGE = f"683313688378.dkr.ecr.{REGION}.amazonaws.com/sagemaker-scikit-learn:1.4-2"
APPS = (f"app{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopServer]:
    with LaptopServer(Config(port=0, state_dir=tmp_path_factory.mktemp("laptop"))) as server:
        yield server


@pytest.fixture
def target(laptop: LaptopServer) -> Target:
    """An environment of an app that no other test has."""
    return Target(
        app=next(APPS),
        region=REGION,
        endpoint_url=laptop.url,
        access_key_id=DEVELOPER_KEY_ID,
        secret_access_key=DEVELOPER_SECRET,
    )


def other(target: Target) -> str:
    """The prefix of the environment prod of an app that is called as this environment is."""
    return f"{target.prefix}-prod"


def bucket(target: Target, name: str) -> str:
    s3 = target.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for text in (b"1", b"2"):
        s3.put_object(Bucket=name, Key="a", Body=text)
    s3.delete_object(Bucket=name, Key="a")
    return name


def test_buckets_are_known_by_their_exact_names(target: Target) -> None:
    ours = bucket(target, f"{target.prefix}-workflow-{ACCOUNT_ID}-{REGION}")
    bucket(target, f"{other(target)}-workflow-{ACCOUNT_ID}-{REGION}")
    bucket(target, f"{target.prefix}-notes")

    assert survey(target).buckets == (ours,)


def test_every_version_of_every_object_is_deleted(target: Target) -> None:
    ours = bucket(target, f"{target.prefix}-source-{ACCOUNT_ID}-{REGION}")
    theirs = bucket(target, f"{other(target)}-source-{ACCOUNT_ID}-{REGION}")

    said = list(empty_buckets(target, survey(target)))

    s3 = target.client("s3")
    assert said == [f"3 object versions in {ours}"]  # two versions and the delete marker
    assert "Versions" not in s3.list_object_versions(Bucket=ours)
    assert len(s3.list_object_versions(Bucket=theirs)["Versions"]) == 2


def alarm(target: Target, name: str) -> str:
    target.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName="ModelLatency",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    return name


def test_alarms_of_endpoints_are_deleted_and_no_others(target: Target) -> None:
    group = f"{target.prefix}-diabetes"
    target.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)
    ours = [alarm(target, f"{group}-errors"), alarm(target, f"{group}-shadow-latency")]
    theirs = [
        alarm(target, f"{target.prefix}-dead-letters"),
        alarm(target, f"{other(target)}-errors"),
    ]

    said = list(remove_serving(target, survey(target)))

    assert said == [f"alarm {name}" for name in ours]
    left = target.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {one["AlarmName"] for one in left} >= set(theirs)
    assert not {one["AlarmName"] for one in left} & set(ours)


def model(target: Target, name: str) -> str:
    target.client("sagemaker").create_model(
        ModelName=name,
        ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT_ID}:role/r",
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://b/m.tar.gz"},
    )
    return name


def test_models_of_runs_are_deleted_and_no_others(target: Target) -> None:
    ours = model(target, f"{target.prefix}-model-{RUN}-1-0")
    kept = {
        model(target, f"{other(target)}-model-{RUN}-1-0"),
        model(target, f"{target.prefix}-by-hand"),
    }

    said = list(remove_serving(target, survey(target)))

    left = target.client("sagemaker").list_models(NameContains=target.prefix)["Models"]
    assert said == [f"model {ours}"]
    assert {m["ModelName"] for m in left} == kept


def endpoint(target: Target) -> str:
    """An endpoint of the environment, as a run makes it."""
    sagemaker, name = target.client("sagemaker"), f"{target.prefix}-diabetes"
    variant = {
        "VariantName": "primary",
        "ModelName": model(target, f"{target.prefix}-model-{RUN}-1-0"),
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-c", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-c")
    return name


class Moving:
    """SageMaker's client where something is under way with the endpoint for two looks."""

    def __init__(self, status: str) -> None:
        self.looks, self.deleted = [status, status, "InService"], ""

    def describe_endpoint(self, **_: str) -> dict[str, str]:
        return {"EndpointStatus": self.looks.pop(0)}

    def delete_endpoint(self, **given: str) -> None:
        if self.looks:
            error = {"Code": "ValidationException", "Message": "Cannot update in-progress endpoint"}
            raise ClientError({"Error": error}, "DeleteEndpoint")
        self.deleted = given["EndpointName"]


@pytest.mark.parametrize("status", ["Creating", "Updating", "SystemUpdating", "RollingBack"])
def test_an_endpoint_is_deleted_once_nothing_is_under_way_with_it(status: str) -> None:
    sagemaker, target = Moving(status), Target(endpoint_url="http://127.0.0.1:1")
    target._memo["sagemaker"] = sagemaker
    target._memo["application-autoscaling"] = NotScaled()
    doomed = Doomed((), ("signalbox-dev-diabetes",), (), (), (), (), "")

    assert list(remove_serving(target, doomed)) == ["endpoint signalbox-dev-diabetes"]
    assert sagemaker.deleted == "signalbox-dev-diabetes"


def test_an_endpoint_that_somebody_deletes_meanwhile_is_not_missed(target: Target) -> None:
    name = endpoint(target)
    doomed = survey(target)
    list(remove_serving(target, doomed))

    again = list(remove_serving(target, replace(doomed, models=())))

    assert f"endpoint {name}" not in again


class Going:
    """SageMaker's client where the endpoint is on its way out."""

    def describe_endpoint(self, **_: str) -> dict[str, str]:
        return {"EndpointStatus": "Deleting"}


def test_an_endpoint_that_is_going_already_is_left_to_go() -> None:
    target = Target()
    target._memo["sagemaker"] = Going()
    target._memo["application-autoscaling"] = NotScaled()
    doomed = Doomed((), ("signalbox-dev-diabetes",), (), (), (), (), "")

    assert list(remove_serving(target, doomed)) == []


class NotScaled:
    """Application Auto Scaling's client without any target."""

    def describe_scalable_targets(self, **_: object) -> dict[str, list[str]]:
        return {"ScalableTargets": []}


def test_versions_go_before_their_group(target: Target) -> None:
    client, group = target.client("sagemaker"), f"{target.prefix}-diabetes"
    client.create_model_package_group(ModelPackageGroupName=group)
    for _ in range(2):
        client.create_model_package(
            ModelPackageGroupName=group,
            InferenceSpecification={
                "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://b/m.tar.gz"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )

    said = list(remove_registry(target, survey(target)))

    assert said == [f"model package group {group} with 2 versions"]
    left = client.list_model_package_groups(NameContains=group)
    assert left["ModelPackageGroupSummaryList"] == []


def test_an_empty_account_has_nothing_to_destroy(target: Target) -> None:
    assert survey(target).lines() == []
