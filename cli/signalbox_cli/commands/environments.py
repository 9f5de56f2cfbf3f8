"""destroy."""

import click

from signalbox_cli.destroying import (
    empty_buckets,
    remove_registry,
    remove_serving,
    remove_stack,
)
from signalbox_cli.errors import CommandError
from signalbox_cli.options import Session, with_session


@click.command("destroy")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_session
def destroy_command(session: Session, yes: bool) -> None:
    """Delete everything of one environment: endpoints, models, data, stack. Never prod by itself.

    On a laptop nothing outlives `signalbox up`; this removes what runs made and keeps it up.
    """
    target = session.target
    target.wiring()
    if not yes:
        answer = click.prompt(f"This deletes all data of {target.describe()}. Its name, to confirm")
        if answer != target.prefix:
            raise CommandError(f"{answer!r} is not {target.prefix}: nothing was deleted")
    steps = [remove_serving, remove_registry, empty_buckets]
    if not target.endpoint_url:
        steps.append(remove_stack)
    removed = []
    for step in steps:
        for what in step(target):
            session.output.note(f"deleted {what}")
            removed.append(what)
    session.output.result({"deleted": removed})
