"""`signalbox demo`: one story from an empty laptop to checked predictions, told as it happens.

Nothing here is staged: it releases, uploads, decides and predicts through the same calls as the
commands of those names. At the end it compares three ways to the same numbers: the batch
transform, the registered model called directly, and the endpoint.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from signalbox_cli.console import Output, duration
from signalbox_cli.deciding import decide
from signalbox_cli.errors import CommandError, RunFailed
from signalbox_cli.inbox import await_letter, letters
from signalbox_cli.models import ModelVersion, versions
from signalbox_cli.planning import Plan, plan
from signalbox_cli.predicting import predict
from signalbox_cli.progress import Feed, follow, raise_for_outcome
from signalbox_cli.releasing import release
from signalbox_cli.runs import RunView, read_manifest
from signalbox_cli.sample_data import export, has_samples
from signalbox_cli.target import STATE_FOLDER, Target, app_here
from signalbox_cli.upload_decisions import await_decision, opens_on_upload
from signalbox_cli.uploading import check, upload

_FOLDER = STATE_FOLDER / "demo"
# What the demo decides for its two runs, whatever the workload's own manifest says of it.
_BATCH = {
    "inference": {"mode": "batch"},
    "approvals": {
        "uploadSourceData": "on-upload",
        "approveModel": "manual",
        "uploadInferenceData": "on-upload",
    },
}
_ENDPOINT = {
    "inference": {"mode": "endpoint"},
    "approvals": {
        "uploadSourceData": "on-upload",
        "approveModel": "automatic",
        "uploadInferenceData": "automatic",
    },
}
# Above this, two predictions are not the same number written down twice.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class DemoData:
    """The files of the story: rows to train on, rows to predict."""

    source: Path
    inference: Path

    @classmethod
    def choose(cls, workload: str, source: Path | None, inference: Path | None) -> "DemoData":
        """The given files, or the data set that belongs to a workload of this repository."""
        if source and inference:
            return cls(source, inference)
        if source or inference:
            raise CommandError("give both --data and --inference, or neither")
        if not has_samples(workload):
            raise CommandError(
                f"there is no sample data for the workload '{workload}'; give your own with --data "
                "FILE and --inference FILE"
            )
        sample = export(workload, _FOLDER)
        return cls(sample.source, sample.inference)


def _checked(planned: Plan, source: Path | None, inference: Path | None) -> DemoData:
    files = DemoData.choose(planned.workload, source, inference)
    check(files.source, planned.data, "UploadSourceData")
    check(files.inference, planned.data, "UploadInferenceData")
    return files


class Demo:
    """The story over one target.

    Raises, before anything is started, when the workload or a file would not do.
    """

    def __init__(
        self, folder: Path, source: Path | None, inference: Path | None, output: Output
    ) -> None:
        planned = plan(folder, _BATCH, prefix=f"{app_here()}-dev", environment="dev")
        # Sample data takes a second of imports: it is written while the laptop starts. A person's
        # own files are checked before anything is started.
        self._choosing = ThreadPoolExecutor(1).submit(_checked, planned, source, inference)
        if source or inference or not has_samples(planned.workload):
            self._choosing.result()
        self._folder = folder
        self._output = output
        self._timings: list[tuple[str, float]] = []
        self._feeds: dict[str, Feed] = {}

    @property
    def _files(self) -> DemoData:
        return self._choosing.result()

    def run(self, target: Target) -> dict[str, Any]:
        """Tell the whole story; what came out, as JSON. Raises what the commands raise."""
        with self._timed("first run: release to batch predictions"):
            batch_run = self._release_with_gates(target)
        manifest = read_manifest(target, batch_run)
        version = next(versions(target, batch_run.workload))
        predictions = self._report_model(target, manifest, version)
        with ThreadPoolExecutor(1) as beside:
            calling = beside.submit(self._call_directly, target, version, manifest)
            with self._timed("second run: the same model behind an endpoint"):
                endpoint_run = self._release_to_endpoint(target)
            with self._timed("predictions compared three ways"):
                served = self._ask_endpoint(target, batch_run.workload)
                direct = calling.result()
        self._compare(predictions, direct, served)
        self._show_inbox(batch_run, endpoint_run)
        self._report_timings()
        return {
            "runs": [batch_run.run_id, endpoint_run.run_id],
            "verdict": _history_detail(manifest, "training", "registered")["verdict"],
            "modelPackageArn": version.arn,
            "predictionsUri": _history_detail(manifest, "inference", "succeeded")["predictionsUri"],
            "predictions": len(predictions),
            "endpoint": f"{target.prefix}-{batch_run.workload}",
            "seconds": {name: round(seconds, 3) for name, seconds in self._timings},
        }

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._timings.append((name, time.monotonic() - started))

    def _heading(self, text: str) -> None:
        self._output.note(f"\n[bold underline]{text}[/bold underline]")

    def _release_with_gates(self, target: Target) -> RunView:
        self._heading(f"Release {self._folder}")
        execution_id = release(target, self._folder, options=_BATCH).execution_id
        run = self._to_gate(target, execution_id, "UploadSourceData")
        self._bring(target, run, "UploadSourceData", self._files.source)
        run = self._to_gate(target, execution_id, "ApproveModel")
        self._show_letter(run)
        decide(target, run, "ApproveModel", approve=True, reason="the demo approves")
        run = self._to_gate(target, execution_id, "UploadInferenceData")
        self._bring(target, run, "UploadInferenceData", self._files.inference)
        return self._to_end(target, execution_id)

    def _show_letter(self, run: RunView) -> None:
        """What the reviewer gets by e-mail."""
        letter = await_letter(run.run_id, "model-to-decide-on")
        if letter is not None:
            self._output.note(f"    the reviewer is told ({letter.path}):\n")
            for line in letter.text.splitlines():
                self._output.note(escape(f"      {line}"))

    def _show_inbox(self, *runs: RunView) -> None:
        """The folder also keeps what earlier laptops sent."""
        self._heading("What people were told (signalbox inbox)")
        for letter in letters():
            if any(run.run_id in letter.subject for run in runs):
                self._output.note(escape(f"    {letter.subject}"))

    def _to_gate(self, target: Target, execution_id: str, gate: str | None) -> RunView:
        feed = self._feeds.setdefault(execution_id, Feed(target))
        run = follow(target, execution_id, self._output, stop_at_gate=gate, feed=feed)
        raise_for_outcome(run)
        return run

    def _to_end(self, target: Target, execution_id: str) -> RunView:
        return self._to_gate(target, execution_id, None)

    def _bring(self, target: Target, run: RunView, gate: str, file: Path) -> None:
        done = upload(target, run, gate, (file,))
        self._output.note(f"    uploaded {file.name} to {done.uris[0]}")
        if opens_on_upload(read_manifest(target, run), gate):
            await_decision(target, run, done)
        else:
            decide(target, run, gate, approve=True, reason=f"uploaded {file.name}")

    def _report_model(
        self, target: Target, manifest: dict[str, Any], version: ModelVersion
    ) -> list[str]:
        self._heading("What came out")
        verdict = _history_detail(manifest, "training", "registered")["verdict"]
        for name, value in verdict["metrics"].items():
            self._output.say(f"  metric   {name} = {value:.6g}")
        for reason in verdict["reasons"]:
            self._output.say(f"  verdict  {escape(reason)}")
        accepted = "accepted" if verdict["accepted"] else "refused"
        self._output.say(f"  verdict  [green]{accepted}[/green]")
        self._output.say(f"  model    {version.arn} ({version.approval})")
        return self._report_predictions(target, manifest)

    def _report_predictions(self, target: Target, manifest: dict[str, Any]) -> list[str]:
        uri = _history_detail(manifest, "inference", "succeeded")["predictionsUri"]
        lines = read_lines(target, uri)
        self._output.say(f"  predictions  {len(lines)} rows at {uri}")
        for line in lines[:5]:
            self._output.say(f"      {escape(line)}")
        return lines

    def _release_to_endpoint(self, target: Target) -> RunView:
        self._heading("The same again, behind an endpoint")
        execution_id = release(target, self._folder, options=_ENDPOINT).execution_id
        run = self._to_gate(target, execution_id, "UploadSourceData")
        self._bring(target, run, "UploadSourceData", self._files.source)
        return self._to_end(target, execution_id)

    def _ask_endpoint(self, target: Target, workload: str) -> list[str]:
        endpoint = f"{target.prefix}-{workload}"
        return predict(target, endpoint, self._files.inference, content_type="text/csv")

    def _call_directly(
        self, target: Target, version: ModelVersion, manifest: dict[str, Any]
    ) -> list[str]:
        described = target.client("sagemaker").describe_model_package(ModelPackageName=version.arn)
        container = described["InferenceSpecification"]["Containers"][0]
        bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
        script = self._folder / manifest["workload"]["inference"]["script"]
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "model.tar.gz"
            target.client("s3").download_file(bucket, key, str(archive))
            return call_model(archive, script, self._files.inference)

    def _compare(self, batch: list[str], direct: list[str], served: list[str]) -> None:
        for name, other in (("the model called directly", direct), ("the endpoint", served)):
            different = differing_rows(batch, other)
            if different:
                raise RunFailed(
                    f"batch and {name} differ in {len(different)} of {len(batch)} rows, first "
                    f"in row {different[0] + 1}"
                )
        self._output.say(
            f"\n[green]✓[/green] {len(batch)} predictions are the same from the batch transform, "
            "the registered model called directly, and the endpoint"
        )

    def _report_timings(self) -> None:
        self._output.say("\nHow long each part took")
        for name, seconds in self._timings:
            self._output.say(f"  {duration(seconds):>10}  {name}")


def _history_detail(manifest: dict[str, Any], phase: str, status: str) -> dict[str, Any]:
    entries = [e for e in manifest["history"] if (e["phase"], e["status"]) == (phase, status)]
    if not entries:
        raise CommandError(f"the manifest's history has no entry '{phase} {status}'")
    detail: dict[str, Any] = entries[-1]["detail"]
    return detail


def read_lines(target: Target, uri: str) -> list[str]:
    """All lines of the objects under an S3 prefix, in key order."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    s3 = target.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
    bodies = [s3.get_object(Bucket=bucket, Key=o["Key"])["Body"] for o in listed["Contents"]]
    return [line for body in bodies for line in body.read().decode().splitlines()]


def call_model(archive: Path, script: Path, rows: Path) -> list[str]:
    """Predictions of a model archive through its own inference script, in a process of its own."""
    command = [sys.executable, "-m", "signalbox_cli.direct", str(archive), str(script), str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandError(f"calling the model directly failed: {done.stderr.strip()[-500:]}")
    return done.stdout.splitlines()


def differing_rows(first: list[str], second: list[str]) -> list[int]:
    """Indices of rows that are not the same text or the same number within 1e-9."""
    if len(first) != len(second):
        return list(range(min(len(first), len(second)), max(len(first), len(second))))
    return [i for i, (a, b) in enumerate(zip(first, second, strict=True)) if not _same(a, b)]


def _same(first: str, second: str) -> bool:
    if first == second:
        return True
    try:
        return abs(float(first) - float(second)) <= _TOLERANCE
    except ValueError:
        return False
