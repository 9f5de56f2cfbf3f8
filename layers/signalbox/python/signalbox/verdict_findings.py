"""One finding of a verdict: a rule, whether it was kept, and the sentence that says so."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The outcome of one rule."""

    kept: bool
    reason: str


def bound_finding(subject: str, value: float, *, low: float | None, high: float | None) -> Finding:
    """Whether a value lies within its bounds; both belong to what is accepted.

    >>> bound_finding("rmse", 70.5, low=None, high=65.0)
    Finding(kept=False, reason='rmse is 70.5, above the most accepted 65')
    """
    if low is not None and value < low:
        return Finding(False, f"{subject} is {value:g}, below the least accepted {low:g}")
    if high is not None and value > high:
        return Finding(False, f"{subject} is {value:g}, above the most accepted {high:g}")
    return Finding(True, f"{subject} is {value:g}, as asked: {bounds(low, high)}")


def bounds(low: float | None, high: float | None) -> str:
    """Bounds in words: `at least 0.8, at most 0.9`."""
    least = [] if low is None else [f"at least {low:g}"]
    most = [] if high is None else [f"at most {high:g}"]
    return ", ".join(least + most)
