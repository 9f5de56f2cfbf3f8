"""Walks every path of the workflow once, so that the IAM record holds everything a role needs.

The successes are in `walk_every_path`; what ends otherwise is in exercise_mishaps.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from signalbox_cli.deciding import decide
from signalbox_cli.errors import NotFoundError
from signalbox_cli.releasing import release_archive
from signalbox_cli.runs import RunView, find_run
from signalbox_cli.sample_data import export
from signalbox_cli.upload_decisions import await_decision
from signalbox_cli.uploading import upload
from tests.scenarios import (
    exercise_doors,
    exercise_functions,
    exercise_mishaps,
    exercise_promotion,
    exercise_reconciler,
    exercise_rollouts,
    schedules,
    stories,
)
from tests.scenarios.conftest import REPOSITORY, Laptop

_AUTOMATIC = dict.fromkeys(("uploadSourceData", "approveModel", "uploadInferenceData"), "automatic")


def walk_every_path(served: Laptop) -> None:
    """Success in every mode, an upload, decisions by hand, every mishap, and promotion."""
    path = exercise_promotion.path_of(served)
    exercise_promotion.put_path(served)
    with tempfile.TemporaryDirectory() as name:
        sample = export("diabetes", Path(name))
        options = standing_data(served, sample.source, sample.inference)
        _release_on_arrival(served, sample.source, sample.inference)
    _succeeds(served, _in_mode("batch", options))
    _by_schedule(served)
    _succeeds(served, _in_mode("endpoint", options))
    exercise_rollouts.walk(served, diabetes_files(), options)
    exercise_mishaps.walk(served, diabetes_files(), options)
    exercise_doors.walk(served)
    exercise_reconciler.walk(served)
    exercise_functions.walk(served)
    if path:
        exercise_promotion.walk(served, path[0], options)


def diabetes_files() -> dict[str, str]:
    """The workload's files by name; its endpoints print, so that they have a log to write."""
    folder = REPOSITORY / "workloads" / "diabetes"
    files = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    return {**files, "inference.py": files["inference.py"] + '\nprint("loading", flush=True)\n'}


def standing_data(served: Laptop, source: Path, inference: Path) -> dict[str, Any]:
    """Options with which a run needs nobody, of two files."""
    bucket, s3 = served.target.wiring().workflow_bucket, served.target.client("s3")
    s3.upload_file(str(source), bucket, "datasets/exercise/source/data.csv")
    s3.upload_file(str(inference), bucket, "datasets/exercise/inference/rows.csv")
    return {
        "data": {"source": "datasets/exercise/source"},
        "inference": {"source": "datasets/exercise/inference"},
        "approvals": _AUTOMATIC,
    }


def _in_mode(mode: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return {**options, "inference": {**options["inference"], "mode": mode}}


def _succeeds(served: Laptop, options: Mapping[str, Any]) -> None:
    packed = stories.archive(diabetes_files())
    started = release_archive(
        served.target, packed, key="workloads/exercise.zip", options=dict(options)
    )
    run = stories.await_end(served, started.execution_id)
    assert run.status == "Succeeded", run.error


def _by_schedule(served: Laptop) -> None:
    """A batch by its schedule, what a schedule cannot deliver, and a retraining by hand."""
    batch = {"kind": "batch", "workloads": ["diabetes"]}
    with schedules.running(served, "batch", "rate(1 hour)", batch):
        stories.await_true(
            lambda: any("/predictions/" in key for key in _scheduled_keys(served)),
            "a scheduled run has made predictions",
        )
    with schedules.running(served, "broken", "rate(5 minutes)", batch, text="no schedule"):
        stories.await_dead_letter(served, "no schedule")
    key = "workloads/exercise.zip"
    schedules.run(
        served, kind="retrain", workloads=["nobody"], archive=key, scheduledFor="2027-01-01T00:00Z"
    )


def _scheduled_keys(served: Laptop) -> list[str]:
    wiring = served.target.wiring()
    executions = served.target.client("stepfunctions").list_executions(
        stateMachineArn=wiring.inference_machine_arn
    )["executions"]
    names = [one["name"] for one in executions if one["name"].startswith("scheduled-")]
    runs = [name.removeprefix("scheduled-") for name in names]
    return [key for run in runs for key in stories.objects_under(served, f"runs/{run}/")]


def _release_on_arrival(served: Laptop, source: Path, inference: Path) -> None:
    """The archive's arrival starts the run; people bring data and decide."""
    wiring = served.target.wiring()
    served.target.client("s3").put_object(
        Bucket=wiring.source_bucket, Key=wiring.source_key, Body=stories.archive(diabetes_files())
    )
    run = _await_gate(served, "UploadSourceData")
    _bring_early(served, run)
    _bring(served, run, "UploadSourceData", source)
    run = _await_gate(served, "ApproveModel")
    decide(served.target, run, None, approve=True, reason="good")
    run = _await_gate(served, "UploadInferenceData")
    _bring(served, run, "UploadInferenceData", inference)
    ended = stories.await_end(served, run.execution_id)
    assert ended.status == "Succeeded", ended.error


def _bring_early(served: Laptop, run: RunView) -> None:
    """A bad file for a gate that does not wait yet: is it about to, then its token is late?"""
    bad = f"runs/{run.run_id}/inference/early.csv"
    served.target.client("s3").put_object(
        Bucket=served.target.wiring().workflow_bucket, Key=bad, Body=b""
    )
    _await_gone(served, bad)


def _bring(served: Laptop, run: RunView, gate: str, file: Path) -> None:
    """A bad file is quarantined, the good one after it opens the gate."""
    wiring, s3 = served.target.wiring(), served.target.client("s3")
    folder = "source" if gate == "UploadSourceData" else "inference"
    bad = f"runs/{run.run_id}/{folder}/bad.csv"
    s3.put_object(Bucket=wiring.workflow_bucket, Key=bad, Body=b"")
    s3.put_object(Bucket=wiring.workflow_bucket, Key="runs/unknown/source/x.csv", Body=b"x\n")
    _await_gone(served, bad)
    await_decision(served.target, run, upload(served.target, run, gate, (file,)))


def _await_gone(served: Laptop, bad: str) -> None:
    deadline = time.monotonic() + stories.PATIENCE_S
    while bad in stories.objects_under(served, bad):
        assert time.monotonic() < deadline, "the bad file was not moved"
        time.sleep(0.05)


def _await_gate(served: Laptop, gate: str) -> RunView:
    deadline = time.monotonic() + stories.PATIENCE_S
    while True:
        try:
            return find_run(served.target, None, waiting_at=gate)
        except NotFoundError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
