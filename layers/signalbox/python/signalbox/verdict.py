"""The verdict: whether an evaluation satisfies the manifest's rules, and every reason.

An evaluation is JSON in the form of SageMaker's model-quality metrics: groups such as
`regression_metrics` with metrics such as `{"rmse": {"value": 54.1, "standard_deviation": 1.2}}`
(SageMaker Developer Guide, Model Quality Metrics, read 2026-11-20). Rules only: values in, values
out.
"""

import json
import math
from dataclasses import dataclass

from pydantic import JsonValue

from signalbox.errors import EvaluationInvalid
from signalbox.json_documents import JsonObject, kind, pointer
from signalbox.manifest_sections import Better, ChampionRule, QualityGate

# As many metrics as a verdict shows; the file itself has them all.
SHOWN_METRICS = 40


@dataclass(frozen=True)
class Evaluation:
    """One metrics file and where it lies."""

    uri: str
    document: JsonObject


@dataclass(frozen=True)
class Champion:
    """The approved model version to compare with; `evaluation` is None when it left none."""

    model_package_arn: str
    evaluation: Evaluation | None


@dataclass(frozen=True)
class Verdict:
    """The outcome; a reason for every rule, kept or not."""

    accepted: bool
    reasons: tuple[str, ...]
    metrics: dict[str, float]


@dataclass(frozen=True)
class _Finding:
    kept: bool
    reason: str


def read_evaluation(text: bytes, uri: str) -> Evaluation:
    """The metrics file of a URI; raises EvaluationInvalid when it is not a JSON object.

    NaN and Infinity are read, as Python scripts write them, so that a rule can name the metric.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EvaluationInvalid(f"{uri} is not JSON ({error}); write one JSON object") from None
    if not isinstance(document, dict):
        raise EvaluationInvalid(f"{uri} holds a JSON {kind(document)}; write one JSON object")
    return Evaluation(uri, document)


def no_evaluation(uri: str) -> EvaluationInvalid:
    """What to raise when the evaluation left no file."""
    return EvaluationInvalid(
        f"{uri} does not exist; evaluate.py must write evaluation.json into "
        "/opt/ml/processing/output/evaluation"
    )


def read_metric(evaluation: Evaluation, metric: str) -> float:
    """The finite number at a dotted path; raises EvaluationInvalid naming metric, file and pointer.

    >>> read_metric(Evaluation("s3://b/e.json", {"m": {"rmse": {"value": 2}}}), "m.rmse.value")
    2.0
    """
    found: JsonValue = evaluation.document
    parts = metric.split(".")
    for depth, part in enumerate(parts):
        if not isinstance(found, dict) or part not in found:
            there = ", ".join(sorted(found)[:20]) if isinstance(found, dict) else "no object"
            raise _invalid(
                evaluation, metric, f"missing at {pointer(parts[: depth + 1])}; there is: {there}"
            )
        found = found[part]
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _invalid(evaluation, metric, f"{pointer(parts)} is a {kind(found)}, not a number")
    if not math.isfinite(found):
        raise _invalid(evaluation, metric, f"{pointer(parts)} is {found}, not a finite number")
    return float(found)


def _invalid(evaluation: Evaluation, metric: str, problem: str) -> EvaluationInvalid:
    return EvaluationInvalid(
        f'metric "{metric}" cannot be judged in {evaluation.uri}: {problem}; '
        "correct evaluate.py or the manifest's evaluate section"
    )


def judge(
    evaluation: Evaluation,
    *,
    gates: tuple[QualityGate, ...],
    rule: ChampionRule | None,
    champion: Champion | None,
) -> Verdict:
    """Accepted when every gate holds and the champion, if any, is not beaten by the past.

    Raises EvaluationInvalid when a metric that a rule names is missing or not finite.
    """
    findings = [_gate_finding(evaluation, gate) for gate in gates]
    if not gates:
        findings.append(_Finding(True, "The manifest sets no quality gates."))
    if rule is not None:
        findings.append(_champion_finding(evaluation, rule, champion))
    named = [gate.metric for gate in gates] + ([rule.metric] if rule else [])
    return Verdict(
        accepted=all(finding.kept for finding in findings),
        reasons=tuple(finding.reason for finding in findings),
        metrics=shown_metrics(evaluation, named),
    )


def _gate_finding(evaluation: Evaluation, gate: QualityGate) -> _Finding:
    value = read_metric(evaluation, gate.metric)
    if gate.min is not None and value < gate.min:
        return _Finding(False, f"{gate.metric} is {value:g}, below the least accepted {gate.min:g}")
    if gate.max is not None and value > gate.max:
        return _Finding(False, f"{gate.metric} is {value:g}, above the most accepted {gate.max:g}")
    return _Finding(True, f"{gate.metric} is {value:g}, as asked: {_bounds(gate)}")


def _bounds(gate: QualityGate) -> str:
    low = [] if gate.min is None else [f"at least {gate.min:g}"]
    high = [] if gate.max is None else [f"at most {gate.max:g}"]
    return ", ".join(low + high)


def _champion_finding(
    evaluation: Evaluation, rule: ChampionRule, champion: Champion | None
) -> _Finding:
    value = read_metric(evaluation, rule.metric)
    if champion is None:
        return _Finding(True, "No approved model version yet: this is the first.")
    best = _champion_value(champion, rule.metric)
    if best is None:
        return _Finding(
            True, f"{champion.model_package_arn} left no {rule.metric}: not compared with it."
        )
    kept = _holds_against(value, best, rule)
    outcome = "holds against" if kept else "is worse than"
    return _Finding(
        kept,
        f"{rule.metric} {value:g} {outcome} the champion's {best:g} "
        f"({rule.better} is better, tolerance {rule.tolerance:g}; {champion.model_package_arn})",
    )


def _champion_value(champion: Champion, metric: str) -> float | None:
    if champion.evaluation is None:
        return None
    try:
        return read_metric(champion.evaluation, metric)
    except EvaluationInvalid:
        # An approved version may be older than the metric; a person still decides at the gate.
        return None


def _holds_against(value: float, best: float, rule: ChampionRule) -> bool:
    if rule.better is Better.LOWER:
        return value <= best + rule.tolerance
    return value >= best - rule.tolerance


def shown_metrics(evaluation: Evaluation, named: list[str]) -> dict[str, float]:
    """The metrics to show: those that rules name, then every finite `<group>.<metric>.value`."""
    shown = {metric: read_metric(evaluation, metric) for metric in named}
    for group, metrics in evaluation.document.items():
        for name, measured in metrics.items() if isinstance(metrics, dict) else ():
            value = measured.get("value") if isinstance(measured, dict) else None
            if _is_finite(value) and len(shown) < SHOWN_METRICS:
                shown.setdefault(f"{group}.{name}.value", float(value))  # type: ignore[arg-type]
    return shown


def _is_finite(value: JsonValue) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)  # type: ignore[arg-type]
