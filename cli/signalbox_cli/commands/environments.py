"""destroy."""

from collections.abc import Iterator

import click
from rich.markup import escape

from signalbox_cli.destroying import (
    Doomed,
    empty_buckets,
    remove_logs,
    remove_packages,
    remove_registry,
    remove_serving,
    remove_stack,
    schedule_key_deletion,
    stop_runs,
    survey,
)
from signalbox_cli.errors import CommandError
from signalbox_cli.leftovers import Leftover, leftovers
from signalbox_cli.options import Session, with_session
from signalbox_cli.prices import USD_PER_KEY_MONTH
from signalbox_cli.target import Target


@click.command("destroy", short_help="Delete an environment: endpoints, models, data, stack.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--allow-prod", is_flag=True, help="Needed, besides --yes or the answer, for prod.")
@click.option(
    "--verify", is_flag=True, help="Then look for anything that is still there or still billed."
)
@click.option(
    "--delete-key",
    is_flag=True,
    help="Schedule the key for deletion, too; in 30 days nothing it encrypted can be read.",
)
@with_session
def destroy_command(
    session: Session, *, yes: bool, allow_prod: bool, verify: bool, delete_key: bool
) -> None:
    """Delete everything of one environment: endpoints, models, versions, data, stack, buckets.

    Lists what it found and asks for the environment's name first. Runs that still go on are
    stopped. The stack's KMS key is kept, because nothing that was encrypted with it could ever be
    read again; the command that schedules its deletion is printed, and --delete-key runs it. Log
    groups of SageMaker jobs (/aws/sagemaker/...Jobs) are shared by all of an account and are kept
    as well; so is the account's set-up, which `signalbox bootstrap --remove` takes away.

    With --verify, every service that Signalbox uses is searched afterwards for what is named after
    the environment, and every endpoint, configuration and model for what it uses, whatever its
    name. Exit code 1:
    something is left; it is listed with what it costs and the command that deletes it. The same
    command can be run again at any time: what is gone already is not missed.

    \b
    signalbox destroy --local --yes --verify
    signalbox destroy -e staging --verify
    signalbox destroy -e prod --allow-prod --verify --delete-key
    """
    target = session.target
    if target.environment == "prod" and not allow_prod:
        raise CommandError("prod is never destroyed without --allow-prod; nothing was deleted")
    doomed = survey(target)
    for line in doomed.lines():
        session.output.note(line)
    if not yes:
        _confirm(target)
    removed = []
    for what in _steps(target, doomed, delete_key=delete_key):
        session.output.note(what)
        removed.append(what)
    left = list(leftovers(target)) if verify else []
    kept = [doomed.key_arn] if doomed.key_arn and not delete_key else []
    verdict = {"left": [one.document() for one in left]} if verify else {}
    session.output.result({"done": removed, "kept": kept, **verdict})
    _tell_of_the_key(session, kept)
    if verify:
        _tell_what_is_left(session, left, kept)


def _confirm(target: Target) -> None:
    click.echo(f"All of this is deleted, in {target.describe()}, with all its data.", err=True)
    answer = click.prompt(f"Type {target.prefix} to go on", err=True)
    if answer != target.prefix:
        raise CommandError(f"{answer!r} is not {target.prefix}: nothing was deleted")


def _steps(target: Target, doomed: Doomed, *, delete_key: bool) -> Iterator[str]:
    """Do it and say each thing done."""
    for what in stop_runs(target):
        yield f"stopped {what}"
    steps = (
        *(remove_serving, remove_registry, empty_buckets, remove_stack),
        *(remove_logs, remove_packages),
    )
    for step in steps:
        for what in step(target, doomed):
            yield f"deleted {what}"
    if delete_key and doomed.key_arn:
        yield f"scheduled for deletion: {schedule_key_deletion(target, doomed.key_arn)}"


def _tell_of_the_key(session: Session, kept: list[str]) -> None:
    for key_arn in kept:
        session.output.say(
            f"The key {key_arn} is kept (it costs money every month). Once nothing that it "
            "encrypted is needed any more:\n  aws kms schedule-key-deletion "
            f"--key-id {key_arn} --pending-window-in-days 30"
        )


def _tell_what_is_left(session: Session, left: list[Leftover], kept: list[str]) -> None:
    if not left:
        but = f" but the key, {USD_PER_KEY_MONTH:.2f} USD a month" if kept else ""
        session.output.say(f"Nothing of {session.target.prefix} is left{but or ' or billed'}")
        return
    session.output.table(
        ("still there", "name", "USD a month", "how to delete it"), [_row(one) for one in left]
    )
    priced = sum(one.usd_per_month or 0.0 for one in left)
    raise CommandError(
        f"{len(left)} things of {session.target.prefix} are still there, about {priced:,.2f} USD a "
        "month; see the list"
    )


def _row(one: Leftover) -> tuple[str, ...]:
    usd = "no price" if one.usd_per_month is None else f"{one.usd_per_month:,.2f}"
    name = f"{one.name} ({one.why})" if one.why else one.name
    return one.kind, escape(name), usd, escape(one.remedy)
