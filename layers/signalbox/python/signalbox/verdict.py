"""The verdict: whether an evaluation satisfies the manifest's rules, and every reason.

Rules only: values in, values out; chance, for the intervals, comes in from outside.
"""

from dataclasses import dataclass

from signalbox import prediction_metrics
from signalbox.errors import EvaluationInvalid
from signalbox.evaluations import Evaluation, read_metric, rows_measured, shown_metrics
from signalbox.json_documents import JsonObject
from signalbox.manifest_sections import ChampionRule, Problem, QualityGate, SliceRule
from signalbox.predictions import Draw, Predictions
from signalbox.verdict_comparison import Champion, Comparison, compare
from signalbox.verdict_findings import Finding, bound_finding
from signalbox.verdict_slices import SliceResult, judge_slice


@dataclass(frozen=True)
class Rules:
    """What the manifest asks of a model."""

    problem: Problem
    gates: tuple[QualityGate, ...] = ()
    min_rows: int | None = None
    champion: tuple[ChampionRule, ...] = ()
    slices: tuple[SliceRule, ...] = ()


@dataclass(frozen=True)
class Challenger:
    """What the evaluation of the new model left."""

    evaluation: Evaluation
    predictions: Predictions | None = None

    @property
    def rows(self) -> int | None:
        """Number of held-out rows; None when neither file tells."""
        found = self.predictions
        return rows_measured(self.evaluation) if found is None else found.total_rows


@dataclass(frozen=True)
class Verdict:
    """The outcome; a reason for every rule, kept or not, and those of the rules not kept again."""

    accepted: bool
    reasons: tuple[str, ...]
    unmet: tuple[str, ...]
    metrics: dict[str, float]
    rows: int | None
    comparisons: tuple[Comparison, ...]
    slices: tuple[SliceResult, ...]


def judge(
    challenger: Challenger, rules: Rules, *, champion: Champion | None, draw: Draw
) -> Verdict:
    """Accepted when every gate holds, in every slice, and against the champion if there is one.

    Raises EvaluationInvalid when a metric that a rule names is missing or not finite, and when a
    rule needs predictions that are not there.
    """
    findings = [_gate_finding(challenger.evaluation, gate) for gate in rules.gates]
    if not rules.gates:
        findings.append(Finding(True, "The manifest sets no quality gates."))
    if rules.min_rows is not None:
        findings.append(_rows_finding(challenger, rules.min_rows))
    sliced, slices = _slices(challenger, rules)
    compared, comparisons = _comparisons(challenger, rules, champion, draw)
    findings += [*sliced, *compared]
    named = [gate.metric for gate in rules.gates] + [rule.metric for rule in rules.champion]
    return Verdict(
        accepted=all(finding.kept for finding in findings),
        reasons=tuple(finding.reason for finding in findings),
        unmet=tuple(finding.reason for finding in findings if not finding.kept),
        metrics=shown_metrics(challenger.evaluation, named),
        rows=challenger.rows,
        comparisons=comparisons,
        slices=slices,
    )


def _gate_finding(evaluation: Evaluation, gate: QualityGate) -> Finding:
    value = read_metric(evaluation, gate.metric)
    return bound_finding(gate.metric, value, low=gate.min, high=gate.max)


def _rows_finding(challenger: Challenger, least: int) -> Finding:
    rows = challenger.rows
    if rows is None:
        raise EvaluationInvalid(
            f"the manifest asks for {least} held-out rows and {challenger.evaluation.uri} does not "
            "say how many there were; write dataset.item_count, or predictions.csv beside it"
        )
    return bound_finding("the number of held-out rows", rows, low=least, high=None)


def _slices(challenger: Challenger, rules: Rules) -> tuple[list[Finding], tuple[SliceResult, ...]]:
    if not rules.slices:
        return [], ()
    if challenger.predictions is None:
        raise EvaluationInvalid(
            f"the manifest judges slices and there is no predictions.csv beside "
            f"{challenger.evaluation.uri}; correct evaluate.py or the manifest's evaluate section"
        )
    found = prediction_metrics.outcomes(rules.problem, challenger.predictions)
    judged = [
        judge_slice(rule, rules.problem, challenger.predictions, found) for rule in rules.slices
    ]
    findings = [finding for one, _ in judged for finding in one]
    return findings, tuple(result for _, results in judged for result in results)


def _comparisons(
    challenger: Challenger, rules: Rules, champion: Champion | None, draw: Draw
) -> tuple[list[Finding], tuple[Comparison, ...]]:
    if not rules.champion:
        return [], ()
    values = {
        rule.metric: read_metric(challenger.evaluation, rule.metric) for rule in rules.champion
    }
    if champion is None:
        return [Finding(True, "No approved model version yet: this is the first.")], ()
    if champion.evaluation is None:
        reason = f"Not compared with {champion.model_package_arn}: {champion.problem}"
        return [Finding(True, reason)], ()
    return compare(
        values, challenger.predictions, rules.champion, rules.problem, champion, draw=draw
    )


def comparison_document(one: Comparison) -> JsonObject:
    """A comparison as the manifest's history and the report have it."""
    found = one.interval
    interval: JsonObject | None = (
        {"low": found.low, "high": found.high, "rows": found.rows} if found else None
    )
    return {
        "metric": one.metric,
        "challenger": one.challenger,
        "champion": one.champion,
        "better": one.better.value,
        "tolerance": one.tolerance,
        "kept": one.kept,
        "interval": interval,
    }


def slice_document(one: SliceResult) -> JsonObject:
    """A slice as the manifest's history and the report have it."""
    return {
        "column": one.column,
        "value": one.value,
        "rows": one.rows,
        "metric": one.metric,
        "measured": one.measured,
        "kept": one.kept,
    }
