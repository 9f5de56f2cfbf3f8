"""The model server's hooks: raw rows in, one diagnosis per row out, in the order they came.

Rows are CSV without a header, or JSON Lines (a list in the order of the features, or an object by
their names). A missing value is an empty field or null.
"""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import numpy as np
from features import DIAGNOSES, FEATURES, check_width
from sklearn.pipeline import Pipeline, make_pipeline

JSON_LINES = ("application/jsonlines", "application/x-jsonlines")


def model_fn(model_dir: str) -> Pipeline:
    """The preprocessor and the model that were trained together."""
    folder = Path(model_dir)
    return make_pipeline(
        joblib.load(folder / "preprocessor.joblib"), joblib.load(folder / "model.joblib")
    )


def input_fn(request_body: str | bytes, content_type: str) -> np.ndarray:
    """The request's rows, `(n_rows, 30) float64`; ValueError for what cannot be read."""
    text = request_body.decode() if isinstance(request_body, bytes) else request_body
    media_type = media_type_of(content_type)
    if not text.strip():
        raise ValueError("the request holds no rows")
    if media_type == "text/csv":
        return check_width(parse_csv(text))
    if media_type in JSON_LINES:
        return check_width(parse_json_lines(text))
    raise ValueError(f"content type {content_type} is not supported; send text/csv")


def media_type_of(header: str) -> str:
    """The media type of a header, without its parameters."""
    return header.partition(";")[0].strip().lower()


def parse_csv(text: str) -> np.ndarray:
    """Rows of a CSV text; the slow way is only taken when a field is empty."""
    lines = text.splitlines()
    try:
        return np.loadtxt(lines, delimiter=",", comments=None, ndmin=2)
    except ValueError:
        return np.loadtxt(lines, delimiter=",", comments=None, ndmin=2, converters=number_or_nan)


def number_or_nan(field: str | bytes) -> float:
    return float(field) if field.strip() else float("nan")


def parse_json_lines(text: str) -> np.ndarray:
    """Rows of a JSON Lines text; `null` is a missing value."""
    parsed = [json.loads(line) for line in text.splitlines() if line.strip()]
    rows = [[row[name] for name in FEATURES] if isinstance(row, dict) else row for row in parsed]
    return np.array(rows, dtype=float, ndmin=2)


def predict_fn(rows: np.ndarray, model: Pipeline) -> np.ndarray:
    """Probability of diagnosis M for each row, `(n_rows,) float64`."""
    return model.predict_proba(rows)[:, 1]


def output_fn(predictions: np.ndarray, accept: str) -> tuple[str, str]:
    """One diagnosis and its probability of being M per line, and their media type.

    No newline at the end: a batch transform puts one between the answers it joins.
    """
    found = [(DIAGNOSES[number >= 0.5], number) for number in predictions.tolist()]
    if media_type_of(accept) in JSON_LINES:
        lines = (json.dumps({"diagnosis": name, "probability_m": number}) for name, number in found)
        return "\n".join(lines), "application/jsonlines"
    return "\n".join(f"{name},{number!r}" for name, number in found), "text/csv"
