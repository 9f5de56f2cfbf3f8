"""models, predict."""

import sys
from pathlib import Path

import click

from signalbox_cli.models import versions
from signalbox_cli.options import Session, with_session
from signalbox_cli.predicting import endpoint_name, predict


@click.command("models", short_help="List the model versions of the registry.")
@click.argument("workload", required=False)
@with_session
def models_command(session: Session, workload: str | None) -> None:
    """Model versions in the registry, newest first: approval, and the run that made each.

    \b
    signalbox models --local
    signalbox models diabetes --json
    """
    found = list(versions(session.target, workload))
    session.output.result([v.document() for v in found])
    session.output.table(
        ("group", "version", "approval", "run", "created (UTC)"),
        [
            (
                v.group,
                str(v.version),
                v.approval,
                v.metadata.get("run_id", ""),
                f"{v.created_at:%Y-%m-%d %H:%M}",
            )
            for v in found
        ],
    )
    if not found:
        of_it = f" of workload {workload}" if workload else ""
        session.output.say(f"No model versions{of_it} in {session.target.describe()}")


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
