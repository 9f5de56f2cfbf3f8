"""The process edge of the pipeline's Lambda actions: a job is always answered.

An action that hears nothing waits for twenty minutes and then fails without a reason, so whatever
happens inside a function becomes PutJobSuccessResult or PutJobFailureResult.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from signalbox import events
from signalbox.aws import failures, pipeline
from signalbox.aws.pipeline import FailureType
from signalbox.errors import (
    ManifestError,
    ObjectMissingError,
    SettingsError,
    SignalboxError,
    WorkloadArchiveError,
)


@dataclass(frozen=True)
class JobAnswer:
    """A job's success: what people read, what it is about, what later actions use."""

    summary: str
    external_id: str
    variables: Mapping[str, str] = field(default_factory=dict)


def answer(event: Any, logger: Logger, act: Callable[[events.PipelineJob], JobAnswer]) -> None:
    """Run `act` on the job of the event, and tell the pipeline how it went.

    Raises only when the answer itself cannot be given: Lambda then delivers the job again.
    """
    job_id = events.job_id_of(event)
    try:
        outcome = act(events.read(events.PipelineJob, events.job_in(event)))
    except Exception as error:
        kind, message = failure_of(error)
        logger.exception("job failed", extra={"job_id": job_id, "failure_type": kind.value})
        pipeline.answer_failure(job_id, kind, message)
        return
    first = pipeline.answer_success(
        job_id,
        summary=outcome.summary,
        external_id=outcome.external_id,
        variables=outcome.variables,
    )
    logger.info("job succeeded", extra={"job_id": job_id, "first_answer": first})


def failure_of(error: Exception) -> tuple[FailureType, str]:
    """CodePipeline's type and the message for an error; a bug is named with its class."""
    if isinstance(error, ClientError):
        return _failure_of_call(error), f"AWS refused a call: {error}"
    if isinstance(error, ManifestError | WorkloadArchiveError | SettingsError):
        return FailureType.CONFIGURATION, str(error)
    if isinstance(error, ObjectMissingError):
        return FailureType.REVISION_UNAVAILABLE, str(error)
    if isinstance(error, SignalboxError):
        return FailureType.JOB_FAILED, str(error)
    return FailureType.JOB_FAILED, (
        f"unexpected {type(error).__name__}: {error}; the function's log has the traceback"
    )


def _failure_of_call(error: ClientError) -> FailureType:
    code = failures.code_of(error)
    if code in failures.DENIED:
        return FailureType.PERMISSION
    if code in failures.THROTTLED or failures.status_of(error) >= 500:
        return FailureType.SYSTEM_UNAVAILABLE
    return FailureType.JOB_FAILED
