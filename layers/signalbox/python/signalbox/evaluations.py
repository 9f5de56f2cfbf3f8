"""Evaluations: the metrics file that a workload's `evaluate.py` leaves, and numbers in it.

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

# As many metrics as a verdict shows; the file itself has them all.
SHOWN_METRICS = 40


@dataclass(frozen=True)
class Evaluation:
    """One metrics file and where it lies."""

    uri: str
    document: JsonObject


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


def rows_measured(evaluation: Evaluation) -> int | None:
    """The number of held-out rows that the file states (`dataset.item_count`), if it does."""
    dataset = evaluation.document.get("dataset")
    count = dataset.get("item_count") if isinstance(dataset, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) else None
