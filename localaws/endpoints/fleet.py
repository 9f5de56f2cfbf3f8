"""The processes behind one variant of an endpoint: per instance one for each container.

A fleet serves one variant of one endpoint configuration. An update starts other fleets beside the
old ones and moves the traffic, so the old ones serve until the new ones are healthy.
"""

import queue
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localaws import clock
from localaws.jobs.folder import JobFolder
from localaws.jobs.transfer import JobFailed
from localaws.models.handlers import Answer
from localaws.models.process import (
    INVOCATION_LIMIT_S,
    FleetFailed,
    FleetPlan,
    ModelServer,
    processes_for,
)

Chain = list[ModelServer]
"""The containers of one instance, in the order a request passes them."""
_UNDER_WAY = 8
"""Requests that may be on their way to one process, so that it finds the next one at once.

Those that find no place wait in a queue, which costs one more change of threads for each.
"""


class Retired(Exception):
    """The fleet was replaced while the request waited; the new one can answer."""


class Busy(Exception):
    """Every process had something to do for longer than a request may wait."""


class Fleet:
    """All processes of one variant."""

    def __init__(self, plan: FleetPlan, parent: Path) -> None:
        self.plan = plan
        self._parent = parent
        # Each chain as often as it takes requests; None is what waits there once it is closed.
        self._free: queue.SimpleQueue[Chain | None] = queue.SimpleQueue()
        self._chains: list[Chain] = []
        self._changing = threading.Lock()
        try:
            self._grow(plan.processes)
        except JobFailed as failure:
            self.close()
            raise FleetFailed(str(failure)) from failure
        except FleetFailed:
            self.close()
            raise

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

    def resize(self, instances: int) -> None:
        """Have the processes of so many instances; raises FleetFailed and stays as it is."""
        with self._changing:
            wanted = processes_for(instances)
            if wanted > len(self._chains):
                self._grow(wanted - len(self._chains))
            while wanted < len(self._chains):
                self._shrink()

    def close(self, *, patience_s: float = INVOCATION_LIMIT_S) -> None:
        """End every process once what it does is done, or `patience_s` have passed."""
        deadline = clock.Deadline(patience_s)
        with self._changing:
            for _ in range(sum(map(_places, self._chains))):
                try:
                    self._free.get(timeout=max(deadline.remaining_s(), 0.001))
                except queue.Empty:
                    break
            self._free.put(None)
            chains, self._chains = self._chains, []
        for server in _servers(chains):
            server.stop()

    def _grow(self, count: int) -> None:
        made: list[Chain] = []
        try:
            for _ in range(count):
                made.append(self._chain())
            for server in _servers(made):
                server.start()
            for server in _servers(made):
                server.check()
        except (JobFailed, FleetFailed):
            for server in _servers(made):
                server.stop()
            raise
        self._chains += made
        for number in range(_UNDER_WAY):
            for chain in (chain for chain in made if number < _places(chain)):
                self._free.put(chain)

    def _shrink(self) -> None:
        """End the last chain, once nothing is on its way to it."""
        chain = self._chains[-1]
        others: list[Chain | None] = []
        taken = 0
        deadline = clock.Deadline(INVOCATION_LIMIT_S)
        while taken < _places(chain):
            try:
                found = self._free.get(timeout=max(deadline.remaining_s(), 0.001))
            except queue.Empty:
                break
            if found is chain:
                taken += 1
            else:
                others.append(found)
        for other in others:
            self._free.put(other)
        self._chains.remove(chain)
        for server in chain:
            server.stop()

    def _chain(self) -> Chain:
        chain: Chain = []
        instance = f"{self.plan.variant}/i-{uuid.uuid4().hex[:17]}"
        for number in range(len(self.plan.model.containers)):
            folder = JobFolder.create(self._parent, self.plan.endpoint)
            several = len(self.plan.model.containers) > 1
            stream = f"{instance}/container-{number + 1}" if several else instance
            try:
                chain.append(ModelServer(self.plan, number, folder, stream))
            except JobFailed:
                folder.remove()
                for server in chain:
                    server.stop()
                raise
        return chain

    @contextmanager
    def _chain_free(self) -> Iterator[Chain]:
        try:
            chain = self._free.get(timeout=self.plan.invocation_limit_s)
        except queue.Empty:
            raise Busy from None
        if chain is None:
            self._free.put(None)
            raise Retired
        try:
            yield chain
        finally:
            self._free.put(chain)


def _places(chain: Chain) -> int:
    """How many requests may be on their way to a chain."""
    return _UNDER_WAY if len(chain) == 1 else 1


def _servers(chains: list[Chain]) -> Iterator[ModelServer]:
    return (server for chain in chains for server in chain)
