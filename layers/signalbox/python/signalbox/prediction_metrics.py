"""Metrics of predictions, by the names that evaluations use: for slices and for intervals.

A metric is computed here where rows must be chosen anew (a slice, a resample); on all rows the
evaluation's own number counts. Definitions are scikit-learn's (User Guide, "Metrics and scoring",
read 2026-11-21), against which the tests check them. Rules only.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from signalbox.errors import EvaluationInvalid
from signalbox.manifest_sections import Problem
from signalbox.predictions import Predictions


@dataclass(frozen=True)
class Outcomes:
    """Predictions as numbers; classes of a many-class problem are numbered."""

    expected: tuple[float, ...]
    predicted: tuple[float, ...]
    probability: tuple[float, ...] | None


# None where the rows leave the metric undefined, such as the auc of a single class.
Metric = Callable[[Outcomes, Sequence[int]], float | None]


def names(problem: Problem) -> tuple[str, ...]:
    """The metrics that can be computed for a kind of problem."""
    return tuple(_METRICS[problem])


def name_of(path: str) -> str:
    """The metric's name in its path.

    >>> name_of("regression_metrics.rmse.value"), name_of("auc")
    ('rmse', 'auc')
    """
    parts = path.split(".")
    return parts[-2] if len(parts) > 1 and parts[-1] == "value" else parts[-1]


def metric_for(problem: Problem, path: str) -> Metric | None:
    """What computes the metric at a path; None when nothing here does."""
    return _METRICS[problem].get(name_of(path))


def outcomes(problem: Problem, predictions: Predictions) -> Outcomes:
    """The predictions as numbers; raises EvaluationInvalid for what is none."""
    if problem is Problem.MULTICLASS_CLASSIFICATION:
        known = sorted({*predictions.expected, *predictions.predicted})
        number = {name: float(index) for index, name in enumerate(known)}
        return Outcomes(
            tuple(number[name] for name in predictions.expected),
            tuple(number[name] for name in predictions.predicted),
            predictions.probability,
        )
    binary = problem is Problem.BINARY_CLASSIFICATION
    return Outcomes(
        _numbers("expected", predictions.expected, predictions.uri, binary=binary),
        _numbers("predicted", predictions.predicted, predictions.uri, binary=binary),
        predictions.probability,
    )


def _numbers(column: str, texts: Sequence[str], uri: str, *, binary: bool) -> tuple[float, ...]:
    try:
        found = tuple(map(float, texts))
    except ValueError:
        found = (math.nan,)
    wrong = not all(map(math.isfinite, found)) or (binary and not {0.0, 1.0}.issuperset(found))
    if wrong:
        wanted = "0 or 1" if binary else "a finite number"
        raise EvaluationInvalid(f"{uri}: a value of column {column} is not {wanted}")
    return found


def mse(found: Outcomes, rows: Sequence[int]) -> float:
    """Mean squared error.

    >>> mse(Outcomes((3.0, 5.0), (2.0, 8.0), None), (0, 1))
    5.0
    """
    return math.fsum((found.expected[i] - found.predicted[i]) ** 2 for i in rows) / len(rows)


def rmse(found: Outcomes, rows: Sequence[int]) -> float:
    """Root of the mean squared error, in the label's unit."""
    return math.sqrt(mse(found, rows))


def mae(found: Outcomes, rows: Sequence[int]) -> float:
    """Mean absolute error, in the label's unit."""
    return math.fsum(abs(found.expected[i] - found.predicted[i]) for i in rows) / len(rows)


def r2(found: Outcomes, rows: Sequence[int]) -> float | None:
    """Share of the label's variance that is explained; undefined for a constant label."""
    mean = math.fsum(found.expected[i] for i in rows) / len(rows)
    variance = math.fsum((found.expected[i] - mean) ** 2 for i in rows) / len(rows)
    return 1.0 - mse(found, rows) / variance if variance > 0 else None


def accuracy(found: Outcomes, rows: Sequence[int]) -> float:
    """Share of rows whose class was predicted."""
    return sum(found.expected[i] == found.predicted[i] for i in rows) / len(rows)


def precision(found: Outcomes, rows: Sequence[int]) -> float | None:
    """Share of the predicted positives that are; undefined when none was predicted."""
    positive = [i for i in rows if found.predicted[i] == 1]
    return _share(sum(found.expected[i] == 1 for i in positive), len(positive))


def recall(found: Outcomes, rows: Sequence[int]) -> float | None:
    """Share of the positives that were predicted; undefined when there is none."""
    positive = [i for i in rows if found.expected[i] == 1]
    return _share(sum(found.predicted[i] == 1 for i in positive), len(positive))


def f1(found: Outcomes, rows: Sequence[int]) -> float | None:
    """Harmonic mean of precision and recall."""
    hits = sum(found.expected[i] == 1 == found.predicted[i] for i in rows)
    named = sum((found.expected[i] == 1) + (found.predicted[i] == 1) for i in rows)
    return _share(2 * hits, named)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def auc(found: Outcomes, rows: Sequence[int]) -> float | None:
    """Area under the ROC curve, by ranks (Mann and Whitney); ties count half.

    >>> auc(Outcomes((0, 0, 1, 1), (0, 0, 0, 1), (0.1, 0.4, 0.35, 0.8)), range(4))
    0.75
    """
    probability = found.probability
    if probability is None:
        return None
    ordered = sorted(rows, key=probability.__getitem__)
    positives = sum(found.expected[i] == 1 for i in ordered)
    negatives = len(ordered) - positives
    if not positives or not negatives:
        return None
    rank_sum = _rank_sum([(probability[i], found.expected[i] == 1) for i in ordered])
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def _rank_sum(ordered: list[tuple[float, bool]]) -> float:
    """Sum of the ranks of the positives; equal values share the mean of their ranks."""
    total, start = 0.0, 0
    while start < len(ordered):
        end = start
        while end < len(ordered) and ordered[end][0] == ordered[start][0]:
            end += 1
        total += sum(hit for _, hit in ordered[start:end]) * (start + 1 + end) / 2
        start = end
    return total


_METRICS: Mapping[Problem, Mapping[str, Metric]] = {
    Problem.REGRESSION: {"rmse": rmse, "mae": mae, "mse": mse, "r2": r2},
    Problem.BINARY_CLASSIFICATION: {
        "accuracy": accuracy,
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "auc": auc,
    },
    Problem.MULTICLASS_CLASSIFICATION: {"accuracy": accuracy},
}
