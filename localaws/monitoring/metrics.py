"""The newest values of CloudWatch metrics, kept so that alarms can be evaluated on them.

Values lie in slots of real time; a window asks for those of its last seconds. What `GetMetricData`
answers from is moto's; here is only what an alarm may still look at. Values in, values out.
"""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from localaws.sagemaker.store import Place

SLOT_S = 0.05
KEPT_S = 900.0
"""Real seconds; at a time scale of 60 these are fifteen hours of AWS's."""
_KEPT_VALUES = 512
"""Single values kept in a slot, for percentiles."""


@dataclass(frozen=True)
class MetricKey:
    """One metric as CloudWatch tells them apart."""

    place: Place
    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]

    @classmethod
    def of(
        cls, place: Place, namespace: str, name: str, dimensions: Mapping[str, str]
    ) -> "MetricKey":
        """The key with its dimensions as a mapping."""
        return cls(place, namespace, name, frozenset(dimensions.items()))


@dataclass
class Sample:
    """Some values of one metric."""

    count: float = 0.0
    total: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")
    values: list[float] = field(default_factory=list)

    def take(self, values: list[float]) -> None:
        """Add values."""
        if not values:
            return
        self.count += len(values)
        self.total += sum(values)
        self.least = min(self.least, *values)
        self.most = max(self.most, *values)
        room = _KEPT_VALUES - len(self.values)
        if room > 0:
            self.values += values[:room]

    def join(self, other: "Sample") -> None:
        """Add the values of another."""
        self.count += other.count
        self.total += other.total
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)
        self.values += other.values

    def statistic(self, name: str) -> float:
        """`Average`, `Sum`, `SampleCount`, `Minimum`, `Maximum` or a percentile such as `p99`.

        >>> sample = Sample()
        >>> sample.take([1.0, 2.0, 3.0, 4.0])
        >>> sample.statistic("Average"), sample.statistic("p50")
        (2.5, 2.5)
        """
        if name.startswith("p"):
            return percentile(sorted(self.values), float(name[1:]))
        known = {
            "Average": self.total / self.count if self.count else 0.0,
            "Sum": self.total,
            "SampleCount": self.count,
            "Minimum": self.least,
            "Maximum": self.most,
        }
        return known[name]


def percentile(ordered: list[float], percent: float) -> float:
    """The value below which `percent` of the sorted values lie, between neighbours linearly."""
    if not ordered:
        return 0.0
    position = (len(ordered) - 1) * percent / 100.0
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


class MetricStore:
    """Samples of all metrics by slot; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: dict[MetricKey, deque[tuple[int, Sample]]] = {}

    def add(self, key: MetricKey, moment_s: float, values: Iterable[float]) -> None:
        """Remember values of one moment, in real seconds since the epoch."""
        slot = int(moment_s / SLOT_S)
        with self._lock:
            slots = self._slots.setdefault(key, deque())
            if not slots or slots[-1][0] < slot:
                slots.append((slot, Sample()))
            slots[-1][1].take(list(values))
            oldest = slot - int(KEPT_S / SLOT_S)
            while slots[0][0] < oldest:
                slots.popleft()

    def window(self, key: MetricKey, start_s: float, end_s: float) -> Sample | None:
        """All values after `start_s` up to `end_s`; None when there are none."""
        first, last = int(start_s / SLOT_S), int(end_s / SLOT_S)
        found = Sample()
        with self._lock:
            for slot, sample in reversed(self._slots.get(key, ())):
                if slot <= first:
                    break
                if slot <= last:
                    found.join(sample)
        return found if found.count else None

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._slots.clear()


METRICS = MetricStore()
