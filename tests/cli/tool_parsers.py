"""What each tool's own parser says of a command: nothing is run, nobody is called.

Every function takes the words after the program's name and answers with the problems, an empty
list for a command that the tool would take. `python -m tests.cli.tool_parsers` writes the list of
sam's options anew.
"""

import argparse
import contextlib
import functools
import importlib
import io
import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import botocore.session
import click
from awscli.clidriver import CLIDriver, create_clidriver
from awscli.customizations.commands import BasicCommand
from botocore.validate import ParamValidator

from signalbox_cli.main import cli

ROOT = Path(__file__).parents[2]
SAM = ROOT / ".tools" / "sam"
SAM_COMMANDS = ("build", "delete", "deploy", "package", "validate")
SAM_OPTIONS = Path(__file__).with_name("sam_options.json")

Words = Sequence[str]


# ---------------------------------------------------------------------------------- signalbox
def signalbox(words: Words) -> list[str]:
    """By the click commands, groups included; files that are named have to be there."""
    parent, command, rest = click.Context(cli), cli, list(words)
    if not rest or rest[0].startswith("-"):
        return []
    try:
        while isinstance(command, click.Group):
            found = command.get_command(parent, rest[0])
            if found is None:
                return [f"no command {rest[0]}"]
            command = found
            names = ["-h", "--help"]
            parent = found.make_context(rest[0], rest[1:], parent=parent, help_option_names=names)
            rest = [*parent._protected_args, *parent.args] if isinstance(found, click.Group) else []
    except click.UsageError as error:
        return [error.format_message()]
    return []


# ---------------------------------------------------------------------------------------- aws
# Taken by the command line and kept from the API: botocore turns pages with it.
_OF_THE_COMMAND_LINE = {"PaginationConfig"}
# The command line's own names of services.
_SERVICES = {"deploy": "codedeploy"}


@functools.cache
def _driver() -> tuple[CLIDriver, list[dict[str, Any]]]:
    """The AWS CLI, stopped where it would call AWS; and what it would have called."""
    driver = create_clidriver()
    calls: list[dict[str, Any]] = []

    def stop(**event: Any) -> int:
        calls.append(event["call_parameters"])
        return 0

    events = driver.session.get_component("event_emitter")
    events.register_last("calling-command.*", stop)
    events.register_last("building-command-table.main", _customizations_do_nothing)
    return driver, calls


def _customizations_do_nothing(command_table: Mapping[str, Any], **_: Any) -> None:
    """`aws s3 cp`, `aws cloudformation deploy` and the like are parsed, and not carried out."""
    for command in command_table.values():
        if isinstance(command, BasicCommand):
            command._run_main = lambda *_: 0


@functools.cache
def _stop_customizations_of(service: str) -> None:
    """Before the first command of a service is parsed; handlers of `*` come too early for that."""
    events = _driver()[0].session.get_component("event_emitter")
    events.register_last(f"building-command-table.{service}", _customizations_do_nothing)


def aws(words: Words) -> list[str]:
    """By the AWS CLI's own parser in this process, then by botocore's model of the operation."""
    driver, calls = _driver()
    calls.clear()
    given = _without(words, "--profile")
    _stop_customizations_of(given[0])
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            status = driver.main(given)
        except SystemExit as ended:
            status = int(ended.code or 0)
    if status != 0:
        return [said.getvalue().strip()]
    if "--cli-input-json" in given:  # a file of the reader's says the rest
        return []
    return [problem for call in calls for problem in _by_the_model(given[0], given[1], call)]


def _without(words: Words, *options: str) -> list[str]:
    """The words without these options and their values: the profiles of nobody's machine."""
    kept, rest = [], iter(words)
    for word in rest:
        if word in options:
            next(rest, None)
        else:
            kept.append(word)
    return kept


def _by_the_model(service: str, command: str, call: Mapping[str, Any]) -> list[str]:
    """The command line's parser lets pass what the API does not know inside a structure."""
    model = _session().get_service_model(_SERVICES.get(service, service))
    names = {name.lower(): name for name in model.operation_names}
    shape = model.operation_model(names[command.replace("-", "")]).input_shape
    parameters = {k: v for k, v in call.items() if k not in _OF_THE_COMMAND_LINE}
    report = ParamValidator().validate(parameters, shape)
    return [report.generate_report()] if report.has_errors() else []


@functools.cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


# ---------------------------------------------------------------------------------------- sam
# In sam's own Python: every option of the commands that are named, with whether it takes a value.
_ASK_SAM = """
import importlib, json, sys
options = {}
for name in sys.argv[1:]:
    module = importlib.import_module("samcli.commands." + name)
    command = getattr(module, "cli", None) or importlib.import_module(
        f"samcli.commands.{name}.{name}"
    ).cli
    options[name] = {
        option: not parameter.is_flag
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("-")
    }
print(json.dumps(options))
"""


def sam_options(commands: Sequence[str]) -> dict[str, dict[str, bool]]:
    """By command, each option and whether a value follows: what the installed sam says."""
    asked = [str(SAM / "bin" / "python"), "-c", _ASK_SAM, *commands]
    variables = {"SAM_CLI_TELEMETRY": "0", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}
    told = subprocess.run(asked, capture_output=True, text=True, check=True, env=variables)
    answer: dict[str, dict[str, bool]] = json.loads(told.stdout)
    return answer


@functools.cache
def known_sam_options() -> dict[str, dict[str, bool]]:
    """The committed list, which holds where sam is not installed."""
    found: dict[str, dict[str, bool]] = json.loads(SAM_OPTIONS.read_text(encoding="utf-8"))
    return found


def sam(words: Words) -> list[str]:
    """By the committed list, which a test compares with the installed sam."""
    known = known_sam_options().get(words[0])
    if known is None:
        return [f"no command {words[0]}"]
    problems, rest = [], iter(words[1:])
    for word in rest:
        name, has_value, _ = word.partition("=")
        if name not in known:
            problems.append(f"no option {word}" if word.startswith("-") else f"no argument {word}")
        elif known[name] and not has_value and next(rest, None) is None:
            problems.append(f"{name} needs a value")
    return problems


# --------------------------------------------------------------------------------- make, python
def make(words: Words) -> list[str]:
    """By the Makefile: targets, and variables that it reads."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    known = set(re.findall(r"\$\(([A-Z]+)\)", text)) | {"PYTHON", "EVIDENCE"}
    variables = {word.partition("=")[0] for word in words if "=" in word}
    wanted = {word for word in words if "=" not in word}
    return [f"no target {name}" for name in sorted(wanted - targets)] + [
        f"no variable {name}" for name in sorted(variables - known)
    ]


class _WasTakenError(Exception):
    """A parser took the arguments; nothing after that is wanted."""


def python(words: Words) -> list[str]:
    """`python -m MODULE` by the module's own argparse parser; modules of others are taken."""
    if words[0] != "-m":
        return [f"no python -m MODULE: {' '.join(words)}"]
    if words[1].partition(".")[0] not in ("delivery", "localaws", "signalbox_cli"):
        return []
    try:
        module = importlib.import_module(words[1])
    except ModuleNotFoundError:
        return [f"no module {words[1]}"]
    return _argparse_problems(module.main, list(words[2:]))


def _argparse_problems(main: Any, arguments: list[str]) -> list[str]:
    original = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser: argparse.ArgumentParser, given: Any = None, *_: Any) -> Any:
        original(parser, given)
        raise _WasTakenError

    said = io.StringIO()
    argparse.ArgumentParser.parse_args = parse_and_stop  # type: ignore[assignment,method-assign]
    try:
        with contextlib.redirect_stderr(said):
            main(arguments)
    except _WasTakenError:
        return []
    except SystemExit:
        return [said.getvalue().strip().splitlines()[-1]]
    finally:
        argparse.ArgumentParser.parse_args = original  # type: ignore[method-assign]
    return ["its parser was not asked"]


# ------------------------------------------------------------------------------------ git, gh
def git(words: Words) -> list[str]:
    """By the usage that `git COMMAND -h` prints."""
    told = subprocess.run(["git", words[0], "-h"], capture_output=True, text=True, check=False)
    usage = told.stdout + told.stderr
    if "is not a git command" in usage:
        return [f"no command {words[0]}"]
    known = {name.replace("[no-]", "") for name in re.findall(r"--[\w\[\]-]+", usage)}
    given = [word.partition("=")[0] for word in words[1:] if word.startswith("--")]
    return [f"no option {name}" for name in given if name not in known]


# GitHub's client is not to be had everywhere: the options of `gh api` that pages use, from its
# manual ("gh api", cli.github.com, read 2026-11).
_GH = {
    ("api",): {
        "--method",
        "--field",
        "--raw-field",
        "--jq",
        "--silent",
        "-f",
        "-F",
        "-X",
        "--input",
    }
}


def gh(words: Words) -> list[str]:
    """By the short list above."""
    known = _GH.get(tuple(words[:1]))
    if known is None:
        return [f"no command {words[0]}"]
    return [f"no option {w}" for w in words[1:] if w.startswith("-") and w not in known]


PARSERS = {
    "signalbox": signalbox,
    "aws": aws,
    "sam": sam,
    "make": make,
    "python": python,
    "python3": python,
    "git": git,
    "gh": gh,
}
# What a shell has by itself, and programs of which no option is used that could be misspelt.
UNCHECKED = {".", "cd", "cp", "curl", "eval", "export"}


if __name__ == "__main__":
    written = json.dumps(sam_options(SAM_COMMANDS), indent=1, sort_keys=True)
    SAM_OPTIONS.write_text(written + "\n", encoding="utf-8")
