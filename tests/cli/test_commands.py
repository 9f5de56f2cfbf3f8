"""Every command as a user meets it: help, messages, exit codes; nothing here needs a laptop."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from signalbox_cli import command_reference
from signalbox_cli.main import cli
from signalbox_cli.target import UP_FILE, app_here, resolve_target
from tests.cli.conftest import ROOT, Answer

Run = Callable[..., Answer]
COMMANDS = cli.list_commands(click.Context(cli))
NOBODY = "http://127.0.0.1:1"
UP = {
    "url": NOBODY,
    "pid": os.getpid(),
    "region": "us-east-1",
    "account": "123456789012",
    "accessKeyId": "AKIA",
    "secretAccessKey": "secret",
}


def announce(**changes: object) -> None:
    UP_FILE.parent.mkdir(exist_ok=True)
    UP_FILE.write_text(json.dumps({**UP, **changes}))


def test_the_page_of_the_commands_is_current() -> None:
    page = (ROOT / "docs" / command_reference.PAGE).read_text(encoding="utf-8")

    assert page == command_reference.page_text(), "run `make docs`"


def test_no_summary_is_cut_off_in_the_list_of_commands(signalbox: Run) -> None:
    listed = signalbox("--help")

    assert listed.code == 0
    commands = listed.stdout.partition("Commands:")[2].partition("The usual way:")[0]
    assert len(commands.strip().splitlines()) == len(COMMANDS)
    assert "..." not in commands


def test_a_misspelt_command_is_answered_with_the_nearest(signalbox: Run) -> None:
    answer = signalbox("aprove")

    assert (answer.code, answer.stdout) == (2, "")
    assert "Did you mean 'approve'?" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("status", "-e", "qa"), "'qa' is not one of"),
        (("logs", "--step", "fly"), "'fly' is not one of"),
        (("reject", "ApproveModel"), "Missing option '--reason'"),
        (("upload", "nowhere.csv"), "does not exist"),
        (("up", "--port", "70000"), "70000 is not in the range"),
        (("up", "--time-scale", "0"), "0 is not in the range"),
        (("status", "-n", "0"), "0 is not in the range"),
    ],
)
def test_wrong_usage_is_exit_code_2(signalbox: Run, arguments: tuple[str, ...], said: str) -> None:
    answer = signalbox(*arguments)

    assert answer.code == 2
    assert said in " ".join(answer.stderr.split())


def test_without_a_laptop_local_says_how_to_get_one(signalbox: Run) -> None:
    for command in (("status", "--local"), ("env",)):
        answer = signalbox(*command)

        assert answer.code == 5
        assert "signalbox up" in answer.stderr


def test_a_laptop_that_was_killed_is_not_taken_for_one_that_is_up(signalbox: Run) -> None:
    announce(pid=2**22 + 1)  # above the largest process id of Linux

    assert signalbox("env").code == 5


def test_the_announced_laptop_is_exported_for_a_shell(signalbox: Run) -> None:
    announce()

    assert f"export AWS_ENDPOINT_URL={NOBODY}" in signalbox("env").stdout.splitlines()


def test_nobody_answering_is_exit_code_5(signalbox: Run) -> None:
    announce()

    answer = signalbox("status", "--local")

    assert answer.code == 5
    assert NOBODY in answer.stderr


def test_aws_without_a_region_or_credentials_is_exit_code_5(signalbox: Run) -> None:
    assert "--region" in signalbox("status").stderr
    answer = signalbox("status", "--region", "eu-west-1")

    assert answer.code == 5
    assert "no AWS credentials" in answer.stderr


@pytest.mark.parametrize(("text", "app"), [('app = "acme"', "acme"), (None, "signalbox")])
def test_the_app_is_the_one_of_the_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, app: str
) -> None:
    in_checkout(monkeypatch, tmp_path, text)

    assert app_here() == app


def test_a_checkout_that_does_not_say_its_app_is_told(
    signalbox: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_checkout(monkeypatch, tmp_path, 'checks = "check"')

    answer = signalbox("status")

    assert answer.code == 1
    assert "delivery/environments/shared.toml: app: missing; write" in answer.stderr


def in_checkout(monkeypatch: pytest.MonkeyPatch, folder: Path, shared: str | None) -> None:
    """A folder whose settings are the ones given, or that has none."""
    monkeypatch.delenv("SIGNALBOX_SETTINGS")
    monkeypatch.chdir(folder)
    if shared is not None:
        (folder / "delivery" / "environments").mkdir(parents=True)
        (folder / "delivery" / "environments" / "shared.toml").write_text(shared)


def test_prod_is_never_destroyed_without_saying_so(signalbox: Run) -> None:
    answer = signalbox("destroy", "-e", "prod", "--yes", "--endpoint-url", NOBODY)

    assert answer.code == 1
    assert "--allow-prod" in answer.stderr


def test_outside_the_repository_a_demo_says_what_is_missing(signalbox: Run) -> None:
    answer = signalbox("demo")

    assert answer.code == 1
    assert "manifest.json" in answer.stderr


def test_a_demo_of_an_unknown_workload_asks_for_data(signalbox: Run, tmp_path: Path) -> None:
    diabetes = ROOT / "workloads" / "diabetes"
    for path in diabetes.glob("*.*"):
        (tmp_path / path.name).write_text(path.read_text().replace('"diabetes"', '"sugar"'))

    assert "--data FILE" in signalbox("demo", "--workload", str(tmp_path)).stderr


FLAT = {"ModelName": "Churn-2023", "TrainingInstanceType": "ml.m5.large", "EndpointType": "Batch"}


def test_import_prints_a_manifest_that_is_complete(signalbox: Run, tmp_path: Path) -> None:
    flat = tmp_path / "flat.json"
    flat.write_text(json.dumps(FLAT))

    answer = signalbox("import", str(flat))

    assert answer.code == 0
    assert json.loads(answer.stdout)["name"] == "churn"
    assert "left out ModelName" in answer.stderr


def test_import_never_writes_over_a_file(signalbox: Run, tmp_path: Path) -> None:
    flat = tmp_path / "flat.json"
    flat.write_text(json.dumps(FLAT))

    first = signalbox("import", str(flat), "--out", "manifest.json")
    second = signalbox("import", str(flat), "--out", "manifest.json")
    nowhere = signalbox("import", str(flat), "--out", "no/manifest.json")

    assert (first.code, second.code, nowhere.code) == (0, 1, 1)
    assert "exists already" in second.stderr
    assert "no/manifest.json: no such file" in nowhere.stderr


def test_local_wins_over_an_endpoint_which_wins_over_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    announce()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://variable")
    place = {"region": None, "environment": "dev", "app": "signalbox"}

    def url(*, local: bool, endpoint_url: str | None) -> str | None:
        return resolve_target(local=local, endpoint_url=endpoint_url, **place).endpoint_url

    assert url(local=True, endpoint_url="http://option") == NOBODY
    assert url(local=False, endpoint_url="http://option") == "http://option"
    assert url(local=False, endpoint_url=None) == "http://variable"
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert url(local=False, endpoint_url=None) is None
