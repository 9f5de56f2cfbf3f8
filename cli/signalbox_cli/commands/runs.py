"""release, status, watch, logs, report."""

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from signalbox_cli.console import coloured, duration, utc_text
from signalbox_cli.logs import STEPS, LogLine, LogReader, follow_lines
from signalbox_cli.options import Session, with_session
from signalbox_cli.planning import plan
from signalbox_cli.progress import follow, raise_for_outcome
from signalbox_cli.releasing import release, run_options
from signalbox_cli.reports import fetch
from signalbox_cli.runs import RunView, find_run, newest_runs


@click.command("release", short_help="Start a run of a workload folder.")
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
    """Start a run of the workload in FOLDER, after checking its manifest and scripts.

    \b
    signalbox release workloads/diabetes --local
    signalbox release workloads/diabetes --set inference.mode=endpoint --watch
    """
    target = session.target
    options = run_options(options_json, settings)
    plan(folder, options, prefix=target.prefix, environment=target.environment)
    started = release(target, folder, options=options, token=token)
    session.output.say(f"Released {folder} as execution {started.execution_id}")
    if not watch:
        session.output.hint(f"Follow it with: signalbox watch --until-gate{session.flag}")
        session.output.result(started.document())
        return
    finish(session, follow(session.target, started.execution_id, session.output))


def finish(session: Session, run: RunView) -> None:
    """Report where a followed run came to; raises RunRefused or RunFailed for the exit code."""
    session.output.result(run_document(run))
    raise_for_outcome(run)
    if run.waiting_gate:
        session.output.say(f"Run {run.name} {run.place}")
        session.output.hint(f"Next: {next_step(run.waiting_gate)}{session.flag}")
    else:
        session.output.say(f"Run {run.name} {coloured(run.headline)} in {duration(run.duration_s)}")


def next_step(gate: str) -> str:
    """The command that opens a gate."""
    return {
        "UploadSourceData": "signalbox upload FILE...",
        "ApproveModel": "signalbox approve ApproveModel",
        "UploadInferenceData": "signalbox upload FILE... --inference",
    }[gate]


def run_document(run: RunView) -> dict[str, Any]:
    """A run as JSON."""
    return {
        "runId": run.run_id,
        "executionId": run.execution_id,
        "workload": run.workload,
        "startedBy": run.started_by or None,
        "status": run.headline,
        "waitingGate": run.waiting_gate or None,
        "error": run.error or None,
        "durationSeconds": round(run.duration_s, 3),
        "stages": [
            {
                "stage": a.stage,
                "status": a.status,
                "startedAt": a.started_at,
                "durationSeconds": round(a.duration_s, 3),
                "externalExecutionId": a.external_id or None,
                "error": a.error or None,
            }
            for a in run.actions
        ],
    }


@click.command("status", short_help="Where the newest runs stand, or one run by stages.")
@click.argument("run", required=False)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 100),
    default=10,
    show_default=True,
    help="How many runs to list.",
)
@with_session
def status_command(session: Session, run: str | None, limit: int) -> None:
    """Where the newest runs stand, or one RUN (run id or execution id) stage by stage.

    \b
    signalbox status --local
    signalbox status 261121-101500-a1b2c3 --json
    """
    if run:
        _show_run(session, find_run(session.target, run))
        return
    runs = newest_runs(session.target, limit)
    session.output.result([run_document(r) for r in runs])
    session.output.table(
        ("run", "workload", "status", "stage", "took", "started by"), [_run_row(r) for r in runs]
    )
    if not runs:
        session.output.say("No runs yet: `signalbox release FOLDER` starts one")


def _run_row(run: RunView) -> tuple[str, ...]:
    stage = run.waiting_gate or (run.actions[-1].stage if run.actions else "")
    return (
        run.name,
        run.workload or "-",
        coloured(run.headline),
        stage,
        duration(run.duration_s),
        escape(run.started_by),
    )


def _show_run(session: Session, run: RunView) -> None:
    session.output.result(run_document(run))
    session.output.say(
        f"Run {run.name} of {run.workload or 'a workload'}: {coloured(run.headline)}"
    )
    by = f", started by {run.started_by}" if run.started_by else ""
    session.output.say(f"Execution {run.execution_id}{escape(by)}\n")
    session.output.table(
        ("stage", "status", "took", "what"),
        [
            (a.stage, coloured(a.status), duration(a.duration_s), escape(a.summary))
            for a in run.actions
        ],
    )
    if run.error:
        session.output.say(f"\n{escape(run.error)}")
    if run.waiting_gate:
        session.output.hint(f"\nNext: {next_step(run.waiting_gate)}{session.flag}")


@click.command("watch", short_help="Follow a run until it ends or needs a decision.")
@click.argument("run", required=False)
@click.option("--until-gate", is_flag=True, help="Stop at the first gate that needs a decision.")
@with_session
def watch_command(session: Session, run: str | None, until_gate: bool) -> None:
    """Follow a RUN (the newest when not named) until it ends; exit code 3 refused, 4 failed.

    Ctrl-C stops the watching, not the run.

    \b
    signalbox watch --until-gate --local
    """
    found = find_run(session.target, run)
    stop = "any" if until_gate else None
    finish(session, follow(session.target, found.execution_id, session.output, stop_at_gate=stop))


@click.command("logs", short_help="What the jobs of a run printed.")
@click.argument("run", required=False)
@click.option("--step", type=click.Choice(STEPS), help="Only one step.")
@click.option("-f", "--follow", "follow_on", is_flag=True, help="Go on until the run has ended.")
@with_session
def logs_command(session: Session, run: str | None, step: str | None, follow_on: bool) -> None:
    """What the jobs of a RUN (the newest when not named) printed.

    \b
    signalbox logs --local --step train
    signalbox logs --follow --local
    """
    found = find_run(session.target, run)
    lines = (
        follow_lines(session.target, found.execution_id, step)
        if follow_on
        else LogReader(session.target, step).read(found)
    )
    has_printed = False
    for line in lines:
        _print_line(line, as_json=session.output.as_json)
        has_printed = True
    if not has_printed:
        session.output.note(f"No job of run {found.name} has printed anything; it {found.place}")


def _print_line(line: LogLine, *, as_json: bool) -> None:
    if as_json:
        document = {"at": utc_text(line.at), "step": line.step, "message": line.text}
        sys.stdout.write(json.dumps(document) + "\n")
    else:
        sys.stdout.write(f"{line.at:%H:%M:%S} {line.step:<12} {line.text}\n")
    sys.stdout.flush()


@click.command("report", short_help="The evidence on a run's model, as one HTML page.")
@click.argument("run", required=False)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it here.")
@click.option(
    "--open/--no-open",
    "opens",
    default=None,
    help="Show it in the browser; done on a terminal unless --out is given.",
)
@with_session
def report_command(session: Session, run: str | None, out: Path | None, opens: bool | None) -> None:
    """The evidence on the model of a RUN (the newest when not named), as one HTML page."""
    found = fetch(session.target, find_run(session.target, run), out)
    session.output.say(f"{found.uri}\n{found.file.resolve()}")
    session.output.result({"uri": found.uri, "file": str(found.file.resolve())})
    is_watched = sys.stdout.isatty() and not session.output.as_json
    if opens if opens is not None else is_watched and out is None:
        click.launch(str(found.file.resolve()))
