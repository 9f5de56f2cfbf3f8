"""Lambda on the laptop: the Invoke API, run by real processes with each function's own role.

moto keeps functions, layers, permissions and versions; this part runs them. Who may invoke is
decided before a request comes here.
"""

import base64
import json
import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from localaws.context import Context
from localaws.errors import AccessDeniedByLocalAws
from localaws.lambdas.asynchronous import AsyncInvoker, QueuedEvent
from localaws.lambdas.code_folder import CodeUnusable
from localaws.lambdas.function import (
    ASYNC_LIMIT_BYTES,
    SYNC_LIMIT_BYTES,
    AsyncPolicy,
    FunctionSpec,
    Invocation,
    Outcome,
)
from localaws.lambdas.measured import MEASURED
from localaws.lambdas.runtime import Runtime, request_id
from localaws.monitoring import alarms
from localaws.moto_seams import function_names, function_versions
from localaws.moto_seams import lambdas as seams
from localaws.moto_seams.lambdas import Answer, InvokeRequest
from localaws.wire import AwsError

_ALIAS_WITHIN_S = 2.0
_TAIL_BYTES = 4096  # Lambda API, Invoke: LogType Tail gives the last 4 KB

_log = logging.getLogger("localaws.lambdas")


@dataclass(frozen=True)
class _Running:
    """The parts that run functions for one server."""

    runtime: Runtime
    events: AsyncInvoker
    warm_ahead: bool


_running: _Running | None = None


def install(context: Context) -> None:
    """Take over the running of functions."""
    global _running  # noqa: PLW0603 - one server at a time, as every part of the laptop
    runtime = Runtime(context.url, context.config.state_dir / "build")
    warm_ahead = context.config.warm_ahead
    _running = _Running(runtime, AsyncInvoker(_measured, context.url), warm_ahead)
    MEASURED.clear()
    alarms.before_each_look(MEASURED.gather)
    seams.install_lambdas(
        seams.LambdaHooks(
            invoke=_invoke,
            run=_run,
            changed=_changed,
            aliased=_warm_soon,
            deleted=runtime.pool.forget,
        )
    )


def shutdown() -> None:
    """End every function's process; events that wait are lost."""
    global _running
    running, _running = _running, None
    seams.uninstall_lambdas()
    if running is not None:
        running.events.stop()
        running.runtime.stop()


def flush_logs() -> None:
    """Wait until the logs of all ended invocations have been sent."""
    _now_running().runtime.logs.flush()


def drain_events(limit_s: float) -> bool:
    """Wait until every accepted asynchronous event has come to its end."""
    return _now_running().events.drain(limit_s)


def process_ids() -> list[int]:
    """Process ids of all warm functions, and of those that they are forked from."""
    runtime = _now_running().runtime
    return [*runtime.pool.processes(), *runtime.nurseries.process_ids()]


def processes() -> dict[str, dict[str, list[int]]]:
    """Process ids by ARN of their function, `busy` or `idle`: what a test can kill."""
    runtime = _now_running().runtime
    return runtime.pool.by_function()


def warm_functions() -> list[FunctionSpec]:
    """The versions of functions that have a process."""
    return _now_running().runtime.pool.warm()


def retire_idle(longest_idle_s: float = 0.0) -> None:
    """Stop the processes that nobody has asked anything for that long, then what forks them."""
    runtime = _now_running().runtime
    runtime.pool.retire_idle(longest_idle_s)
    runtime.nurseries.retire_idle(longest_idle_s)


def _now_running() -> _Running:
    if _running is None:
        raise RuntimeError("the laptop's AWS is not running: start a LaptopServer first")
    return _running


def _invoke(request: InvokeRequest) -> Answer:
    """The Invoke API."""
    _refuse_bad_payload(request)
    if request.kind == "DryRun":
        return 204, {}, b""
    identity = request_id()
    invocation = Invocation(identity, request.payload, request.invoked_arn, request.client_context)
    headers = {"content-type": "application/json", "x-amzn-RequestId": identity}
    if request.kind == "Event":
        _accept(request, invocation)
        return 202, headers, b""
    _refuse_beyond_reserved(request.function)
    spec = seams.spec_of(request.function)
    outcome = _limited(_run_spec(spec, invocation))
    headers["X-Amz-Executed-Version"] = spec.version
    if outcome.failed:
        headers["X-Amz-Function-Error"] = "Unhandled"
    if request.wants_log:
        tail = outcome.log.encode()[-_TAIL_BYTES:]
        headers["X-Amz-Log-Result"] = base64.b64encode(tail).decode()
    return 200, headers, outcome.payload


def _accept(request: InvokeRequest, invocation: Invocation) -> None:
    def find() -> tuple[FunctionSpec, AsyncPolicy]:
        function = request.find()
        return seams.spec_of(function), seams.policy_of(function)

    _now_running().events.accept(QueuedEvent(find, invocation, time.monotonic()))


def _refuse_bad_payload(request: InvokeRequest) -> None:
    limit = ASYNC_LIMIT_BYTES if request.kind == "Event" else SYNC_LIMIT_BYTES
    if len(request.payload) > limit:
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        raise AwsError("RequestTooLargeException", message, 413)
    try:
        json.loads(request.payload)
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise AwsError("InvalidRequestContentException", message) from error


def _refuse_beyond_reserved(function: Any) -> None:
    limit = seams.reserved_concurrency(function)
    if (
        limit is not None
        and _now_running().runtime.pool.busy(function_names.plain_arn(function)) >= limit
    ):
        MEASURED.throttled(seams.spec_of(function), function_versions.called_arn(function))
        raise AwsError("TooManyRequestsException", "Rate Exceeded.", 429)


def _limited(outcome: Outcome) -> Outcome:
    """An answer above the limit becomes AWS's error about it."""
    if outcome.failed or len(outcome.payload) <= SYNC_LIMIT_BYTES:
        return outcome
    text = (
        f"Response payload size ({len(outcome.payload)} bytes) exceeded maximum allowed payload "
        f"size ({SYNC_LIMIT_BYTES} bytes)."
    )
    kind = "Function.ResponseSizeTooLarge"
    payload = json.dumps({"errorMessage": text, "errorType": kind}).encode()
    return Outcome(payload, True, outcome.log, kind)


def _run_spec(spec: FunctionSpec, invocation: Invocation) -> Outcome:
    try:
        return _measured(spec, invocation)
    except AccessDeniedByLocalAws as error:
        message = f"The role defined for the function cannot be assumed by Lambda: {error}"
        raise AwsError("AccessDeniedException", message, 403) from error
    except CodeUnusable as error:
        raise AwsError("InvalidZipFileException", str(error), 502) from error


def _measured(spec: FunctionSpec, invocation: Invocation) -> Outcome:
    """One run of a function, counted and timed."""
    outcome = _now_running().runtime.invoke(spec, invocation)
    MEASURED.ran(spec, invocation.invoked_arn, outcome)
    return outcome


def _run(function: Any, payload: bytes) -> tuple[bytes, bool, str]:
    """For moto's own callers (messages of SNS and SQS)."""
    spec = seams.spec_of(function)
    outcome = _run_spec(
        spec, Invocation(request_id(), payload, function_versions.called_arn(function))
    )
    return outcome.payload, outcome.failed, outcome.log


def _changed(function: Any) -> None:
    """Start a process of a function's new self before it is asked for, if it is asked by its name.

    One that has just been made gets a moment to get an alias: then only a version is warmed.
    """
    running = _now_running()
    running.runtime.pool.forget(seams.spec_of(function).qualified_arn)
    if running.warm_ahead:
        timer = threading.Timer(_ALIAS_WITHIN_S, _warm_unaliased, [running, function])
        timer.daemon = True
        timer.start()


def _warm_unaliased(running: _Running, function: Any) -> None:
    if running is _running and not function_versions.has_aliases(function):
        _warm(running, function)


def _warm_soon(function: Any) -> None:
    """Start a process of a version that an alias leads to, before it is asked for."""
    running = _now_running()
    if running.warm_ahead:
        threading.Thread(target=_warm, args=(running, function), daemon=True).start()


def _warm(running: _Running, function: Any) -> None:
    try:
        running.runtime.warm(seams.spec_of(function))
    except Exception as error:  # noqa: BLE001 - a thread's edge: the first invocation will tell its caller
        _log.info("%s was not warmed: %s", function.function_name, error)
