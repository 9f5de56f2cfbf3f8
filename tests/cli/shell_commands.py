"""Commands that pages show in fenced blocks, taken apart as a shell would, and the AWS CLI's model.

A block is one of commands when its fence says nothing, `sh` or `console`; in a `console` block
only lines that begin with `$ ` are commands.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import botocore.session
from botocore import xform_name

PROGRAMS = ("signalbox", "aws", "make", "sam")
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"^[A-Z_]+=")
_STOPS = {"|", "||", "&&", ";", ">", ">>", "<", "#"}
# Commands of the AWS CLI that are no API operation, and their options; `aws s3 help` and the like,
# AWS CLI 1.46.
CUSTOMIZED = {
    ("cloudformation", "deploy"): {
        "template-file",
        "stack-name",
        "s3-bucket",
        "parameter-overrides",
        "capabilities",
        "role-arn",
        "no-fail-on-empty-changeset",
        "tags",
    },
    ("s3", "cp"): {"recursive"},
    ("s3", "ls"): {"recursive"},
    ("s3", "rm"): {"recursive"},
}
_WHOLE_INPUTS = {"cli-input-json", "cli-input-yaml"}
GLOBAL = {"max-items", "endpoint-url", "region", "profile", "output", "query", "cli-binary-format"}


@dataclass(frozen=True)
class ShellCommand:
    """One command of one page."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"

    @property
    def options(self) -> set[str]:
        """Names of its long options."""
        long = (word[2:].partition("=")[0] for word in self.words if word.startswith("--"))
        return set(long) - {""}


def commands_of(page: Path) -> Iterator[ShellCommand]:
    """Every command of PROGRAMS in the fenced blocks of a page, in order."""
    for kind, text in _FENCE.findall(page.read_text(encoding="utf-8")):
        if kind in ("", "sh", "console"):
            yield from (ShellCommand(page.name, words) for words in _commands(text, kind))


def _commands(text: str, kind: str) -> Iterator[tuple[str, ...]]:
    for line in text.replace("\\\n", " ").splitlines():
        if kind == "console" and not line.startswith("$ "):
            continue
        for piece in re.findall(r"\$\((.*?)\)", line) or [line.removeprefix("$ ")]:
            yield from _of_programs(piece)


def _of_programs(line: str) -> Iterator[tuple[str, ...]]:
    begins = next((w for w in line.split() if not _ASSIGNMENT.match(w)), "")
    if _program(begins) not in PROGRAMS:
        return
    found: list[str] = []
    for word in [*shlex.split(line, comments=True), ";"]:
        if word not in _STOPS:
            found.append(word)
            continue
        while found and _ASSIGNMENT.match(found[0]):
            found.pop(0)
        if found and _program(found[0]) in PROGRAMS:
            yield (_program(found[0]), *found[1:])
        found = []


def _program(word: str) -> str:
    """`.tools/sam/bin/sam` is `sam`."""
    return word.rpartition("/")[2]


def aws_problems(command: ShellCommand) -> list[str]:
    """What the AWS CLI would not take: service, operation, options, required options."""
    service, operation = command.words[1:3]
    given = command.options - GLOBAL
    if (service, operation) in CUSTOMIZED:
        return [f"no option --{n}" for n in sorted(given - CUSTOMIZED[service, operation])]
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return [f"no service {service}"]
    model = session.get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in operations:
        return [f"no operation {operation}"]
    shape = model.operation_model(operations[operation]).input_shape
    known = {xform_name(n, "-") for n in shape.members} if shape else set()
    needed = {xform_name(n, "-") for n in shape.required_members} if shape else set()
    if given & _WHOLE_INPUTS:  # a file holds what the other options would say
        needed, given = set(), given - _WHOLE_INPUTS
    return [f"no option --{n}" for n in sorted(given - known)] + [
        f"--{n} is required" for n in sorted(needed - given)
    ]
