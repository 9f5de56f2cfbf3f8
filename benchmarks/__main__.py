"""Signalbox's speed on this machine, as ratios to the same scripts run by hand.

    make bench                                    everything, a few minutes
    python -m benchmarks --repeats 3 --only run noop

Every ratio compares two things measured in turn in this one run. Rows: (a) three scripts by hand,
(b) a whole released run on a warm laptop, (c) `signalbox demo` from nothing, (d) = (b) at other
sizes; then runs of no-op scripts (the control plane alone), many at once, and sizes.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.by_hand import run_scripts
from benchmarks.footprint import REPOSITORY, import_ms, layer_folders, memory_mb, size_mb
from signalbox_cli import laptop
from signalbox_cli.releasing import release
from signalbox_cli.sample_data import export
from signalbox_cli.target import Target

DIABETES = REPOSITORY / "workloads" / "diabetes"
NOOP = REPOSITORY / "benchmarks" / "noop"
HANDLERS = ("create_schema", "update_schema", "judge_model", "record_outcome", "approval_notifier")
_AUTOMATIC = dict.fromkeys(("uploadSourceData", "approveModel", "uploadInferenceData"), "automatic")


class Laptop:
    """A warm laptop and what the benchmark asks of it."""

    def __init__(self, target: Target, pid: int) -> None:
        self.target = target
        self.pid = pid

    def put_data(self, name: str, source: Path, inference: Path) -> dict[str, Any]:
        """Standing data for runs without uploads; the options that choose it."""
        bucket = self.target.wiring().workflow_bucket
        s3 = self.target.client("s3")
        s3.upload_file(str(source), bucket, f"datasets/{name}/source/data.csv")
        s3.upload_file(str(inference), bucket, f"datasets/{name}/inference/rows.csv")
        return {
            "data": {"source": f"datasets/{name}/source"},
            "inference": {"source": f"datasets/{name}/inference"},
            "approvals": _AUTOMATIC,
        }

    def start(self, workload: Path, options: dict[str, Any]) -> str:
        """Release; the pipeline execution's id."""
        return release(self.target, workload, options=options).execution_id

    def await_end(self, execution_id: str) -> None:
        """Return when the execution has succeeded; anything else is a fault of the benchmark."""
        client, pipeline = self.target.client("codepipeline"), self.target.wiring().pipeline
        while True:
            status = client.get_pipeline_execution(
                pipelineName=pipeline, pipelineExecutionId=execution_id
            )["pipelineExecution"]["status"]
            if status == "Succeeded":
                return
            if status != "InProgress":
                raise RuntimeError(f"execution {execution_id}: {status}")
            time.sleep(0.02)

    def run_s(self, workload: Path, options: dict[str, Any]) -> float:
        """Seconds from release to Succeeded."""
        started = time.monotonic()
        self.await_end(self.start(workload, options))
        return time.monotonic() - started

    def many_s(self, workload: Path, options: dict[str, Any], count: int) -> float:
        """Seconds for `count` runs released at once, all of which must succeed."""
        started = time.monotonic()
        for execution_id in [self.start(workload, options) for _ in range(count)]:
            self.await_end(execution_id)
        return time.monotonic() - started


@contextlib.contextmanager
def warm_laptop() -> Iterator[Laptop]:
    """A served laptop that has done one run."""
    options = laptop.LaptopOptions(port=0, template=REPOSITORY / "template.yaml")
    with laptop.serving(options, lambda _line: None) as up:
        served = Laptop(up.target(options), up.pid)
        bucket = served.target.wiring().workflow_bucket
        served.target.client("s3").put_object(Bucket=bucket, Key="datasets/noop/x", Body=b"1\n")
        served.run_s(NOOP, {})
        yield served


class Report:
    """Prints rows as they come and keeps them for `--json`."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(self, name: str, value: float, unit: str, note: str = "") -> None:
        """One measurement."""
        self.rows.append({"name": name, "value": round(value, 4), "unit": unit, "note": note})
        print(f"{name:<58} {value:>9.3f} {unit:<7} {note}", flush=True)


def bench_rows(served: Laptop, report: Report, rows: int | None, repeats: int) -> None:
    """(a) and (b) in turn, on the real data or on `rows` drawn rows."""
    label = "real data" if rows is None else f"{rows:,} rows"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sample = export("diabetes", folder / "sample", rows)
        (folder / "source").mkdir()
        os.link(sample.source, folder / "source" / "data.csv")
        options = served.put_data(f"rows-{rows or 'real'}", sample.source, sample.inference)
        training_only = {**options, "inference": {"mode": "none"}}
        hand, whole, trained = [], [], []
        for index in range(repeats):
            hand.append(run_scripts(DIABETES, folder / "source", folder / f"hand-{index}"))
            whole.append(served.run_s(DIABETES, options))
            trained.append(served.run_s(DIABETES, training_only))
    a, b, t = map(statistics.median, (hand, whole, trained))
    report.add(f"(a) three scripts by hand, {label}", a, "s", f"median of {repeats}")
    report.add(f"(b) whole run with batch transform, {label}", b, "s", f"{b / a:.2f} x (a)")
    report.add(f"    run without inference, {label}", t, "s", f"{t / a:.2f} x (a)")


def bench_demo(report: Report, repeats: int) -> None:
    """(c) against (a), in turn."""
    hand, demo = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sample = export("diabetes", folder / "sample")
        (folder / "source").mkdir()
        os.link(sample.source, folder / "source" / "data.csv")
        for index in range(repeats):
            hand.append(run_scripts(DIABETES, folder / "source", folder / f"hand-{index}"))
            demo.append(_demo_s())
    a, c = statistics.median(hand), statistics.median(demo)
    report.add("(a) three scripts by hand, real data", a, "s", f"median of {repeats}")
    report.add("(c) signalbox demo from nothing", c, "s", f"{c / a:.2f} x (a)")


def _demo_s() -> float:
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "signalbox_cli.main", "demo"],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.monotonic() - started


def bench_noop(served: Laptop, report: Report) -> None:
    """The control plane alone: 50 runs in a row, 20 at once."""
    started = time.monotonic()
    times = [served.run_s(NOOP, {}) for _ in range(50)]
    per_second = 50 / (time.monotonic() - started)
    report.add("no-op scripts, 50 runs in a row", statistics.median(times), "s", "median of a run")
    report.add("no-op scripts, 50 runs in a row", per_second, "runs/s")
    report.add("no-op scripts, 20 runs at once", 20 / served.many_s(NOOP, {}, 20), "runs/s")


def bench_real_at_once(served: Laptop, report: Report) -> None:
    """The real scripts, 20 runs at once."""
    with tempfile.TemporaryDirectory() as name:
        sample = export("diabetes", Path(name))
        options = served.put_data("rows-real", sample.source, sample.inference)
        training_only = {**options, "inference": {"mode": "none"}}
        rate = 20 / served.many_s(DIABETES, training_only, 20)
    report.add("real scripts, 20 runs at once", rate, "runs/s")


def bench_sizes(report: Report) -> None:
    """Idle memory, import times, layer sizes."""
    options = laptop.LaptopOptions(port=0, template=REPOSITORY / "template.yaml")
    with laptop.serving(options, lambda _line: None) as up:
        time.sleep(3)
        report.add("idle memory of `up`, all processes", memory_mb(up.pid), "MB", "PSS")
    layers = layer_folders()
    for name, folder in layers.items():
        report.add(f"layer {name}", size_mb(folder), "MB", "unzipped, with .pyc")
    for handler in HANDLERS:
        report.add(f"import of {handler}", import_ms(handler, list(layers.values())), "ms")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the rows there")
    parser.add_argument("--only", nargs="*", choices=("run", "demo", "noop", "real", "sizes"))
    chosen = parser.parse_args(arguments)
    wanted = set(chosen.only or ("sizes", "demo", "run", "noop", "real"))
    os.chdir(REPOSITORY)
    report = Report()
    if "sizes" in wanted:
        bench_sizes(report)
    if "demo" in wanted:
        bench_demo(report, chosen.repeats)
    _bench_served(report, wanted & {"run", "noop", "real"}, chosen.repeats)
    if chosen.json:
        chosen.json.write_text(json.dumps(report.rows, indent=1))


def _bench_served(report: Report, wanted: set[str], repeats: int) -> None:
    if not wanted:
        return
    with warm_laptop() as served:
        if "run" in wanted:
            for rows, times in ((None, repeats), (20_000, repeats), (1_000_000, 3)):
                bench_rows(served, report, rows, times)
        if "noop" in wanted:
            bench_noop(served, report)
        if "real" in wanted:
            bench_real_at_once(served, report)


if __name__ == "__main__":
    main()
