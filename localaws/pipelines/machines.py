"""The Step Functions action: starts an execution and hears of its end through EventBridge.

The end is known from the event, without polling; what the execution came to is then read with
DescribeExecution by the pipeline's role, so a missing permission fails the action as on AWS.
CodePipeline user guide, "AWS Step Functions invoke action reference" (read 2026-11-21).
"""

import threading
from collections.abc import Callable
from typing import Any

from localaws.events.workers import Timer, Timers
from localaws.pipelines.actions import client, put_artifact, read_artifact_file, zipped
from localaws.pipelines.model import ActionStatus, Result, Work, failed

TIMEOUT_S = 7 * 86_400.0
OUTPUT_FILE = "output.json"
_TERMINAL = {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
_LOOK_AGAIN_S = 0.2
Progress = Callable[[Work, str, str], None]


class Machines:
    """Executions that actions wait for; `look` reads one that has ended, on a worker thread."""

    def __init__(
        self,
        timers: Timers,
        progress: Progress,
        look: Callable[[Work, str], None],
        fail: Callable[[Work, Result], bool],
    ) -> None:
        self._timers = timers
        self._progress = progress
        self._look = look
        self._fail = fail
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[Work, Timer]] = {}

    def heard(self, event: dict[str, Any]) -> None:
        """A listener of all events: wakes the action whose execution has ended."""
        if event["source"] != "aws.states" or event["detail"].get("status") not in _TERMINAL:
            return
        self._ended(str(event["detail"].get("executionArn")))

    def _ended(self, arn: str) -> None:
        work = self._forget(arn)
        if work is not None:
            self._look(work, arn)

    def _forget(self, arn: str) -> Work | None:
        with self._lock:
            work, timer = self._waiting.pop(arn, (None, None))
        if timer is not None:
            timer.cancel()
        return work

    def _await(self, work: Work, arn: str) -> None:
        timer = self._timers.after(TIMEOUT_S, lambda: self._expire(work, arn))
        with self._lock:
            self._waiting[arn] = (work, timer)

    def start(self, work: Work) -> Result | None:
        """Start the execution; a result only for an Express machine, which nobody waits for."""
        machine = work.configuration["StateMachineArn"]
        states = client(work, "stepfunctions")
        kind = states.describe_state_machine(stateMachineArn=machine)["type"]
        prefix = work.configuration.get("ExecutionNamePrefix")
        name = f"{prefix}-{work.run_id}" if prefix else work.run_id
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
        # Before the start: an execution may end before StartExecution has returned.
        self._await(work, arn)
        try:
            states.start_execution(stateMachineArn=machine, name=name, input=_input(work))
        except BaseException:
            self._forget(arn)
            raise
        if kind == "EXPRESS":
            self._forget(arn)
            return Result(ActionStatus.SUCCEEDED, external_id=arn, variables=_variables(work, arn))
        self._progress(work, arn, _url(work, arn))
        return None

    def _expire(self, work: Work, arn: str) -> None:
        if self._forget(arn) is not None:
            message = f"The execution {arn} has not ended within 7 days; it may still be running"
            self._fail(work, failed("JobFailed", message, external_id=arn))

    def result(self, work: Work, arn: str) -> Result | None:
        """What an ended execution came to; None, and another look soon, if it still runs."""
        told = client(work, "stepfunctions").describe_execution(executionArn=arn)
        if told["status"] not in _TERMINAL:
            self._await(work, arn)
            self._timers.after(_LOOK_AGAIN_S, lambda: self._ended(arn))
            return None
        if told["status"] != "SUCCEEDED":
            return failed("JobFailed", _cause(told), external_id=arn, external_url=_url(work, arn))
        for artifact in work.outputs:
            put_artifact(work, artifact, zipped(OUTPUT_FILE, told.get("output") or "{}"))
        return Result(
            ActionStatus.SUCCEEDED,
            summary=f"The execution {arn.rpartition(':')[2]} succeeded",
            external_id=arn,
            external_url=_url(work, arn),
            variables=_variables(work, arn),
        )


def _input(work: Work) -> str:
    given = work.configuration.get("Input") or "{}"
    if work.configuration.get("InputType") == "FilePath":
        return read_artifact_file(work, work.inputs[0], given)
    return given


def _variables(work: Work, arn: str) -> dict[str, str]:
    return {"StateMachineArn": work.configuration["StateMachineArn"], "ExecutionArn": arn}


def _url(work: Work, arn: str) -> str:
    console = f"https://console.aws.amazon.com/states/home?region={work.region}"
    return f"{console}#/executions/details/{arn}"


def _cause(told: dict[str, Any]) -> str:
    parts = [f"The execution {told['executionArn']} ended as {told['status']}."]
    if told.get("error"):
        parts.append(f"Error: {told['error']}.")
    if told.get("cause"):
        parts.append(f"Cause: {told['cause']}")
    return " ".join(parts)
