"""The model registry keeps versions, approvals and metadata, and tells of each change."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.sagemaker_world import IMAGE, ROLE, World, laptop

KIND = "SageMaker Model Package State Change"
SPECIFICATION: dict[str, Any] = {
    "Containers": [
        {
            "Image": IMAGE,
            "ModelDataUrl": "s3://world-bucket/m/model.tar.gz",
            "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
        }
    ],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with laptop(tmp_path_factory.mktemp("state")) as served:
        yield served


def group(world: World, name: str) -> str:
    world.sagemaker.create_model_package_group(
        ModelPackageGroupName=name, ModelPackageGroupDescription=f"models of {name}"
    )
    return name


def register(world: World, name: str, **changes: Any) -> str:
    request = {"ModelPackageGroupName": name, "InferenceSpecification": SPECIFICATION, **changes}
    arn: str = world.sagemaker.create_model_package(**request)["ModelPackageArn"]
    return arn


def test_versions_of_a_group_count_from_one_and_are_never_reused(world: World) -> None:
    name = group(world, "counted")
    arns = [register(world, name) for _ in range(2)]
    assert [arn.split(":model-package/")[1] for arn in arns] == ["counted/1", "counted/2"]
    world.sagemaker.delete_model_package(ModelPackageName=arns[1])
    assert register(world, name).endswith("counted/3")


def test_everything_given_to_a_version_comes_back(world: World) -> None:
    given: dict[str, Any] = {
        "ModelPackageDescription": "first",
        "ModelMetrics": {
            "ModelQuality": {
                "Statistics": {"ContentType": "application/json", "S3Uri": "s3://b/e.json"}
            }
        },
        "CustomerMetadataProperties": {"run_id": "261121-000000-abcdef", "verdict": "accepted"},
        "MetadataProperties": {"CommitId": "abc", "GeneratedBy": "signalbox"},
        "ModelApprovalStatus": "PendingManualApproval",
        "Domain": "MACHINE_LEARNING",
    }
    arn = register(world, group(world, "round-trip"), **given)
    described = world.sagemaker.describe_model_package(ModelPackageName=arn)
    assert {name: described[name] for name in given} == given
    (container,) = described["InferenceSpecification"]["Containers"]
    assert container.pop("ImageDigest").startswith("sha256:")
    assert described["InferenceSpecification"] == SPECIFICATION
    assert described["ModelPackageVersion"] == 1
    assert described["ModelPackageStatus"] == "Completed"
    assert described["ModelPackageGroupName"] == "round-trip"


def test_the_same_client_token_gives_the_same_version(world: World) -> None:
    name = group(world, "idempotent")
    first = register(world, name, ClientToken="token-1")
    assert register(world, name, ClientToken="token-1") == first
    assert register(world, name, ClientToken="token-2") != first
    with pytest.raises(ClientError, match="ConflictException"):
        register(world, name, ClientToken="token-1", ModelPackageDescription="another")


def test_an_approval_is_told_with_the_fields_that_changed(world: World) -> None:
    arn = register(world, group(world, "approved"), ModelApprovalStatus="PendingManualApproval")
    world.sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="looks good"
    )
    event = world.told(KIND, ModelPackageArn=arn)[-1]
    detail = event["detail"]
    assert event["source"] == "aws.sagemaker"
    assert event["resources"] == [arn]
    assert detail["ModelApprovalStatus"] == "Approved"
    assert detail["UpdatedModelPackageFields"] == ["ModelApprovalStatus", "ApprovalDescription"]
    assert detail["ModelPackageGroupName"] == "approved"
    assert detail["ModelPackageVersion"] == 1


def test_a_change_of_metadata_alone_does_not_claim_an_approval(world: World) -> None:
    arn = register(world, group(world, "stamped"), ModelApprovalStatus="Approved")
    world.sagemaker.update_model_package(
        ModelPackageArn=arn, CustomerMetadataProperties={"deployed": "yes"}
    )
    detail = world.told(KIND, ModelPackageArn=arn)[-1]["detail"]
    assert detail["UpdatedModelPackageFields"] == ["CustomerMetadataProperties"]
    assert detail["ModelApprovalStatus"] == "Approved"


def test_metadata_is_merged_and_removed_by_name(world: World) -> None:
    arn = register(world, group(world, "merged"), CustomerMetadataProperties={"a": "1", "b": "2"})
    world.sagemaker.update_model_package(
        ModelPackageArn=arn,
        CustomerMetadataProperties={"c": "3"},
        CustomerMetadataPropertiesToRemove=["a"],
    )
    described = world.sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["CustomerMetadataProperties"] == {"b": "2", "c": "3"}


def test_versions_are_listed_newest_first_by_status_and_in_pages(world: World) -> None:
    name = group(world, "listed")
    arns = [register(world, name, ModelApprovalStatus=s) for s in ("Approved", "Rejected")]
    arns.append(register(world, name, ModelApprovalStatus="Approved"))
    every = world.sagemaker.list_model_packages(ModelPackageGroupName=name)
    assert [p["ModelPackageArn"] for p in every["ModelPackageSummaryList"]] == arns[::-1]
    approved = world.sagemaker.list_model_packages(
        ModelPackageGroupName=name,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Ascending",
        MaxResults=1,
    )
    assert [p["ModelPackageVersion"] for p in approved["ModelPackageSummaryList"]] == [1]
    following = world.sagemaker.list_model_packages(
        ModelPackageGroupName=name,
        ModelApprovalStatus="Approved",
        SortOrder="Ascending",
        MaxResults=1,
        NextToken=approved["NextToken"],
    )
    assert [p["ModelPackageVersion"] for p in following["ModelPackageSummaryList"]] == [3]


def test_groups_are_found_by_part_of_their_name(world: World) -> None:
    group(world, "find-me-one")
    listed = world.sagemaker.list_model_package_groups(NameContains="find-me")
    assert [g["ModelPackageGroupName"] for g in listed["ModelPackageGroupSummaryList"]] == [
        "find-me-one"
    ]
    described = world.sagemaker.describe_model_package_group(ModelPackageGroupName="find-me-one")
    assert described["ModelPackageGroupDescription"] == "models of find-me-one"


def test_a_group_with_versions_cannot_be_deleted_an_empty_one_can(world: World) -> None:
    name = group(world, "deleted")
    arn = register(world, name)
    with pytest.raises(ClientError, match="ConflictException"):
        world.sagemaker.delete_model_package_group(ModelPackageGroupName=name)
    world.sagemaker.delete_model_package(ModelPackageName=arn)
    world.sagemaker.delete_model_package_group(ModelPackageGroupName=name)
    with pytest.raises(ClientError, match="does not exist"):
        world.sagemaker.describe_model_package_group(ModelPackageGroupName=name)


def test_only_an_approved_version_can_become_a_model(world: World) -> None:
    arn = register(world, group(world, "gated"), ModelApprovalStatus="PendingManualApproval")

    def create() -> None:
        world.sagemaker.create_model(
            ModelName="gated", ExecutionRoleArn=ROLE, Containers=[{"ModelPackageName": arn}]
        )

    with pytest.raises(ClientError, match=r"ValidationException.*PendingManualApproval"):
        create()
    world.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    create()
    described = world.sagemaker.describe_model(ModelName="gated")
    assert described["Containers"] == [{"ModelPackageName": arn}]


def test_an_approved_version_serves_with_its_own_containers(world: World) -> None:
    code = """
        def model_fn(model_dir): return 10
        def input_fn(body, content_type): return [float(v) for v in body.split()]
        def predict_fn(rows, model): return [row * model for row in rows]
        def output_fn(rows, accept): return "\\n".join(str(row) for row in rows)
    """
    url = world.put_archive("packaged/model.tar.gz", {"code/inference.py": code})
    own = {
        "Image": IMAGE,
        "ModelDataUrl": url,
        "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
    }
    arn = register(
        world,
        group(world, "served"),
        ModelApprovalStatus="Approved",
        InferenceSpecification={**SPECIFICATION, "Containers": [own]},
    )
    world.sagemaker.create_model(
        ModelName="served", ExecutionRoleArn=ROLE, PrimaryContainer={"ModelPackageName": arn}
    )
    world.config("served", "served")
    assert world.endpoint("served", "served")["EndpointStatus"] == "InService"
    assert world.invoke("served", "1") == b"10.0"


def test_tags_follow_groups_and_versions(world: World) -> None:
    name = group(world, "tagged")
    arn = register(world, name, Tags=[{"Key": "team", "Value": "a"}])
    world.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "dev"}])
    world.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    listed = world.sagemaker.list_tags(ResourceArn=arn)["Tags"]
    assert listed == [{"Key": "stage", "Value": "dev"}]


def test_what_does_not_exist_is_a_validation_exception(world: World) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*does not exist"):
        register(world, "no-such-group")
    with pytest.raises(ClientError, match=r"ValidationException.*does not exist"):
        world.sagemaker.describe_model_package(
            ModelPackageName="arn:aws:sagemaker:us-east-1:123456789012:model-package/none/1"
        )
    with pytest.raises(ClientError, match="already exists"):
        group(world, group(world, "twice"))
