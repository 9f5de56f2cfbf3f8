"""Tells EventBridge of each change of a job, in the shape of SageMaker's events.

Source of the shapes: Amazon SageMaker Developer Guide, "Automating Amazon SageMaker with Amazon
EventBridge" (read 2026-11).
"""

from datetime import datetime
from typing import Any

from localaws.jobs.state import Job
from localaws.sagemaker.events import emit
from localaws.sagemaker.store import Document, Kind

_COPIED: dict[Kind, tuple[str, ...]] = {
    Kind.PROCESSING_JOB: (
        "ProcessingInputs",
        "ProcessingOutputConfig",
        "ProcessingResources",
        "StoppingCondition",
        "AppSpecification",
        "RoleArn",
    ),
    Kind.TRAINING_JOB: (
        "AlgorithmSpecification",
        "RoleArn",
        "InputDataConfig",
        "OutputDataConfig",
        "ResourceConfig",
        "StoppingCondition",
        "HyperParameters",
    ),
    Kind.TRANSFORM_JOB: (
        "ModelName",
        "TransformInput",
        "TransformOutput",
        "TransformResources",
        "BatchStrategy",
    ),
}


def announce(job: Job) -> None:
    """Emit `SageMaker <kind> Job State Change` for the job as it is now."""
    emit(job.kind.event_type, _detail(job), arn=job.arn, place=job.place)


def _detail(job: Job) -> Document:
    title = job.kind.title
    detail: Document = {
        f"{title}JobName": job.name,
        f"{title}JobArn": job.arn,
        f"{title}JobStatus": job.status.value,
        "CreationTime": _moment(job, job.created),
        "LastModifiedTime": _moment(job, job.modified),
        "Tags": dict(job.tags),
        **{key: job.request[key] for key in _COPIED[job.kind.kind] if key in job.request},
        **_times(job),
    }
    if job.failure_reason:
        detail["FailureReason"] = job.failure_reason
    if job.kind.kind is Kind.TRAINING_JOB:
        detail.update(_training(job))
    return detail


def _times(job: Job) -> Document:
    title = job.kind.title
    moments = {f"{title}StartTime": job.started, f"{title}EndTime": job.ended}
    return {key: _moment(job, at) for key, at in moments.items() if at is not None}


def _moment(job: Job, at: datetime) -> Any:
    """Transform jobs tell the time as text, the others as milliseconds since 1970."""
    if job.kind.kind is Kind.TRANSFORM_JOB:
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return int(at.timestamp() * 1000)


def _training(job: Job) -> Document:
    detail: Document = {
        "SecondaryStatus": job.secondary_status,
        "SecondaryStatusTransitions": [
            {"Status": t.status, "StartTime": _moment(job, t.at), "StatusMessage": t.message}
            for t in job.transitions
        ],
    }
    if job.model_artifacts:
        detail["ModelArtifacts"] = {"S3ModelArtifacts": job.model_artifacts}
    return detail
