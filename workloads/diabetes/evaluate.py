"""Measures the trained archive on rows it never saw, through the code that will serve.

Writes SageMaker's model-quality format. There is no standard deviation: one test set gives none.
"""

from __future__ import annotations

import argparse
import csv
import json
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from features import FEATURES
from inference import model_fn, output_fn, predict_fn
from sklearn.pipeline import Pipeline

PROBE_ROWS = 50


def load_archive(archive: Path) -> Pipeline:
    """The model of a `model.tar.gz`, as the model server would load it."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        return model_fn(folder)


def measure(expected: np.ndarray, predicted: np.ndarray) -> dict[str, dict[str, float]]:
    """Errors in the label's unit, and the share of its variance that is explained."""
    error = expected - predicted
    mse = float(np.mean(error**2))
    metrics = {
        "mae": float(np.mean(np.abs(error))),
        "mse": mse,
        "rmse": mse**0.5,
        "r2": 1.0 - mse / float(np.var(expected)),
    }
    return {name: {"value": value} for name, value in metrics.items()}


def write_predictions(
    file: Path, rows: np.ndarray, expected: np.ndarray, predicted: np.ndarray
) -> None:
    """A line for each row, in order: what was measured, what was predicted, and the slice."""
    sexes = rows[:, FEATURES.index("sex")]
    with file.open("w", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(("expected", "predicted", "sex"))
        lines.writerows(zip(expected, predicted, map("{:g}".format, sexes), strict=True))


def write_probe(folder: Path, rows: np.ndarray, predicted: np.ndarray) -> None:
    """Some rows as a request's body, and the answer that an endpoint has to give to them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (",".join("" if np.isnan(x) else repr(x) for x in row) for row in rows.tolist())
    (folder / "rows.csv").write_text("\n".join(lines))
    (folder / "predictions.csv").write_text(output_fn(predicted, "text/csv")[0])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    root = Path("/opt/ml/processing")
    parser.add_argument("--model", type=Path, default=root / "input/model/model.tar.gz")
    parser.add_argument("--test", type=Path, default=root / "input/test")
    parser.add_argument("--output", type=Path, default=root / "output/evaluation")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    rows, label = np.load(arguments.test / "features.npy"), np.load(arguments.test / "label.npy")
    predicted = predict_fn(rows, load_archive(arguments.model))
    metrics = measure(label, predicted)
    report = {"version": 0.0, "dataset": {"item_count": len(rows)}, "regression_metrics": metrics}
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "evaluation.json").write_text(json.dumps(report, indent=2))
    write_predictions(arguments.output / "predictions.csv", rows, label, predicted)
    write_probe(arguments.output / "probe", rows[:PROBE_ROWS], predicted[:PROBE_ROWS])
    print(" ".join(f"{name}={metric['value']:.4f}" for name, metric in metrics.items()))


if __name__ == "__main__":
    main()
