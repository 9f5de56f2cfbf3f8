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
    from localaws import machine_executions, machine_paths, moto_seams_machines

    machine_paths.program_of.cache_clear()
    moto_seams_machines.execute_state_machines(True)
    complete_interpreter()
    machine_executions.forget_listeners()
    if importlib.util.find_spec("localaws.events") is not None:
        _join_events(context)


def shutdown() -> None:
    """Stop every execution that still runs, so that no thread of theirs calls a closed server."""
    from localaws import clock, machine_executions, machine_paths
    from localaws import moto_seams_machines as seams

    for regions in list(seams.stepfunctions_parser_backends.values()):
        for backend in list(regions.values()):
            for execution in backend._get_executions(seams.api.ExecutionStatus.RUNNING):
                execution.stop(clock.now(), "ServerStopped", "the laptop's AWS was stopped")
    machine_executions.forget_listeners()
    machine_paths.program_of.cache_clear()


def complete_interpreter() -> None:
    """Put the laptop's parts into moto's interpreter, until `moto_patches.restore`."""
    from localaws import (
        machine_api,
        machine_calls,
        machine_children,
        machine_executions,
        machine_jobs,
        machine_jsonata,
        machine_pace,
        machine_paths,
        machine_strings,
    )

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
    from localaws import events, machine_executions, machine_jobs

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
