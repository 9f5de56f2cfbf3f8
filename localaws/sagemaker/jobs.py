"""Create, Describe, List and Stop of processing, training and transform jobs."""

from collections.abc import Callable
from typing import Any

from localaws.jobs import requests as job_requests
from localaws.jobs import service as jobs
from localaws.jobs.state import KINDS, PROCESSING, TRAINING, TRANSFORM, Job, JobKind, Status
from localaws.sagemaker.api import Call, operation
from localaws.sagemaker.shapes import validation_error
from localaws.sagemaker.store import STORE, Document, Kind, Listing, Record
from localaws.sagemaker.tags import tags_of
from localaws.wire import AwsError

_LIST_MEMBERS = {
    Kind.PROCESSING_JOB: "ProcessingJobSummaries",
    Kind.TRAINING_JOB: "TrainingJobSummaries",
    Kind.TRANSFORM_JOB: "TransformJobSummaries",
}


@operation("CreateProcessingJob")
def create_processing_job(call: Call) -> Document:
    """Start a processing job."""
    job_requests.check_processing(call.parameters)
    return _create(call, PROCESSING, call.parameters["RoleArn"])


@operation("CreateTrainingJob")
def create_training_job(call: Call) -> Document:
    """Start a training job."""
    job_requests.check_training(call.parameters)
    return _create(call, TRAINING, call.parameters["RoleArn"])


@operation("CreateTransformJob")
def create_transform_job(call: Call) -> Document:
    """Start a batch transform with a model's containers and the model's role."""
    from localaws.sagemaker.models import resolve_model

    job_requests.check_transform(call.parameters)
    model = resolve_model(call.place, call.parameters["ModelName"])
    return _create(call, TRANSFORM, model.role_arn, {"model": model})


def _create(
    call: Call, kind: JobKind, role_arn: str, details: dict[str, Any] | None = None
) -> Document:
    name = call.parameters[f"{kind.title}JobName"]
    request = {key: value for key, value in call.parameters.items() if key != "Tags"}
    tags = tags_of(call.parameters)
    with STORE.lock:
        if STORE.find(call.place, kind.kind, name) is not None:
            raise AwsError(
                "ResourceInUse",
                f"Job name must be unique within an AWS account and region, and a {kind.title} job "
                f"with this name already exists ({call.place.arn(kind.kind, name)})",
            )
        job = Job(kind, call.place, name, request, role_arn, tags, details=details or {})
        STORE.add(Record(kind.kind, call.place, name, request, tags, state=job))
    jobs.submit(job)
    return {f"{kind.title}JobArn": job.arn}


def _describe(kind: JobKind) -> Callable[[Call], Document]:
    def describe(call: Call) -> Document:
        return describe_job(_job(call, kind))

    return describe


def _stop(kind: JobKind) -> Callable[[Call], Document]:
    def stop(call: Call) -> Document:
        jobs.stop(_job(call, kind))
        return {}

    return stop


def _list(kind: JobKind) -> Callable[[Call], Document]:
    def list_(call: Call) -> Document:
        listing = Listing(call.parameters)
        found = STORE.all(call.place, kind.kind)
        page, token = listing.page(found, lambda r: r.state.status.value)
        summaries = [_summary(record.state) for record in page]
        return {_LIST_MEMBERS[kind.kind]: summaries, "NextToken": token}

    return list_


for _kind in KINDS.values():
    operation(f"Describe{_kind.title}Job")(_describe(_kind))
    operation(f"Stop{_kind.title}Job")(_stop(_kind))
    operation(f"List{_kind.title}Jobs")(_list(_kind))


def _job(call: Call, kind: JobKind) -> Job:
    name = call.parameters[f"{kind.title}JobName"]
    job = jobs.find(kind.kind, name, call.place)
    if job is None:
        # The code of all three is ValidationException; only the words differ on AWS.
        raise validation_error(
            f"Could not find requested job with name: {name} ({call.place.arn(kind.kind, name)})"
        )
    return job


def _summary(job: Job) -> Document:
    title = job.kind.title
    summary: Document = {
        f"{title}JobName": job.name,
        f"{title}JobArn": job.arn,
        f"{title}JobStatus": job.status.value,
        "CreationTime": job.created,
        "LastModifiedTime": job.modified,
        f"{title}EndTime": job.ended,
    }
    if job.kind.kind is Kind.TRAINING_JOB:
        summary["SecondaryStatus"] = job.secondary_status
    else:
        summary["FailureReason"] = job.failure_reason
    return {key: value for key, value in summary.items() if value is not None}


def describe_job(job: Job) -> Document:
    """The Describe answer of a job."""
    title = job.kind.title
    described: Document = {
        **job.request,
        f"{title}JobArn": job.arn,
        f"{title}JobStatus": job.status.value,
        "CreationTime": job.created,
        f"{title}StartTime": job.started,
        f"{title}EndTime": job.ended,
        "FailureReason": job.failure_reason,
    }
    if job.kind.kind is not Kind.TRANSFORM_JOB:
        described["LastModifiedTime"] = job.modified
    if job.kind.kind is Kind.PROCESSING_JOB:
        described["ExitMessage"] = job.exit_message
    if job.kind.kind is Kind.TRAINING_JOB:
        described.update(_training_parts(job))
    return described


def _training_parts(job: Job) -> Document:
    seconds = int(job.run_time.total_seconds()) if job.ended and job.started else None
    artifacts = {"S3ModelArtifacts": job.model_artifacts} if job.model_artifacts else None
    metrics = [
        {"MetricName": m.name, "Value": m.value, "Timestamp": m.at} for m in job.metrics.values()
    ]
    return {
        "SecondaryStatus": job.secondary_status,
        "SecondaryStatusTransitions": _transitions(job),
        "ModelArtifacts": artifacts,
        "FinalMetricDataList": metrics or None,
        "TrainingTimeInSeconds": seconds,
        "BillableTimeInSeconds": seconds,
        "EnableNetworkIsolation": bool(job.request.get("EnableNetworkIsolation")),
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": bool(job.request.get("EnableManagedSpotTraining")),
    }


def _transitions(job: Job) -> list[Document]:
    ends = [t.at for t in job.transitions[1:]]
    if job.status in (Status.COMPLETED, Status.FAILED, Status.STOPPED):
        ends.append(job.transitions[-1].at)
    listed = []
    for number, transition in enumerate(job.transitions):
        entry: Document = {
            "Status": transition.status,
            "StartTime": transition.at,
            "StatusMessage": transition.message,
        }
        if number < len(ends):
            entry["EndTime"] = ends[number]
        listed.append(entry)
    return listed
