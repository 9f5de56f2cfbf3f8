"""Fits a ridge regression, and packs it with the preprocessor its rows came through."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

import joblib
import numpy as np
from sklearn.linear_model import Ridge


def read_rows(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features `(n_rows, 10)` and label `(n_rows,)` of a channel."""
    return np.load(folder / "features.npy"), np.load(folder / "label.npy")


def rmse(expected: np.ndarray, predicted: np.ndarray) -> float:
    """Root mean squared error, in the label's unit."""
    return float(np.sqrt(np.mean((expected - predicted) ** 2)))


def channel(name: str) -> Path:
    """Where SageMaker put a channel."""
    return Path(os.environ.get(f"SM_CHANNEL_{name.upper()}", f"/opt/ml/input/data/{name}"))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--train", type=Path, default=channel("train"))
    parser.add_argument("--validation", type=Path, default=channel("validation"))
    parser.add_argument("--preprocessor", type=Path, default=channel("preprocessor"))
    model_dir = Path(os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    parser.add_argument("--model-dir", type=Path, default=model_dir)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    model = Ridge(alpha=arguments.alpha).fit(*read_rows(arguments.train))
    features, label = read_rows(arguments.validation)
    print(f"validation_rmse={rmse(label, model.predict(features)):.4f}")
    arguments.model_dir.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, arguments.model_dir / "model.joblib")
    shutil.copy(arguments.preprocessor / "preprocessor.joblib", arguments.model_dir)


if __name__ == "__main__":
    main()
