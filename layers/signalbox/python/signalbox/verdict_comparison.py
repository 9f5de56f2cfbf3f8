"""The challenger beside the champion, on the same held-out rows. Rules only."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from signalbox import prediction_metrics
from signalbox.errors import EvaluationInvalid
from signalbox.evaluations import Evaluation, read_metric
from signalbox.manifest_sections import Better, ChampionRule, Problem
from signalbox.prediction_metrics import Metric, Outcomes
from signalbox.predictions import Draw, Predictions, sample
from signalbox.verdict_findings import Finding

# Percentile bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13);
# the bounds of a 95 % interval settle to two digits by then, within a second.
RESAMPLES = 400
MAX_RESAMPLED_ROWS = 2_000


@dataclass(frozen=True)
class Champion:
    """The approved model version to compare with; without an evaluation `problem` says why."""

    model_package_arn: str
    evaluation: Evaluation | None
    predictions: Predictions | None = None
    problem: str = ""


@dataclass(frozen=True)
class Interval:
    """Where challenger minus champion lies in 95 of 100 resamples of as many rows."""

    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Comparison:
    """One metric of both models."""

    metric: str
    challenger: float
    champion: float
    better: Better
    tolerance: float
    kept: bool
    interval: Interval | None


def compare(
    values: Mapping[str, float],
    predictions: Predictions | None,
    rules: tuple[ChampionRule, ...],
    problem: Problem,
    champion: Champion,
    *,
    draw: Draw,
) -> tuple[list[Finding], tuple[Comparison, ...]]:
    """A finding for every rule; a rule on a metric that the champion lacks is not broken."""
    paths = [rule.metric for rule in rules]
    intervals = _intervals(paths, problem, predictions, champion.predictions, draw)
    findings, comparisons = [], []
    for rule in rules:
        best = _champion_value(champion, rule.metric)
        if best is None:
            lacks = f"Not compared with {champion.model_package_arn}: it has no {rule.metric}"
            findings.append(Finding(True, lacks))
            continue
        value = values[rule.metric]
        one = Comparison(
            metric=rule.metric,
            challenger=value,
            champion=best,
            better=rule.better,
            tolerance=rule.tolerance,
            kept=holds_against(value, best, rule),
            interval=intervals.get(rule.metric),
        )
        comparisons.append(one)
        findings.append(_finding(one, champion.model_package_arn))
    return findings, tuple(comparisons)


def _champion_value(champion: Champion, metric: str) -> float | None:
    if champion.evaluation is None:
        return None
    try:
        return read_metric(champion.evaluation, metric)
    except EvaluationInvalid:
        # NaN on these rows, for example; a person still decides at the gate.
        return None


def holds_against(value: float, best: float, rule: ChampionRule) -> bool:
    """Whether a value is at most the tolerance worse than the best."""
    if rule.better is Better.LOWER:
        return value <= best + rule.tolerance
    return value >= best - rule.tolerance


def _finding(one: Comparison, arn: str) -> Finding:
    outcome = "holds against" if one.kept else "is worse than"
    interval = one.interval
    spread = (
        f"; difference {one.challenger - one.champion:+.4g}, 95 % interval "
        f"{interval.low:+.4g} to {interval.high:+.4g} over {interval.rows} rows"
        if interval
        else ""
    )
    return Finding(
        one.kept,
        f"{one.metric} {one.challenger:g} {outcome} the champion's {one.champion:g} on the same "
        f"rows ({one.better} is better, tolerance {one.tolerance:g}{spread}; {arn})",
    )


def _intervals(
    paths: list[str],
    problem: Problem,
    challenger: Predictions | None,
    champion: Predictions | None,
    draw: Draw,
) -> dict[str, Interval]:
    """An interval for every metric that can be computed anew from the rows of both models."""
    if challenger is None or champion is None or challenger.expected != champion.expected:
        return {}
    known = {path: prediction_metrics.metric_for(problem, path) for path in paths}
    metrics = {path: metric for path, metric in known.items() if metric is not None}
    try:
        pair = tuple(prediction_metrics.outcomes(problem, p) for p in (challenger, champion))
    except EvaluationInvalid:
        # The rules on metrics do not need the rows: the intervals are left out.
        return {}
    rows, _ = sample(range(len(challenger)), MAX_RESAMPLED_ROWS, draw)
    return bootstrap(metrics, pair[0], pair[1], rows, draw) if rows else {}


def bootstrap(
    metrics: Mapping[str, Metric],
    challenger: Outcomes,
    champion: Outcomes,
    rows: Sequence[int],
    draw: Draw,
) -> dict[str, Interval]:
    """The 95 % percentile interval of each metric's difference; rows are drawn in pairs.

    >>> right, wrong = Outcomes((1, 0), (1, 0), None), Outcomes((1, 0), (0, 1), None)
    >>> found = bootstrap({"a": prediction_metrics.accuracy}, right, wrong, (0, 1), lambda n: 0)
    >>> found["a"]
    Interval(low=1.0, high=1.0, rows=2)
    """
    differences: dict[str, list[float]] = {path: [] for path in metrics}
    for _ in range(RESAMPLES):
        drawn = [rows[draw(len(rows))] for _ in rows]
        for path, metric in metrics.items():
            one, other = metric(challenger, drawn), metric(champion, drawn)
            if one is not None and other is not None:
                differences[path].append(one - other)
    return {
        path: _percentiles(sorted(found), len(rows))
        for path, found in differences.items()
        if len(found) >= RESAMPLES * 0.9
    }


def _percentiles(ordered: list[float], rows: int) -> Interval:
    last = len(ordered) - 1
    return Interval(ordered[round(0.025 * last)], ordered[round(0.975 * last)], rows)


def failure_reason(error: str, cause: str) -> str:
    """Why the champion could not be evaluated, from what its job's task failed with.

    >>> failure_reason("States.TaskFailed", '{"FailureReason": "AlgorithmError: no bmi"}')
    'its evaluation failed (AlgorithmError: no bmi)'
    """
    try:
        described = json.loads(cause)
    except ValueError:
        described = None
    reason = described.get("FailureReason") if isinstance(described, dict) else None
    return f"its evaluation failed ({str(reason or cause or error)[:300]})"
