"""What an acceptance leaves behind: nothing that waits in the pipeline, and nothing that is billed.

An endpoint costs by the hour until it is deleted, and SageMaker deletes none that is being made or
changed (API Reference, DeleteEndpoint, read 2026-11-21), so that is awaited first.
"""

import contextlib
import time
from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from signalbox import serving
from signalbox_cli.console import Output
from signalbox_cli.documents import change_record
from signalbox_cli.endpoint_changes import is_deletable, status_of
from signalbox_cli.errors import CommandError
from signalbox_cli.runs import read_run
from signalbox_cli.target import Target

_ENDED = ("PipelineExecutionNotStoppableException", "DuplicatedStopRequestException")
_LOOKS = 10
PATIENCE_S = 1800.0
"""How long an endpoint may take to become one that can be deleted."""


@contextlib.contextmanager
def leaving_nothing(
    target: Target, execution_id: str, output: Output, *, endpoint: str = ""
) -> Iterator[None]:
    """Around work on a run: stop the run on any fault, and delete the endpoint in any case.

    What cannot be cleaned up is said; it raises only where nothing else has gone wrong before.
    """
    is_fault = True
    try:
        yield
        is_fault = False
    finally:
        if is_fault:
            with _attempted(output, is_fault=True):
                stop(target, execution_id)
            if endpoint:
                with _attempted(output, is_fault=True):
                    _await_call_under_way(target, endpoint)
        if endpoint:
            with _attempted(output, is_fault=is_fault):
                take_down(target, endpoint, output)


@contextlib.contextmanager
def _attempted(output: Output, *, is_fault: bool) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError, CommandError) as error:
        if not is_fault:
            raise
        output.note(f"[red]✗[/red] while cleaning up: {error}")


def _await_call_under_way(target: Target, endpoint: str) -> None:
    """Give a call that the stopped machine had begun the time to make its endpoint."""
    for _ in range(_LOOKS):
        if status_of(target, endpoint):
            return
        time.sleep(target.poll_s)


def stop(target: Target, execution_id: str) -> None:
    """Abandon a run of the pipeline, and then the machine that it waited for."""
    with _unless(*_ENDED):
        target.client("codepipeline").stop_pipeline_execution(
            pipelineName=target.wiring().pipeline,
            pipelineExecutionId=execution_id,
            abandon=True,
            reason="signalbox acceptance could not go on",
        )
    # Looked at afterwards: an abandoned run starts no other machine, but one may just be starting.
    time.sleep(target.poll_s)
    for action in read_run(target, execution_id).actions:
        if action.stage in ("Train", "Inference") and action.external_id:
            stop_machine(target, action.external_id)


def stop_machine(target: Target, execution: str) -> None:
    """Stop an execution, and with it the jobs that it waits for; one that has ended stays so."""
    with _unless("ExecutionDoesNotExist"):
        target.client("stepfunctions").stop_execution(
            executionArn=execution, cause="signalbox acceptance could not go on"
        )


@contextlib.contextmanager
def _unless(*codes: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise


def take_down(target: Target, endpoint: str, output: Output) -> None:
    """Delete the endpoint and say so in its serving record, or the reconciler would miss it.

    Raises CommandError with the command to do it by hand when it stays one that cannot be deleted.
    """
    if not is_deletable(target, endpoint, PATIENCE_S):
        return
    target.client("sagemaker").delete_endpoint(EndpointName=endpoint)
    change_record(target, endpoint, lambda record: serving.taken_down(record, "acceptance is over"))
    output.note(f"Deleted the endpoint {endpoint}")
