"""Bringing data to a run: check it against the manifest, put it where the run reads it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signalbox_cli.data_files import first_row, scan
from signalbox_cli.errors import CommandError, NotFoundError
from signalbox_cli.runs import RunView, find_run, read_manifest, read_run, recent_runs
from signalbox_cli.target import Target

DATA_GATES = ("UploadSourceData", "UploadInferenceData")
_FOLDERS = {"UploadSourceData": "source", "UploadInferenceData": "inference"}
_SEPARATORS = ";\t|"


@dataclass(frozen=True)
class Upload:
    """Data that was put in place."""

    gate: str
    uris: tuple[str, ...]
    size_bytes: int
    versions: tuple[str, ...] = ()


def gate_for_data(target: Target, name: str | None, *, inference: bool) -> tuple[RunView, str]:
    """The run that waits for data, and the gate it waits at.

    A run that was released a moment ago is waited for until it comes to its gate.
    """
    if name is None:
        run = _first_waiting(target, DATA_GATES[1:] if inference else DATA_GATES)
    else:
        run = _at_gate(target, find_run(target, name))
    if run.waiting_gate in DATA_GATES and not inference:
        return run, run.waiting_gate
    return run, DATA_GATES[1] if inference else DATA_GATES[0]


def _first_waiting(target: Target, gates: Sequence[str]) -> RunView:
    runs = [_at_gate(target, run) for run in recent_runs(target, 20)]
    for gate in gates:
        for run in runs:
            if run.waiting_gate == gate:
                return run
    return find_run(target, None, waiting_at=tuple(gates))


def _at_gate(target: Target, run: RunView) -> RunView:
    """The run after the short stages before its gate; one that is elsewhere as it is."""
    while not run.is_finished and run.is_about_to_wait:
        time.sleep(target.poll_s)
        run = read_run(target, run.execution_id)
    return run


def check(path: Path, declared: Mapping[str, Any], gate: str) -> None:
    """Read a CSV file to its end and compare its first line with the manifest's `data`.

    Raises CommandError or DatasetError; formats other than CSV are not looked into.
    """
    from signalbox import dataset

    if declared["format"] != "csv":
        return
    fields = first_row(path)
    _check_separator(path, fields, declared)
    if gate == "UploadSourceData":
        dataset.check_source_header(fields, declared, file=str(path))
    else:
        dataset.check_inference_row(fields, declared, file=str(path))
    if scan(path).lines < 2 and gate == "UploadSourceData":
        raise CommandError(f"{path} has a header and no rows; upload a file with at least one row")


def _check_separator(path: Path, fields: list[str], declared: Mapping[str, Any]) -> None:
    found = next((s for s in _SEPARATORS if len(fields) == 1 and s in fields[0]), None)
    if found and len(declared["columns"]) > 1:
        raise CommandError(
            f"{path} separates its fields with {found!r}; a CSV file here has commas between them"
        )


def upload(target: Target, run: RunView, gate: str, files: tuple[Path, ...]) -> Upload:
    """Check every file, then put them all under the run's prefix."""
    declared = read_manifest(target, run)["workload"]["data"]
    if run.is_finished:
        raise NotFoundError(f"run {run.name} {run.place}; nothing would read an upload")
    for path in files:
        check(path, declared, gate)
    bucket, s3 = target.wiring().workflow_bucket, target.client("s3")
    uris, versions = [], []
    for path in files:
        key = f"runs/{run.run_id}/{_FOLDERS[gate]}/{path.name}"
        s3.upload_file(str(path), bucket, key)
        uris.append(f"s3://{bucket}/{key}")
        versions.append(s3.head_object(Bucket=bucket, Key=key)["VersionId"])
    size_bytes = sum(path.stat().st_size for path in files)
    return Upload(gate, tuple(uris), size_bytes, tuple(versions))


def already_there(target: Target, run: RunView, gate: str, files: tuple[Path, ...]) -> list[str]:
    """Names of other objects under the prefix: the run reads them together with the files."""
    prefix = f"runs/{run.run_id}/{_FOLDERS[gate]}/"
    pages = (
        target.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=target.wiring().workflow_bucket, Prefix=prefix)
    )
    keys = [str(o["Key"]).removeprefix(prefix) for page in pages for o in page.get("Contents", [])]
    return [key for key in keys if key not in {path.name for path in files}]
