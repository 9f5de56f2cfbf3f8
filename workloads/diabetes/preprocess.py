"""Raw CSV files to training, validation and test rows, and the preprocessor fitted on the first.

Training and validation rows are written as the model sees them. Test rows stay raw, because the
evaluation sends them through the code that will serve.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from features import FEATURES, LABEL, make_preprocessor
from sklearn.model_selection import train_test_split


def read_source(folder: Path) -> pd.DataFrame:
    """Every CSV file of the folder, in name order, without repeated rows or missing labels.

    A row that came twice could otherwise be trained on and tested on.
    """
    files = sorted(folder.rglob("*.csv"))
    if not files:
        raise FileNotFoundError(f"no .csv file under {folder}")
    rows = pd.concat([pd.read_csv(file) for file in files], ignore_index=True)
    missing = [name for name in (*FEATURES, LABEL) if name not in rows.columns]
    if missing:
        raise ValueError(f"the source data has no column {', '.join(missing)}")
    return rows[[*FEATURES, LABEL]].dropna(subset=[LABEL]).drop_duplicates(list(FEATURES))


def split(rows: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Training, validation and test rows: 60, 20 and 20 percent, no row in two of them."""
    rest, test = train_test_split(rows, test_size=0.2, random_state=seed)
    training, validation = train_test_split(rest, test_size=0.25, random_state=seed)
    return training, validation, test


def raw_features(rows: pd.DataFrame) -> np.ndarray:
    """The measurements as they came, `(n_rows, 10) float64`, NaN where one is missing."""
    return rows[[*FEATURES]].to_numpy(dtype=float)


def write_rows(folder: Path, features: np.ndarray, label: pd.Series) -> None:
    """Two arrays in row order: `features.npy (n_rows, 10) float64` and `label.npy (n_rows,)`."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "features.npy", features)
    np.save(folder / "label.npy", label.to_numpy(dtype=float))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, default=Path("/opt/ml/processing/input/source"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    rows = read_source(arguments.source)
    training, validation, test = split(rows, arguments.seed)
    preprocessor = make_preprocessor()
    fitted = preprocessor.fit_transform(raw_features(training))
    unseen = preprocessor.transform(raw_features(validation))
    write_rows(arguments.output / "train", fitted, training[LABEL])
    write_rows(arguments.output / "validation", unseen, validation[LABEL])
    write_rows(arguments.output / "test", raw_features(test), test[LABEL])
    (arguments.output / "preprocessor").mkdir(exist_ok=True)
    joblib.dump(preprocessor, arguments.output / "preprocessor" / "preprocessor.joblib")
    print(f"rows: {len(training)} train, {len(validation)} validation, {len(test)} test")


if __name__ == "__main__":
    main()
