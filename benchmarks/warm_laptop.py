"""A served laptop and what the benchmark asks of it: data, runs, and proof of what they did."""

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.footprint import REPOSITORY
from signalbox_cli import laptop
from signalbox_cli.releasing import release
from signalbox_cli.runs import read_manifest, read_run
from signalbox_cli.target import Target

NOOP = REPOSITORY / "benchmarks" / "noop"
_AUTOMATIC = dict.fromkeys(("uploadSourceData", "approveModel", "uploadInferenceData"), "automatic")
# A look costs the server some 5 ms: rarer looks would blur a run of half a second.
_POLL_S = 0.05


@dataclass(frozen=True)
class Run:
    """One run that succeeded, and how long it took from release to the end."""

    execution_id: str
    seconds: float


class WarmLaptop:
    """The laptop's AWS as a client sees it."""

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

    def run(self, workload: Path, options: dict[str, Any]) -> Run:
        """Release and wait for the end."""
        started = time.monotonic()
        execution_id = release(self.target, workload, options=options).execution_id
        self._await_end(execution_id)
        return Run(execution_id, time.monotonic() - started)

    def many_s(self, workload: Path, options: dict[str, Any], count: int) -> float:
        """Seconds for `count` runs released at once, all of which must succeed."""
        started = time.monotonic()
        ids = [release(self.target, workload, options=options).execution_id for _ in range(count)]
        for execution_id in ids:
            self._await_end(execution_id)
        return time.monotonic() - started

    def metrics(self, run: Run) -> dict[str, float]:
        """What the run's model was judged by, from the run's manifest."""
        manifest = read_manifest(self.target, read_run(self.target, run.execution_id))
        registered = [x for x in manifest["history"] if x["status"] == "registered"]
        metrics: dict[str, float] = registered[-1]["detail"]["verdict"]["metrics"]
        return metrics

    def _await_end(self, execution_id: str) -> None:
        client, pipeline = self.target.client("codepipeline"), self.target.wiring().pipeline
        while True:
            status = client.get_pipeline_execution(
                pipelineName=pipeline, pipelineExecutionId=execution_id
            )["pipelineExecution"]["status"]
            if status == "Succeeded":
                return
            if status != "InProgress":
                raise RuntimeError(f"execution {execution_id}: {status}: {self._why(execution_id)}")
            time.sleep(_POLL_S)

    def _why(self, execution_id: str) -> str:
        run = read_run(self.target, execution_id)
        return "; ".join(f"{x.stage}: {x.error or x.summary}" for x in run.actions if x.error)


@contextlib.contextmanager
def warm_laptop() -> Iterator[WarmLaptop]:
    """A served laptop that has done one run."""
    options = laptop.LaptopOptions(port=0, template=REPOSITORY / "template.yaml")
    with laptop.serving(options, lambda _line: None) as up:
        served = WarmLaptop(up.target(options), up.pid)
        bucket = served.target.wiring().workflow_bucket
        served.target.client("s3").put_object(Bucket=bucket, Key="datasets/noop/x", Body=b"1\n")
        served.run(NOOP, {})
        yield served


def renamed(workload: Path, name: str, folder: Path) -> Path:
    """A copy of a workload with another name: its models are judged among themselves."""
    copied = Path(shutil.copytree(workload, folder, ignore=shutil.ignore_patterns("__pycache__")))
    manifest = copied / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "name": name}))
    return copied


def metric_of(evaluation: Path, pointer: str) -> float:
    """A metric of an evaluation file, for example `regression_metrics.rmse.value`."""
    found: Any = json.loads(evaluation.read_text())
    for name in pointer.split("."):
        found = found[name]
    return float(found)
