"""When an alarm is in which state: values in, values out.

Rules: Amazon CloudWatch User Guide, "Evaluating an alarm" and "Configuring how CloudWatch alarms
treat missing data" (read 2026-11).
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


@dataclass(frozen=True)
class AlarmRule:
    """What decides an alarm's state, but for the values."""

    comparison: str
    threshold: float
    periods: int
    datapoints: int
    """How many of the periods must breach."""
    missing: str = "missing"
    """`missing`, `ignore`, `breaching` or `notBreaching`."""

    def breaches(self, value: float) -> bool:
        """Whether a value is on the wrong side of the threshold."""
        return COMPARISONS[self.comparison](value, self.threshold)

    def state(self, values: Sequence[float | None], now: str) -> str:
        """The state after the values of the last periods (None: no data), from the state `now`.

        >>> rule = AlarmRule("GreaterThanThreshold", 0.5, periods=2, datapoints=1)
        >>> rule.state([None, 1.0], "OK"), rule.state([0.0, 0.0], "ALARM")
        ('ALARM', 'OK')
        """
        known = [value for value in values if value is not None]
        if not known and self.missing in ("missing", "ignore"):
            return now if self.missing == "ignore" else INSUFFICIENT
        bad = sum(self.breaches(value) for value in known)
        if self.missing == "breaching":
            bad += len(values) - len(known)
        return ALARM if bad >= self.datapoints else OK
