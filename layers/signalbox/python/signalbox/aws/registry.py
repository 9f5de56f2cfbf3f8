"""SageMaker Model Registry: the champion of a workload, and the status of a model version."""

from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import ClientError

from signalbox.aws import clients, failures


class Approval(StrEnum):
    """What the registry says about a model version."""

    PENDING = "PendingManualApproval"
    APPROVED = "Approved"
    REJECTED = "Rejected"


@dataclass(frozen=True)
class ModelVersion:
    """One package of a group; `evaluation_uri` is where its metrics lie, empty when it has none."""

    arn: str
    approval: Approval
    approval_description: str
    evaluation_uri: str


def latest_approved(group: str) -> str | None:
    """The ARN of the newest approved version of a group; None when there is none, or no group."""
    try:
        # Pages, because a filtered page may be empty although a later one is not.
        pages = (
            clients.sagemaker()
            .get_paginator("list_model_packages")
            .paginate(
                ModelPackageGroupName=group,
                ModelApprovalStatus="Approved",
                SortBy="CreationTime",
                SortOrder="Descending",
            )
        )
        found = (package for page in pages for package in page["ModelPackageSummaryList"])
        newest = next(found, None)
    except ClientError as error:
        # A group comes into being with its first version. AWS answers a missing one with
        # ValidationException; the name itself is ours and valid.
        if failures.code_of(error) in {"ValidationException", "ResourceNotFound"}:
            return None
        raise
    return newest["ModelPackageArn"] if newest else None


def describe(arn: str) -> ModelVersion:
    """A model version as the registry has it."""
    package = clients.sagemaker().describe_model_package(ModelPackageName=arn)
    quality = package.get("ModelMetrics", {}).get("ModelQuality", {})
    return ModelVersion(
        arn=arn,
        approval=Approval(package.get("ModelApprovalStatus", Approval.PENDING)),
        approval_description=package.get("ApprovalDescription", ""),
        evaluation_uri=quality.get("Statistics", {}).get("S3Uri", ""),
    )


def approve(arn: str, reason: str) -> None:
    """Mark a model version as approved, with the reason that people see in the registry."""
    clients.sagemaker().update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription=reason[:1024],
    )
