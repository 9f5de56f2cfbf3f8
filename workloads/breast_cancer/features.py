"""What the model sees of a tumour: the one definition that training and inference share.

Ten properties of the cell nuclei in an image, each as mean, standard error and worst value: the
Wisconsin diagnostic data set (Wolberg, Street and Mangasarian, 1995).
"""

from __future__ import annotations

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

PROPERTIES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)
FEATURES = (
    *(f"mean_{name}" for name in PROPERTIES),
    *(f"{name}_error" for name in PROPERTIES),
    *(f"worst_{name}" for name in PROPERTIES),
)
LABEL = "diagnosis"
# The order of the model's classes; the second one is what the metrics call positive.
DIAGNOSES = ("B", "M")


def make_preprocessor() -> Pipeline:
    """An unfitted preprocessor; a missing measurement becomes the mean of the training rows."""
    return make_pipeline(SimpleImputer(), StandardScaler())


def check_width(rows: np.ndarray) -> np.ndarray:
    """The same rows, `(n_rows, 30) float64`; ValueError when their columns are not the features."""
    if rows.ndim != 2 or rows.shape[1] != len(FEATURES):
        width = rows.shape[1] if rows.ndim == 2 else 0
        raise ValueError(
            f"expected {len(FEATURES)} columns ({FEATURES[0]} to {FEATURES[-1]}), got {width}"
        )
    return rows
