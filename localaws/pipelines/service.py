"""CodePipeline on the laptop: stores pipelines and runs them for real.

`install` replaces moto's eleven operations and adds those it lacks. The parts: `pipeline_structure`
checks declarations, `pipeline_engine` moves executions, `pipeline_actions`, `_jobs` and `_machines`
do the work of actions, `pipeline_api` and `_controls` are the operations, `_views` their answers.
"""

from collections.abc import Callable
from typing import Any

from localaws.context import Context
from localaws.events import service as events
from localaws.moto_seams import pipelines as moto_seams_pipelines
from localaws.pipelines import api, controls
from localaws.pipelines import shapes as pipeline_shapes
from localaws.pipelines.api import Caller, Operation
from localaws.pipelines.runtime import Runtime

__all__ = ["OPERATIONS", "install", "running", "shutdown"]

OPERATIONS: dict[str, Operation] = {
    "CreatePipeline": api.create_pipeline,
    "GetPipeline": api.get_pipeline,
    "UpdatePipeline": api.update_pipeline,
    "DeletePipeline": api.delete_pipeline,
    "ListPipelines": api.list_pipelines,
    "StartPipelineExecution": api.start_pipeline_execution,
    "GetPipelineExecution": api.get_pipeline_execution,
    "ListPipelineExecutions": api.list_pipeline_executions,
    "ListActionExecutions": api.list_action_executions,
    "GetPipelineState": api.get_pipeline_state,
    "PutApprovalResult": controls.put_approval_result,
    "PutJobSuccessResult": controls.put_job_success_result,
    "PutJobFailureResult": controls.put_job_failure_result,
    "GetJobDetails": controls.get_job_details,
    "StopPipelineExecution": controls.stop_pipeline_execution,
    "RetryStageExecution": controls.retry_stage_execution,
    "RollbackStage": controls.rollback_stage,
    "DisableStageTransition": controls.disable_stage_transition,
    "EnableStageTransition": controls.enable_stage_transition,
    "ListTagsForResource": controls.list_tags_for_resource,
    "TagResource": controls.tag_resource,
    "UntagResource": controls.untag_resource,
}

_running: Runtime | None = None
_unsubscribe: Callable[[], None] | None = None


def install(context: Context) -> None:
    """Serve CodePipeline's API from here; `localaws.events.service` must be installed before."""
    global _running, _unsubscribe  # noqa: PLW0603 - one laptop per process
    shutdown()
    runtime = _running = Runtime()
    _unsubscribe = events.subscribe(runtime.heard)

    def serve(operation: str, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        pipeline_shapes.check(operation, request)
        return OPERATIONS[operation](runtime, caller, request)

    moto_seams_pipelines.install(list(OPERATIONS), serve)


def shutdown() -> None:
    """Stop all threads and forget all pipelines."""
    global _running, _unsubscribe  # noqa: PLW0603 - see install
    if _unsubscribe is not None:
        _unsubscribe()
    if _running is not None:
        _running.stop()
    _running = _unsubscribe = None


def running() -> Runtime:
    """The runtime of the laptop of this process, for tests that let time pass."""
    if _running is None:
        raise RuntimeError("the laptop's AWS is not running: start a LaptopServer first")
    return _running
