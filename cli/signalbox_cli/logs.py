"""The log lines of one run: its jobs, its functions, its state machines."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from signalbox_cli.run_states import read_states
from signalbox_cli.runs import RunView, machine_executions, read_run
from signalbox_cli.target import Target

# Where SageMaker writes, from the "Log SageMaker AI events with CloudWatch" page of its guide.
_JOB_GROUPS = {
    "Preprocess": "/aws/sagemaker/ProcessingJobs",
    "Evaluate": "/aws/sagemaker/ProcessingJobs",
    "Champion": "/aws/sagemaker/ProcessingJobs",
    "Train": "/aws/sagemaker/TrainingJobs",
    "Transform": "/aws/sagemaker/TransformJobs",
}
STEPS = ("preprocess", "train", "evaluate", "transform")


@dataclass(frozen=True)
class LogLine:
    """One line, with the step or job that printed it."""

    at: datetime
    step: str
    text: str


def group_of(state_or_job: str) -> str:
    """The log group of a state's job, by the step's name in it; empty when there is none."""
    lowered = state_or_job.lower()
    return next((g for step, g in _JOB_GROUPS.items() if step.lower() in lowered), "")


def last_line(target: Target, job_name: str) -> str:
    """The line a job printed last, empty while there is none."""
    stream = _newest_stream(target, group_of(job_name), job_name)
    if not stream:
        return ""
    events = target.client("logs").get_log_events(
        logGroupName=group_of(job_name), logStreamName=stream, limit=1, startFromHead=False
    )["events"]
    return str(events[-1]["message"]).strip() if events else ""


def _newest_stream(target: Target, group: str, prefix: str) -> str:
    if not group:
        return ""
    try:
        streams = target.client("logs").describe_log_streams(
            logGroupName=group, logStreamNamePrefix=f"{prefix}/"
        )["logStreams"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return ""
    return str(streams[-1]["logStreamName"]) if streams else ""


def job_names(target: Target, run: RunView) -> list[tuple[str, str]]:
    """(state, job name) of every job the run has started, in order."""
    states = [s for arn in machine_executions(run) for s in read_states(target, arn)]
    return [(s.name, s.job_name) for s in states if s.job_name]


class LogReader:
    """Reads the lines of one run's jobs; a second call gives only what is new."""

    def __init__(self, target: Target, step: str | None = None) -> None:
        self._target = target
        self._step = (step or "").lower()
        self._tokens: dict[str, str] = {}

    def read(self, run: RunView) -> Iterator[LogLine]:
        """The lines that came since the last call, job by job."""
        for state, job in job_names(self._target, run):
            if self._step in state.lower():
                yield from self._read_job(state, job)

    def _read_job(self, step: str, job: str) -> Iterator[LogLine]:
        group = group_of(job)
        stream = _newest_stream(self._target, group, job)
        while stream:
            token = {"nextToken": self._tokens[stream]} if stream in self._tokens else {}
            page = self._target.client("logs").get_log_events(
                logGroupName=group, logStreamName=stream, startFromHead=True, **token
            )
            self._tokens[stream] = page["nextForwardToken"]
            for event in page["events"]:
                yield _log_line(step, event)
            if not page["events"]:
                return


def _log_line(step: str, event: dict[str, Any]) -> LogLine:
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return LogLine(at, step, str(event["message"]).rstrip("\n"))


def follow_lines(target: Target, execution_id: str, step: str | None = None) -> Iterator[LogLine]:
    """The lines of a run as they come, until the run has ended."""
    reader = LogReader(target, step)
    while True:
        run = read_run(target, execution_id)
        yield from reader.read(run)
        if run.is_finished:
            return
        time.sleep(target.poll_s)
