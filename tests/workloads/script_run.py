"""Runs a workload's three scripts by hand, as plain processes with SageMaker's variables."""

import importlib
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from signalbox_cli.sample_data import SampleData, export

WORKLOADS = Path(__file__).parents[2] / "workloads"
NAMES = ("diabetes", "breast_cancer")


@dataclass(frozen=True)
class ScriptRun:
    """Where one run of the scripts left its files, and what they printed."""

    workload: str
    folder: Path
    sample: SampleData
    printed: dict[str, str]

    @property
    def code(self) -> Path:
        """The workload's own folder."""
        return WORKLOADS / self.workload

    def output(self, channel: str) -> Path:
        """A folder of the preprocess output."""
        return self.folder / "processing/output" / channel

    @property
    def scripts(self) -> SimpleNamespace:
        """The workload's modules by name."""
        return modules(self.workload)

    @property
    def model(self) -> Path:
        """The model directory that would be packed."""
        return self.folder / "model"

    @property
    def evaluation(self) -> dict[str, Any]:
        """The metrics file."""
        text = (self.folder / "evaluation/evaluation.json").read_text()
        parsed: dict[str, Any] = json.loads(text)
        return parsed


class ScriptFailed(Exception):
    """A script ended with an error; the message is what it wrote to stderr."""


@cache
def modules(workload: str) -> SimpleNamespace:
    """A workload's modules, imported as a server would: by plain names from its own folder.

    Both workloads use the same names, so none is left behind for the other.
    """
    folder, names = str(WORKLOADS / workload), ("features", "preprocess", "inference", "evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setattr(sys, "dont_write_bytecode", True)
        loaded = {name: importlib.import_module(name) for name in names}
        for name in names:
            del sys.modules[name]
    return SimpleNamespace(**loaded)


def python(code: Path, *arguments: str | Path, **variables: str | Path) -> str:
    """What a script of the folder prints; ScriptFailed when it fails, and warnings are errors."""
    settings = {name: str(value) for name, value in variables.items()}
    answer = subprocess.run(
        [sys.executable, "-B", "-W", "error", *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(code), **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise ScriptFailed(answer.stderr)
    return answer.stdout


def preprocess(workload: str, source: Path, output: Path, *, seed: int = 7) -> str:
    """Run preprocess.py."""
    code = WORKLOADS / workload
    return python(
        code, code / "preprocess.py", "--source", source, "--output", output, "--seed", str(seed)
    )


def run_scripts(workload: str, folder: Path) -> ScriptRun:
    """Preprocess, train, pack and evaluate on the real data set."""
    code = WORKLOADS / workload
    sample = export(workload, folder / "sample")
    source, output = folder / "processing/input/source", folder / "processing/output"
    source.mkdir(parents=True)
    sample.source.rename(source / "source.csv")
    printed = {"preprocess": preprocess(workload, source, output)}
    printed["train"] = python(
        code,
        code / "train.py",
        SM_MODEL_DIR=folder / "model",
        SM_CHANNEL_TRAIN=output / "train",
        SM_CHANNEL_VALIDATION=output / "validation",
        SM_CHANNEL_PREPROCESSOR=output / "preprocessor",
    )
    with tarfile.open(folder / "model.tar.gz", "w:gz") as packed:
        packed.add(folder / "model", arcname=".")
    printed["evaluate"] = python(
        code,
        code / "evaluate.py",
        *("--model", folder / "model.tar.gz"),
        *("--test", output / "test"),
        *("--output", folder / "evaluation"),
    )
    return ScriptRun(workload, folder, sample, printed)
