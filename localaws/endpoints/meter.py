"""Counts and times the invocations of each variant, and brings them to CloudWatch.

Metrics, units and dimensions: Amazon SageMaker Developer Guide, "Monitor Amazon SageMaker with
Amazon CloudWatch", endpoint invocation metrics (read 2026-11). A request only appends one tuple;
everything else happens in the look of whoever evaluates alarms.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping

from localaws.monitoring.collector import Collector
from localaws.monitoring.metrics import MetricKey
from localaws.sagemaker.store import Place

NAMESPACE = "AWS/SageMaker"

Taken = tuple[int, float, float]
"""(status of the answer, seconds in the model, seconds around it)."""

_METRICS: Mapping[str, tuple[str, Callable[[Taken], float]]] = {
    "Invocations": ("None", lambda t: 1.0),
    "Invocation4XXErrors": ("None", lambda t: float(400 <= t[0] < 500)),
    "Invocation5XXErrors": ("None", lambda t: float(t[0] >= 500)),
    "InvocationModelErrors": ("None", lambda t: float(t[0] >= 400)),
    "ModelLatency": ("Microseconds", lambda t: t[1] * 1e6),
    "OverheadLatency": ("Microseconds", lambda t: t[2] * 1e6),
}


class Meter:
    """The invocations of one variant under one configuration."""

    def __init__(self, place: Place, endpoint: str, variant: str, config: str) -> None:
        self.place = place
        self.instances = 1
        self._taken: deque[Taken] = deque()
        both = {"EndpointName": endpoint, "VariantName": variant}
        # The second set tells the fleets of an update apart: AWS adds it while one is under way.
        self.dimensions = (both, {**both, "EndpointConfigName": config})

    def took(self, status: int, model_s: float, overhead_s: float) -> None:
        """Note one invocation."""
        self._taken.append((status, model_s, overhead_s))

    def drain(self) -> list[Taken]:
        """What was noted since the last call."""
        taken = self._taken
        return [taken.popleft() for _ in range(len(taken))]


class Meters:
    """The meters of all fleets that serve, and what is to be published of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._meters: list[Meter] = []
        self._collector = Collector()

    def add(self, meter: Meter) -> None:
        """Listen to this one from now on."""
        with self._lock:
            self._meters.append(meter)

    def drop(self, meter: Meter) -> None:
        """Take its last values, and no more."""
        self.gather()
        with self._lock:
            if meter in self._meters:
                self._meters.remove(meter)

    def gather(self) -> None:
        """Bring what was noted to the alarms and, now and then, to CloudWatch."""
        with self._lock:
            for meter in self._meters:
                if taken := meter.drain():
                    self._sort(meter, taken)
        self._collector.publish_now_and_then()

    def flush(self) -> None:
        """Bring everything to CloudWatch at once."""
        self.gather()
        self._collector.publish()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._meters.clear()
        self._collector.clear()

    def _sort(self, meter: Meter, taken: list[Taken]) -> None:
        columns = {name: [value(t) for t in taken] for name, (_, value) in _METRICS.items()}
        columns["InvocationsPerInstance"] = [1.0 / meter.instances] * len(taken)
        for dimensions in meter.dimensions:
            for name, values in columns.items():
                key = MetricKey.of(meter.place, NAMESPACE, name, dimensions)
                unit = _METRICS[name][0] if name in _METRICS else "None"
                self._collector.add(key, unit, values)


METERS = Meters()
