"""bootstrap."""

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from signalbox_cli.console import Output
from signalbox_cli.errors import CommandError
from signalbox_cli.options import json_option

if TYPE_CHECKING:
    from delivery.model import Settings
    from signalbox_cli.bootstrapping import Bootstrap, Step

_FOLDER = Path("delivery") / "environments"
_NEEDED_BY_PROD = ("operations", "data", "prod", "pipeline")


def _with_bootstrap(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say what is set up, from which settings, and how to get into each account."""

    @click.option(
        "--settings",
        "folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=_FOLDER,
        show_default=True,
        help="Where accounts, regions and names are written down.",
    )
    @click.option(
        "--only", multiple=True, metavar="PART", help="This part only, may be repeated: dev, ..."
    )
    @click.option(
        "--profile",
        "profiles",
        multiple=True,
        metavar="PART=NAME",
        help="The AWS CLI profile that administers the account of a part, may be repeated.",
    )
    @click.option(
        "--role",
        "role_name",
        default="",
        metavar="NAME",
        help="Assume this role in each account, e.g. OrganizationAccountAccessRole.",
    )
    @click.option("--local", is_flag=True, help="The laptop that `signalbox up` serves here.")
    @functools.wraps(command)
    def run(
        *,
        folder: Path,
        only: tuple[str, ...],
        profiles: tuple[str, ...],
        role_name: str,
        local: bool,
        **others: Any,
    ) -> Any:
        made = _bootstrap(folder, only, _profiles(profiles), role_name, local=local)
        return command(bootstrap=made, **others)

    return run


@click.command("bootstrap", short_help="Set up the accounts: roles, buckets, keys, pipeline.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--remove", is_flag=True, help="Take the set-up away again, in reverse order.")
@click.option(
    "--allow-prod", is_flag=True, help="Needed to remove prod, operations, data, pipeline."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_with_bootstrap
@json_option
def bootstrap_command(
    *,
    bootstrap: "Bootstrap",
    dry_run: bool,
    remove: bool,
    allow_prod: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Deploy the account set-up in order: operations, data, dev, staging, prod, delivery pipeline.

    Accounts, regions and names come from delivery/environments/. For each account a CloudFormation
    change set is made and shown; nothing happens until you say yes. A second run changes nothing; a
    run that failed is repeated with the same command. You need administrator rights in each account
    once: by a profile for each, or by one role that may be assumed in all of them.

    \b
    signalbox bootstrap --dry-run --role OrganizationAccountAccessRole
    signalbox bootstrap --profile operations=ops-admin --profile data=data-admin \\
        --profile dev=dev-admin --profile staging=staging-admin --profile prod=prod-admin
    signalbox bootstrap --local --yes
    signalbox bootstrap --remove --only dev

    \b
    Then, once for each environment:
      make deploy ENV=dev
      signalbox doctor -e dev
    """
    output = Output(as_json=as_json)
    if remove:
        _remove(bootstrap, output, yes=yes, allow_prod=allow_prod)
    else:
        _deploy(bootstrap, output, yes=yes, dry_run=dry_run)


def _profiles(given: Sequence[str]) -> dict[str, str]:
    found = dict(one.partition("=")[::2] for one in given)
    wrong = [part for part, name in found.items() if not name]
    if wrong:
        raise click.UsageError(f"--profile {wrong[0]}: write PART=NAME, e.g. dev=dev-admin")
    return found


def _bootstrap(
    folder: Path, only: tuple[str, ...], profiles: dict[str, str], role_name: str, *, local: bool
) -> "Bootstrap":
    from delivery import settings
    from delivery.toml_reading import SettingsError
    from signalbox_cli.account_sessions import Accounts, laptop_accounts
    from signalbox_cli.bootstrapping import Bootstrap

    try:
        found = settings.load(folder)
    except SettingsError as fault:
        raise CommandError(str(fault)) from None
    if local:
        accounts = laptop_accounts()
        found = settings.relocated(found, _laptop_ids(), _laptop_region())
    else:
        accounts = Accounts(profiles, role_name, os.environ.get("AWS_ENDPOINT_URL"))
        if accounts.endpoint_url is None:
            _refuse_examples(folder, found)
    return Bootstrap(found, accounts, Path.cwd(), only)


def _refuse_examples(folder: Path, settings: "Settings") -> None:
    """AWS has these accounts and this repository, too, and they are not the reader's."""
    from delivery import examples

    left = list(examples.remaining(settings))
    if left:
        listed = "\n  ".join(left)
        raise CommandError(
            f"{folder} still has what is the documentation's and would let strangers in:\n  "
            f"{listed}\nPut your own accounts and repository there (an account that you do not "
            'have yet: the number of one that you have; no GitHub: name = ""), then '
            "`python -m delivery.settings samconfig`. Nothing was asked of AWS"
        )


def _laptop_ids() -> dict[str, str]:
    from localaws.accounts import ACCOUNTS

    return {account.environment: account.id for account in ACCOUNTS}


def _laptop_region() -> str:
    from localaws.context import REGION

    return REGION


def _deploy(bootstrap: "Bootstrap", output: Output, *, yes: bool, dry_run: bool) -> None:
    steps: list[Step] = []
    done: list[Step] = []
    try:
        for step in bootstrap.plan():
            _show(step, output)
            steps.append(step)
        if dry_run or not _agreed(steps, output, yes=yes):
            output.result([step.document() for step in steps])
            return
        for step in bootstrap.deploy(steps):
            _tell(step, output)
            done.append(step)
    finally:  # also after a fault or Ctrl-C: no change set and no empty stack is left behind
        for said in bootstrap.give_up(steps[len(done) :]):
            output.note(escape(said))
    output.result([step.document() for step in done])
    output.say(_verdict(done))


def _tell(step: "Step", output: Output) -> None:
    if step.verb != "unchanged":
        output.note(f"[green]✓[/green] {step.deployment.name}: {step.deployment.stack_name}")


def _show(step: "Step", output: Output) -> None:
    one = step.deployment
    where = f"{one.stack_name} in {one.place.account}, {one.place.region}"
    if step.failed:
        todo = f"delete the failed stack ({step.failed}), then create"
        output.say(f"[bold]{one.name}[/bold] {where}: {todo}")
        return
    if step.change_set is None:
        output.say(f"[bold]{one.name}[/bold] {where}: planned after {', '.join(step.waits_for)}")
        return
    output.say(f"[bold]{one.name}[/bold] {where}: {step.verb}")
    for change in step.change_set.changes:
        kind = change.type.removeprefix("AWS::")
        replaced = " (replaced)" if change.replacement == "True" else ""
        output.say(f"  {change.action.lower():<7} {escape(change.logical_id)} ({kind}){replaced}")


def _agreed(steps: Sequence["Step"], output: Output, *, yes: bool) -> bool:
    if yes or all(step.is_unchanged for step in steps):
        return True
    if click.confirm("Deploy this?", err=True):
        return True
    output.say("Nothing was changed")
    return False


def _verdict(done: Sequence["Step"]) -> str:
    changed = [step.deployment.name for step in done if step.verb != "unchanged"]
    if not changed:
        return f"Nothing to change: all {len(done)} stacks are as the templates say"
    return (
        f"Set up {', '.join(changed)}. Next: `make build` and `.tools/sam/bin/sam deploy "
        "--config-env dev` (a CI: `make package deploy ENV=dev AS=delivery`), then "
        "`signalbox doctor -e dev`" + "".join(_first_execution(done))
    )


def _first_execution(done: Sequence["Step"]) -> Iterator[str]:
    """What CodePipeline does with a pipeline that was just made, whatever starts it later."""
    for step in done:
        kind = step.deployment.parameters.get("SourceKind")
        if step.verb == "create" and kind == "S3":
            yield (
                "\nA new pipeline starts once by itself, and there is no source.zip yet: its first "
                "execution fails in Source, and that is no fault. The first archive starts the next"
            )
        elif step.verb == "create" and kind == "Git":
            yield "\nA new pipeline starts once by itself: it delivers the branch as it is now"


def _remove(bootstrap: "Bootstrap", output: Output, *, yes: bool, allow_prod: bool) -> None:
    from signalbox_cli import unmaking

    names = [one.name for one in bootstrap.deployments]
    of_prod = [name for name in names if name.partition("/")[0] in _NEEDED_BY_PROD]
    if of_prod and not allow_prod:
        raise CommandError(
            f"{of_prod[0]} belongs to prod or is what prod is delivered from: never removed "
            "without --allow-prod (or choose with --only); nothing was deleted"
        )
    unmaking.check(bootstrap)
    output.note(f"to be removed: {', '.join(reversed(names))}, with all packages and data sets")
    if not yes and click.prompt(f"Type {bootstrap.settings.app} to go on", err=True) != (
        bootstrap.settings.app
    ):
        raise CommandError(f"that is not {bootstrap.settings.app}: nothing was deleted")
    removed = []
    for what in unmaking.remove(bootstrap):
        output.say(escape(what))
        removed.append(what)
    output.result({"done": removed})
    if not removed:
        output.say("There was nothing to remove")
