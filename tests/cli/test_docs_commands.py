"""Every command on a page is one that the real tool would take: nothing is run here."""

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from signalbox_cli.main import cli
from tests.cli.conftest import ROOT
from tests.cli.shell_commands import ShellCommand, aws_problems, commands_of

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = [command for page in PAGES for command in commands_of(page)]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
SAM = ROOT / ".tools" / "sam" / "bin" / "sam"


def commands(program: str) -> list[ShellCommand]:
    return [command for command in COMMANDS if command.words[0] == program]


def test_pages_show_commands_of_every_program() -> None:
    """Otherwise the other tests of this file would check nothing."""
    assert {c.words[0] for c in COMMANDS} == {"signalbox", "aws", "make", "sam"}
    assert len(commands("aws")) >= 10
    assert len(commands("signalbox")) >= 15


@pytest.fixture
def existing_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and folders that examples name are there."""
    for command in commands("signalbox"):
        for word in command.words[2:]:
            if re.fullmatch(r"[\w./-]+\.(csv|json|gz)", word) and not word.startswith("/"):
                (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / word).touch()
    for folder in ("workloads/diabetes", "workloads/breast_cancer", "my_workload"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("existing_files")
@pytest.mark.parametrize("command", commands("signalbox"), ids=str)
def test_the_command_takes_it(command: ShellCommand) -> None:
    name, *arguments = command.words[1:]
    root = click.Context(cli)
    if name.startswith("-"):
        return
    found = cli.get_command(root, name)

    assert found is not None
    found.make_context(name, arguments, parent=root, help_option_names=["-h", "--help"])


@pytest.mark.parametrize("command", commands("aws"), ids=str)
def test_the_aws_cli_takes_it(command: ShellCommand) -> None:
    assert aws_problems(command) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("aws codepipelines list-pipelines", "no service codepipelines"),
        ("aws codepipeline show-state --name x", "no operation show-state"),
        ("aws codepipeline get-pipeline-state --pipeline x", "no option --pipeline"),
        ("aws codepipeline get-pipeline-state", "--name is required"),
        ("aws s3 cp a b --folder", "no option --folder"),
    ],
)
def test_a_command_that_is_wrong_is_found(line: str, problem: str) -> None:
    assert problem in aws_problems(ShellCommand("page", tuple(line.split())))


@pytest.mark.parametrize("command", commands("make"), ids=str)
def test_make_has_the_target(command: ShellCommand) -> None:
    targets = [word for word in command.words[1:] if "=" not in word]

    assert set(targets) <= TARGETS


@pytest.mark.parametrize("command", commands("sam"), ids=str)
def test_sam_takes_it(command: ShellCommand) -> None:
    """`sam COMMAND --help` lists the options; only where `make build` has installed the tool."""
    sam = SAM if SAM.exists() else shutil.which("sam")
    if sam is None:
        pytest.skip("aws-sam-cli is not installed; `make build` does it")
    told = subprocess.run(
        [str(sam), command.words[1], "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"SAM_CLI_TELEMETRY": "0", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"},
    ).stdout

    assert {n for n in command.options if f"--{n}" not in told} == set()


def test_sam_deploys_environments_that_the_configuration_has() -> None:
    sections = set(re.findall(r"^\[(\w+)\.deploy", (ROOT / "samconfig.toml").read_text(), re.M))
    named = {c.words[c.words.index("--config-env") + 1] for c in commands("sam") if c.options}

    assert named <= sections
