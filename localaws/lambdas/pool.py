"""Warm processes, as many per function as run at the same time, fewer when they are idle."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from localaws.errors import LocalAwsError
from localaws.lambdas.function import FunctionSpec
from localaws.lambdas.process import FunctionProcess

PROCESSES_PER_FUNCTION = max(4, 2 * (os.cpu_count() or 1))
"""Beyond that, invocations wait for a free process."""  # parity: AWS starts up to 1,000
_GROW_AFTER_S = 0.2
"""A busy process is waited for this long before another is started, which takes about as long."""
IDLE_S = 60.0
_REAP_EVERY_S = 5.0
_CREDENTIALS_LAST_S = 3000.0

Start = Callable[[FunctionSpec], FunctionProcess]


@dataclass
class _Group:
    """Processes of one spec."""

    spec: FunctionSpec
    idle: list[FunctionProcess] = field(default_factory=list)
    count: int = 0


class Pool:
    """Lends processes; starts them when needed, retires them when idle, old or superseded."""

    def __init__(
        self,
        start: Start,
        *,
        limit: int = PROCESSES_PER_FUNCTION,
        retire_more: Callable[[float], None] = lambda _longest_idle_s: None,
    ) -> None:
        self._start = start
        self._retire_more = retire_more
        self._limit = limit
        self._groups: dict[FunctionSpec, _Group] = {}
        self._lent: set[FunctionProcess] = set()
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        threading.Thread(target=self._reap, name="lambda-reaper", daemon=True).start()

    def acquire(self, spec: FunctionSpec) -> FunctionProcess:
        """A process of `spec` for one caller; waits while all are busy and no more may start."""
        grow_at = time.monotonic() + _GROW_AFTER_S
        with self._changed:
            while True:
                if self._stopped.is_set():
                    raise LocalAwsError("the laptop's AWS is stopping")
                group = self._group(spec)
                process = self._take(group)
                if process is not None:
                    self._lent.add(process)
                    return process
                patience_s = grow_at - time.monotonic()
                may_start = group.count < self._limit
                if group.count == 0 or (may_start and patience_s <= 0):
                    group.count += 1
                    break
                self._changed.wait(patience_s if may_start else None)
        return self._started(group)

    def release(self, process: FunctionProcess, *, usable: bool) -> None:
        """Give a process back; one that is not usable any more is stopped."""
        with self._changed:
            self._lent.discard(process)
            group = self._groups.get(process.spec)
            keep = usable and group is not None and not self._stopped.is_set()
            if keep and group is not None:
                process.idle_since = time.monotonic()
                group.idle.append(process)
            elif group is not None:
                group.count -= 1
            self._changed.notify_all()
        if not keep:
            process.close()

    def busy(self, arn: str) -> int:
        """Invocations of a function that run at this moment."""
        with self._changed:
            return sum(process.spec.arn == arn for process in self._lent)

    def processes(self) -> list[int]:
        """Process ids of all that live."""
        with self._changed:
            idle = [process for group in self._groups.values() for process in group.idle]
            return [process.pid for process in (*idle, *self._lent)]

    def warm(self) -> list[FunctionSpec]:
        """What has a process that waits or works."""
        with self._changed:
            idle = [spec for spec, group in self._groups.items() if group.idle]
            return [*idle, *(process.spec for process in self._lent)]

    def by_function(self) -> dict[str, dict[str, list[int]]]:
        """Ids of the living processes by their function's ARN: those at work, those waiting."""
        found: dict[str, dict[str, list[int]]] = {}
        with self._changed:
            idle = [("idle", p) for group in self._groups.values() for p in group.idle]
            for state, process in (*idle, *(("busy", p) for p in self._lent)):
                known = found.setdefault(process.spec.arn, {"busy": [], "idle": []})
                if process.alive:
                    known[state].append(process.pid)
        return found

    def forget(self, arn: str) -> None:
        """Stop the idle processes of a function, or of the version that the ARN names.

        A busy one ends with its invocation.
        """
        with self._changed:
            gone = [spec for spec in self._groups if arn in (spec.arn, spec.qualified_arn)]
            idle = [process for spec in gone for process in self._groups.pop(spec).idle]
            self._changed.notify_all()
        _close(idle)

    def stop(self) -> None:
        """Stop every process, also the busy ones."""
        self._stopped.set()
        with self._changed:
            processes = [item for group in self._groups.values() for item in group.idle]
            processes += self._lent
            self._groups.clear()
            self._changed.notify_all()
        _close(processes)

    def _started(self, group: _Group) -> FunctionProcess:
        try:
            process = self._start(group.spec)
        except BaseException:
            with self._changed:
                group.count -= 1
                self._changed.notify_all()
            raise
        with self._changed:
            self._lent.add(process)
        return process

    def _group(self, spec: FunctionSpec) -> _Group:
        if spec not in self._groups:
            # A function that was changed leaves no process of its former self behind.
            for old in [item for item in self._groups if item.qualified_arn == spec.qualified_arn]:
                _close(self._groups.pop(old).idle)
            self._groups[spec] = _Group(spec)
        return self._groups[spec]

    def _take(self, group: _Group) -> FunctionProcess | None:
        while group.idle:
            process = group.idle.pop()
            fresh = time.time() - process.started_at < _CREDENTIALS_LAST_S
            if process.alive and fresh:
                return process
            group.count -= 1
            process.close()
        return None

    def _reap(self) -> None:
        while not self._stopped.wait(_REAP_EVERY_S):
            self.retire_idle(IDLE_S)
            self._retire_more(IDLE_S)

    def retire_idle(self, longest_idle_s: float) -> None:
        """Stop processes that nobody has asked anything for `longest_idle_s`."""
        oldest = time.monotonic() - longest_idle_s
        retired: list[FunctionProcess] = []
        with self._changed:
            for group in self._groups.values():
                old = [process for process in group.idle if process.idle_since <= oldest]
                group.idle = [process for process in group.idle if process not in old]
                group.count -= len(old)
                retired += old
        _close(retired)


def _close(processes: list[FunctionProcess]) -> None:
    for process in processes:
        process.close()
