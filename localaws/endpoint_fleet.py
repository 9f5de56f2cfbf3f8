"""The processes behind an endpoint: per instance one model server for each container.

A fleet serves one endpoint configuration. An update starts a second fleet and swaps the two, so
the old one serves until the new one is healthy.
"""

import http.client
import os
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localaws import clock, forkserver, model_containers
from localaws.forkserver import Child
from localaws.job_environment import cores
from localaws.job_folder import JobFolder
from localaws.job_logs import LogStream, Recorder
from localaws.job_transfer import JobFailed
from localaws.model_containers import ResolvedModel
from localaws.model_handlers import Answer

# AWS gives an invocation 60 seconds (Amazon SageMaker API Reference, InvokeEndpoint, read 2026-11).
INVOCATION_LIMIT_S = 60.0
STARTUP_LIMIT_S = 300.0
_LOG_BYTES = 64 << 20
_LAST_LINES = 5


class FleetFailed(Exception):
    """The containers cannot serve; the message is the endpoint's FailureReason."""


class Retired(Exception):
    """The fleet was replaced while the request waited; the new one can answer."""


class Busy(Exception):
    """Every process had something to do for longer than a request may wait."""


@dataclass(frozen=True)
class FleetPlan:
    """What a configuration asks for."""

    endpoint: str
    variant: str
    model: ResolvedModel
    instances: int
    startup_limit_s: float = STARTUP_LIMIT_S

    @property
    def processes(self) -> int:
        """Instances that run here; more processes than cores would only cost memory."""
        # parity: an instance is a process with one thread, and there are at most as many as cores.
        return max(1, min(self.instances, cores()))


class ModelServer:
    """One container's child and the connection to it."""

    def __init__(self, plan: FleetPlan, number: int, folder: JobFolder, stream: str) -> None:
        self._plan = plan
        self._number = number
        self._folder = folder
        self._connection: http.client.HTTPConnection | None = None
        self.child: Child | None = None
        group = f"/aws/sagemaker/Endpoints/{plan.endpoint}"
        log = LogStream(plan.model.courier, group, stream)
        self.recorder = Recorder(log, limit_bytes=_LOG_BYTES)
        self._spec = model_containers.prepare(
            plan.model, plan.model.containers[number], folder, program="model_server", threads=1
        )

    def start(self) -> None:
        """Fork the child; it loads the model while others start."""
        ours, theirs = socket.socketpair()
        with theirs:
            self.child = forkserver.spawn(self._spec, [theirs.fileno()])
        PUMP.add(self)
        ours.settimeout(self._plan.startup_limit_s)
        self._connection = http.client.HTTPConnection("container")
        self._connection.sock = ours

    def check(self) -> None:
        """Wait until /ping is answered; raises FleetFailed."""
        try:
            answer = self._request("GET", "/ping", b"", {})
        except (OSError, http.client.HTTPException) as error:
            raise FleetFailed(self._unhealthy()) from error
        if answer.status != 200:
            raise FleetFailed(self._unhealthy())
        self._timeout(INVOCATION_LIMIT_S)

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        """One request to /invocations; a container that died is started anew for the next one."""
        headers = {"Content-Type": content_type, "Accept": accept}
        try:
            return self._request("POST", "/invocations", body, headers)
        except TimeoutError:
            self._restart()
            text = f"Your invocation timed out after {INVOCATION_LIMIT_S:g} seconds"
            return Answer(500, text.encode(), "text/plain")
        except (OSError, http.client.HTTPException):
            self._restart()
            return Answer(500, b"the container ended while it served the request", "text/plain")

    def stop(self) -> None:
        """End the child and delete its folder."""
        PUMP.drop(self)
        if self._connection is not None:
            self._connection.close()
        if self.child is not None:
            self.child.close()
        self.recorder.close()
        self._folder.remove()

    def _restart(self) -> None:
        PUMP.drop(self)
        if self.child is not None:
            self.child.close()
        self.start()
        try:
            self.check()
        except FleetFailed:
            return  # the next request finds it dead and tries again

    def _request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        if self._connection is None or self._connection.sock is None:
            raise ConnectionError("the container does not run")
        self._connection.request(method, path, body=body, headers=headers)
        response = self._connection.getresponse()
        answered = response.read()
        return Answer(response.status, answered, response.headers.get("Content-Type", ""))

    def _timeout(self, seconds: float) -> None:
        if self._connection is not None and self._connection.sock is not None:
            self._connection.sock.settimeout(seconds)

    def _unhealthy(self) -> str:
        PUMP.drop(self)
        serial = len(self._plan.model.containers) > 1
        which = f"container {self._number + 1}" if serial else "primary container"
        # parity: AWS names only the log group; the last lines save the way there.
        last = " ".join(self.recorder.last_lines(_LAST_LINES))
        return (
            f"The {which} for production variant {self._plan.variant} did not pass the ping health "
            f"check. Please check CloudWatch logs for this endpoint. {last}"
        ).strip()[:1024]


class _Pump:
    """One thread that carries what all model servers print to their logs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: list[ModelServer] = []
        self._thread: threading.Thread | None = None

    def add(self, server: ModelServer) -> None:
        """Carry this server's output from now on."""
        with self._lock:
            self._servers.append(server)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="localaws-endpoint-logs", daemon=True
                )
                self._thread.start()

    def drop(self, server: ModelServer) -> None:
        """Take what is left of its output, and no more."""
        with self._lock:
            if server in self._servers:
                self._servers.remove(server)
                while _take(server):
                    pass
        server.recorder.flush(force=True)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._servers:
                    self._thread = None
                    return
                fds = {_output(s): s for s in self._servers if _output(s) >= 0}
                ready = forkserver.readable(list(fds), 0.0)
                ended = [fds[fd] for fd in ready if not _take(fds[fd])]
                self._servers = [s for s in self._servers if s not in ended]
                servers = list(self._servers)
            for server in servers:
                server.recorder.flush()
            # Sleeping outside the lock; a pipe holds what is printed meanwhile.
            threading.Event().wait(0.25 if not ready else 0.005)


PUMP = _Pump()


def _output(server: ModelServer) -> int:
    return server.child.output_fd if server.child is not None else -1


def _take(server: ModelServer) -> bool:
    """Read one piece of output; False when there is none or there will be no more."""
    fd = _output(server)
    if fd < 0:
        return False
    try:
        piece = os.read(fd, 1 << 16)
    except BlockingIOError:
        return False
    server.recorder.feed(piece)
    return bool(piece)


class Fleet:
    """All processes of one configuration."""

    def __init__(self, plan: FleetPlan, parent: Path) -> None:
        self.plan = plan
        # None is what waits there once the fleet is closed.
        self._free: queue.LifoQueue[list[ModelServer] | None] = queue.LifoQueue()
        self._servers: list[ModelServer] = []
        self._ready = 0
        try:
            self._start(parent)
        except JobFailed as failure:
            self.close()
            raise FleetFailed(str(failure)) from failure
        except FleetFailed:
            self.close()
            raise

    def _start(self, parent: Path) -> None:
        chains = [self._chain(parent, n) for n in range(self.plan.processes)]
        for server in self._servers:
            server.start()
        for server in self._servers:
            server.check()
        for chain in chains:
            self._free.put(chain)
        self._ready = len(chains)

    def _chain(self, parent: Path, instance: int) -> list[ModelServer]:
        started = int(clock.now().timestamp())
        chain = []
        for number in range(len(self.plan.model.containers)):
            folder = JobFolder.create(parent, self.plan.endpoint)
            stream = f"{self.plan.variant}/i-{started:x}{instance:02x}"
            if len(self.plan.model.containers) > 1:
                stream += f"/container-{number + 1}"
            server = ModelServer(self.plan, number, folder, stream)
            chain.append(server)
            self._servers.append(server)
        return chain

    def invoke(self, body: bytes, content_type: str, accept: str) -> tuple[Answer, int]:
        """The answer, and the number of the container that gave it; serial models stop at an error.

        Raises Busy when no process was free in time, Retired when the fleet was closed.
        """
        with self._chain_free() as chain:
            answer, last = Answer(200, body, content_type), 0
            for last, server in enumerate(chain, 1):  # noqa: B007 - the number is the result
                answer = server.invoke(answer.body, answer.content_type, accept)
                if answer.status != 200:
                    break
            return answer, last

    @contextmanager
    def _chain_free(self) -> Iterator[list[ModelServer]]:
        try:
            chain = self._free.get(timeout=INVOCATION_LIMIT_S)
        except queue.Empty:
            raise Busy from None
        if chain is None:
            self._free.put(None)
            raise Retired
        try:
            yield chain
        finally:
            self._free.put(chain)

    def close(self, *, patience_s: float = INVOCATION_LIMIT_S) -> None:
        """End every process once what it does is done, or `patience_s` have passed."""
        deadline = clock.Deadline(patience_s)
        for _ in range(self._ready):
            try:
                self._free.get(timeout=deadline.remaining_s())
            except queue.Empty:
                break
        self._ready = 0
        self._free.put(None)
        for server in self._servers:
            server.stop()
