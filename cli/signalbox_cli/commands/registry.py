"""models, promote, predict."""

import sys
from pathlib import Path

import click
from rich.markup import escape

from signalbox_cli import promoting
from signalbox_cli.models import Standing, named_version, standing, versions
from signalbox_cli.options import ENVIRONMENTS, Session, with_session
from signalbox_cli.predicting import endpoint_name, predict


@click.command("models", short_help="Versions: what they measured, where they serve.")
@click.argument("workload", required=False)
@with_session
def models_command(session: Session, workload: str | None) -> None:
    """Model versions in the registry, newest first: metrics, approval, and where each is in use.

    "In use" is this environment by its serving record, and every environment that a version was
    promoted to from here. A version that was rolled back is marked; no event deploys it again.

    \b
    signalbox models --local
    signalbox models diabetes --json
    """
    found = [standing(session.target, version) for version in versions(session.target, workload)]
    session.output.result([one.document() for one in found])
    session.output.table(
        ("group", "version", "approval", "metrics", "in use", "run", "created (UTC)"),
        [_row(one) for one in found],
    )
    if not found:
        of_it = f" of workload {workload}" if workload else ""
        session.output.say(f"No model versions{of_it} in {session.target.describe()}")


def _row(one: Standing) -> tuple[str, ...]:
    version = one.version
    approval = "rolled back" if version.is_rolled_back else version.approval
    return (
        version.group,
        str(version.version),
        approval,
        one.shown_metrics,
        one.shown_places,
        version.metadata.get("run_id", ""),
        f"{version.created_at:%Y-%m-%d %H:%M}",
    )


@click.command("promote", short_help="Take an approved version to another environment.")
@click.argument("version")
@click.option(
    "--to",
    "destination",
    required=True,
    type=click.Choice(ENVIRONMENTS),
    help="The environment; the promotion path must lead there.",
)
@click.option("--no-wait", is_flag=True, help="Start it and come back at once.")
@with_session
def promote_command(session: Session, version: str, destination: str, no_wait: bool) -> None:
    """Take VERSION (WORKLOAD/NUMBER, NUMBER or ARN), exactly that one, to an environment.

    An approval promotes by itself along the whole path; this starts it by hand for one target, to
    repeat what failed or to take an older version there. It verifies that nothing has changed since
    the approval, copies, registers, deploys and probes. While it runs, the same command follows the
    same promotion; Ctrl-C stops the watching, not the promotion. Exit code 4: it failed, and what
    served before serves on.

    \b
    signalbox promote diabetes/3 --to staging --local
    signalbox promote diabetes/3 --to prod --no-wait
    """
    found = named_version(session.target, version)
    promoting.check(session.target, found, destination)
    started = promoting.start(session.target, found, destination)
    verb = "Promoting" if started.is_new else "Already under way:"
    session.output.say(f"{verb} {found.name} to {destination}")
    session.output.note(f"[dim]{escape(started.execution)}[/dim]")
    if no_wait:
        session.output.result(started.document("RUNNING"))
        session.output.hint(f"Follow it with: signalbox explain {found.name}{session.flag}")
        return
    promoting.follow(session.target, started, lambda line: session.output.note(escape(line)))
    session.output.result(started.document("SUCCEEDED"))
    session.output.say(f"{found.name} is in {destination}")


@click.command("predict", short_help="Ask a live endpoint for predictions.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--workload", help="Whose endpoint; needed when there are several.")
@click.option("--content-type", default="text/csv", show_default=True)
@with_session
def predict_command(session: Session, file: Path, workload: str | None, content_type: str) -> None:
    """Predictions of a live endpoint for the rows in FILE (no header, no label), in order.

    \b
    signalbox predict rows.csv --workload diabetes --local
    """
    endpoint = endpoint_name(session.target, workload)
    lines = predict(session.target, endpoint, file, content_type=content_type)
    session.output.result({"endpoint": endpoint, "predictions": lines})
    if not session.output.as_json:
        sys.stdout.writelines(f"{line}\n" for line in lines)
