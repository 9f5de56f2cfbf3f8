"""Model package groups across accounts: their policy, and models made from versions elsewhere.

Rules: SageMaker API Reference, "PutModelPackageGroupPolicy"; SageMaker Developer Guide, "Deploy a
Model Version from a Different Account" (read 2026-11).
"""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws import account_world as world
from tests.localaws import sagemaker_world
from tests.localaws.account_world import DEV, PROD, STAGING, owner, unused
from tests.localaws.iam_roles import allow, document, trust
from tests.localaws.sagemaker_world import IMAGE

pytestmark = pytest.mark.usefixtures("laptop")

SAGEMAKER = {"Service": "sagemaker.amazonaws.com"}


def make_group(account: str = DEV) -> str:
    """A new group; its name."""
    name = unused("group")
    owner("sagemaker", account).create_model_package_group(ModelPackageGroupName=name)
    return name


def group_arn(name: str) -> str:
    """The ARN of a group of dev."""
    return f"arn:aws:sagemaker:us-east-1:{DEV}:model-package-group/{name}"


def versions_arn(name: str) -> str:
    """All versions of a group of dev."""
    return f"arn:aws:sagemaker:us-east-1:{DEV}:model-package/{name}/*"


def put_policy(name: str, *statements: Any) -> None:
    """Give a group of dev a policy."""
    owner("sagemaker", DEV).put_model_package_group_policy(
        ModelPackageGroupName=name, ResourcePolicy=document(*statements)
    )


def version(name: str, **more: Any) -> str:
    """A new version in a group of dev; its ARN."""
    made = owner("sagemaker", DEV).create_model_package(ModelPackageGroupName=name, **more)
    return str(made["ModelPackageArn"])


def test_a_policy_is_put_read_replaced_and_deleted() -> None:
    sagemaker, name = owner("sagemaker", DEV), make_group()
    first = document(allow("sagemaker:*", group_arn(name), Principal=world.root(STAGING)))
    second = document(allow("sagemaker:*", group_arn(name), Principal=world.root(PROD)))

    for text in (first, second):
        put = sagemaker.put_model_package_group_policy(
            ModelPackageGroupName=name, ResourcePolicy=text
        )
        assert put["ModelPackageGroupArn"] == group_arn(name)
        read = sagemaker.get_model_package_group_policy(ModelPackageGroupName=name)
        assert read["ResourcePolicy"] == text
    sagemaker.delete_model_package_group_policy(ModelPackageGroupName=name)

    for operation in ("get", "delete"):
        with pytest.raises(
            ClientError, match=f"Cannot find resource policy for: {group_arn(name)}"
        ):
            getattr(sagemaker, f"{operation}_model_package_group_policy")(
                ModelPackageGroupName=name
            )


def test_a_group_that_is_not_there_has_no_policy() -> None:
    with pytest.raises(ClientError, match="Cannot find Model Package Group: arn:aws:sagemaker"):
        owner("sagemaker", DEV).get_model_package_group_policy(ModelPackageGroupName="none")


def test_a_deleted_group_takes_its_policy_with_it() -> None:
    sagemaker, name = owner("sagemaker", DEV), make_group()
    put_policy(name, allow("sagemaker:*", group_arn(name), Principal=world.root(STAGING)))

    sagemaker.delete_model_package_group(ModelPackageGroupName=name)
    sagemaker.create_model_package_group(ModelPackageGroupName=name)

    with pytest.raises(ClientError, match="Cannot find resource policy"):
        sagemaker.get_model_package_group_policy(ModelPackageGroupName=name)


ROOT = {"AWS": f"arn:aws:iam::{STAGING}:root"}
GOOD = {"Effect": "Allow", "Principal": ROOT, "Action": "sagemaker:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("no json", "not JSON"),
        ("{}", "no Statement"),
        (json.dumps({"Statement": [{**GOOD, "Effect": "Maybe"}]}), "Effect is 'Maybe'"),
        (json.dumps({"Statement": [GOOD | {"Principal": None}]}), "Principal"),
        (json.dumps({"Statement": [GOOD | {"Principal": STAGING}]}), "Invalid principal"),
        (
            json.dumps({"Statement": [GOOD | {"Principal": {"AWS": [STAGING, STAGING]}}]}),
            "Duplicate principal",
        ),
        (
            json.dumps(
                {"Statement": [GOOD | {"Principal": {"AWS": f"arn:aws:iam::{STAGING}:role/no"}}]}
            ),
            f"Invalid principal arn:aws:iam::{STAGING}:role/no",
        ),
        (json.dumps({"Statement": [GOOD | {"Action": "s3:GetObject"}]}), "Invalid action"),
        (
            json.dumps({"Statement": {k: v for k, v in GOOD.items() if k != "Resource"}}),
            "Missing required field Resource",
        ),
    ],
)
def test_a_policy_that_could_not_be_decided_by_is_refused(policy: str, said: str) -> None:
    name = make_group()

    with pytest.raises(ClientError, match="Invalid policy provided: ") as caught:
        owner("sagemaker", DEV).put_model_package_group_policy(
            ModelPackageGroupName=name, ResourcePolicy=policy
        )

    assert said in caught.value.response["Error"]["Message"]
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_policy_has_at_most_20480_characters() -> None:
    name = make_group()
    padded = document(allow("sagemaker:*", group_arn(name), Principal=world.root(STAGING)))
    longest = padded + " " * (20_480 - len(padded))
    sagemaker = owner("sagemaker", DEV)

    sagemaker.put_model_package_group_policy(ModelPackageGroupName=name, ResourcePolicy=longest)
    with pytest.raises(ClientError, match="less than or equal to 20480"):
        sagemaker.put_model_package_group_policy(
            ModelPackageGroupName=name, ResourcePolicy=longest + " "
        )


def test_versions_of_another_account_are_listed_described_and_changed_as_the_policy_says() -> None:
    name = make_group()
    arn = version(name)
    role = world.make_role(STAGING, allow("sagemaker:*"))
    guest = world.session_of(role).client("sagemaker")
    who = {"AWS": role}
    put_policy(
        name,
        allow(
            ["sagemaker:DescribeModelPackageGroup", "sagemaker:ListModelPackages"],
            group_arn(name),
            Principal=who,
        ),
        allow(
            ["sagemaker:ListModelPackages", "sagemaker:DescribeModelPackage"],
            versions_arn(name),
            Principal=who,
        ),
    )

    listed = guest.list_model_packages(ModelPackageGroupName=group_arn(name))
    assert [each["ModelPackageArn"] for each in listed["ModelPackageSummaryList"]] == [arn]
    assert guest.describe_model_package(ModelPackageName=arn)["ModelPackageVersion"] == 1
    described = guest.describe_model_package_group(ModelPackageGroupName=group_arn(name))
    assert described["ModelPackageGroupArn"] == group_arn(name)
    with pytest.raises(ClientError, match="no resource-based policy allows the sagemaker:Update"):
        guest.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")


def test_a_version_registered_from_elsewhere_belongs_to_the_group() -> None:
    name = make_group()
    role = world.make_role(STAGING, allow("sagemaker:CreateModelPackage"))
    put_policy(
        name,
        allow(
            "sagemaker:CreateModelPackage",
            [group_arn(name), versions_arn(name)],
            Principal={"AWS": role},
        ),
    )

    made = (
        world.session_of(role)
        .client("sagemaker")
        .create_model_package(ModelPackageGroupName=group_arn(name))
    )

    assert made["ModelPackageArn"] == versions_arn(name).replace("*", "1")
    own = owner("sagemaker", DEV).list_model_packages(ModelPackageGroupName=name)
    assert len(own["ModelPackageSummaryList"]) == 1
    assert owner("sagemaker", STAGING).list_model_packages()["ModelPackageSummaryList"] == []


def approved(name: str) -> str:
    """An approved version that could be hosted."""
    containers = [{"Image": IMAGE, "ModelDataUrl": "s3://nowhere/model.tar.gz"}]
    specification = {
        "Containers": containers,
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    return version(name, ModelApprovalStatus="Approved", InferenceSpecification=specification)


def test_a_model_is_made_from_a_version_elsewhere_only_with_the_policy_of_its_group() -> None:
    name = make_group()
    arn = approved(name)
    execution = world.make_role(STAGING, trusted=trust(SAGEMAKER))
    builder = world.make_role(STAGING, allow(["sagemaker:CreateModel", "iam:PassRole"]))
    guest = world.session_of(builder).client("sagemaker")
    request = {
        "ModelName": unused("model"),
        "ExecutionRoleArn": execution,
        "PrimaryContainer": {"ModelPackageName": arn},
    }

    with pytest.raises(ClientError, match=f"resource: {arn} because no resource-based policy"):
        guest.create_model(**request)
    put_policy(
        name, allow("sagemaker:CreateModel", versions_arn(name), Principal=world.root(STAGING))
    )
    made = guest.create_model(**request)

    assert made["ModelArn"].startswith(f"arn:aws:sagemaker:us-east-1:{STAGING}:model/")
    assert owner("sagemaker", DEV).list_models(NameContains=request["ModelName"])["Models"] == []


SCRIPT = """
from pathlib import Path
text = Path("/opt/ml/processing/input/data/rows.csv").read_text()
Path("/opt/ml/processing/output/out").mkdir(parents=True, exist_ok=True)
Path("/opt/ml/processing/output/out/copy.csv").write_text(text)
"""


def start_job(name: str, execution: str, bucket: str, source: str) -> dict[str, Any]:
    """A processing job in staging that copies `source`; its description at the end."""
    sagemaker, s3 = owner("sagemaker", STAGING), owner("s3", STAGING)
    s3.put_object(Bucket=bucket, Key="code/run.py", Body=SCRIPT.encode())
    sagemaker.create_processing_job(
        ProcessingJobName=name,
        RoleArn=execution,
        AppSpecification={
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/run.py"],
        },
        ProcessingInputs=[
            sagemaker_world.processing_input("code", f"s3://{bucket}/code/run.py", "input/code"),
            sagemaker_world.processing_input("data", source, "input/data"),
        ],
        ProcessingOutputConfig={
            "Outputs": [
                {
                    "OutputName": "out",
                    "S3Output": {
                        "S3Uri": f"s3://{bucket}/out",
                        "LocalPath": "/opt/ml/processing/output/out",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        ProcessingResources={
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.large",
                "VolumeSizeInGB": 1,
            }
        },
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        described: dict[str, Any] = sagemaker.describe_processing_job(ProcessingJobName=name)
        if described["ProcessingJobStatus"] not in ("InProgress", "Stopping"):
            return described
        time.sleep(0.05)
    return pytest.fail(f"{name} did not end")


def test_a_job_reads_the_data_of_another_account_with_the_policies_of_both() -> None:
    dev, name = owner("s3", DEV), unused("lent")
    dev.create_bucket(Bucket=name)
    dev.put_object(Bucket=name, Key="data/rows.csv", Body=b"1,2\n")
    bucket = unused("own")
    owner("s3", STAGING).create_bucket(Bucket=bucket)
    execution = world.make_role(STAGING, allow(["s3:*", "logs:*"]), trusted=trust(SAGEMAKER))
    source = f"s3://{name}/data/"

    refused = start_job(unused("job"), execution, bucket, source)
    lent = allow(
        ["s3:GetObject", "s3:ListBucket"],
        [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        Principal={"AWS": execution},
    )
    dev.put_bucket_policy(Bucket=name, Policy=document(lent))
    done = start_job(unused("job"), execution, bucket, source)

    assert refused["ProcessingJobStatus"] == "Failed"
    assert "no resource-based policy allows the s3:ListBucket" in refused["FailureReason"]
    assert done["ProcessingJobStatus"] == "Completed", done
    assert done["ProcessingJobArn"].startswith(f"arn:aws:sagemaker:us-east-1:{STAGING}:")
    copied = owner("s3", STAGING).get_object(Bucket=bucket, Key="out/copy.csv")
    assert copied["Body"].read() == b"1,2\n"
