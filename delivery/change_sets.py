"""Show what a package would change in an environment's stack, or change it.

    python -m delivery.change_sets preview ENVIRONMENT [--region REGION] [--output FILE]
    python -m delivery.change_sets deploy ENVIRONMENT [--region REGION] [--replace-data]
    python -m delivery.change_sets review ENVIRONMENT --name NAME [--region REGION] [--output FILE]

The first two make a change set of what `python -m delivery.package` left; a preview deletes it
again, a deployment executes it under the environment's execution role and waits. A review looks at
one that somebody else made. A package that changes nothing is no fault. Exit status 3 for a change
set that would replace or remove what holds data: it is not executed unless `may_lose` of the
environment's settings names what it loses, or --replace-data is said.
"""

import argparse
import json
import os
import sys
import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from delivery import settings, stack_calls
from delivery.package import CONFIGURATION, PACKAGED
from delivery.stack_calls import Change, Package, Stack, StackError
from delivery.toml_reading import SettingsError

# What a replacement would lose: objects, keys and with them everything they encrypt, messages.
HOLDING_DATA = (
    "AWS::S3::Bucket",
    "AWS::KMS::Key",
    "AWS::SQS::Queue",
    "AWS::DynamoDB::Table",
    "AWS::SecretsManager::Secret",
    "AWS::Logs::LogGroup",
)


class DataLoss(StackError):
    """A change set would lose data, and nobody has said that it may."""


def losing(changes: Sequence[Change], may_lose: Collection[str] = ()) -> list[Change]:
    """The changes that would lose data, without those of resources that `may_lose` names."""
    return [
        one
        for one in changes
        if one.type in HOLDING_DATA
        and (one.action == "Remove" or one.replacement == "True")
        and not one.policy.endswith(("Retain", "Snapshot"))
        and one.logical_id not in may_lose
    ]


def check(stack: Stack, changes: Sequence[Change], may_lose: Collection[str]) -> None:
    """Raises DataLoss with what would be lost and how to say that it is meant."""
    lost = ", ".join(one.logical_id for one in losing(changes, may_lose))
    if lost:
        raise DataLoss(
            f"{stack.name}: {lost} would lose what it holds, so nothing was changed. If that is "
            "meant, name it in may_lose of the environment's file in delivery/environments, or "
            "deploy with --replace-data (make deploy ENV=... DEPLOY=--replace-data)"
        )


def summary(stack: Stack, changes: Sequence[Change]) -> str:
    """One line for whoever decides.

    >>> from delivery.stack_calls import Change
    >>> stack = Stack("signalbox-prod", "us-east-1", "", "", 0)
    >>> summary(stack, [Change("Modify", "AWS::SQS::Queue", "Queue", "True")])
    'signalbox-prod in us-east-1: 1 Modify; 1 replaced, 1 LOSES DATA.'
    """
    if not changes:
        return f"{stack.name} in {stack.region}: nothing changes."
    actions = Counter(one.action for one in changes)
    replaced = sum(one.replacement in ("True", "Conditional") for one in changes)
    counts = ", ".join(f"{count} {action}" for action, count in sorted(actions.items()))
    loses = f", {len(losing(changes))} LOSES DATA" if losing(changes) else ""
    return f"{stack.name} in {stack.region}: {counts}; {replaced} replaced{loses}."


def lines(changes: Sequence[Change]) -> list[str]:
    """The changes for people, those that would lose data marked."""
    lost = losing(changes)
    return [
        f"{one.action:<7} {one.type:<40} {one.logical_id}"
        + (f"  replacement: {one.replacement}" if one.replacement not in ("", "False") else "")
        + ("  LOSES DATA" if one in lost else "")
        for one in changes
    ]


def read_package() -> Package:
    """What was packaged in this folder; raises StackError."""
    for file in (PACKAGED, CONFIGURATION):
        if not file.is_file():
            raise StackError(f"{file} does not exist; `make package ENV=...` makes it")
    configuration = json.loads(CONFIGURATION.read_text(encoding="utf-8"))
    return Package(
        template=PACKAGED.read_bytes(),
        parameters=configuration["Parameters"],
        tags=configuration.get("Tags", {}),
    )


def preview(stack: Stack, output: Path | None, may_lose: Collection[str] = ()) -> None:
    """Print what would change, and write it down; raises DataLoss after that."""
    name = _name("preview")
    changes = stack_calls.create(stack, name, read_package())
    if changes is not None:
        stack_calls.delete(stack, name)
    _tell(stack, changes or [], output)
    check(stack, changes or [], may_lose)


def review(
    stack: Stack, name: str, output: Path | None, may_lose: Collection[str] = ()
) -> Sequence[Change]:
    """The same for a change set that is there, and stays; its changes."""
    changes = stack_calls.look(stack, name) or []
    _tell(stack, changes, output)
    check(stack, changes, may_lose)
    return changes


def _tell(stack: Stack, changes: Sequence[Change], output: Path | None) -> None:
    text = "\n".join(lines(changes) or [f"{stack.name}: nothing changes"]) + "\n"
    sys.stdout.write(text)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")


def deploy(stack: Stack, *, replace_data: bool, may_lose: Collection[str] = ()) -> None:
    """Apply what was packaged; raises StackError with what failed, and the stack is as before."""
    name = _name("deploy")
    changes = stack_calls.create(stack, name, read_package())
    if changes is None:
        _say(f"{stack.name}: nothing changes")
        return
    for line in lines(changes):
        _say(line)
    if not replace_data:
        try:
            check(stack, changes, may_lose)
        except DataLoss:
            stack_calls.delete(stack, name)
            raise
    _say(f"{stack.name}: {stack_calls.execute(stack, name)}")


def _name(purpose: str) -> str:
    """A change set's name is [a-zA-Z][-a-zA-Z0-9]*; those of previews begin with `preview-`."""
    return f"{purpose}-{uuid.uuid4().hex[:12]}"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def stack_of(environment: str, region: str, *, deploying: bool) -> Stack:
    """The stack of an environment; a preview has no role to pass. Raises StackError."""
    found = settings.load()
    known = settings.environment_named(found, environment)
    where = region or known.region
    if where not in known.regions:
        raise StackError(f"{environment} is not in {where}, only in {', '.join(known.regions)}")
    role = found.role_arn(environment, "cloudformation", where) if deploying else ""
    bucket = found.artifact_bucket_in(where)
    poll_s = 0.2 if os.environ.get("AWS_ENDPOINT_URL") else 5.0
    return Stack(known.stack_name, where, role, bucket, poll_s)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, also when nothing changes; 1 with the cause, 3 for a loss of data."""
    chosen = _parser().parse_args(arguments)
    try:
        _run(chosen)
    except (StackError, SettingsError) as fault:
        print(f"{chosen.command}: {fault}", file=sys.stderr)  # noqa: T201
        return 3 if isinstance(fault, DataLoss) else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m delivery.change_sets")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("preview", "deploy", "review"):
        command = commands.add_parser(name)
        command.add_argument("environment", choices=("dev", "staging", "prod"))
        command.add_argument("--region", default="")
        if name == "deploy":
            command.add_argument("--replace-data", action="store_true")
        else:
            command.add_argument("--output", type=Path)
        if name == "review":
            command.add_argument("--name", required=True, help="of the change set")
            command.add_argument("--summary", type=Path, help="a line is added to this file")
    return parser


def _run(chosen: argparse.Namespace) -> None:
    is_deploying = chosen.command == "deploy"
    stack = stack_of(chosen.environment, chosen.region, deploying=is_deploying)
    may_lose = settings.load().environments[chosen.environment].may_lose
    match chosen.command:
        case "deploy":
            deploy(stack, replace_data=chosen.replace_data, may_lose=may_lose)
        case "preview":
            preview(stack, chosen.output, may_lose)
        case _:
            found = review(stack, chosen.name, chosen.output, may_lose)
            if chosen.summary:
                with chosen.summary.open("a", encoding="utf-8") as file:
                    file.write(f"{summary(stack, found)}\n")


if __name__ == "__main__":
    sys.exit(main())
