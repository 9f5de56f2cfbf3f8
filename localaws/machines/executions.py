"""The life of an execution: started once, run in one thread, ended with an event, then shrunk.

Owns what happens between StartExecution and the final status; what the API answers about it is in
`machine_api`, what a single task does in the other `machine_` modules.
"""

import copy
import json
import threading
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from localaws import clock
from localaws.machines import logs as machine_logs
from localaws.machines import paths as machine_paths
from localaws.machines import shapes as machine_shapes
from localaws.moto_seams import machines as seams

KEPT_EXECUTIONS = 2_000
"""Finished executions remembered per machine; AWS keeps them for 90 days."""

MAX_EVENT_DATA_BYTES = 248 * 1024
"""Longer input or output is left out of status events ([sfn-23] cw-events.md)."""

StatusListener = Callable[["LaptopExecution"], None]
_listeners: list[StatusListener] = []
_endings: dict[str, list[threading.Event]] = {}
_endings_lock = threading.Lock()


def on_status(listener: StatusListener) -> None:
    """Call `listener(execution)` at each start and end of an execution, in its thread."""
    _listeners.append(listener)


def forget_listeners() -> None:
    """Drop the listeners of a server that stops."""
    _listeners.clear()


@contextmanager
def ending(execution_arn: str, wake: threading.Event) -> Iterator[None]:
    """Within the block, `wake` is set when that execution ends."""
    with _endings_lock:
        _endings.setdefault(execution_arn, []).append(wake)
    try:
        yield
    finally:
        with _endings_lock:
            waiting = _endings.get(execution_arn, [])
            if wake in waiting:
                waiting.remove(wake)
            if not waiting:
                _endings.pop(execution_arn, None)


class LaptopExecution(seams.Execution):  # type: ignore[misc]
    """An execution as moto stores it, run the laptop's way."""

    def get_start_execution_details(self) -> Any:
        """What `$$.Execution` shows; AWS gives the start as a string."""
        details = super().get_start_execution_details()
        details.start_time = machine_shapes.iso_ms(self.start_date)
        return details

    def _get_start_execution_worker_comm(self) -> Any:
        return _Outcome(self)

    def _get_start_execution_worker(self) -> Any:
        worker = super()._get_start_execution_worker()
        worker.__class__ = _Worker
        return worker

    def start(self) -> None:
        """Run from now on."""
        self.exec_worker = self._get_start_execution_worker()
        self.exec_status = seams.api.ExecutionStatus.RUNNING
        tell(self)
        self.exec_worker.start()

    def stop(self, stop_date: Any, error: str | None, cause: str | None) -> None:
        """End as ABORTED; running tasks are abandoned and their jobs asked to stop."""
        if self.exec_status == seams.api.ExecutionStatus.RUNNING:
            super().stop(stop_date=stop_date, error=error, cause=cause)
            self.exec_worker.thread.join(timeout=5)


class _Worker(seams.ExecutionWorker):  # type: ignore[misc]
    thread: threading.Thread

    def start(self) -> None:
        # The environment exists before the thread, so an early StopExecution finds something to
        # stop.
        self.env = self._get_evaluation_environment()
        self.env.next_state_name = self._get_evaluation_entrypoint().start_at.start_at_name
        self.thread = threading.Thread(
            target=self._execution_logic, name="state machine execution", daemon=True
        )
        self.thread.start()

    def _get_evaluation_entrypoint(self) -> Any:
        return machine_paths.program_of(self._evaluation_details.state_machine_details.definition)

    def _get_evaluation_environment(self) -> Any:
        if self.env is not None:
            return self.env
        return super()._get_evaluation_environment()


class _Outcome(seams.BaseExecutionWorkerCommunication):  # type: ignore[misc]
    def terminated(self) -> None:
        execution = self.execution
        env = execution.exec_worker.env
        state = env.program_state()
        status, execution.error, execution.cause = _verdict(state)
        if status == seams.api.ExecutionStatus.SUCCEEDED:
            execution.output = json.dumps(env.states.get_input(), separators=(",", ":"))
        _shrink(execution)
        seams.forget_threads()
        execution.stop_date = clock.now()
        # The status comes last: whoever sees it sees all the rest.
        execution.exec_status = status
        tell(execution)
        with _endings_lock:
            waiting = list(_endings.get(execution.execution_arn, ()))
        for wake in waiting:
            wake.set()


def _verdict(state: Any) -> tuple[Any, str | None, str | None]:
    """Status, error and cause that a program's last state amounts to."""
    statuses = seams.api.ExecutionStatus
    if isinstance(state, seams.ProgramEnded):
        return statuses.SUCCEEDED, None, None
    if isinstance(state, seams.ProgramStopped):
        return statuses.ABORTED, state.error, state.cause
    if isinstance(state, seams.ProgramTimedOut):
        return statuses.TIMED_OUT, None, None
    details = state.error or {}
    return statuses.FAILED, details.get("error"), details.get("cause")


class _PackedHistory:
    """Stands in for the event manager of a finished execution, at a twentieth of its size."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self._packed = zlib.compress(json.dumps(events).encode())

    def get_event_history(self) -> list[dict[str, Any]]:
        """The events, unpacked."""
        events: list[dict[str, Any]] = json.loads(zlib.decompress(self._packed))
        return events


class _Remains:
    """What is kept of the environment of a finished execution."""

    def __init__(self, env: Any) -> None:
        self.event_manager = _PackedHistory(env.event_manager.get_event_history())
        self.callback_pool_manager = env.callback_pool_manager
        self.map_run_record_pool_manager = env.map_run_record_pool_manager


def _shrink(execution: Any) -> None:
    worker = execution.exec_worker
    worker.env = _Remains(worker.env)
    worker._cloud_watch_logging_session = None
    execution.input_data = None
    worker._evaluation_details = None


def start_execution(
    backend: Any,
    state_machine_arn: str,
    name: str | None = None,
    execution_input: str | None = None,
    trace_header: str | None = None,
) -> Any:
    """StartExecution: the running execution of the same name and input, or a new one."""
    machine = backend.describe_state_machine(state_machine_arn)
    text = execution_input if execution_input is not None else "{}"
    _check_input(text)
    name = name or str(uuid.uuid4())
    backend._validate_name(name)
    with _start_lock:
        existing = _same_name(machine, name, text)
        if existing is not None:
            return existing
        execution = _new_execution(backend, machine, name, text, trace_header)
        machine.executions.append(execution)
    _forget_oldest(machine)
    execution.start()
    return execution


_start_lock = threading.Lock()


def _check_input(text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise seams.InvalidExecutionInput(
            f"Invalid State Machine Execution Input: '{error}'"
        ) from error


def _same_name(machine: Any, name: str, text: str) -> Any | None:
    for execution in machine.executions:
        if execution.name != name:
            continue
        if execution.execution_input == text and execution.exec_status in (None, "RUNNING"):
            return execution
        raise seams.ExecutionAlreadyExists(f"Execution Already Exists: '{execution.execution_arn}'")
    return None


def _new_execution(
    backend: Any, machine: Any, name: str, text: str, trace_header: str | None
) -> LaptopExecution:
    snapshot = copy.copy(machine)
    snapshot.executions = []
    arn = (
        f"arn:{backend.partition}:states:{backend.region_name}:{backend.account_id}"
        f":execution:{machine.name}:{name}"
    )
    return LaptopExecution(
        name=name,
        sm_type=machine.sm_type,
        role_arn=machine.roleArn,
        exec_arn=arn,
        account_id=backend.account_id,
        region_name=backend.region_name,
        state_machine=snapshot,
        start_date=clock.now(),
        cloud_watch_logging_session=machine_logs.session_for(machine, arn),
        input_data=text,
        trace_header=trace_header,
        activity_store={},
    )


def _forget_oldest(machine: Any) -> None:
    excess = len(machine.executions) - KEPT_EXECUTIONS
    if excess > 0:
        finished = [e for e in machine.executions if e.stop_date is not None][:excess]
        for execution in finished:
            machine.executions.remove(execution)


def tell(execution: LaptopExecution) -> None:
    """Give the execution's status to every listener."""
    for listener in list(_listeners):
        listener(execution)


def status_event(execution: LaptopExecution) -> dict[str, Any]:
    """Detail of `Step Functions Execution Status Change`: dates in epoch ms, documents as
    strings."""
    detail: dict[str, Any] = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": machine_shapes.epoch_ms(execution.start_date),
        "stopDate": execution.stop_date and machine_shapes.epoch_ms(execution.stop_date),
        "error": execution.error,
        "cause": execution.cause,
    }
    for member, text in (("input", execution.execution_input), ("output", execution.output)):
        included = text is None or len(text.encode()) <= MAX_EVENT_DATA_BYTES
        detail[member] = text if included else None
        shown = {"included": included} if text is not None else None
        detail[f"{member}Details"] = shown
    return detail


def install() -> None:
    """Put the laptop's executions into moto's backend."""
    seams.rebind(seams.StepFunctionsParserBackend, "start_execution", start_execution)
