"""release, status, watch, logs."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from signalbox_cli.console import coloured, duration
from signalbox_cli.errors import CommandError, RunFailed, RunRefused
from signalbox_cli.logs import LogReader, follow_lines
from signalbox_cli.options import Session, with_session
from signalbox_cli.progress import follow
from signalbox_cli.releasing import parse_settings, release
from signalbox_cli.runs import RunView, find_run, recent_runs


@click.command("release")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change one value of the manifest for this run, e.g. inference.mode=endpoint.",
)
@click.option(
    "--options",
    "options_json",
    metavar="JSON",
    help="A JSON merge patch of the manifest for this run.",
)
@click.option("--watch", is_flag=True, help="Follow the run until it ends.")
@click.option("--token", help="The same token twice starts one run.")
@with_session
def release_command(
    session: Session,
    *,
    folder: Path,
    settings: tuple[str, ...],
    options_json: str | None,
    watch: bool,
    token: str | None,
) -> None:
    """Start a run of the workload in FOLDER.

    \b
    signalbox release workloads/diabetes --local
    signalbox release workloads/diabetes --set inference.mode=endpoint --watch
    """
    options = {**_parse_options(options_json), **parse_settings(settings)}
    started = release(session.target, folder, options=options, token=token)
    session.output.say(
        f"Released {folder} as execution {started.execution_id} "
        f"(s3://{started.bucket}/{started.key}, version {started.version_id})"
    )
    if not watch:
        session.output.result(vars(started))
        return
    finish(session, follow(session.target, started.execution_id, session.output))


def _parse_options(text: str | None) -> dict[str, Any]:
    try:
        options = json.loads(text or "{}")
    except ValueError as error:
        raise CommandError(f"--options is not JSON: {error}") from None
    if not isinstance(options, dict):
        raise CommandError(f"--options must be a JSON object, not {text}")
    return options


def finish(session: Session, run: RunView) -> None:
    """Report how a followed run ended; raises RunRefused or RunFailed for the exit code."""
    session.output.result(run_document(run))
    if run.is_refused:
        raise RunRefused(f"run {run.run_id} was refused: {run.error}")
    if run.is_finished and run.status != "Succeeded":
        raise RunFailed(f"run {run.run_id or run.execution_id} {run.status.lower()}: {run.error}")
    session.output.say(f"Run {run.run_id} {coloured(run.headline)} in {duration(run.duration_s)}")


def run_document(run: RunView) -> dict[str, Any]:
    """A run as JSON."""
    return {
        "runId": run.run_id,
        "executionId": run.execution_id,
        "workload": run.workload,
        "status": run.headline,
        "waitingGate": run.waiting_gate or None,
        "error": run.error or None,
        "durationSeconds": round(run.duration_s, 3),
        "stages": [
            {
                "stage": a.stage,
                "status": a.status,
                "startedAt": a.started_at.isoformat(),
                "durationSeconds": round(a.duration_s, 3),
                "externalExecutionId": a.external_id or None,
                "error": a.error or None,
            }
            for a in run.actions
        ],
    }


@click.command("status")
@click.argument("run", required=False)
@click.option("-n", "--limit", default=10, show_default=True, help="How many runs to list.")
@with_session
def status_command(session: Session, run: str | None, limit: int) -> None:
    """Where the newest runs stand, or one RUN (run id or execution id) stage by stage."""
    if run:
        _show_run(session, find_run(session.target, run))
        return
    runs = list(recent_runs(session.target, limit))
    session.output.result([run_document(r) for r in runs])
    session.output.table(
        ("run", "workload", "status", "stage", "took", "execution"), [_run_row(r) for r in runs]
    )
    if not runs:
        session.output.say("No runs yet: `signalbox release FOLDER` starts one")


def _run_row(run: RunView) -> tuple[str, ...]:
    stage = run.waiting_gate or (run.actions[-1].stage if run.actions else "")
    return (
        run.run_id or "-",
        run.workload or "-",
        coloured(run.headline),
        stage,
        duration(run.duration_s),
        run.execution_id,
    )


def _show_run(session: Session, run: RunView) -> None:
    session.output.result(run_document(run))
    session.output.say(f"Run {run.run_id or run.execution_id}  {coloured(run.headline)}")
    session.output.table(
        ("stage", "status", "took", "what"),
        [
            (a.stage, coloured(a.status), duration(a.duration_s), a.error or a.summary)
            for a in run.actions
        ],
    )


@click.command("watch")
@click.argument("run", required=False)
@click.option("--until-gate", is_flag=True, help="Stop at the first gate that needs a decision.")
@with_session
def watch_command(session: Session, run: str | None, until_gate: bool) -> None:
    """Follow a RUN (the newest when not named) until it ends; exit code 3 refused, 4 failed."""
    found = find_run(session.target, run)
    stop = "any" if until_gate else None
    finish(session, follow(session.target, found.execution_id, session.output, stop_at_gate=stop))


@click.command("logs")
@click.argument("run", required=False)
@click.option("--step", help="Only one step: preprocess, train, evaluate or transform.")
@click.option("-f", "--follow", "follow_on", is_flag=True, help="Go on until the run has ended.")
@with_session
def logs_command(session: Session, run: str | None, step: str | None, follow_on: bool) -> None:
    """What the jobs of a RUN (the newest when not named) printed."""
    found = find_run(session.target, run)
    lines = (
        follow_lines(session.target, found.execution_id, step)
        if follow_on
        else LogReader(session.target, step).read(found)
    )
    for line in lines:
        if session.output.as_json:
            document = {"at": line.at.isoformat(), "step": line.step, "message": line.text}
            sys.stdout.write(json.dumps(document) + "\n")
        else:
            sys.stdout.write(f"{line.at:%H:%M:%S} {line.step:<12} {line.text}\n")
