"""Percentiles of metrics (`p50`, `p99`) in GetMetricData.

Between two neighbouring values the percentile lies linearly (CloudWatch User Guide, "Percentiles",
names no rule; the difference is smaller than one value's).
"""

from localaws.context import Context
from localaws.moto_seams import percentiles as moto_seams_percentiles


def install(context: Context) -> None:
    """Answer percentiles from now on."""
    del context
    moto_seams_percentiles.install(percentile)


def percentile(ordered: list[float], percent: float) -> float:
    """The value below which `percent` of the sorted values lie; raises IndexError without any.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 50), percentile([7.0], 99)
    (2.5, 7.0)
    """
    position = (len(ordered) - 1) * percent / 100.0
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
