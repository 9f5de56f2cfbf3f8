"""The Lambda action: one job per invocation, answered by the function through the API.

A job is answered once; a second answer is InvalidJobStateException, so a job delivered twice is one
action. CodePipeline user guide, "AWS Lambda invoke action reference" and "Quotas" (2026-11-21).
"""

import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from localaws import clock
from localaws.events.workers import Timer, Timers
from localaws.iam import service as iam
from localaws.pipelines.actions import CODEPIPELINE, client
from localaws.pipelines.model import ActionStatus, Result, Work, failed
from localaws.wire import AwsError

ANSWER_WITHIN_S = 20 * 60.0
CONTINUE_AFTER_S = 30.0
MAX_VARIABLE_BYTES = 122_880
Complete = Callable[[Work, Result], bool]


@dataclass
class Job:
    """One question to a function."""

    work: Work
    continuation: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "Dispatched"
    timer: Timer | None = None

    @property
    def is_open(self) -> bool:
        """Whether an answer is awaited."""
        return self.status == "Dispatched"


class Jobs:
    """All jobs; `complete` takes results, `again` invokes a function once more."""

    def __init__(
        self, timers: Timers, complete: Complete, again: Callable[[Work, str], None]
    ) -> None:
        self._timers = timers
        self._complete = complete
        self._again = again
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def invoke(self, work: Work, continuation: str = "") -> None:
        """Open a job and give it to the function."""
        job = Job(work, continuation)
        with self._lock:
            self._jobs[job.id] = job
        job.timer = self._timers.after(ANSWER_WITHIN_S, lambda: self.expire(job.id))
        try:
            client(work, "lambda").invoke(
                FunctionName=work.configuration["FunctionName"],
                InvocationType="Event",
                Payload=json.dumps(_job_event(job)).encode(),
            )
        except BaseException:
            self._close(job, "Failed")
            raise

    def expire(self, job_id: str) -> None:
        """Fail a job that nobody has answered in time; nothing for one that was."""
        job = self._jobs[job_id]
        if self._close(job, "TimedOut"):
            message = (
                f"The Lambda function {job.work.configuration['FunctionName']} failed to return "
                "a result. Check the function's logs and that it answers with PutJobSuccessResult "
                f"or PutJobFailureResult within {ANSWER_WITHIN_S / 60:.0f} minutes."
            )
            self._complete(job.work, failed("JobFailed", message))

    def succeed(self, request: dict[str, Any]) -> None:
        """PutJobSuccessResult; raises AwsError."""
        job = self._known(request["jobId"])
        variables = request.get("outputVariables") or {}
        if len(json.dumps(variables).encode()) > MAX_VARIABLE_BYTES:
            message = f"The output variables are over {MAX_VARIABLE_BYTES} bytes"
            raise AwsError("OutputVariablesSizeExceededException", message)
        self._close_or_refuse(job, "Succeeded")
        details = request.get("executionDetails") or {}
        token = request.get("continuationToken")
        if token:
            self._timers.after(
                clock.scaled_s(CONTINUE_AFTER_S), lambda: self._again(job.work, token)
            )
            return
        self._complete(
            job.work,
            Result(
                ActionStatus.SUCCEEDED,
                summary=details.get("summary", ""),
                external_id=details.get("externalExecutionId", "") or job.id,
                variables=variables,
            ),
        )

    def fail(self, request: dict[str, Any]) -> None:
        """PutJobFailureResult; raises AwsError."""
        job = self._known(request["jobId"])
        self._close_or_refuse(job, "Failed")
        details = request["failureDetails"]
        external_id = details.get("externalExecutionId", "") or job.id
        result = failed(details["type"], details["message"], external_id=external_id)
        self._complete(job.work, result)

    def details(self, job_id: str) -> dict[str, Any]:
        """GetJobDetails; raises AwsError."""
        job = self._known(job_id)
        data = _job_data(job)
        data["actionTypeId"] = job.work.spec.type_id
        data["pipelineContext"] = {
            "pipelineName": job.work.pipeline,
            "pipelineArn": job.work.pipeline_arn,
            "pipelineExecutionId": job.work.execution_id,
            "stage": {"name": job.work.stage},
            "action": {"name": job.work.spec.name, "actionExecutionId": job.work.run_id},
        }
        return {"id": job.id, "accountId": job.work.account, "data": data}

    def ids_of(self, action_execution_id: str) -> list[str]:
        """The jobs of one action execution, oldest first."""
        with self._lock:
            jobs = list(self._jobs.values())
        return [job.id for job in jobs if job.work.run_id == action_execution_id]

    def _known(self, job_id: str) -> Job:
        job = self._jobs.get(job_id)
        if job is None:
            raise AwsError("JobNotFoundException", f"There is no job with id {job_id}")
        return job

    def _close_or_refuse(self, job: Job, status: str) -> None:
        if not self._close(job, status):
            raise _not_open(job)

    def _close(self, job: Job, status: str) -> bool:
        """Set the final status; False when another answer was first."""
        with self._lock:
            if not job.is_open:
                return False
            job.status = status
        if job.timer is not None:
            job.timer.cancel()
        return True


def _not_open(job: Job) -> AwsError:
    message = f"The job {job.id} is {job.status} and takes no other result"
    return AwsError("InvalidJobStateException", message)


def _job_event(job: Job) -> dict[str, Any]:
    data = _job_data(job)
    return {"CodePipeline.job": {"id": job.id, "accountId": job.work.account, "data": data}}


def _job_data(job: Job) -> dict[str, Any]:
    work = job.work
    # parity: AWS narrows these credentials to the artifact store; here they are the role's own
    keys = iam.assume_service_role(
        work.role_arn,
        CODEPIPELINE,
        session_name=work.pipeline[:64],
        source_arn=work.pipeline_arn,
    )
    data: dict[str, Any] = {
        "actionConfiguration": {"configuration": dict(work.configuration)},
        "inputArtifacts": [_location(item.name, item.bucket, item.key) for item in work.inputs],
        "outputArtifacts": [_location(item.name, item.bucket, item.key) for item in work.outputs],
        "artifactCredentials": {
            "accessKeyId": keys.access_key_id,
            "secretAccessKey": keys.secret_access_key,
            "sessionToken": keys.session_token,
        },
    }
    if work.store.key_id:
        data["encryptionKey"] = {"id": work.store.key_id, "type": "KMS"}
    if job.continuation:
        data["continuationToken"] = job.continuation
    return data


def _location(name: str, bucket: str, key: str) -> dict[str, Any]:
    place = {"bucketName": bucket, "objectKey": key}
    return {"name": name, "revision": None, "location": {"type": "S3", "s3Location": place}}
