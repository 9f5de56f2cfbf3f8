"""Writes the smallest evaluation."""

import json
from pathlib import Path

folder = Path("/opt/ml/processing/output/evaluation")
folder.mkdir(parents=True, exist_ok=True)
metrics = {"regression_metrics": {"rmse": {"value": 0.5}}}
(folder / "evaluation.json").write_text(json.dumps(metrics))
