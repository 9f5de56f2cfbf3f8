"""What the report's plots show, computed from predictions: points, bins and counts. Rules only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from signalbox.prediction_metrics import Outcomes

Point = tuple[float, float]


@dataclass(frozen=True)
class Histogram:
    """Counts between edges; the last bin includes its upper edge. One more edge than counts."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


def histogram(values: Sequence[float], low: float, high: float, bins: int) -> Histogram:
    """Counts of values in bins of one width; values outside are not counted.

    >>> histogram((0.0, 0.4, 1.0), 0.0, 1.0, 2)
    Histogram(edges=(0.0, 0.5, 1.0), counts=(2, 1))
    """
    width = (high - low) / bins
    counts = [0] * bins
    for value in values:
        if low <= value <= high:
            counts[min(int((value - low) / width), bins - 1) if width else 0] += 1
    edges = tuple(low + width * index for index in range(bins + 1))
    return Histogram(edges, tuple(counts))


def residuals(found: Outcomes) -> list[float]:
    """Predicted minus actual of each row."""
    return [p - e for p, e in zip(found.predicted, found.expected, strict=True)]


def within(errors: Sequence[float]) -> list[Point]:
    """(error, share of rows whose error is at most that, by size), from no error to the largest.

    >>> within((-3.0, 1.0))
    [(0.0, 0.0), (1.0, 0.5), (3.0, 1.0)]
    """
    ordered = sorted(map(abs, errors))
    shares = [(size, place / len(ordered)) for place, size in enumerate(ordered, 1)]
    return [(0.0, 0.0), *shares]


@dataclass(frozen=True)
class _Step:
    """Rows of one probability, taken from the highest down: hits and false alarms so far."""

    hits: int
    alarms: int


def _steps(found: Outcomes) -> list[_Step]:
    probability = found.probability or ()
    order = sorted(range(len(probability)), key=lambda row: -probability[row])
    steps, hits, alarms = [_Step(0, 0)], 0, 0
    for place, row in enumerate(order):
        hits += found.expected[row] == 1
        alarms += found.expected[row] != 1
        is_last = place + 1 == len(order)
        if is_last or probability[order[place + 1]] != probability[row]:
            steps.append(_Step(hits, alarms))
    return steps


def roc(found: Outcomes) -> list[Point]:
    """(false positive rate, true positive rate) at every threshold; empty for a single class.

    >>> roc(Outcomes((0, 1), (0, 1), (0.2, 0.9)))
    [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
    """
    steps = _steps(found)
    last = steps[-1]
    if not last.hits or not last.alarms:
        return []
    return [(step.alarms / last.alarms, step.hits / last.hits) for step in steps]


def precision_recall(found: Outcomes) -> list[Point]:
    """(recall, precision) at every threshold; empty when nothing is positive.

    >>> precision_recall(Outcomes((0, 1), (0, 1), (0.2, 0.9)))
    [(0.0, 1.0), (1.0, 1.0), (1.0, 0.5)]
    """
    steps = _steps(found)
    positives = steps[-1].hits
    if not positives:
        return []
    points = [(step.hits / positives, step.hits / (step.hits + step.alarms)) for step in steps[1:]]
    return [(0.0, points[0][1]), *points]


@dataclass(frozen=True)
class CalibrationBin:
    """Rows with similar probabilities: what was predicted on average and what came true."""

    predicted: float
    observed: float
    rows: int


def calibration(probability: Sequence[float], came_true: Sequence[bool]) -> list[CalibrationBin]:
    """Ten bins of one width over the probabilities; empty ones are left out.

    >>> calibration((0.1, 0.15, 0.9), (False, True, True))[0]
    CalibrationBin(predicted=0.125, observed=0.5, rows=2)
    """
    bins: dict[int, list[tuple[float, bool]]] = {}
    for value, outcome in zip(probability, came_true, strict=True):
        bins.setdefault(min(int(value * 10), 9), []).append((value, outcome))
    return [
        CalibrationBin(
            predicted=math.fsum(value for value, _ in rows) / len(rows),
            observed=sum(outcome for _, outcome in rows) / len(rows),
            rows=len(rows),
        )
        for _, rows in sorted(bins.items())
    ]


def confusion(
    expected: Sequence[str], predicted: Sequence[str]
) -> tuple[list[str], list[list[int]]]:
    """The classes, and the number of rows of each actual (row) and predicted (column) class.

    >>> confusion(("a", "b", "b"), ("a", "a", "b"))
    (['a', 'b'], [[1, 0], [1, 1]])
    """
    classes = sorted({*expected, *predicted})
    place = {name: index for index, name in enumerate(classes)}
    counts = [[0] * len(classes) for _ in classes]
    for one, other in zip(expected, predicted, strict=True):
        counts[place[one]][place[other]] += 1
    return classes, counts


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers within a range, about as many as wanted (Heckbert, "Nice Numbers for Graph
    Labels", Graphics Gems, 1990).

    >>> ticks(0.0, 0.97)
    [0.0, 0.2, 0.4, 0.6, 0.8]
    >>> ticks(23, 310, 4)
    [100.0, 200.0, 300.0]
    """
    span = high - low
    if not span > 0:
        return [low]
    raw = span / wanted
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = min((1, 2, 5, 10), key=lambda nice: abs(math.log(nice * magnitude / raw))) * magnitude
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]
