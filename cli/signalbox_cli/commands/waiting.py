"""gates, explain."""

import json
from datetime import UTC, datetime

import click
from rich.markup import escape

from signalbox_cli import explaining, spending
from signalbox_cli.commands.runs import run_document
from signalbox_cli.console import duration
from signalbox_cli.models import named_version, standing
from signalbox_cli.options import Session, with_session
from signalbox_cli.runs import RunView, ScheduledBatch, find_run
from signalbox_cli.waiting import WaitingGate, gate_of, left, waiting_gates

_MOMENT = "%Y-%m-%d %H:%M UTC"


@click.command("gates")
@with_session
def gates_command(session: Session) -> None:
    """What waits: on whom, since when, until when."""
    found = waiting_gates(session.target)
    session.output.result([gate.document() for gate in found])
    session.output.table(
        ("gate", "run", "workload", "waits for", "since", "deadline", "left"),
        [_row(gate) for gate in found],
    )
    if not found:
        session.output.say("Nothing waits for a decision")


def _row(gate: WaitingGate) -> tuple[str, ...]:
    return (
        gate.gate,
        gate.run.run_id,
        gate.workload,
        escape(gate.on),
        f"{gate.since:{_MOMENT}}",
        f"{gate.deadline:{_MOMENT}}",
        left(gate.deadline),
    )


@click.command("explain", short_help="Where a run or version stands; what next.")
@click.argument("run", required=False, metavar="[RUN|VERSION]")
@with_session
def explain_command(session: Session, run: str | None) -> None:
    """Where a RUN (the newest when not named) stands, why, its cost so far, and what comes next.

    With a model VERSION (WORKLOAD/NUMBER or ARN): how far its rollout and its promotion have come.

    \b
    signalbox explain --local
    signalbox explain diabetes/3 --local
    """
    if run and "/" in run:
        _explain_version(session, run)
        return
    found = find_run(session.target, run)
    gate = None if found.is_finished else gate_of(session.target, found)
    jobs = spending.jobs_of(session.target, found)
    story = [
        *_where(found),
        *spending.lines(session.target, jobs),
        *explaining.run_lines(session.target, found),
        *(_gate_lines(gate) if gate else _next(session, found)),
    ]
    waits = {"waits": gate.document()} if gate else {}
    cost = {"cost": spending.document(jobs)}
    session.output.result({**run_document(found), **waits, **cost, "explanation": story})
    for line in story:
        session.output.say(escape(line))


def _explain_version(session: Session, name: str) -> None:
    found = named_version(session.target, name)
    story = explaining.version_story(session.target, found)
    document = standing(session.target, found).document()
    session.output.result({**document, "explanation": story})
    for line in story:
        session.output.say(escape(line))


def _where(run: RunView) -> list[str]:
    head = f"Run {run.run_id or run.execution_id} of {run.workload or 'an unread workload'}: "
    by = f", started by {run.started_by}" if run.started_by else ""
    lines = [f"{head}{run.headline}{by}"]
    for action in run.actions:
        what = action.error or action.summary
        lines.append(f"  {action.stage:<20} {action.status:<11} {duration(action.duration_s)}")
        if what and action.status != "InProgress":
            lines.append(f"  {'':<20} {what}")
    return lines


def _gate_lines(gate: WaitingGate) -> list[str]:
    commands = {
        "UploadSourceData": f"signalbox upload FILE --run {gate.run.run_id}",
        "UploadInferenceData": f"signalbox upload FILE --inference --run {gate.run.run_id}",
        "ApproveModel": f"signalbox approve ApproveModel --run {gate.run.run_id}",
    }
    return [
        f"It waits at {gate.gate} for {gate.on}, since {gate.since:{_MOMENT}}.",
        f"Without a decision it fails at {gate.deadline:{_MOMENT}} ({left(gate.deadline)} left).",
        f"Next: {commands[gate.gate]}",
        f"  or: signalbox reject {gate.gate} --run {gate.run.run_id} --reason WHY",
    ]


def _next(session: Session, run: RunView) -> list[str]:
    if not run.is_finished:
        return ["It is under way: `signalbox watch` follows it."]
    if run.is_refused:
        return ["Its model does not keep the manifest's quality rules. Next: release again."]
    if run.status != "Failed":
        return ["It has ended; nothing is left to do."]
    if run.batch:
        return _again(session, run.batch)
    failed = next(a for a in reversed(run.actions) if a.status == "Failed")
    return [
        f"It failed in stage {failed.stage}. Next, once the cause is out of the way:",
        f"  aws codepipeline retry-stage-execution --pipeline-name "
        f"{session.target.wiring().pipeline} --stage-name {failed.stage} "
        f"--pipeline-execution-id {run.execution_id} --retry-mode FAILED_ACTIONS",
    ]


def _again(session: Session, batch: ScheduledBatch) -> list[str]:
    """A scheduled run is not repeated: the same time again is the same run."""
    given = {
        "kind": "batch",
        "workloads": [batch.workload],
        "scheduledFor": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    return [
        "Next, once the cause is out of the way, as a run of its own:",
        f"  aws lambda invoke --function-name {session.target.prefix}-run-schedule "
        f"--cli-binary-format raw-in-base64-out --payload '{json.dumps(given)}' out.json",
    ]
