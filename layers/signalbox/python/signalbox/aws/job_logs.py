"""CloudWatch Logs: what a job printed last."""

from botocore.exceptions import ClientError

from signalbox import jobs
from signalbox.aws import clients, failures
from signalbox.jobs import JobName

LAST_LINES = 10
_MISSING = "ResourceNotFoundException"


def last_lines(job: JobName) -> list[str]:
    """The last lines of a job's newest log stream, fit to be shown; none when it wrote nothing.

    A log that cannot be read is a line that says so: the failure is told all the same.
    """
    try:
        stream = _newest_stream(job)
        return _read(job, stream) if stream else []
    except ClientError as error:
        if failures.code_of(error) == _MISSING:
            return []
        return [f"The log could not be read: {failures.code_of(error)}"]


def _newest_stream(job: JobName) -> str:
    """Each instance of a job has a stream of its own: the one that was written to last."""
    found = clients.logs().describe_log_streams(
        logGroupName=job.kind.log_group, logStreamNamePrefix=f"{job.name}/"
    )["logStreams"]
    newest = max(found, key=lambda one: one.get("lastEventTimestamp", 0), default=None)
    return newest["logStreamName"] if newest else ""


def _read(job: JobName, stream: str) -> list[str]:
    events = clients.logs().get_log_events(
        logGroupName=job.kind.log_group,
        logStreamName=stream,
        limit=LAST_LINES,
        startFromHead=False,
    )["events"]
    return jobs.shown_log(event["message"] for event in events)[-LAST_LINES:]
