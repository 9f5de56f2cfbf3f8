"""Every command on a page is one that the real tool would take: nothing is run here."""

import os
import re
from pathlib import Path

import pytest

from tests.cli import tool_parsers
from tests.cli.conftest import ROOT
from tests.cli.shell_commands import ShellCommand, commands_of

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = [command for page in PAGES for command in commands_of(page)]
CHECKED = [c for c in COMMANDS if c.words[0] not in tool_parsers.UNCHECKED]


@pytest.fixture
def as_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the files that examples name, and a machine that knows no AWS account."""
    for word in (word for command in COMMANDS for word in command.words[1:]):
        name = re.sub(r"^fileb?://", "", word)
        if re.fullmatch(r"[\w.][\w./-]*\.(csv|json|gz|zip)", name):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("{}\n", encoding="utf-8")
    for folder in ("workloads/diabetes", "workloads/breast_cancer", "my_workload"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("as_a_reader")
@pytest.mark.parametrize("command", CHECKED, ids=str)
def test_the_tool_takes_it(command: ShellCommand) -> None:
    program, *words = command.words

    assert tool_parsers.PARSERS[program](words) == []


def test_pages_show_commands_of_every_program() -> None:
    """Otherwise the other tests of this file would check nothing."""
    shown = {command.words[0] for command in COMMANDS}

    assert shown - tool_parsers.UNCHECKED == set(tool_parsers.PARSERS)
    assert {"sam", "aws", "signalbox", "make", "gh", "git", "python"} <= {
        command.words[0] for command in commands_of(ROOT / "README.md")
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_stand_in_blocks_that_are_checked(page: Path) -> None:
    """A block of `bash`, or of no kind, would be passed over."""
    blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```", page.read_text("utf-8"), re.M | re.S)
    programs = "|".join(tool_parsers.PARSERS)

    kinds = {kind for kind, text in blocks if re.search(rf"^(\$ )?({programs}) ", text, re.M)}
    assert kinds <= {"sh", "console", "text"}


@pytest.mark.usefixtures("as_a_reader")
@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("signalbox relase workloads/diabetes", "No such command 'relase'"),
        ("signalbox bootstrap --dryrun", "No such option '--dryrun'"),
        ("signalbox acceptance train workloads/diabetes --comit 4f2a61c", "No such option"),
        ("signalbox rollback diabetes", "Missing option '--reason'"),
        ("aws codepipelines list-pipelines", "Invalid choice: 'codepipelines'"),
        ("aws codepipeline show-state --name x", "Invalid choice"),
        ("aws codepipeline get-pipeline-state", "are required: --name"),
        ("aws codepipeline get-pipeline-state --name x --regoin y", "Unknown options: --regoin"),
        ("aws sagemaker delete-endpoint --endpoint-name x y", "Unknown options: y"),
        (
            "aws codepipeline put-approval-result --pipeline-name a --stage-name b "
            "--action-name c --token d --result status=Approved,sumary=fine",
            'Unknown parameter in result: "sumary"',
        ),
        (
            "aws kms create-grant --key-id k --grantee-principal p --operations Decrypt "
            '--constraints {"EncryptionContext":{}}',
            "EncryptionContext",
        ),
        (
            # Of version 2 alone: the environment's aws is version 1, and a page is for both.
            "aws lambda invoke --function-name x --cli-binary-format raw-in-base64-out out.json",
            "Unknown options: --cli-binary-format",
        ),
        ("aws s3 cp a s3://b/c --folder", "Unknown options: --folder"),
        (
            "aws cloudformation deploy --stack-name x --capabilities Z",
            "are required: --template-file",
        ),
        (
            "aws cloudformation deploy --stack-name x --template-file y --capabilites=Z",
            "Unknown options: --capabilites=Z",
        ),
        ("sam deploy --config-environment dev", "no option --config-environment"),
        ("sam deploy --config-env", "--config-env needs a value"),
        ("sam deplo", "no command"),
        ("make demonstration", "no target demonstration"),
        ("make promote-tag TAGS=staging", "no variable TAGS"),
        ("python -m delivery.settings samconfigs", "invalid choice"),
        ("python -m delivery.settings --chek", "--chek"),
        ("python -m delivery.change_sets deploy dev --replase-data", "unrecognized"),
        ("python -m delivery.setting samconfig", "no module delivery.setting"),
        ("git archive --fromat=zip HEAD", "no option --fromat"),
        ("git achive HEAD", "no command achive"),
        ("gh api --methd PUT repos/a/b", "no option --methd"),
    ],
)
def test_a_command_that_is_wrong_is_found(line: str, problem: str) -> None:
    program, *words = line.split()

    assert problem in " ".join(tool_parsers.PARSERS[program](words))


# What a step takes -> the command that makes it.
MADE_BY = {
    "sam ": "make build",
    ".signalbox/demo/": "make demo",
    "aws ": ". .venv/bin/activate",
    "signalbox ": ". .venv/bin/activate",
    "python -m delivery": ". .venv/bin/activate",
    ". .venv": "make build",
    "--profile": "aws configure",
    "AWS_PROFILE": "aws configure",
}


def test_from_nothing_every_step_has_what_it_takes_from_one_before(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## On AWS\n")[2].partition("\n## ")[0]
    (tmp_path / "section.md").write_text(section, encoding="utf-8")
    lines = [" ".join(command.words) for command in commands_of(tmp_path / "section.md")]

    missing = [
        f"{line}: {maker} comes after it"
        for at, line in enumerate(lines)
        for taken, maker in MADE_BY.items()
        if (line.startswith(taken) or f" {taken}" in f" {line}")
        and not line.startswith(maker)
        and not any(before.startswith(maker) for before in lines[:at])
    ]

    assert len(lines) > 30
    assert missing == []


def test_the_list_of_sams_options_is_sams_own() -> None:
    """Written anew by `python -m tests.cli.tool_parsers`; `make test` installs sam before."""
    if not (tool_parsers.SAM / ".ready").exists():
        missing = "aws-sam-cli is not installed; `make tools-sam` does it"
        if os.environ.get("CI") or os.environ.get("CODEBUILD_BUILD_ID"):
            pytest.fail(missing)
        pytest.skip(missing)

    told = tool_parsers.sam_options(tool_parsers.SAM_COMMANDS)
    assert tool_parsers.known_sam_options() == told


def test_sam_deploys_environments_that_the_configuration_has() -> None:
    sections = set(re.findall(r"^\[(\w+)\.deploy", (ROOT / "samconfig.toml").read_text(), re.M))
    named = {
        c.words[c.words.index("--config-env") + 1] for c in COMMANDS if "--config-env" in c.words
    }

    assert named
    assert named <= sections
