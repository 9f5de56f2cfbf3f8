"""CodePipeline: the actions of executions as they ran, and the gates that wait now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from signalbox.aws import clients
from signalbox.errors import EventError

_SEARCHED_PAGES = 5


@dataclass(frozen=True)
class ActionRun:
    """One run of one action; `by` is the ARN of who decided an approval."""

    id: str
    execution_id: str
    stage: str
    name: str
    status: str
    started_at: datetime
    ended_at: datetime
    by: str = ""
    summary: str = ""
    external_id: str = ""
    error: str = ""
    output: Mapping[str, str] = field(default_factory=dict)

    @property
    def machine(self) -> str:
        """ARN of the state machine's execution that the action started; empty for other actions."""
        is_machine = self.external_id.startswith("arn:") and ":execution:" in self.external_id
        return self.external_id if is_machine else ""


def of_execution(pipeline: str, execution_id: str) -> tuple[ActionRun, ...]:
    """The actions of an execution, oldest first; raises EventError when there is none."""
    pages = (
        clients.codepipeline()
        .get_paginator("list_action_executions")
        .paginate(pipelineName=pipeline, filter={"pipelineExecutionId": execution_id})
    )
    found = [_action(detail) for page in pages for detail in page["actionExecutionDetails"]]
    if not found:
        raise EventError(
            f"pipeline {pipeline} knows no action of execution {execution_id}; "
            "the execution id in the event is wrong or older than 12 months"
        )
    return tuple(sorted(found, key=lambda action: action.started_at))


def newest_first(pipeline: str) -> Iterator[ActionRun]:
    """The last some hundred actions of all executions."""
    pages = (
        clients.codepipeline()
        .get_paginator("list_action_executions")
        .paginate(
            pipelineName=pipeline,
            PaginationConfig={"MaxItems": 100 * _SEARCHED_PAGES, "PageSize": 100},
        )
    )
    return (_action(detail) for page in pages for detail in page["actionExecutionDetails"])


def _action(detail: Mapping[str, Any]) -> ActionRun:
    output = detail.get("output", {})
    result = output.get("executionResult", {})
    fault = result.get("errorDetails", {})
    return ActionRun(
        id=detail.get("actionExecutionId", ""),
        execution_id=detail.get("pipelineExecutionId", ""),
        stage=detail.get("stageName", ""),
        name=detail.get("actionName", ""),
        status=detail.get("status", ""),
        started_at=detail["startTime"],
        ended_at=detail.get("lastUpdateTime", detail["startTime"]),
        by=detail.get("updatedBy", ""),
        summary=result.get("externalExecutionSummary", ""),
        external_id=result.get("externalExecutionId", ""),
        error=": ".join(filter(None, (fault.get("code"), fault.get("message")))),
        output=output.get("outputVariables", {}),
    )


@dataclass(frozen=True)
class OpenGate:
    """A gate at which an execution waits."""

    stage: str
    action: str
    execution_id: str
    action_execution_id: str


def open_gates(pipeline: str) -> list[OpenGate]:
    """Every approval of the pipeline that waits for a decision now."""
    state = clients.codepipeline().get_pipeline_state(name=pipeline)
    return [
        OpenGate(
            stage=stage.get("stageName", ""),
            action=action.get("actionName", ""),
            execution_id=stage.get("latestExecution", {}).get("pipelineExecutionId", ""),
            action_execution_id=latest.get("actionExecutionId", ""),
        )
        for stage in state["stageStates"]
        for action in stage.get("actionStates", [])
        for latest in [action.get("latestExecution", {})]
        if latest.get("token") and latest.get("status") == "InProgress"
    ]
