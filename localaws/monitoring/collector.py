"""Values on their way to alarms, at once, and to CloudWatch, some at a time.

What counts and times something notes it cheaply and brings it here when alarms are looked at.
"""

import threading
import time

from localaws import clock
from localaws.monitoring.metrics import METRICS, MetricKey, Sample
from localaws.moto_seams import metrics as moto_seams_metrics

_PUBLISH_EVERY_S = 0.5
_LATENCIES = ("Microseconds", "Milliseconds")
"""Units of what percentiles are asked of; of ones and zeros they say nothing."""


class Collector:
    """What one part of the laptop measured since it last told CloudWatch; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unpublished: dict[MetricKey, tuple[str, Sample]] = {}
        self._published_at = 0.0

    def add(self, key: MetricKey, unit: str, values: list[float]) -> None:
        """Bring values to the alarms, and keep them for CloudWatch."""
        with self._lock:
            METRICS.add(key, time.time(), values)
            self._unpublished.setdefault(key, (unit, Sample()))[1].take(values)

    def publish_now_and_then(self) -> None:
        """Tell CloudWatch, unless that was done just now."""
        if self._unpublished and time.time() - self._published_at >= _PUBLISH_EVERY_S:
            self.publish()

    def publish(self) -> None:
        """Tell CloudWatch everything."""
        with self._lock:
            unpublished, self._unpublished = self._unpublished, {}
            self._published_at = time.time()
        moment = clock.now().replace(tzinfo=None)
        for key, (unit, sample) in unpublished.items():
            datum = {
                "MetricName": key.name,
                "Dimensions": [{"Name": n, "Value": v} for n, v in sorted(key.dimensions)],
                "Timestamp": moment,
                "Unit": unit,
                "SampleCount": sample.count,
                "Sum": sample.total,
                "Minimum": sample.least,
                "Maximum": sample.most,
                "Values": sample.values if unit in _LATENCIES else [],
            }
            moto_seams_metrics.publish(key.place.account, key.place.region, key.namespace, [datum])

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._unpublished.clear()
