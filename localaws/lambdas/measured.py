"""Counts and times the invocations of functions, and brings them to CloudWatch.

Metrics, units and dimensions: Lambda Developer Guide, "Types of metrics for Lambda functions",
"Viewing metrics for Lambda functions" (read 2026-11-21). An invocation only appends one tuple;
everything else happens in the look of whoever evaluates alarms.
"""

import threading
from collections import defaultdict, deque
from dataclasses import dataclass

from localaws.lambdas.function import FunctionSpec, Outcome
from localaws.monitoring.collector import Collector
from localaws.monitoring.metrics import MetricKey
from localaws.sagemaker.store import Place

NAMESPACE = "AWS/Lambda"
_UNITS = {"Duration": "Milliseconds"}


@dataclass(frozen=True)
class _Called:
    """What was called, and which version ran."""

    place: Place
    resource: str
    """The function's name, with the qualifier it was called by."""
    version: str

    def dimensions(self) -> tuple[dict[str, str], ...]:
        """The sets under which AWS keeps a metric; an alias' versions are told apart."""
        name, _, qualifier = self.resource.partition(":")
        function = {"FunctionName": name}
        resource = {**function, "Resource": self.resource}
        if not qualifier or qualifier == self.version:
            return {}, function, resource
        return {}, function, resource, {**resource, "ExecutedVersion": self.version}


class Measured:
    """All invocations of one laptop."""

    def __init__(self) -> None:
        self._collector = Collector()
        self._one_looks = threading.Lock()
        self._taken: deque[tuple[_Called, dict[str, float]]] = deque()

    def ran(self, spec: FunctionSpec, called_arn: str, outcome: Outcome) -> None:
        """Note one invocation that came to an end."""
        failed = float(outcome.failed)
        values = {"Invocations": 1.0, "Errors": failed, "Duration": outcome.duration_ms}
        self._taken.append((_called(spec, called_arn), values))

    def throttled(self, spec: FunctionSpec, called_arn: str) -> None:
        """Note one invocation that was refused because too many go on."""
        self._taken.append((_called(spec, called_arn), {"Throttles": 1.0}))

    def gather(self) -> None:
        """Bring what was noted to the alarms and, now and then, to CloudWatch."""
        found: defaultdict[MetricKey, list[float]] = defaultdict(list)
        with self._one_looks:
            taken = [self._taken.popleft() for _ in range(len(self._taken))]
        for called, values in taken:
            for dimensions in called.dimensions():
                for name, value in values.items():
                    found[MetricKey.of(called.place, NAMESPACE, name, dimensions)].append(value)
        for key, those in found.items():
            self._collector.add(key, _UNITS.get(key.name, "Count"), those)
        self._collector.publish_now_and_then()

    def flush(self) -> None:
        """Bring everything to CloudWatch at once."""
        self.gather()
        self._collector.publish()

    def clear(self) -> None:
        """Forget everything."""
        self._taken.clear()
        self._collector.clear()


def _called(spec: FunctionSpec, called_arn: str) -> _Called:
    resource = called_arn.partition(":function:")[2]
    return _Called(Place(spec.account, spec.region), resource, spec.version)


MEASURED = Measured()
