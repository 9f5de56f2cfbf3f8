"""upload, approve, reject."""

from pathlib import Path

import click

from signalbox_cli.deciding import decide
from signalbox_cli.options import Session, with_session
from signalbox_cli.runs import GATES, RunView, find_run, read_manifest
from signalbox_cli.upload_decisions import await_decision, opens_on_upload
from signalbox_cli.uploading import Upload, already_there, gate_for_data, upload


@click.command("upload", short_help="Check files and bring them to the run that waits for data.")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--run", "run_name", help="A run id or execution id; else the run that waits.")
@click.option("--inference", is_flag=True, help="These are rows to predict, not to train on.")
@click.option(
    "--approve/--no-approve",
    default=None,
    help="Open the gate by hand, or neither open it nor wait until data_intake has. Without "
    "either, a gate that is on-upload opens by itself and every other waits for a person.",
)
@with_session
def upload_command(
    session: Session,
    files: tuple[Path, ...],
    run_name: str | None,
    inference: bool,
    approve: bool | None,
) -> None:
    """Bring FILES to the run that waits for data, and wait until they are checked.

    CSV files are read to their end first: columns, encoding, compression. If one of them is wrong,
    none is uploaded. The run reads everything that was uploaded to it, earlier files included.

    \b
    signalbox upload diabetes.csv --local
    signalbox upload new-patients.csv --inference --run 261121-101500-a1b2c3
    """
    run, gate = gate_for_data(session.target, run_name, inference=inference)
    done = upload(session.target, run, gate, files)
    for uri in done.uris:
        session.output.say(f"Uploaded {uri}")
    others = already_there(session.target, run, gate, files)
    if others:
        session.output.note(f"The run also reads what was there before: {', '.join(others)}")
    is_open = _open_after(session, run, done, approve)
    if is_open:
        session.output.say(f"Opened {gate} of run {run.run_id}")
    elif run.waiting_gate == gate:
        session.output.hint(f"Open the gate with: signalbox approve {gate}{session.flag}")
    session.output.result({"runId": run.run_id, "gate": gate, "uris": done.uris, "opened": is_open})


def _open_after(session: Session, run: RunView, done: Upload, approve: bool | None) -> bool:
    """Whether the gate that waited for the upload is open now."""
    if approve and run.waiting_gate == done.gate:
        names = ", ".join(uri.rpartition("/")[2] for uri in done.uris)
        decide(session.target, run, done.gate, approve=True, reason=f"uploaded {names}")
        return True
    if approve is not None or not opens_on_upload(read_manifest(session.target, run), done.gate):
        return False
    after = await_decision(session.target, run, done)
    return run.waiting_gate == done.gate and after.waiting_gate != done.gate


def _decide(
    session: Session, gate: str | None, run: str | None, *, approve: bool, reason: str
) -> None:
    found = find_run(session.target, run) if run else find_waiting(session, gate)
    chosen = decide(session.target, found, gate, approve=approve, reason=reason)
    word = "Approved" if approve else "Rejected"
    session.output.say(f"{word} {chosen} of run {found.run_id}")
    session.output.result({"runId": found.run_id, "gate": chosen, "decision": word})


def find_waiting(session: Session, gate: str | None) -> RunView:
    """The newest run that waits at the gate, or at any gate."""
    return find_run(session.target, None, waiting_at=gate or GATES)


@click.command("approve", short_help="Open the gate where a run waits.")
@click.argument("gate", required=False, type=click.Choice(GATES))
@click.option("--run", help="A run id or execution id; else the newest run that waits.")
@click.option("--reason", default="approved on the command line", help="Kept with the decision.")
@with_session
def approve_command(session: Session, gate: str | None, run: str | None, reason: str) -> None:
    """Open the GATE where a run waits (without a name: whichever it waits at).

    \b
    signalbox approve --local
    signalbox approve ApproveModel --run 261121-101500-a1b2c3 --reason "rmse 56, champion 58"
    """
    _decide(session, gate, run, approve=True, reason=reason)


@click.command("reject", short_help="End the run that waits at a gate, and say why.")
@click.argument("gate", required=False, type=click.Choice(GATES))
@click.option("--run", help="A run id or execution id; else the newest run that waits.")
@click.option("--reason", required=True, help="Why; kept with the decision.")
@with_session
def reject_command(session: Session, gate: str | None, run: str | None, reason: str) -> None:
    """End the run that waits at the GATE, and say why.

    \b
    signalbox reject ApproveModel --reason "trained on last year's rows" --local
    """
    _decide(session, gate, run, approve=False, reason=reason)
