"""Slices: a bound that must hold for every value of one column of the predictions. Rules only."""

from collections.abc import Sequence
from dataclasses import dataclass

from signalbox import prediction_metrics
from signalbox.errors import EvaluationInvalid
from signalbox.manifest_sections import Problem, SliceRule
from signalbox.prediction_metrics import Outcomes
from signalbox.predictions import Predictions
from signalbox.verdict_findings import Finding, bound_finding, bounds

# A column with more is no grouping, and its verdict nothing that a person would read.
MAX_VALUES = 50
# A verdict travels through the state machine, whose states take 256 KB.
TOLD_VALUES = 10


@dataclass(frozen=True)
class SliceResult:
    """A metric on the rows with one value of a column; `kept` is None where it is not judged."""

    column: str
    value: str
    rows: int
    metric: str
    measured: float | None
    kept: bool | None


def judge_slice(
    rule: SliceRule, problem: Problem, predictions: Predictions, found: Outcomes
) -> tuple[list[Finding], list[SliceResult]]:
    """A finding for every value that leaves the bounds, or one for all that keep them.

    Raises EvaluationInvalid when the column is not there or is no grouping.
    """
    groups = _groups(rule, predictions)
    results, broken = [], []
    for value, rows in sorted(groups.items()):
        result, finding = _judge_value(rule, problem, found, value, rows)
        results.append(result)
        if finding is not None and not finding.kept:
            broken.append(finding)
    judged = sum(result.kept is not None for result in results)
    summary = Finding(
        True,
        f"{rule.metric} for each {rule.column} is as asked: {bounds(rule.min, rule.max)} "
        f"({judged} of {len(results)} values have the {rule.min_rows} rows it takes to judge)",
    )
    return _told(broken, rule) or [summary], results


def _told(broken: list[Finding], rule: SliceRule) -> list[Finding]:
    left_out = len(broken) - TOLD_VALUES
    if left_out <= 0:
        return broken
    more = f"{rule.metric} leaves its bounds for {left_out} more values of {rule.column}"
    return [*broken[:TOLD_VALUES], Finding(False, more)]


def _groups(rule: SliceRule, predictions: Predictions) -> dict[str, list[int]]:
    values = predictions.slices.get(rule.column)
    if values is None:
        there = ", ".join(predictions.slices) or "none"
        raise EvaluationInvalid(
            f'{predictions.uri} has no column "{rule.column}" to slice by; there are: {there}'
        )
    groups: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        groups.setdefault(value, []).append(row)
    if len(groups) > MAX_VALUES:
        raise EvaluationInvalid(
            f'column "{rule.column}" of {predictions.uri} has {len(groups)} values; '
            f"at most {MAX_VALUES} can be judged, so group them in evaluate.py"
        )
    return groups


def _judge_value(
    rule: SliceRule, problem: Problem, found: Outcomes, value: str, rows: Sequence[int]
) -> tuple[SliceResult, Finding | None]:
    metric = prediction_metrics.metric_for(problem, rule.metric)
    measured = metric(found, rows) if metric else None
    finding = None
    if measured is not None and len(rows) >= rule.min_rows:
        subject = f"{rule.metric} for {rule.column} {value[:60]} ({len(rows)} rows)"
        finding = bound_finding(subject, measured, low=rule.min, high=rule.max)
    kept = finding.kept if finding else None
    result = SliceResult(rule.column, value[:60], len(rows), rule.metric, measured, kept)
    return result, finding
