"""destroy."""

from collections.abc import Iterator

import click

from signalbox_cli.destroying import (
    Doomed,
    empty_buckets,
    remove_registry,
    remove_serving,
    remove_stack,
    stop_runs,
    survey,
)
from signalbox_cli.errors import CommandError
from signalbox_cli.options import Session, with_session
from signalbox_cli.target import Target


@click.command("destroy", short_help="Delete an environment: endpoints, models, data, stack.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--allow-prod", is_flag=True, help="Needed, besides --yes or the answer, for prod.")
@with_session
def destroy_command(session: Session, yes: bool, allow_prod: bool) -> None:
    """Delete everything of one environment: endpoints, models, versions, data, stack, buckets.

    Lists what it found and asks for the environment's name first. Runs that still go on are
    stopped. On a laptop, where nothing outlives `signalbox up`, it removes what runs made and the
    environment stays up. On AWS the stack's KMS key is kept, because nothing that was encrypted
    with it could ever be read again; the command that schedules its deletion is printed. Log groups
    of SageMaker jobs (/aws/sagemaker/...) are shared by all of an account and are kept as well.

    \b
    signalbox destroy --local --yes
    signalbox destroy -e staging
    """
    target = session.target
    if target.environment == "prod" and not allow_prod:
        raise CommandError("prod is never destroyed without --allow-prod; nothing was deleted")
    if target.endpoint_url:
        target.wiring()
    doomed = survey(target)
    for line in doomed.lines():
        session.output.note(line)
    if not yes:
        _confirm(target)
    removed = []
    for what in _steps(target, doomed):
        session.output.note(what)
        removed.append(what)
    _tell_of_the_key(session, doomed)
    kept = [doomed.key_arn] if doomed.key_arn else []
    session.output.result({"done": removed, "kept": kept})


def _confirm(target: Target) -> None:
    click.echo(f"All of this is deleted, in {target.describe()}, with all its data.", err=True)
    answer = click.prompt(f"Type {target.prefix} to go on", err=True)
    if answer != target.prefix:
        raise CommandError(f"{answer!r} is not {target.prefix}: nothing was deleted")


def _steps(target: Target, doomed: Doomed) -> Iterator[str]:
    """Do it and say each thing done."""
    for what in stop_runs(target):
        yield f"stopped {what}"
    steps = [remove_serving, remove_registry, empty_buckets]
    if not target.endpoint_url:
        steps.append(remove_stack)
    for step in steps:
        for what in step(target, doomed):
            yield f"deleted {what}"


def _tell_of_the_key(session: Session, doomed: Doomed) -> None:
    if session.target.endpoint_url or not doomed.key_arn:
        return
    session.output.say(
        f"The key {doomed.key_arn} is kept (it costs money every month). Once nothing that it "
        "encrypted is needed any more:\n  aws kms schedule-key-deletion "
        f"--key-id {doomed.key_arn} --pending-window-in-days 30"
    )
