"""Model versions of the registry, as a person wants to see them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from signalbox_cli.target import Target


@dataclass(frozen=True)
class ModelVersion:
    """One version of one workload's group."""

    group: str
    version: int
    arn: str
    approval: str
    created_at: datetime
    metadata: dict[str, str]

    def document(self) -> dict[str, Any]:
        """The version as JSON."""
        return {
            "group": self.group,
            "version": self.version,
            "arn": self.arn,
            "approval": self.approval,
            "createdAt": self.created_at,
            "metadata": self.metadata,
        }


def groups(target: Target, workload: str | None = None) -> list[str]:
    """The environment's model package groups, or just the workload's."""
    prefix = f"{target.prefix}-{workload or ''}"
    pages = (
        target.client("sagemaker")
        .get_paginator("list_model_package_groups")
        .paginate(NameContains=prefix)
    )
    names = [
        g["ModelPackageGroupName"] for page in pages for g in page["ModelPackageGroupSummaryList"]
    ]
    return [n for n in names if n == prefix or (workload is None and n.startswith(prefix))]


def versions(target: Target, workload: str | None = None) -> Iterator[ModelVersion]:
    """Versions, newest first within each group."""
    client = target.client("sagemaker")
    for group in groups(target, workload):
        pages = client.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
        )
        for summary in (s for page in pages for s in page["ModelPackageSummaryList"]):
            yield _version(
                client.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
            )


def _version(described: dict[str, Any]) -> ModelVersion:
    return ModelVersion(
        group=described["ModelPackageGroupName"],
        version=described["ModelPackageVersion"],
        arn=described["ModelPackageArn"],
        approval=described["ModelApprovalStatus"],
        created_at=described["CreationTime"],
        metadata=described.get("CustomerMetadataProperties", {}),
    )
