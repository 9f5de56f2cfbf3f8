"""SageMaker Model Registry: the status of a model version."""

from dataclasses import dataclass
from enum import StrEnum

from signalbox.aws import clients


class Approval(StrEnum):
    """What the registry says about a model version."""

    PENDING = "PendingManualApproval"
    APPROVED = "Approved"
    REJECTED = "Rejected"


@dataclass(frozen=True)
class ModelVersion:
    """One package of a group."""

    arn: str
    approval: Approval
    approval_description: str


def describe(arn: str) -> ModelVersion:
    """A model version as the registry has it."""
    package = clients.sagemaker().describe_model_package(ModelPackageName=arn)
    return ModelVersion(
        arn=arn,
        approval=Approval(package.get("ModelApprovalStatus", Approval.PENDING)),
        approval_description=package.get("ApprovalDescription", ""),
    )


def approve(arn: str, reason: str) -> None:
    """Mark a model version as approved, with the reason that people see in the registry."""
    clients.sagemaker().update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription=reason[:1024],
    )
