"""Signalbox's speed on this machine, as ratios to the same scripts run by hand.

    make bench                                    everything, some minutes
    python -m benchmarks --repeats 3 --only run noop

Every ratio compares two things measured in turn in this one run, on the same files: that the
metrics are equal is checked. benchmarks/README.md says what each row means.
"""

import argparse
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import breakdown, intake, load
from benchmarks.by_hand import run_scripts
from benchmarks.footprint import REPOSITORY, idle_memory_mb, import_ms, layer_folders, size_mb
from benchmarks.report import Report
from benchmarks.warm_laptop import NOOP, Run, WarmLaptop, metric_of, renamed, warm_laptop
from signalbox_cli.sample_data import export

DIABETES = REPOSITORY / "workloads" / "diabetes"
HANDLERS = (
    "create_schema",
    "update_schema",
    "judge_model",
    "record_outcome",
    "approval_notifier",
    "data_intake",
)
_METRIC = "regression_metrics.rmse.value"
_AT_ONCE, _IN_A_ROW = 20, 50


def bench_rows(served: WarmLaptop, report: Report, rows: int | None, repeats: int) -> None:
    """(a) and (b) in turn, on the real data or on `rows` drawn rows."""
    label = "real data" if rows is None else f"{rows:,} rows"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = _data(served, folder, rows)
        workload = renamed(DIABETES, f"diabetes-{rows or 'real'}", folder / "workload")
        training_only = {**options, "inference": {"mode": "none"}}
        hand: list[float] = []
        whole: list[Run] = []
        trained: list[Run] = []
        for index in range(repeats):
            hand.append(run_scripts(workload, folder / "source", folder / f"hand-{index}"))
            whole.append(served.run(workload, options))
            trained.append(served.run(workload, training_only))
        for run in (whole[-1], trained[-1]):
            _check_equal_work(served, run, folder / f"hand-{repeats - 1}")
    a = statistics.median(hand)
    b, t = (statistics.median(run.seconds for run in runs) for runs in (whole, trained))
    report.add(f"(a) three scripts by hand, {label}", a, "s", f"median of {repeats}")
    report.add(f"(b) whole run with batch transform, {label}", b, "s", f"{b / a:.2f} x (a)")
    report.add(f"    whole run without inference, {label}", t, "s", f"{t / a:.2f} x (a)")
    _report_parts(served, report, whole)


def _data(served: WarmLaptop, folder: Path, rows: int | None) -> dict[str, Any]:
    """Export the rows once: for the hand, in `folder/source`, and for the runs' options."""
    sample = export("diabetes", folder / "sample", rows)
    (folder / "source").mkdir()
    os.link(sample.source, folder / "source" / "data.csv")
    return served.put_data(f"rows-{rows or 'real'}", sample.source, sample.inference)


def _check_equal_work(served: WarmLaptop, run: Run, by_hand: Path) -> None:
    ours = served.metrics(run)[_METRIC]
    theirs = metric_of(by_hand / "evaluation" / "evaluation.json", _METRIC)
    if not math.isclose(ours, theirs, rel_tol=1e-9):
        raise RuntimeError(f"{_METRIC} is {ours} in the run and {theirs} by hand: unequal work")


def _report_parts(served: WarmLaptop, report: Report, runs: list[Run]) -> None:
    """Where the time of (b) goes: medians of each part over the runs."""
    parts = [breakdown.seconds_by_part(served, run) for run in runs]
    jobs = [name for name in parts[0] if name.startswith("job ")]
    for name in breakdown.ROWS:
        report.add(f"      {name}", statistics.median(part[name] for part in parts), "s")
        for job in jobs if name == "jobs" else ():
            report.add(f"        {job}", statistics.median(part[job] for part in parts), "s")


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


def bench_noop(served: WarmLaptop, report: Report) -> None:
    """The control plane alone: 50 runs in a row, 20 at once."""
    started = time.monotonic()
    times = [served.run(NOOP, {}).seconds for _ in range(_IN_A_ROW)]
    per_second = _IN_A_ROW / (time.monotonic() - started)
    report.add("no-op scripts, 50 runs in a row", statistics.median(times), "s", "median of a run")
    report.add("no-op scripts, 50 runs in a row", per_second, "runs/s")
    rate = _AT_ONCE / served.many_s(NOOP, {}, _AT_ONCE)
    report.add("no-op scripts, 20 runs at once", rate, "runs/s", "none lost")


def bench_real_at_once(served: WarmLaptop, report: Report) -> None:
    """The real scripts, 20 runs at once."""
    with tempfile.TemporaryDirectory() as name:
        options = _data(served, Path(name), None)
        training_only = {**options, "inference": {"mode": "none"}}
        rate = _AT_ONCE / served.many_s(DIABETES, training_only, _AT_ONCE)
    report.add("real scripts, 20 runs at once", rate, "runs/s", "none lost")


def bench_sizes(report: Report) -> None:
    """Idle memory, import times, layer sizes."""
    ready, idle = idle_memory_mb()
    report.add("memory of `signalbox up`, just ready", ready, "MB", "PSS of all processes")
    report.add("memory of `signalbox up`, idle", idle, "MB", "the same 75 s later")
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
    parser.add_argument(
        "--only", nargs="*", choices=("run", "demo", "noop", "real", "sizes", "intake", "load")
    )
    chosen = parser.parse_args(arguments)
    wanted = set(chosen.only or ("sizes", "intake", "load", "demo", "run", "noop", "real"))
    os.chdir(REPOSITORY)
    print(_machine(), flush=True)
    report = Report()
    if "sizes" in wanted:
        bench_sizes(report)
    if "intake" in wanted:
        intake.bench(report)
    if "load" in wanted:
        for instances in (1, 2):
            load.bench(report, instances)
    if "demo" in wanted:
        bench_demo(report, chosen.repeats)
    _bench_served(report, wanted & {"run", "noop", "real"}, chosen.repeats)
    if chosen.json:
        report.write(chosen.json)


def _machine() -> str:
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {platform.system()}, Python {python}, {when}, load {load}"


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
