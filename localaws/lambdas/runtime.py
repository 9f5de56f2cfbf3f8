"""Runs invocations: environment and credentials of a function, a process, its outcome, its log."""

import json
import platform
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from localaws.iam import service as iam
from localaws.lambdas.code_folder import unpacked
from localaws.lambdas.function import INIT_LIMIT_S, FunctionSpec, Invocation, Outcome
from localaws.lambdas.log import PRINCIPAL, LogWriter, Measured, error_payload, framed, stream_name
from localaws.lambdas.nursery import Nurseries, fits
from localaws.lambdas.pool import Pool
from localaws.lambdas.process import FunctionProcess, spawned


class Runtime:
    """Everything that runs functions, for one server."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder.resolve()
        self.logs = LogWriter()
        self.nurseries = Nurseries()
        self.pool = Pool(self.start, retire_more=self.nurseries.retire_idle)

    def invoke(self, spec: FunctionSpec, invocation: Invocation) -> Outcome:
        """Run one event through the function; the log is on its way when this returns."""
        process = self.pool.acquire(spec)
        usable = False
        try:
            outcome = self._run(process, invocation)
            usable = process.alive and process.init_error is None
        finally:
            self.pool.release(process, usable=usable)
        return outcome

    def warm(self, spec: FunctionSpec) -> None:
        """Have one process ready before the first event, as Lambda's proactive initialisation."""
        process = self.pool.acquire(spec)
        usable = False
        try:
            ready = process.await_ready(INIT_LIMIT_S + spec.timeout_s)
            usable = ready and process.init_error is None
        finally:
            self.pool.release(process, usable=usable)

    def stop(self) -> None:
        """End every process, then send the logs that are left."""
        self.pool.stop()
        self.nurseries.close()
        self.logs.stop()

    def start(self, spec: FunctionSpec) -> FunctionProcess:
        """A new process of `spec`, which imports its handler while this returns."""
        code = unpacked(spec.code, self._folder / "functions")
        # The last layer wins, as when Lambda unpacks them over each other into /opt.
        layers = [unpacked(layer, self._folder / "unpacked-layers") for layer in spec.layers]
        paths = [str(code), *(str(layer / "python") for layer in reversed(layers))]
        stream = stream_name(spec, uuid.uuid4().hex)
        environment = self._environment(spec, paths, stream)
        begin = spawned
        if fits(paths[1:], dict(spec.environment)):
            begin = self.nurseries.of(paths[1:]).begin
        return FunctionProcess(spec, paths, environment, stream=stream, begin=begin)

    def _run(self, process: FunctionProcess, invocation: Invocation) -> Outcome:
        spec, cold = process.spec, not process.used
        began = time.perf_counter()
        ready = process.await_ready(INIT_LIMIT_S + spec.timeout_s)
        waited_ms = (time.perf_counter() - began) * 1000
        early = process.early_log() if cold else ""
        if not ready or process.init_error is not None:
            process.kill()
            outcome, duration_ms, peak_mb = _init_failure(process, invocation), waited_ms, 0
        else:
            outcome, duration_ms, peak_mb = process.ask(invocation)
        measured = Measured(duration_ms, process.init_ms if cold else 0.0, peak_mb)
        text = framed(
            spec, invocation.request_id, early + outcome.log, measured, _ending(spec, outcome)
        )
        version = platform.python_version()
        first = f"INIT_START Runtime Version: {spec.runtime} (Python {version})\n"
        self.logs.write(spec, process.stream, first + text if cold else text)
        return Outcome(outcome.payload, outcome.failed, text, outcome.error_type, duration_ms)

    def _environment(self, spec: FunctionSpec, paths: list[str], stream: str) -> Mapping[str, str]:
        """The variables of the function itself, then those that Lambda reserves.

        Lambda Developer Guide, "Defined runtime environment variables" (read 2026-11-21).
        """
        credentials = iam.assume_service_role(spec.role_arn, PRINCIPAL, session_name=spec.name)
        defaults = {"LANG": "en_US.UTF-8", "TZ": ":UTC", "PATH": "/usr/local/bin:/usr/bin:/bin"}
        reserved = {
            "_HANDLER": spec.handler,
            "AWS_REGION": spec.region,
            "AWS_DEFAULT_REGION": spec.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": spec.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
            "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "AWS_LAMBDA_LOG_FORMAT": spec.log_format,
            "AWS_ACCESS_KEY_ID": credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
            "AWS_SESSION_TOKEN": credentials.session_token,
            "LAMBDA_TASK_ROOT": paths[0],
            "LAMBDA_RUNTIME_DIR": str(Path(__file__).parent),
            "PYTHONPATH": ":".join(paths),
            # parity: what leads the function to the laptop instead of to AWS
            "AWS_ENDPOINT_URL": self._url,
        }
        if spec.application_log_level:
            reserved["AWS_LAMBDA_LOG_LEVEL"] = spec.application_log_level
        return {**defaults, **dict(spec.environment), **reserved}


def _init_failure(process: FunctionProcess, invocation: Invocation) -> Outcome:
    payload = process.init_error
    if payload is None:
        limit_s = INIT_LIMIT_S + process.spec.timeout_s
        text = (
            f"RequestId: {invocation.request_id} Error: Task timed out after {limit_s:.2f} seconds"
        )
        payload = error_payload("Sandbox.Timedout", text)
    kind = "Sandbox.Timedout" if process.init_error is None else _kind_of(payload)
    return Outcome(payload, True, process.early_log(), kind)


def _kind_of(payload: bytes) -> str:
    return str(json.loads(payload).get("errorType", ""))


def _ending(spec: FunctionSpec, outcome: Outcome) -> str:
    """What AWS writes between a function's last line and END."""
    if outcome.error_type == "Sandbox.Timedout":
        return f"Task timed out after {spec.timeout_s:.2f} seconds"
    if outcome.error_type == "Runtime.ExitError":
        text = outcome.payload.decode()
        return text.rpartition("Error: ")[2].rstrip('"}') if "Error: " in text else text
    return ""


def request_id() -> str:
    """A new id of an invocation."""
    return str(uuid.uuid4())


def now_text() -> str:
    """This moment, as records of destinations write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
