"""What the model sees of a patient: the one definition that training and inference share.

Ten measurements of Efron et al., "Least Angle Regression" (2004), in their original units, and the
disease's progression a year later.
"""

from __future__ import annotations

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

FEATURES = ("age", "sex", "bmi", "blood_pressure", "s1", "s2", "s3", "s4", "s5", "s6")
LABEL = "progression"


def make_preprocessor() -> Pipeline:
    """An unfitted preprocessor; a missing measurement becomes the mean of the training rows."""
    return make_pipeline(SimpleImputer(), StandardScaler())


def check_width(rows: np.ndarray) -> np.ndarray:
    """The same rows, `(n_rows, 10) float64`; ValueError when their columns are not the features."""
    if rows.ndim != 2 or rows.shape[1] != len(FEATURES):
        width = rows.shape[1] if rows.ndim == 2 else 0
        raise ValueError(f"expected {len(FEATURES)} columns ({', '.join(FEATURES)}), got {width}")
    return rows
