"""What data_intake decides on an upload, and waiting until it has."""

import time
from typing import Any

from signalbox_cli.errors import CommandError, DataWasRefused
from signalbox_cli.runs import RunView, read_manifest, read_run
from signalbox_cli.target import Target
from signalbox_cli.uploading import Upload

# A file of some gigabytes is read within a minute; an event may take another.
DECISION_LIMIT_S = 300.0


def opens_on_upload(manifest: dict[str, Any], gate: str) -> bool:
    """Whether data_intake opens the gate once the data is accepted."""
    key = gate[0].lower() + gate[1:]
    return bool(manifest["workload"]["approvals"][key] == "on-upload")


def await_decision(
    target: Target, run: RunView, done: Upload, limit_s: float = DECISION_LIMIT_S
) -> RunView:
    """The run once everything uploaded was accepted and its gate, if it waited there, is open.

    Raises DataWasRefused with the findings, CommandError when nothing was decided in time.
    """
    deadline, pause_s = time.monotonic() + limit_s, 0.05
    while time.monotonic() < deadline:
        manifest = read_manifest(target, run)
        decided = _decisions(manifest, done)
        refused = [line for entry in decided for line in entry["detail"].get("findings", [])]
        if refused:
            raise DataWasRefused("the data was refused:\n  " + "\n  ".join(refused))
        now = read_run(target, run.execution_id)
        if len(decided) == len(done.versions) and _is_through(manifest, now, done.gate):
            return now
        time.sleep(pause_s)
        pause_s = min(2.0, pause_s * 1.3)
    raise CommandError(
        f"nothing was decided on the data within {limit_s:.0f} s; `signalbox status` shows where "
        "the run stands, `signalbox approve` opens the gate by hand"
    )


def _decisions(manifest: dict[str, Any], done: Upload) -> list[dict[str, Any]]:
    return [
        entry
        for entry in manifest["history"]
        if entry["status"] in ("accepted", "quarantined")
        and entry["detail"].get("versionId") in done.versions
    ]


def _is_through(manifest: dict[str, Any], run: RunView, gate: str) -> bool:
    """Whether nothing more will happen by itself: the gate is open, or more files are needed."""
    return run.waiting_gate != gate or manifest["workload"]["data"]["files"] > 1
