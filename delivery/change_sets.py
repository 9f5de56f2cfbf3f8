"""Show what a package would change in an environment's stack, or change it.

    python -m delivery.change_sets preview ENVIRONMENT [--region REGION] [--output FILE]
    python -m delivery.change_sets deploy ENVIRONMENT [--region REGION] [--replace-data]

Both make a change set of what `python -m delivery.package` left; a preview deletes it again, a
deployment executes it under the environment's execution role and waits. A package that changes
nothing is no fault. A change set that would replace or remove what holds data is not executed
unless that is asked for by name.
"""

import argparse
import json
import os
import sys
import uuid
from collections.abc import Sequence
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


def losing(changes: Sequence[Change]) -> list[Change]:
    """The changes that would lose data."""
    return [
        one
        for one in changes
        if one.type in HOLDING_DATA
        and (one.action == "Remove" or one.replacement == "True")
        and not one.policy.endswith(("Retain", "Snapshot"))
    ]


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


def preview(stack: Stack, output: Path | None) -> None:
    """Print what would change, and write it down."""
    name = _name("preview")
    changes = stack_calls.create(stack, name, read_package())
    if changes is not None:
        stack_calls.delete(stack, name)
    text = "\n".join(lines(changes or []) or [f"{stack.name}: nothing changes"]) + "\n"
    sys.stdout.write(text)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")


def deploy(stack: Stack, *, replace_data: bool) -> None:
    """Apply what was packaged; raises StackError with what failed, and the stack is as before."""
    name = _name("deploy")
    changes = stack_calls.create(stack, name, read_package())
    if changes is None:
        _say(f"{stack.name}: nothing changes")
        return
    for line in lines(changes):
        _say(line)
    if losing(changes) and not replace_data:
        stack_calls.delete(stack, name)
        kept = ", ".join(one.logical_id for one in losing(changes))
        raise StackError(
            f"{stack.name}: {kept} would lose what it holds, so nothing was changed. If that is "
            "meant, deploy with --replace-data (make deploy ENV=... DEPLOY=--replace-data)"
        )
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
    """Exit status 0, also when nothing changes; 1 with the cause on standard error."""
    parser = argparse.ArgumentParser(prog="python -m delivery.change_sets")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("preview", "deploy"):
        command = commands.add_parser(name)
        command.add_argument("environment", choices=("dev", "staging", "prod"))
        command.add_argument("--region", default="")
        if name == "preview":
            command.add_argument("--output", type=Path)
        else:
            command.add_argument("--replace-data", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        is_deploying = chosen.command == "deploy"
        stack = stack_of(chosen.environment, chosen.region, deploying=is_deploying)
        if is_deploying:
            deploy(stack, replace_data=chosen.replace_data)
        else:
            preview(stack, chosen.output)
    except (StackError, SettingsError) as fault:
        print(f"{chosen.command}: {fault}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
