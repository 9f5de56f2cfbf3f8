"""Threads that do the laptop's background work, and a clock that wakes them.

`Workers` runs small jobs on a few daemon threads, started when first needed. `Timers` runs
functions later, all on one thread. Neither polls. Imports nothing of the project.
"""

import heapq
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

_log = logging.getLogger("localaws.workers")
Job = Callable[[], None]


class Workers:
    """At most `count` threads; a job that raises is logged and never ends its thread."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._running = 0
        self._stopped = False

    def submit(self, job: Job) -> None:
        """Run `job` on some thread, soon; jobs submitted after `stop` are dropped."""
        with self._changed:
            if self._stopped:
                return
            self._jobs.append(job)
            if self._idle < len(self._jobs) and len(self._threads) < self._count:
                self._start_thread()
            self._changed.notify()

    def _start_thread(self) -> None:
        name = f"{self._name}-{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while job := self._next():
            try:
                job()
            except Exception:  # noqa: BLE001 - the edge of a thread, reported
                _log.exception("a background job failed")
            finally:
                self._finished()

    def _next(self) -> Job | None:
        with self._changed:
            self._idle += 1
            while not self._jobs and not self._stopped:
                self._changed.wait()
            self._idle -= 1
            if self._stopped:
                return None
            self._running += 1
            return self._jobs.popleft()

    def _finished(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is queued or running; False when that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._running, timeout_s)

    def stop(self) -> None:
        """Drop what is queued; threads end after the job they are at."""
        with self._changed:
            self._stopped = True
            self._jobs.clear()
            self._changed.notify_all()


@dataclass(order=True)
class Timer:
    """One function to run later; `cancel` before it is due and it never runs."""

    due: float
    number: int
    job: Job | None = field(compare=False)

    def cancel(self) -> None:
        """Never run; too late is no error."""
        self.job = None


class Timers:
    """Runs functions at their time; they must be quick, since they share one thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._heap: list[Timer] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def after(self, seconds: float, job: Job) -> Timer:
        """Run `job` in `seconds` of real time."""
        timer = Timer(time.monotonic() + seconds, next(self._numbers), job)
        with self._changed:
            if len(self._heap) > 64 and sum(t.job is None for t in self._heap) * 2 > len(
                self._heap
            ):
                self._forget_cancelled()
            heapq.heappush(self._heap, timer)
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()
        return timer

    def _forget_cancelled(self) -> None:
        self._heap = [timer for timer in self._heap if timer.job is not None]
        heapq.heapify(self._heap)

    def _run(self) -> None:
        while timer := self._due():
            job = timer.job
            if job is None:
                continue
            try:
                job()
            except Exception:  # noqa: BLE001 - the edge of a thread, reported
                _log.exception("a timer's job failed")

    def _due(self) -> Timer | None:
        with self._changed:
            while not self._stopped:
                wait_s = self._heap[0].due - time.monotonic() if self._heap else None
                if wait_s is not None and wait_s <= 0:
                    return heapq.heappop(self._heap)
                self._changed.wait(wait_s)
        return None

    def stop(self) -> None:
        """Forget everything that is not due yet."""
        with self._changed:
            self._stopped = True
            self._heap.clear()
            self._changed.notify_all()
