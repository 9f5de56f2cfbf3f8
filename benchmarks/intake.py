"""The check of arriving data on a CSV of 2 GB, beside readers that people use, each in turn.

The check runs with nothing but data_intake's layers to import; its profile, its count of repeated
rows and every rule are part of it. polars is measured where it happens to be installed.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.footprint import REPOSITORY, layer_folders
from benchmarks.report import Report
from signalbox_cli.sample_data import export

_READER = REPOSITORY / "benchmarks" / "intake_reader.py"
_MANIFEST = REPOSITORY / "workloads" / "diabetes" / "manifest.json"
_SIZE_BYTES = 2_000_000_000
_ROWS_AT_A_TIME = 1_000_000


def bench(report: Report) -> None:
    """Rows per second and peak memory of every reader."""
    with tempfile.TemporaryDirectory() as name:
        file = _large_file(Path(name))
        found = {reader: _read(reader, file) for reader in _readers()}
    for reader, measured in found.items():
        rate = measured["rows"] / measured["seconds"]
        ratio = found["check"]["seconds"] / measured["seconds"]
        peak = f"at most {measured['peak_mb']:.0f} MB; the check takes {ratio:.2f} x as long"
        report.add(f"2 GB of CSV, {reader}", rate / 1000, "krows/s", peak)


def _readers() -> list[str]:
    peers = ("pandas", "pyarrow", "polars")
    return ["check", *(name for name in peers if importlib.util.find_spec(name))]


def _large_file(folder: Path) -> Path:
    """A file of distinct rows: the number in the label's last digits makes each its own."""
    sample = export("diabetes", folder / "sample", _ROWS_AT_A_TIME, inference_rows=1)
    header, _, rows = sample.source.read_bytes().partition(b"\n")
    file = folder / "large.csv"
    with file.open("wb") as stream:
        stream.write(header + b"\n")
        copies = 0
        while stream.tell() < _SIZE_BYTES:
            stream.write(rows.replace(b"\n", b"%03d\n" % copies))
            copies += 1
    return file


def _read(reader: str, file: Path) -> dict[str, Any]:
    command, environment = [sys.executable], dict(os.environ)
    if reader == "check":
        command.append("-S")
        paths = [REPOSITORY / "functions", *(p / "python" for p in layer_folders().values())]
        environment["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    command += [str(_READER), reader, str(file), str(_MANIFEST)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured
