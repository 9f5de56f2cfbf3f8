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
from inference import model_fn, output_fn, predict_fn
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

PROBE_ROWS = 50


def load_archive(archive: Path) -> Pipeline:
    """The model of a `model.tar.gz`, as the model server would load it."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        return model_fn(folder)


def measure(expected: np.ndarray, probability: np.ndarray) -> dict[str, object]:
    """Counts and shares at a threshold of 0.5; `expected` is 1 for the positive class."""
    predicted = probability >= 0.5
    positive = expected == 1
    hits, misses = int(np.sum(predicted & positive)), int(np.sum(~predicted & positive))
    alarms, rest = int(np.sum(predicted & ~positive)), int(np.sum(~predicted & ~positive))
    metrics = {
        "accuracy": (hits + rest) / len(expected),
        "precision": hits / max(hits + alarms, 1),
        "recall": hits / max(hits + misses, 1),
        "f1": 2 * hits / max(2 * hits + alarms + misses, 1),
        "auc": float(roc_auc_score(expected, probability)),
    }
    confusion = {"0": {"0": rest, "1": alarms}, "1": {"0": misses, "1": hits}}
    shares = {name: {"value": value} for name, value in metrics.items()}
    return {"confusion_matrix": confusion, **shares}


def write_predictions(file: Path, expected: np.ndarray, probability: np.ndarray) -> None:
    """A line for each row, in order; 1 is the positive class, and the probability is its."""
    with file.open("w", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(("expected", "predicted", "probability"))
        predicted = (probability >= 0.5).astype(int)
        lines.writerows(zip(expected, predicted, probability, strict=True))


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
    probability = predict_fn(rows, load_archive(arguments.model))
    metrics = measure(label, probability)
    report = {"version": 0.0, "dataset": {"item_count": len(rows)}}
    report["binary_classification_metrics"] = metrics
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "evaluation.json").write_text(json.dumps(report, indent=2))
    write_predictions(arguments.output / "predictions.csv", label, probability)
    write_probe(arguments.output / "probe", rows[:PROBE_ROWS], probability[:PROBE_ROWS])
    shares = {name: metric for name, metric in metrics.items() if name != "confusion_matrix"}
    print(" ".join(f"{name}={metric['value']:.4f}" for name, metric in shares.items()))


if __name__ == "__main__":
    main()
