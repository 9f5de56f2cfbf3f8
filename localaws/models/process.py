"""One container of a fleet: its process, the link to it, what it prints."""

import os
import socket
import threading
from dataclasses import dataclass

from localaws.forkserver import server as forkserver
from localaws.forkserver.server import Child
from localaws.jobs.environment import cores
from localaws.jobs.folder import JobFolder
from localaws.jobs.logs import LogStream, Recorder
from localaws.models import containers as model_containers
from localaws.models.containers import ResolvedModel
from localaws.models.handlers import Answer
from localaws.models.link import INVOKE, PING, Link, LinkBroken, Question

# AWS gives an invocation 60 seconds (Amazon SageMaker API Reference, InvokeEndpoint, read 2026-11).
INVOCATION_LIMIT_S = 60.0
STARTUP_LIMIT_S = 300.0
_LOG_BYTES = 64 << 20
_LAST_LINES = 5
_TEXT = "text/plain"
_MOST_TRIES = 3
"""How often a request that waited behind one that killed the container is asked anew."""


class FleetFailed(Exception):
    """The containers cannot serve; the message is the endpoint's FailureReason."""


@dataclass(frozen=True)
class FleetPlan:
    """What a configuration asks for."""

    endpoint: str
    variant: str
    model: ResolvedModel
    instances: int
    startup_limit_s: float = STARTUP_LIMIT_S
    invocation_limit_s: float = INVOCATION_LIMIT_S

    @property
    def processes(self) -> int:
        """Instances that run here; more processes than cores would only cost memory."""
        return processes_for(self.instances)


def processes_for(instances: int) -> int:
    """How many processes stand for so many instances."""
    # parity: an instance is a process with one thread, and there are at most as many as cores.
    return max(1, min(instances, cores()))


class ModelServer:
    """One container's child and the connection to it."""

    def __init__(self, plan: FleetPlan, number: int, folder: JobFolder, stream: str) -> None:
        self._plan = plan
        self._number = number
        self._folder = folder
        self._link: Link | None = None
        self.child: Child | None = None
        self._restarting = threading.Lock()
        self._is_stopped = False
        group = f"/aws/sagemaker/Endpoints/{plan.endpoint}"
        log = LogStream(plan.model.courier, group, stream)
        self.recorder = Recorder(log, limit_bytes=_LOG_BYTES)
        self._spec = model_containers.prepare(
            plan.model, plan.model.containers[number], folder, program="server", threads=1
        )

    def start(self) -> None:
        """Fork the child; it loads the model while others start."""
        ours, theirs = socket.socketpair()
        with theirs:
            self.child = forkserver.spawn(self._spec, [theirs.fileno()])
        PUMP.add(self)
        self._link = Link(ours)
        self._link.limit(self._plan.startup_limit_s)

    def check(self) -> None:
        """Wait until a ping is answered; raises FleetFailed."""
        try:
            answer = self._ask(Question(PING))
        except OSError as error:
            raise FleetFailed(self._unhealthy()) from error
        if answer.status != 200:
            raise FleetFailed(self._unhealthy())
        if self._link is not None:
            self._link.limit(self._plan.invocation_limit_s)

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        """One invocation; a container that died is started anew for the next one."""
        question = Question(INVOKE, body, content_type, accept)
        for _ in range(_MOST_TRIES):
            link = self._link
            try:
                return self._ask(question)
            except LinkBroken:
                self._restart(link)
            except TimeoutError:
                self._restart(link)
                limit_s = self._plan.invocation_limit_s
                said = f"Your invocation timed out after {limit_s:g} seconds"
                return Answer(500, said.encode(), _TEXT)
            except (OSError, ValueError):
                self._restart(link)
                break
        return Answer(500, b"the container ended while it served the request", _TEXT)

    def stop(self) -> None:
        """End the child and delete its folder."""
        with self._restarting:
            self._is_stopped = True
            PUMP.drop(self)
            if self._link is not None:
                self._link.close()
            if self.child is not None:
                self.child.close()
            self.recorder.close()
            self._folder.remove()

    def _restart(self, broken: Link | None) -> None:
        """Replace the container behind a link, unless another request has done it already."""
        with self._restarting:
            if self._link is not broken or self._is_stopped:
                return
            PUMP.drop(self)
            if broken is not None:
                broken.close()
            if self.child is not None:
                self.child.close()
            self.start()
            try:
                self.check()
            except FleetFailed:
                return  # the next request finds it dead and tries again

    def _ask(self, question: Question) -> Answer:
        if self._link is None:
            raise ConnectionError("the container does not run")
        return self._link.ask(question)

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
