"""What `signalbox demo-delivery` refuses before it starts anything, and how it reads a run."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from delivery.settings import load
from signalbox_cli.console import Output
from signalbox_cli.delivery_runs import DeliveryRun, _action
from signalbox_cli.demo_commits import settings_files
from signalbox_cli.demo_delivery import SCRIPT, DeliveryDemo
from signalbox_cli.errors import CommandError, RunFailed
from tests.contracts.repository import SETTINGS

ROOT = Path(__file__).parents[2]
BEGUN = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)


def told(stage: str, status: str = "Succeeded", **result: Any) -> dict[str, Any]:
    """An action as ListActionExecutions tells it, 90 s long."""
    return {
        "stageName": stage,
        "actionName": stage,
        "status": status,
        "startTime": BEGUN,
        "lastUpdateTime": BEGUN + timedelta(seconds=90),
        "output": {"executionResult": result},
    }


def test_another_workload_cannot_be_made_faulty(tmp_path: Path) -> None:
    target = tmp_path / SCRIPT
    target.parent.mkdir(parents=True)
    target.write_text("def model_fn(model_dir):\n    return None\n")

    with pytest.raises(CommandError, match="is not the script that this story makes faulty"):
        DeliveryDemo(tmp_path, "lint", Output(quiet=True))


def test_the_workload_of_this_checkout_can(tmp_path: Path) -> None:
    target = tmp_path / SCRIPT
    target.parent.mkdir(parents=True)
    shutil.copy(ROOT / SCRIPT, target)

    DeliveryDemo(tmp_path, "lint", Output(quiet=True))


def test_settings_without_staging_are_told_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(SETTINGS, tmp_path / "environments"))
    (folder / "staging.toml").unlink()
    text = (folder / "dev.toml").read_text(encoding="utf-8")
    (folder / "dev.toml").write_text(text.replace('"staging"', '"prod"'), encoding="utf-8")
    monkeypatch.setenv("SIGNALBOX_SETTINGS", str(folder))

    with pytest.raises(CommandError, match=r"no staging\.toml"):
        DeliveryDemo(ROOT, "lint", Output(quiet=True))


def test_a_story_s_commit_says_where_it_goes_on_the_laptop() -> None:
    found = settings_files(load(SETTINGS))

    assert 'account = "210987654321"' in found["delivery/environments/staging.toml"].replace(
        '"account"', "account"
    )
    assert "[staging.deploy.parameters]" in found["samconfig.toml"]


def test_an_action_has_its_length_and_its_cause() -> None:
    found = _action(told("Build", "Failed", errorDetails={"message": "exit status 2"}))

    assert (found.seconds, found.cause) == (90.0, "exit status 2")
    assert _action(told("Build")).cause == ""


def test_a_run_that_never_came_to_a_stage_says_so() -> None:
    run = DeliveryRun("9da7", "Failed", (_action(told("Source")), _action(told("Build"))))

    assert not run.waits
    assert run.action("Build").stage == "Build"
    with pytest.raises(RunFailed, match="9da7 is Failed and never came to Approval"):
        run.action("Approval")
