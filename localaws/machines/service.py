"""Step Functions of the laptop: moto's interpreter of the Amazon States Language, completed.

    machine_definitions  what AWS checks in a definition           (pure)
    machine_rules        what AWS checks in the role at creation
    machine_api          operations that answer as AWS does
    machine_executions   start, stop, end, and what is kept of it
    machine_calls        tasks: as whom, and which operation
    machine_shapes       tasks: letter case of requests and results    (pure)
    machine_errors       tasks: names of errors
    machine_jobs         sagemaker:create*, with .sync
    machine_children     states:startExecution, with .sync
    machine_pace         waits, back-offs, time limits, interruption
    machine_logs         execution logs
    machine_jsonata      JSONata and variables
    machine_strings      escapes and States.Format
    machine_paths        speed: copies and caches

Installed before the first request; when the server stops, moto gets its own interpreter back.
"""

import importlib.util
from typing import Any

from localaws.context import Context


def install(context: Context) -> None:
    """Complete moto's interpreter and tell its status changes to the laptop's EventBridge."""
    from localaws.machines import executions as machine_executions
    from localaws.machines import paths as machine_paths
    from localaws.moto_seams import machines as moto_seams_machines

    machine_paths.program_of.cache_clear()
    moto_seams_machines.execute_state_machines(True)
    complete_interpreter()
    machine_executions.forget_listeners()
    if importlib.util.find_spec("localaws.events.service") is not None:
        _join_events(context)


def shutdown() -> None:
    """Stop every execution that still runs, so that no thread of theirs calls a closed server."""
    from localaws import clock
    from localaws.machines import executions as machine_executions
    from localaws.machines import paths as machine_paths
    from localaws.moto_seams import machines as seams

    for regions in list(seams.stepfunctions_parser_backends.values()):
        for backend in list(regions.values()):
            for execution in backend._get_executions(seams.api.ExecutionStatus.RUNNING):
                execution.stop(clock.now(), "ServerStopped", "the laptop's AWS was stopped")
    machine_executions.forget_listeners()
    machine_paths.program_of.cache_clear()


def complete_interpreter() -> None:
    """Put the laptop's parts into moto's interpreter, until `moto_patches.restore`."""
    from localaws.machines import api as machine_api
    from localaws.machines import calls as machine_calls
    from localaws.machines import children as machine_children
    from localaws.machines import executions as machine_executions
    from localaws.machines import jobs as machine_jobs
    from localaws.machines import jsonata as machine_jsonata
    from localaws.machines import pace as machine_pace
    from localaws.machines import paths as machine_paths
    from localaws.machines import strings as machine_strings

    for part in (
        machine_paths,
        machine_strings,
        machine_pace,
        machine_calls,
        machine_jobs,
        machine_children,
        machine_jsonata,
        machine_executions,
        machine_api,
    ):
        part.install()


def _join_events(context: Context) -> None:
    from localaws.events import service as events
    from localaws.machines import executions as machine_executions
    from localaws.machines import jobs as machine_jobs

    def tell(execution: Any) -> None:
        events.emit(
            "aws.states",
            "Step Functions Execution Status Change",
            machine_executions.status_event(execution),
            resources=[execution.execution_arn],
            account=execution.account_id,
            region=execution.region_name,
        )

    machine_executions.on_status(tell)
    events.subscribe(machine_jobs.job_changed)
