"""The yardstick: a workload's three scripts run back to back, each in a fresh Python."""

import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path


def run_scripts(workload: Path, source: Path, folder: Path) -> float:
    """Seconds for preprocess, train and evaluate on the files of `source`; output in `folder`."""
    code, prepared, model = workload.resolve(), folder / "prepared", folder / "model"
    evaluation = folder / "evaluation"
    started = time.monotonic()
    _python(code / "preprocess.py", "--source", source, "--output", prepared)
    channels = {p.name: p for p in prepared.iterdir() if p.is_dir()}
    variables = {f"SM_CHANNEL_{name.upper()}": str(path) for name, path in channels.items()}
    _python(code / "train.py", variables={**variables, "SM_MODEL_DIR": str(model)})
    archive = folder / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(model, arcname=".")
    test = prepared / "test"
    _python(code / "evaluate.py", "--model", archive, "--test", test, "--output", evaluation)
    return time.monotonic() - started


def _python(*arguments: object, variables: dict[str, str] | None = None) -> None:
    subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "2", **(variables or {})},
        stdout=subprocess.DEVNULL,
        check=True,
    )
