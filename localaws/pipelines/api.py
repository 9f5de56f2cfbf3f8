"""The operations on pipelines and executions; the decisions on them are IAM's, made before.

Each operation takes the caller and the request as plain values and returns the answer; refusals
are AwsError with the code and in the words of CodePipeline's API reference.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localaws import clock
from localaws.errors import AccessDeniedByLocalAws
from localaws.events.service import current_delivery
from localaws.iam import service as iam
from localaws.pipelines import structure as pipeline_structure
from localaws.pipelines import views
from localaws.pipelines.actions import CODEPIPELINE
from localaws.pipelines.model import Execution, Pipeline, PipelineSpec, Status
from localaws.pipelines.runtime import Runtime
from localaws.wire import AwsError

MAX_ACTIVE = 50
"""Executions of one pipeline in QUEUED mode."""
Request = dict[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Caller:
    """Who asks, and where."""

    arn: str
    account: str
    region: str


Operation = Callable[[Runtime, Caller, Request], Answer]


def pipeline_of(runtime: Runtime, caller: Caller, name: str) -> Pipeline:
    """A pipeline by name; raises AwsError."""
    found = runtime.find(caller.account, caller.region, name)
    if found is None:
        message = f"Account '{caller.account}' does not have a pipeline with name '{name}'"
        raise AwsError("PipelineNotFoundException", message)
    return found


def execution_of(pipeline: Pipeline, execution_id: str) -> Execution:
    """An execution by id; raises AwsError."""
    found = pipeline.executions.get(execution_id)
    if found is None:
        message = f"Pipeline '{pipeline.name}' does not have an execution '{execution_id}'"
        raise AwsError("PipelineExecutionNotFoundException", message)
    return found


def create_pipeline(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """CreatePipeline. Unlike AWS it does not start a first execution."""
    declaration, spec = _checked(request["pipeline"], caller.region)
    declaration["version"] = 1
    tags = {tag["key"]: tag["value"] for tag in request.get("tags") or ()}
    runtime.add(Pipeline(caller.account, caller.region, declaration, spec, tags=tags))
    # parity: AWS runs a new pipeline once by itself (trigger CreatePipeline)
    return {"pipeline": declaration, "tags": request.get("tags") or []}


def _checked(given: dict[str, Any], region: str) -> tuple[dict[str, Any], PipelineSpec]:
    declaration = _with_defaults(given)
    spec = pipeline_structure.read(declaration, region)
    try:
        iam.assume_service_role(spec.role_arn, CODEPIPELINE, session_name=spec.name[:64])
    except AccessDeniedByLocalAws as error:
        message = (
            f"CodePipeline is not authorized to perform AssumeRole on role {spec.role_arn}: {error}"
        )
        raise AwsError("InvalidStructureException", message) from error
    return declaration, spec


def _with_defaults(given: dict[str, Any]) -> dict[str, Any]:
    declaration = copy.deepcopy(given)
    declaration.setdefault("executionMode", "SUPERSEDED")
    declaration.setdefault("pipelineType", "V1")
    for stage in declaration["stages"]:
        for action in stage["actions"]:
            action.setdefault("runOrder", 1)
            for name in ("inputArtifacts", "outputArtifacts"):
                action.setdefault(name, [])
            action.setdefault("configuration", {})
    return declaration


def get_pipeline(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """GetPipeline; only the current version is kept."""
    pipeline = pipeline_of(runtime, caller, request["name"])
    wanted = request.get("version")
    if wanted is not None and wanted != pipeline.version:
        message = f"Pipeline '{pipeline.name}' has no version {wanted} here"
        raise AwsError("PipelineVersionNotFoundException", message)
    metadata = {
        "pipelineArn": pipeline.arn,
        "created": views.epoch(pipeline.created),
        "updated": views.epoch(pipeline.updated),
    }
    return {"pipeline": pipeline.declaration, "metadata": metadata}


def update_pipeline(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """UpdatePipeline: a changed structure cancels what runs in the old one."""
    pipeline = pipeline_of(runtime, caller, request["pipeline"]["name"])
    declaration, spec = _checked(request["pipeline"], caller.region)
    with pipeline.lock:
        declaration["version"] = pipeline.version
        if declaration != pipeline.declaration:
            runtime.engine.cancel_all(pipeline)
            fresh = Pipeline(pipeline.account, pipeline.region, declaration, spec)
            pipeline.slots, pipeline.spec = fresh.slots, spec
        pipeline.version += 1
        declaration["version"] = pipeline.version
        pipeline.declaration, pipeline.updated = declaration, clock.now()
    return {"pipeline": declaration}


def delete_pipeline(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """DeletePipeline; a pipeline that is not there is no error."""
    pipeline = runtime.find(caller.account, caller.region, request["name"])
    if pipeline is not None:
        runtime.remove(pipeline)
    return {}


def list_pipelines(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """ListPipelines."""
    found = [views.summary_of_pipeline(p) for p in runtime.all(caller.account, caller.region)]
    return paged("pipelines", found, request, default=1000)


def paged(name: str, items: list[Any], request: Request, *, default: int) -> Answer:
    """One page of `items`; tokens are offsets."""
    token = request.get("nextToken") or "0"
    if not token.isdigit():
        raise AwsError("InvalidNextTokenException", f"The next token {token!r} is not valid")
    first, size = int(token), request.get("maxResults") or default
    answer: Answer = {name: items[first : first + size]}
    if first + size < len(items):
        answer["nextToken"] = str(first + size)
    return answer


def start_pipeline_execution(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """StartPipelineExecution; the same clientRequestToken gives the same execution."""
    pipeline = pipeline_of(runtime, caller, request["name"])
    token = request.get("clientRequestToken")
    with pipeline.lock:
        if token and token in pipeline.requests:
            return {"pipelineExecutionId": pipeline.requests[token]}
        active = sum(execution.is_active for execution in pipeline.executions.values())
        if pipeline.spec.mode == "QUEUED" and active >= MAX_ACTIVE:
            message = f"Pipeline '{pipeline.name}' has {active} executions in progress already"
            raise AwsError("ConcurrentPipelineExecutionsLimitExceededException", message)
        kind, detail = _trigger(caller)
        execution = Execution(
            pipeline=pipeline.name,
            version=pipeline.version,
            variables=_variables(pipeline, request.get("variables") or []),
            trigger_type=kind,
            trigger_detail=detail,
            overrides=_overrides(pipeline, request.get("sourceRevisions") or []),
        )
        if token:
            pipeline.requests[token] = execution.id
        runtime.engine.begin(pipeline, execution)
    return {"pipelineExecutionId": execution.id}


def _trigger(caller: Caller) -> tuple[str, str]:
    delivery = current_delivery()
    if delivery is not None:
        return "CloudWatchEvent", delivery.rule.arn
    return "StartPipelineExecution", caller.arn


def _variables(pipeline: Pipeline, given: list[dict[str, str]]) -> dict[str, str]:
    declared = pipeline.spec.variables
    values = {item["name"]: item["value"] for item in given}
    unknown = sorted(values.keys() - declared.keys())
    if unknown:
        message = f"Pipeline '{pipeline.name}' has no variable {', '.join(unknown)}"
        raise AwsError("ValidationException", message)
    found = {name: values.get(name, default) for name, default in declared.items()}
    missing = sorted(name for name, value in found.items() if value is None)
    if missing:
        message = f"Variables without a default need a value: {', '.join(missing)}"
        raise AwsError("ValidationException", message)
    return {name: str(value) for name, value in found.items()}


def _overrides(pipeline: Pipeline, given: list[dict[str, str]]) -> dict[tuple[str, str], str]:
    sources = {action.name: action for action in pipeline.spec.stages[0].actions}
    for item in given:
        name, kind = item["actionName"], item["revisionType"]
        source = sources.get(name)
        if source is None:
            raise AwsError("ValidationException", f"There is no source action {name}")
        if kind not in {"S3_OBJECT_KEY", "S3_OBJECT_VERSION_ID"}:
            message = f"Revision type {kind} does not go with the S3 source action {name}"
            raise AwsError("ValidationException", message)
        allowed = source.configuration.get("AllowOverrideForS3ObjectKey", "false").lower()
        if kind == "S3_OBJECT_KEY" and allowed != "true":
            message = f"Source action {name} does not have AllowOverrideForS3ObjectKey set to true"
            raise AwsError("ValidationException", message)
    return {(item["actionName"], item["revisionType"]): item["revisionValue"] for item in given}


def get_pipeline_execution(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """GetPipelineExecution."""
    pipeline = pipeline_of(runtime, caller, request["pipelineName"])
    with pipeline.lock:
        execution = execution_of(pipeline, request["pipelineExecutionId"])
        return {"pipelineExecution": views.execution_detail(pipeline, execution)}


def list_pipeline_executions(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """ListPipelineExecutions, newest first."""
    pipeline = pipeline_of(runtime, caller, request["pipelineName"])
    wanted = ((request.get("filter") or {}).get("succeededInStage") or {}).get("stageName")
    with pipeline.lock:
        found = [
            views.execution_summary(pipeline, execution)
            for execution in reversed(pipeline.executions.values())
            if wanted is None or _succeeded_in(execution, wanted)
        ]
    return paged("pipelineExecutionSummaries", found, request, default=100)


def _succeeded_in(execution: Execution, stage: str) -> bool:
    run = execution.stages.get(stage)
    return run is not None and run.status is Status.SUCCEEDED


def list_action_executions(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """ListActionExecutions, newest first."""
    pipeline = pipeline_of(runtime, caller, request["pipelineName"])
    wanted = request.get("filter") or {}
    latest = wanted.get("latestInPipelineExecution") or {}
    only = wanted.get("pipelineExecutionId") or latest.get("pipelineExecutionId")
    with pipeline.lock:
        executions = [execution_of(pipeline, only)] if only else list(pipeline.executions.values())
        found = [
            views.action_detail(pipeline, execution, run)
            for execution in reversed(executions)
            for run in reversed(list(execution.runs()))
        ]
    return paged("actionExecutionDetails", found, request, default=100)


def get_pipeline_state(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """GetPipelineState."""
    pipeline = pipeline_of(runtime, caller, request["name"])
    with pipeline.lock:
        return views.state(pipeline)
