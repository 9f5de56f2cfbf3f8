"""Model versions of the registry, as a person wants to see them: what each measured and serves."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from signalbox_cli.documents import promotion_record, serving_record
from signalbox_cli.errors import NotFoundError
from signalbox_cli.target import Target

_ARN = re.compile(r"arn:[^:]+:sagemaker:[^:]+:\d{12}:model-package/[^/]+/\d+")
_SHOWN_METRICS = 2


@dataclass(frozen=True)
class ModelVersion:
    """One version of one workload's group; `stage` is as the registry's life cycle has it."""

    group: str
    version: int
    arn: str
    approval: str
    created_at: datetime
    metadata: dict[str, str]
    evaluation_uri: str = ""
    stage: str = ""
    reason: str = ""

    @property
    def name(self) -> str:
        """How commands call it: `signalbox-dev-diabetes/3`."""
        return f"{self.group}/{self.version}"

    @property
    def is_rolled_back(self) -> bool:
        """Whether it is marked so that no event deploys it again."""
        return bool(self.metadata.get("rolled_back"))


@dataclass(frozen=True)
class Standing:
    """A version with what it measured and where it is in use, by environment."""

    version: ModelVersion
    metrics: Mapping[str, float] = field(default_factory=dict)
    serves: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The version as JSON."""
        one = self.version
        return {
            "group": one.group,
            "version": one.version,
            "arn": one.arn,
            "approval": one.approval,
            "reason": one.reason or None,
            "stage": one.stage or None,
            "rolledBack": one.metadata.get("rolled_back"),
            "createdAt": one.created_at,
            "metrics": dict(self.metrics),
            "serves": dict(self.serves),
            "metadata": one.metadata,
        }

    @property
    def shown_metrics(self) -> str:
        """The first metrics, short enough for a table."""
        shown = list(self.metrics.items())[:_SHOWN_METRICS]
        return " ".join(f"{_short(name)} {value:.4g}" for name, value in shown) or "-"

    @property
    def shown_places(self) -> str:
        """Where it is in use, for a table."""
        return ", ".join(f"{where}: {how}" for where, how in self.serves.items()) or "-"


def _short(metric: str) -> str:
    """`regression_metrics.rmse.value` is `rmse`."""
    return metric.removesuffix(".value").rpartition(".")[2]


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
            yield describe(target, summary["ModelPackageArn"])


def describe(target: Target, arn: str) -> ModelVersion:
    """A version as the registry has it."""
    described = target.client("sagemaker").describe_model_package(ModelPackageName=arn)
    quality = described.get("ModelMetrics", {}).get("ModelQuality", {})
    cycle = described.get("ModelLifeCycle", {})
    return ModelVersion(
        group=described["ModelPackageGroupName"],
        version=described["ModelPackageVersion"],
        arn=described["ModelPackageArn"],
        approval=described["ModelApprovalStatus"],
        created_at=described["CreationTime"],
        metadata=described.get("CustomerMetadataProperties", {}),
        evaluation_uri=quality.get("Statistics", {}).get("S3Uri", ""),
        stage=" ".join(filter(None, (cycle.get("Stage"), cycle.get("StageStatus")))),
        reason=described.get("ApprovalDescription", ""),
    )


def named_version(target: Target, name: str) -> ModelVersion:
    """The version that a person means: an ARN, `workload/3`, or `3` where there is one workload.

    Raises NotFoundError that lists what there is.
    """
    if _ARN.fullmatch(name):
        return describe(target, name)
    workload, _, number = name.replace(":", "/").rpartition("/")
    workload = workload.removeprefix(f"{target.prefix}-")
    found = list(versions(target, workload or None)) if number.isdecimal() else []
    meant = [one for one in found if one.version == int(number)]
    if len(meant) == 1:
        return meant[0]
    known = ", ".join(one.name.removeprefix(f"{target.prefix}-") for one in found[:10])
    if len(meant) > 1:
        raise NotFoundError(f"several workloads have a version {number}; say which: {known}")
    raise NotFoundError(
        f"no model version '{name}' in {target.describe()}; name one as WORKLOAD/NUMBER or by its "
        f"ARN{f'. The newest: {known}' if known else ' (`signalbox models` lists them)'}"
    )


def standing(target: Target, version: ModelVersion) -> Standing:
    """What a version measured, and where it is in use as far as is known here."""
    return Standing(version, _metrics(target, version), places(target, version))


def places(target: Target, version: ModelVersion) -> dict[str, str]:
    """Environments in which a version is or was in use: this one by its serving record, those it
    was promoted to by its promotion record.
    """
    record = serving_record(target, version.group)
    here = [d.status.value for d in record.deployments if d.model_package_arn == version.arn]
    found = {target.environment: here[-1]} if here else {}
    promoted = promotion_record(target, version.arn) or {}
    for environment, entry in promoted.get("targets", {}).items():
        found[environment] = str(entry.get("status", ""))
    return found


def _metrics(target: Target, version: ModelVersion) -> dict[str, float]:
    """What its evaluation says; nothing when the file is gone or says nothing."""
    from botocore.exceptions import ClientError

    from signalbox import evaluations, naming
    from signalbox.errors import EvaluationInvalid

    if not version.evaluation_uri:
        return {}
    bucket, key = naming.split_s3_uri(version.evaluation_uri)
    try:
        content = target.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        evaluation = evaluations.read_evaluation(content, version.evaluation_uri)
        return evaluations.shown_metrics(evaluation, [])
    except EvaluationInvalid:
        return {}
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return {}
        raise
