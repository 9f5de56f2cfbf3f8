"""Step Functions: the jobs that a run's state machines have run."""

from collections.abc import Iterable

from botocore.exceptions import ClientError

from signalbox import jobs
from signalbox.aws import clients, failures
from signalbox.aws.actions import ActionRun
from signalbox.jobs import Job


def of_actions(actions: Iterable[ActionRun]) -> tuple[Job, ...]:
    """The ended jobs of every machine that the actions started, retries of a stage included."""
    return tuple(job for action in actions for job in of_machine(action.machine))


def of_machine(arn: str) -> tuple[Job, ...]:
    """The ended jobs of one execution; none for "" and for one that is forgotten or never began."""
    if not arn:
        return ()
    pages = clients.stepfunctions().get_paginator("get_execution_history")
    try:
        return jobs.in_history(
            event for page in pages.paginate(executionArn=arn) for event in page["events"]
        )
    except ClientError as error:
        if failures.code_of(error) == "ExecutionDoesNotExist":
            return ()
        raise
