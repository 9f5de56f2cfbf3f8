"""Finding and fetching the report of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signalbox_cli.errors import NotFoundError
from signalbox_cli.runs import RunView, read_manifest
from signalbox_cli.target import STATE_FOLDER, Target


@dataclass(frozen=True)
class Report:
    """A report in S3 and its copy here."""

    uri: str
    file: Path


def fetch(target: Target, run: RunView, file: Path | None = None) -> Report:
    """Copy the report of a run's latest verdict; without a file, to the state folder.

    Raises NotFoundError that says why there is none.
    """
    uri = report_uri(read_manifest(target, run), run.run_id)
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    copy = file or STATE_FOLDER / "reports" / f"{run.run_id}.html"
    copy.parent.mkdir(parents=True, exist_ok=True)
    target.client("s3").download_file(bucket, key, str(copy))
    return Report(uri, copy)


def report_uri(manifest: dict[str, Any], run_id: str) -> str:
    """Where the report of the latest verdict lies, by the manifest's history."""
    told = [e["detail"]["report"] for e in manifest["history"] if "report" in e["detail"]]
    if not told:
        raise NotFoundError(
            f"run {run_id} has no report yet: it is built after the model was judged. "
            f"`signalbox status {run_id}` shows where the run stands"
        )
    latest: dict[str, Any] = told[-1]
    if failure := latest.get("failure"):
        raise NotFoundError(
            f"the report of run {run_id} could not be built: "
            f"{failure.get('Error')}: {failure.get('Cause')}"
        )
    return str(latest["uri"])
