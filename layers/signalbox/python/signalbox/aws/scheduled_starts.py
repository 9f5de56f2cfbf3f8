"""What a schedule starts and looks at first: the pipeline, the registry, the inference machine."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypedDict

from botocore.exceptions import ClientError

from signalbox import schedules
from signalbox.aws import clients, failures, registry
from signalbox.manifest_resolved import ResolvedManifest, to_input
from signalbox.schedules import ScheduledStart

if TYPE_CHECKING:
    from types_boto3_codepipeline.type_defs import SourceRevisionOverrideTypeDef


class _Source(TypedDict, total=False):
    sourceRevisions: "list[SourceRevisionOverrideTypeDef]"


VERSIONS = 20
_SHOWN = 100  # executions of a pipeline that waits are among its newest
_OPEN = ("InProgress", "Stopping")


def waiting(pipeline: str, role: str) -> str:
    """An execution that this function has started and that has not ended; empty for none.

    `role` is part of the ARN that CodePipeline names as the one who started it.
    """
    found = clients.codepipeline().list_pipeline_executions(
        pipelineName=pipeline, maxResults=_SHOWN
    )
    own = (
        one["pipelineExecutionId"]
        for one in found["pipelineExecutionSummaries"]
        if one["status"] in _OPEN and f"/{role}/" in one.get("trigger", {}).get("triggerDetail", "")
    )
    return next(own, "")


def release(pipeline: str, start: ScheduledStart) -> str:
    """Start the pipeline, once for one time of the schedule; the execution's id."""
    answer = clients.codepipeline().start_pipeline_execution(
        name=pipeline,
        clientRequestToken=schedules.token(start),
        variables=[
            {"name": name, "value": value} for name, value in schedules.variables(start).items()
        ],
        **_source(start.archive),
    )
    return answer["pipelineExecutionId"]


def _source(archive: str) -> "_Source":
    if not archive:
        return {}
    return {
        "sourceRevisions": [
            {
                "actionName": "Source",
                "revisionType": "S3_OBJECT_KEY",
                "revisionValue": archive,
            }
        ]
    }


def approved(group: str) -> dict[str, dict[str, str]]:
    """Metadata of the newest approved versions of a group by ARN, newest first.

    Empty, too, where there is no such group: its workload was never trained here.
    """
    try:
        arns = list(_approved_arns(group))
    except ClientError as error:
        if not failures.is_missing_from_registry(error):
            raise
        return {}
    return {arn: dict(registry.describe(arn).metadata) for arn in arns}


def _approved_arns(group: str) -> Iterator[str]:
    pages = (
        clients.sagemaker()
        .get_paginator("list_model_packages")
        .paginate(
            ModelPackageGroupName=group,
            ModelApprovalStatus="Approved",
            SortBy="CreationTime",
            SortOrder="Descending",
            PaginationConfig={"MaxItems": VERSIONS, "PageSize": VERSIONS},
        )
    )
    return (s["ModelPackageArn"] for page in pages for s in page["ModelPackageSummaryList"])


def start_machine(manifest: ResolvedManifest, machine_arn: str) -> None:
    """Start the inference machine on a scheduled run, once."""
    try:
        clients.stepfunctions().start_execution(
            stateMachineArn=machine_arn,
            name=schedules.execution_name(manifest),
            input=to_input(manifest).decode(),
        )
    except ClientError as error:
        if failures.code_of(error) != "ExecutionAlreadyExists":
            raise
