"""The delivery pipeline of the operations account, followed action by action."""

import io
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.markup import escape

from signalbox_cli.console import Output, duration
from signalbox_cli.errors import RunFailed
from signalbox_cli.target import Target

APPROVAL = ("Prod", "ApproveForProd")
_BUILDS = ("Build", "Train", "InferenceTest", "Review")
_PATIENCE_S = 1800.0
_ENDED = ("Succeeded", "Failed", "Abandoned")
_LOG_LINES = 50  # of a build: its last words are among them
_MARKS = {"Succeeded": "[green]✓[/green]", "Failed": "[red]✗[/red]"}


@dataclass(frozen=True)
class Action:
    """One action of a run, as ListActionExecutions tells it."""

    stage: str
    name: str
    status: str
    seconds: float
    cause: str
    told: dict[str, Any]

    @property
    def place(self) -> tuple[str, str]:
        """Its stage and its name."""
        return self.stage, self.name


def _action(told: dict[str, Any]) -> Action:
    result = told.get("output", {}).get("executionResult", {})
    return Action(
        stage=told["stageName"],
        name=told["actionName"],
        status=told["status"],
        seconds=(told["lastUpdateTime"] - told["startTime"]).total_seconds(),
        cause=str(result.get("errorDetails", {}).get("message", "")),
        told=told,
    )


@dataclass(frozen=True)
class DeliveryRun:
    """A run that has ended, or that waits for its approval."""

    id: str
    status: str
    actions: tuple[Action, ...]

    @property
    def waits(self) -> bool:
        """Whether a person is asked."""
        return self.status == "InProgress"

    def action(self, stage: str, name: str = "") -> Action:
        """The last action of a stage, or that of a name; raises RunFailed if it never began."""
        found = [one for one in self.actions if one.stage == stage and name in ("", one.name)]
        if not found:
            raise RunFailed(f"delivery {self.id} is {self.status} and never came to {stage}")
        return found[-1]


class DeliveryPipeline:
    """One pipeline; `target` is the operations account's."""

    def __init__(self, target: Target, name: str, output: Output) -> None:
        self._target, self._name, self._output = target, name, output

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self._name

    def execution_ids(self) -> list[str]:
        """All runs, newest first."""
        client = self._target.client("codepipeline")
        listed = client.list_pipeline_executions(pipelineName=self._name)
        return [one["pipelineExecutionId"] for one in listed["pipelineExecutionSummaries"]]

    def started_by(self, cause: Callable[[], object]) -> str:
        """The run that begins when something is done: an upload, say. Raises RunFailed."""
        before = set(self.execution_ids())
        cause()
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            new = [one for one in self.execution_ids() if one not in before]
            if new:
                return new[-1]
            time.sleep(self._target.poll_s)
        raise RunFailed(f"{self._name} was not started within {_PATIENCE_S:.0f} s")

    def follow(self, execution: str, *, past_approval: bool = False) -> DeliveryRun:
        """Until the run has ended, or asks a person; each action is told when it has ended."""
        said: set[str] = set()
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            run = DeliveryRun(execution, self._status(execution), self._actions(execution))
            self._tell(run, said, past_approval=past_approval)
            is_asking = not past_approval and any(
                one.place == APPROVAL and one.status == "InProgress" for one in run.actions
            )
            if run.status not in ("InProgress", "Stopping") or is_asking:
                return run
            time.sleep(self._target.poll_s)
        raise RunFailed(f"delivery {execution} took longer than {_PATIENCE_S:.0f} s")

    def _status(self, execution: str) -> str:
        told = self._target.client("codepipeline").get_pipeline_execution(
            pipelineName=self._name, pipelineExecutionId=execution
        )
        return str(told["pipelineExecution"]["status"])

    def _actions(self, execution: str) -> tuple[Action, ...]:
        pages = self._target.client("codepipeline").get_paginator("list_action_executions")
        told = pages.paginate(
            pipelineName=self._name, filter={"pipelineExecutionId": execution}
        ).search("actionExecutionDetails[]")
        return tuple(_action(one) for one in reversed(list(told)))

    def _tell(self, run: DeliveryRun, said: set[str], *, past_approval: bool) -> None:
        places = [one.place for one in run.actions]
        for one in run.actions:
            if one.status not in _ENDED or f"{one.place}" in said:
                continue
            said.add(f"{one.place}")
            if past_approval and places.index(one.place) < places.index(APPROVAL):
                continue
            label = one.stage if one.name == one.stage else f"{one.stage}, {one.name}"
            took = f"{one.status.lower()} in {duration(one.seconds)}"
            self._output.note(f"  {_MARKS.get(one.status, ' ')} {label:<24} {took}")

    # ---------------------------------------------------------------------- what a run tells

    def last_words(self, action: Action) -> str:
        """The line in which a failed build's log says why; of any other action its cause."""
        build = action.told.get("output", {}).get("executionResult", {}).get("externalExecutionId")
        if action.name not in _BUILDS or not build:
            return action.cause
        found = self._target.client("codebuild").batch_get_builds(ids=[build])["builds"]
        logs = found[0]["logs"]
        events = self._target.client("logs").get_log_events(
            logGroupName=logs["groupName"], logStreamName=logs["streamName"], limit=_LOG_LINES
        )["events"]
        lines = "".join(f"{event['message'].rstrip()}\n" for event in events).splitlines()
        meant = [one for one in lines if one and not one.startswith(("[Container]", "make"))]
        return meant[-1] if meant else action.cause

    def question(self, run: DeliveryRun) -> str:
        """What the person is asked, with the evidence in it."""
        asked = run.action(*APPROVAL).told["input"]["resolvedConfiguration"]
        return str(asked["CustomData"])

    def token(self, run: DeliveryRun) -> str:
        """What an answer to the approval has to name."""
        told = self._target.client("codepipeline").get_pipeline_state(name=self._name)
        (stage,) = [one for one in told["stageStates"] if one["stageName"] == APPROVAL[0]]
        if stage.get("latestExecution", {}).get("pipelineExecutionId") != run.id:
            raise RunFailed(f"another run than {run.id} waits for its approval")
        (asked,) = [one for one in stage["actionStates"] if one["actionName"] == APPROVAL[1]]
        return str(asked["latestExecution"]["token"])

    def changes(self, run: DeliveryRun) -> list[str]:
        """What executing the change set would do that prod's approval is about."""
        (made,) = run.action(APPROVAL[0], "Review").told["output"]["outputArtifacts"]
        place = made["s3location"]
        body = self._target.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])
        with zipfile.ZipFile(io.BytesIO(body["Body"].read())) as packages:
            return packages.read("prod/changes.txt").decode().splitlines()


def said(text: str) -> str:
    """A text for the console, whatever is in it."""
    return escape(" ".join(text.split()))
