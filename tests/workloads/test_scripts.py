"""The example workloads as SageMaker would run them: files in, files out, nothing of ours."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn import metrics

from signalbox import manifest
from tests.workloads.script_run import (
    NAMES,
    WORKLOADS,
    ScriptFailed,
    ScriptRun,
    modules,
    preprocess,
)

ROWS = {"diabetes": (240, 80, 80), "breast_cancer": (300, 100, 100)}


def raw_rows(run: ScriptRun) -> np.ndarray:
    """The source's features, `(n_rows, n_features) float64`, label left out."""
    lines = (run.folder / "processing/input/source/source.csv").read_text().splitlines()[1:]
    return np.array([[float(field) for field in line.split(",")[:-1]] for line in lines])


def written(run: ScriptRun, channel: str) -> np.ndarray:
    """The features of one channel."""
    features: np.ndarray = np.load(run.output(channel) / "features.npy")
    return features


def request_body(run: ScriptRun) -> str:
    """The rows that predictions are asked for, as a client sends them."""
    return run.sample.inference.read_text()


def predict(run: ScriptRun, body: str | bytes, media_type: str) -> list[float]:
    """What the model server answers, before it is written out."""
    hooks = run.scripts.inference
    model = hooks.model_fn(str(run.model))
    answer: list[float] = hooks.predict_fn(hooks.input_fn(body, media_type), model).tolist()
    return answer


def test_every_row_is_in_exactly_one_of_the_three_sets(finished: ScriptRun) -> None:
    preprocessor = joblib.load(finished.model / "preprocessor.joblib")
    raw = raw_rows(finished)
    seen = {
        tuple(row): tuple(one) for row, one in zip(preprocessor.transform(raw), raw, strict=True)
    }
    train = {seen[tuple(row)] for row in written(finished, "train")}
    validation = {seen[tuple(row)] for row in written(finished, "validation")}
    tests = {tuple(row) for row in written(finished, "test")}
    assert (len(train), len(validation), len(tests)) == ROWS[finished.workload]
    assert not train & validation
    assert not (train | validation) & tests
    assert train | validation | tests == {tuple(row) for row in raw}


def test_the_preprocessing_knows_the_training_rows_only(finished: ScriptRun) -> None:
    # Scaled by their own mean and deviation rows have mean 0 and deviation 1; others do not.
    train, validation = written(finished, "train"), written(finished, "validation")
    assert np.abs(train.mean(axis=0)).max() < 1e-9
    assert np.abs(train.std(axis=0) - 1).max() < 1e-9
    assert np.abs(validation.mean(axis=0)).max() > 1e-3


def test_the_model_travels_with_the_preprocessor_it_was_trained_behind(finished: ScriptRun) -> None:
    assert sorted(path.name for path in finished.model.iterdir()) == [
        "model.joblib",
        "preprocessor.joblib",
    ]
    assert (finished.model / "preprocessor.joblib").read_bytes() == (
        finished.output("preprocessor") / "preprocessor.joblib"
    ).read_bytes()


def test_training_and_serving_see_the_same_features(finished: ScriptRun) -> None:
    # The training rows, sent as a client would, come out of the served pipeline as trained on.
    hooks = finished.scripts.inference
    served = hooks.model_fn(str(finished.model))[:-1]
    source = finished.folder / "processing/input/source/source.csv"
    lines = [line.rpartition(",")[0] for line in source.read_text().splitlines()[1:]]
    rows = served.transform(hooks.input_fn("\n".join(lines).encode(), "text/csv"))
    assert {tuple(row) for row in written(finished, "train")} <= {tuple(row) for row in rows}


def test_every_line_in_is_one_line_out_in_the_same_order(finished: ScriptRun) -> None:
    hooks, body = finished.scripts.inference, request_body(finished)
    together = predict(finished, body, "text/csv; charset=utf-8")
    text, media_type = hooks.output_fn(np.array(together), "text/csv")
    assert media_type == "text/csv"
    written_out = [float(line.split(",")[-1]) for line in text.split("\n")]
    assert written_out == together
    # One row or many make a difference of rounding in the matrix product, no more.
    alone = [predict(finished, line, "text/csv")[0] for line in body.splitlines()]
    assert together == pytest.approx(alone, rel=1e-9)
    assert len(together) == len(finished.sample.outcomes)


def test_json_lines_give_what_csv_gives(finished: ScriptRun) -> None:
    lines, kind = request_body(finished).splitlines(), "application/jsonlines"
    rows = [[float(field) for field in line.split(",")] for line in lines]
    named = [dict(zip(finished.scripts.features.FEATURES, row, strict=True)) for row in rows]
    expected = predict(finished, "\n".join(lines), "text/csv")
    assert predict(finished, "\n".join(map(json.dumps, rows)), kind) == expected
    assert predict(finished, "\n".join(map(json.dumps, named)), kind) == expected
    text, media_type = finished.scripts.inference.output_fn(np.array(expected), kind)
    assert media_type == kind
    answers = [list(json.loads(line).values())[-1] for line in text.split("\n")]
    assert answers == expected


@pytest.mark.parametrize(
    ("body", "media_type", "said"),
    [
        ("1,2,3", "text/csv", r"expected \d+ columns \(.*\), got 3"),
        ("", "text/csv", "the request holds no rows"),
        ("a,b", "text/csv", "could not convert string"),
        ("#1", "text/csv", "could not convert string"),
        ("1", "image/png", "content type image/png is not supported"),
    ],
)
def test_an_unreadable_request_is_refused_with_the_reason(
    finished: ScriptRun, body: str, media_type: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        predict(finished, body, media_type)


def test_an_empty_field_is_a_missing_value(finished: ScriptRun) -> None:
    first = request_body(finished).partition("\n")[0]
    body = "," + first.partition(",")[2]
    rows = finished.scripts.inference.input_fn(body, "text/csv")
    assert np.isnan(rows).sum() == 1
    assert np.isfinite(predict(finished, body, "text/csv")).all()


def metric_at(report: dict[str, Any], path: str) -> float:
    """The number at a dotted path."""
    found: Any = report
    for part in path.split("."):
        found = found[part]
    assert isinstance(found, float)
    return found


def test_the_metrics_pass_the_gates_of_the_manifest(finished: ScriptRun) -> None:
    text = (finished.code / "manifest.json").read_bytes()
    rules = manifest.validate(manifest.read_document(text)).evaluate
    for gate in rules.gates:
        value = metric_at(finished.evaluation, gate.metric)
        assert gate.min is None or value >= gate.min
        assert gate.max is None or value <= gate.max
    assert rules.champion
    assert all(metric_at(finished.evaluation, rule.metric) for rule in rules.champion)


def test_the_metrics_are_those_of_the_served_model(finished: ScriptRun) -> None:
    # Calculated anew from what a client would get, by scikit-learn's own functions.
    label = np.load(finished.output("test") / "label.npy")
    lines = [",".join(map(repr, row)) for row in written(finished, "test").tolist()]
    found = np.array(predict(finished, "\n".join(lines), "text/csv"))
    name, expected = SCORES[finished.workload](label, found)
    for metric, value in expected.items():
        assert finished.evaluation[name][metric] == {"value": pytest.approx(value)}


def _regression_scores(label: np.ndarray, found: np.ndarray) -> tuple[str, dict[str, float]]:
    mse = metrics.mean_squared_error(label, found)
    mae, r2 = metrics.mean_absolute_error(label, found), metrics.r2_score(label, found)
    return "regression_metrics", {"mse": mse, "rmse": mse**0.5, "mae": mae, "r2": r2}


def _classification_scores(label: np.ndarray, found: np.ndarray) -> tuple[str, dict[str, float]]:
    positive = found >= 0.5
    return "binary_classification_metrics", {
        "accuracy": metrics.accuracy_score(label, positive),
        "precision": metrics.precision_score(label, positive),
        "recall": metrics.recall_score(label, positive),
        "f1": metrics.f1_score(label, positive),
        "auc": metrics.roc_auc_score(label, found),
    }


SCORES = {"diabetes": _regression_scores, "breast_cancer": _classification_scores}


def test_the_confusion_matrix_is_told_by_actual_then_predicted_class() -> None:
    # Four positives of which one is missed, two negatives of which one is taken for positive.
    measured = modules("breast_cancer").evaluate.measure(
        np.array([1, 1, 1, 1, 0, 0]), np.array([0.9, 0.8, 0.7, 0.1, 0.6, 0.2])
    )
    assert measured["confusion_matrix"] == {"0": {"0": 1, "1": 1}, "1": {"0": 1, "1": 3}}
    assert measured["recall"] == measured["precision"] == {"value": 0.75}


def test_training_prints_the_metric_that_the_manifest_looks_for(finished: ScriptRun) -> None:
    document = json.loads((finished.code / "manifest.json").read_text())
    (wanted,) = document["train"]["metricDefinitions"]
    assert re.search(wanted["regex"], finished.printed["train"])


def read_and_split(workload: str, folder: Path, seed: int = 7) -> tuple[Any, Any, Any]:
    """Training, validation and test rows of the CSV files in a folder."""
    script = modules(workload).preprocess
    training, validation, test = script.split(script.read_source(folder), seed)
    return training, validation, test


def test_the_split_is_a_function_of_data_and_seed(finished: ScriptRun) -> None:
    source = finished.folder / "processing/input/source"
    script = finished.scripts.preprocess
    _, _, same = read_and_split(finished.workload, source, seed=7)
    _, _, other = read_and_split(finished.workload, source, seed=8)
    assert np.array_equal(script.raw_features(same), written(finished, "test"))
    assert not np.array_equal(script.raw_features(other), written(finished, "test"))


def test_a_row_given_twice_is_used_once(finished: ScriptRun, tmp_path: Path) -> None:
    text = (finished.folder / "processing/input/source/source.csv").read_text()
    for name in ("monday.csv", "tuesday.csv"):
        (tmp_path / name).write_text(text)
    parts = read_and_split(finished.workload, tmp_path)
    assert tuple(map(len, parts)) == ROWS[finished.workload]


def test_a_missing_column_is_named(finished: ScriptRun, tmp_path: Path) -> None:
    lines = (finished.folder / "processing/input/source/source.csv").read_text().splitlines()
    name, _, rest = lines[0].partition(",")
    (tmp_path / "source.csv").write_text("\n".join(["x," + rest, *lines[1:]]))
    with pytest.raises(ValueError, match=f"the source data has no column {name}"):
        read_and_split(finished.workload, tmp_path)


def test_a_script_that_fails_says_why_and_ends_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(ScriptFailed, match=r"no \.csv file under"):
        preprocess("diabetes", tmp_path, tmp_path / "output")


def test_an_unknown_diagnosis_is_named(tmp_path: Path) -> None:
    features = modules("breast_cancer").features
    header = ",".join((*features.FEATURES, features.LABEL))
    (tmp_path / "source.csv").write_text(f"{header}\n" + "1," * 30 + "X\n")
    with pytest.raises(ValueError, match="diagnosis must be one of B, M, got 'X'"):
        read_and_split("breast_cancer", tmp_path)


@pytest.mark.parametrize("workload", NAMES)
def test_the_manifest_names_the_columns_the_scripts_use(workload: str) -> None:
    document = json.loads((WORKLOADS / workload / "manifest.json").read_text())
    features = modules(workload).features
    assert tuple(document["data"]["columns"]) == features.FEATURES
    assert document["data"]["label"] == features.LABEL


@pytest.mark.parametrize("workload", NAMES)
def test_scripts_import_nothing_of_ours_and_nothing_of_aws(workload: str) -> None:
    files = sorted((WORKLOADS / workload).glob("*.py"))
    own = {file.stem for file in files}
    imported = {
        name.partition(".")[0]
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        for name in _imported(node)
    }
    assert imported - own <= {
        *("__future__", "argparse", "csv", "json", "os", "pathlib", "shutil", "tarfile"),
        "tempfile",
        *("joblib", "numpy", "pandas", "sklearn"),
    }


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
