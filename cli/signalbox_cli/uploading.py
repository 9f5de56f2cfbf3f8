"""Bringing data to a run: check it against the manifest, put it where the run reads it."""

import csv
import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signalbox_cli.errors import CommandError, NotFoundError
from signalbox_cli.runs import RunView, find_run, read_manifest
from signalbox_cli.target import Target

DATA_GATES = ("UploadSourceData", "UploadInferenceData")
_FOLDERS = {"UploadSourceData": "source", "UploadInferenceData": "inference"}


@dataclass(frozen=True)
class Upload:
    """Data that was put in place."""

    gate: str
    uris: tuple[str, ...]
    size_bytes: int


def gate_for_data(target: Target, name: str | None, *, inference: bool) -> tuple[RunView, str]:
    """The run that waits for data, and the gate it waits at."""
    gate = DATA_GATES[1] if inference else DATA_GATES[0]
    if name is None and not inference:
        run = _first_waiting(target)
    else:
        run = find_run(target, name, waiting_at=gate if name is None else None)
    if run.waiting_gate in DATA_GATES and not inference:
        gate = run.waiting_gate
    return run, gate


def _first_waiting(target: Target) -> RunView:
    try:
        return find_run(target, None, waiting_at=DATA_GATES[0])
    except NotFoundError:
        return find_run(target, None, waiting_at=DATA_GATES[1])


def first_row(path: Path) -> list[str]:
    """The first line of a CSV file (plain or gzip), split into its fields; UTF-8, BOM allowed.

    Raises CommandError for an empty file or another encoding.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            line = stream.readline(1_000_000).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(
            f"{path}: line 1 is not UTF-8 (byte {error.start}: {error.object[error.start]:#04x}); "
            "save the file as UTF-8"
        ) from None
    except (OSError, EOFError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from None
    if not line.strip():
        raise CommandError(f"{path} is empty; upload a file with at least one row")
    return next(csv.reader(io.StringIO(line)))


def check(path: Path, manifest: dict[str, Any], gate: str) -> None:
    """Compare a CSV file's first line with the manifest before anything is uploaded."""
    from signalbox import dataset

    declared = manifest["workload"]["data"]
    if declared["format"] != "csv":
        return
    fields = first_row(path)
    if gate == "UploadSourceData":
        dataset.check_source_header(fields, declared, file=str(path))
    else:
        dataset.check_inference_row(fields, declared, file=str(path))


def upload(target: Target, run: RunView, gate: str, files: tuple[Path, ...]) -> Upload:
    """Check every file, then put them all under the run's prefix."""
    manifest = read_manifest(target, run)
    for path in files:
        check(path, manifest, gate)
    bucket = target.wiring().workflow_bucket
    uris = []
    for path in files:
        key = f"runs/{run.run_id}/{_FOLDERS[gate]}/{path.name}"
        target.client("s3").upload_file(str(path), bucket, key)
        uris.append(f"s3://{bucket}/{key}")
    return Upload(gate, tuple(uris), sum(path.stat().st_size for path in files))
