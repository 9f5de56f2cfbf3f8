"""SageMaker Model Registry: the status of a model version, and where its metrics lie."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from signalbox.aws import clients
from signalbox.promotion_check import Container

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient
    from types_boto3_sagemaker.type_defs import DescribeModelPackageOutputTypeDef


class Approval(StrEnum):
    """What the registry says about a model version."""

    PENDING = "PendingManualApproval"
    APPROVED = "Approved"
    REJECTED = "Rejected"


@dataclass(frozen=True)
class ModelVersion:
    """One package of a group; `evaluation_uri` is where its metrics lie, empty when it has none;
    `modified_by` is an ARN, empty where SageMaker does not know it; `stage` is where it is in use
    and how far, such as "prod Serving".
    """

    arn: str
    approval: Approval
    approval_description: str
    evaluation_uri: str
    modified_by: str = ""
    stage: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    container: Container = field(default_factory=Container)


def describe(arn: str, sagemaker: "SageMakerClient | None" = None) -> ModelVersion:
    """A model version as the registry has it; `sagemaker` is another account's client."""
    package = (sagemaker or clients.sagemaker()).describe_model_package(ModelPackageName=arn)
    life = package.get("ModelLifeCycle", {})
    quality = package.get("ModelMetrics", {}).get("ModelQuality", {})
    return ModelVersion(
        arn=arn,
        approval=Approval(package.get("ModelApprovalStatus", Approval.PENDING)),
        approval_description=package.get("ApprovalDescription", ""),
        evaluation_uri=quality.get("Statistics", {}).get("S3Uri", ""),
        modified_by=package.get("LastModifiedBy", {}).get("IamIdentity", {}).get("Arn", ""),
        stage=f"{life.get('Stage', '')} {life.get('StageStatus', '')}".strip(),
        metadata=package.get("CustomerMetadataProperties", {}),
        container=_container(package),
    )


def _container(package: "DescribeModelPackageOutputTypeDef") -> Container:
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    if not containers:
        return Container()
    first = containers[0]
    return Container(
        image=first.get("Image", ""),
        image_digest=first.get("ImageDigest", ""),
        model_data_url=first.get("ModelDataUrl", ""),
    )


def approve(arn: str, reason: str) -> None:
    """Mark a model version as approved, with the reason that people see in the registry."""
    _settle(arn, "Approved", reason)


def reject(arn: str, reason: str) -> None:
    """Mark a model version as rejected, with the reason that people see in the registry."""
    _settle(arn, "Rejected", reason)


def reopen(arn: str, reason: str) -> None:
    """Let a model version wait for a decision again, with the reason that people see."""
    _settle(arn, "PendingManualApproval", reason)


def _settle(
    arn: str, status: Literal["Approved", "Rejected", "PendingManualApproval"], reason: str
) -> None:
    """`ApprovalDescription` is one line (pattern `.*`); what is said at a gate may be more."""
    clients.sagemaker().update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus=status,
        ApprovalDescription=" ".join(reason.split())[:1024],
    )


def delete(arn: str) -> None:
    """Forget a version."""
    clients.sagemaker().delete_model_package(ModelPackageName=arn)


def stamp(arn: str, metadata: Mapping[str, str]) -> None:
    """Add to a version's metadata; that is no decision, so it wakes nobody."""
    clients.sagemaker().update_model_package(
        ModelPackageArn=arn, CustomerMetadataProperties=dict(metadata)
    )
