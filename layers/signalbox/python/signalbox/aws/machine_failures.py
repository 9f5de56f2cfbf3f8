"""Step Functions: why an execution ended, and in which state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from signalbox.aws import clients, failures

_EVENTS = 200
_CAUSES = frozenset(
    {
        "TaskFailed",
        "TaskTimedOut",
        "TaskStartFailed",
        "TaskSubmitFailed",
        "LambdaFunctionFailed",
        "ExecutionAborted",
        "ExecutionTimedOut",
    }
)


@dataclass(frozen=True)
class EndedExecution:
    """An execution that did not succeed; `input` is its whole input."""

    arn: str
    status: str
    error: str
    cause: str
    state: str
    input: str


def describe(arn: str) -> EndedExecution | None:
    """How an execution ended; None when it runs, succeeded, or never began."""
    try:
        found = clients.stepfunctions().describe_execution(executionArn=arn)
    except ClientError as error:
        if failures.code_of(error) == "ExecutionDoesNotExist":
            return None
        raise
    if found["status"] in ("RUNNING", "SUCCEEDED"):
        return None
    history = clients.stepfunctions().get_execution_history(
        executionArn=arn, reverseOrder=True, maxResults=_EVENTS, includeExecutionData=False
    )
    return EndedExecution(
        arn=arn,
        status=found["status"],
        error=found.get("error", "") or found["status"],
        cause=found.get("cause", ""),
        state=failed_state(history["events"]),
        input=found.get("input", ""),
    )


def failed_state(newest_first: Iterable[Mapping[str, Any]]) -> str:
    """The state that was entered last before the failure; empty when none is found.

    What the machine does after a failure, such as recording it, comes before it in this order.
    """
    has_failed = False
    for event in newest_first:
        has_failed = has_failed or event["type"] in _CAUSES
        entered = event.get("stateEnteredEventDetails", {})
        if has_failed and entered:
            return str(entered["name"])
    return ""
