"""A process that has imported what functions of the same layers share, and forks them.

Importing boto3 and pydantic is most of a cold start and of a function's memory; a fork has both
already and shares the memory. The child gets its own environment before any code of the function or
of the project runs. Only third-party modules are imported ahead, and only ones that do not read the
environment while they are imported: what a function sees is the same as when it starts alone.

Linux only; elsewhere each function starts from nothing (fork after such imports is not safe there).
"""

import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, SimpleQueue

from localaws.errors import LocalAwsError
from localaws.lambdas.process import INTERPRETER, Birth, Child

_LENGTHS = struct.Struct(">II")
_PROGRAM = Path(__file__).with_name("nursery_process.py")
_BIRTH_LIMIT_S = 30.0
_MODULES = (
    "boto3",
    "botocore.session",
    "botocore.client",
    "botocore.endpoint",
    "botocore.httpsession",
    "botocore.handlers",
    "botocore.signers",
    "botocore.waiter",
    "concurrent.futures.thread",
    "pydantic",
    "pydantic.main",
    "pydantic.type_adapter",
    "aws_lambda_powertools",
)
_PACKAGES = ("boto3", "pydantic", "aws_lambda_powertools")
_READ_AT_IMPORT = ("POWERTOOLS_DEBUG", "POWERTOOLS_DEV", "PYDANTIC_", "SSLKEYLOGFILE")
"""Variables that the modules above do look at while they are imported."""


def fits(layers: list[str], environment: Mapping[str, str]) -> bool:
    """Whether a function with these layers and variables may be forked from a nursery."""
    shared = any(Path(layer, name).is_dir() for layer in layers for name in _PACKAGES)
    alone = any(name.startswith(_READ_AT_IMPORT) for name in environment)
    return sys.platform == "linux" and shared and not alone


class Nursery:
    """One such process, for one list of layers."""

    def __init__(self, layers: list[str]) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*INTERPRETER, str(_PROGRAM), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "en_US.UTF-8", "TZ": ":UTC"},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._births: SimpleQueue[int] = SimpleQueue()
        self._living: set[int] = set()
        self.used_at = time.monotonic()
        self._ends: dict[int, int] = {}
        self._ended = threading.Condition()
        self._birth_lock = threading.Lock()
        self._order({"paths": layers, "modules": _MODULES}, [])
        threading.Thread(target=self._listen, name="lambda-nursery", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can still fork."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def begin(self, birth: Birth) -> Child:
        """Fork a child; raises LocalAwsError when the nursery does not answer."""
        order = {"environment": dict(birth.environment), "folder": birth.folder}
        with self._birth_lock:
            self._order(order, [birth.channel, birth.log])
            try:
                pid = self._births.get(timeout=_BIRTH_LIMIT_S)
            except Empty as error:
                raise LocalAwsError("no process for the function could be forked") from error
            self._living.add(pid)
        return _Forked(pid, self)

    @property
    def has_children(self) -> bool:
        """Whether a process that it forked still runs."""
        with self._ended:
            return bool(self._living - self._ends.keys())

    def exit_code(self, pid: int, limit_s: float | None) -> int | None:
        """How a child ended; None when it still runs after `limit_s`."""
        with self._ended:
            self._ended.wait_for(lambda: pid in self._ends, limit_s)
            return self._ends.get(pid)

    def close(self) -> None:
        """End the process; its children end by their own sockets."""
        self._control.close()
        self._process.kill()
        self._process.wait()

    def _order(self, order: Mapping[str, object], descriptors: list[int]) -> None:
        text = json.dumps(order).encode()
        try:
            socket.send_fds(self._control, [_LENGTHS.pack(len(text), 0)], descriptors)
            self._control.sendall(text)
        except OSError as error:
            raise LocalAwsError("the process that forks functions has ended") from error

    def _listen(self) -> None:
        with self._control.makefile("rb") as stream:
            try:
                for line in stream:
                    self._note(json.loads(line))
            except (OSError, ValueError):
                return

    def _note(self, message: Mapping[str, int]) -> None:
        if "born" in message:
            self._births.put(message["born"])
            return
        with self._ended:
            self._ends[message["ended"]] = message["code"]
            self._ended.notify_all()


class _Forked:
    """A child of a nursery, with the part of subprocess.Popen that is used."""

    def __init__(self, pid: int, nursery: Nursery) -> None:
        self.pid = pid
        self._nursery = nursery

    def poll(self) -> int | None:
        """Exit code, None while it runs."""
        return self._nursery.exit_code(self.pid, 0)

    def wait(self, timeout: float | None = None) -> int:
        """Exit code at its end; raises subprocess.TimeoutExpired."""
        code = self._nursery.exit_code(self.pid, timeout)
        if code is None:
            if self._nursery.alive:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            return -9
        return code


class Nurseries:
    """The nurseries of one server, by layers; made when first needed."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, ...], Nursery] = {}
        self._lock = threading.Lock()

    def of(self, layers: list[str]) -> Nursery:
        """The nursery of these layers."""
        with self._lock:
            found = self._made.get(tuple(layers))
            if found is None or not found.alive:
                found = self._made[tuple(layers)] = Nursery(layers)
            found.used_at = time.monotonic()
            return found

    def retire_idle(self, longest_idle_s: float) -> None:
        """End nurseries without children that nobody has asked for `longest_idle_s`."""
        oldest = time.monotonic() - longest_idle_s
        with self._lock:
            for layers, nursery in list(self._made.items()):
                if nursery.used_at <= oldest and not nursery.has_children:
                    del self._made[layers]
                    nursery.close()

    def process_ids(self) -> list[int]:
        """Process ids of all that live."""
        with self._lock:
            return [nursery.pid for nursery in self._made.values() if nursery.alive]

    def close(self) -> None:
        """End them all."""
        with self._lock:
            for nursery in self._made.values():
                nursery.close()
            self._made.clear()
