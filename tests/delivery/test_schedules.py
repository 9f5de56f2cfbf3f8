"""From [schedules] of an environment's file to what the function is given."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from delivery import settings
from delivery.toml_reading import SettingsError
from localaws.deployer import intrinsics
from localaws.deployer import template as templates
from signalbox.events import read
from signalbox.schedules import ScheduledStart
from tests.contracts import repository

SCHEDULES = {"retrain": "RetrainingSchedule", "batch": "BatchInferenceSchedule"}
DUE = "2026-11-22T03:00:00Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(repository.SETTINGS, tmp_path / "environments"))


def scheduled(folder: Path, schedules: str, parameters: str = "") -> settings.Settings:
    dev = folder / "dev.toml"
    text = dev.read_text().partition("[schedules]")[0]
    text = text.replace("[parameters]", f"[parameters]\n{parameters}\n", 1)
    dev.write_text(f"{text}[schedules]\n{schedules}\n")
    return settings.load(folder)


def test_schedules_become_parameters_of_the_home_region(folder: Path) -> None:
    found = scheduled(
        folder,
        'retrain = "cron(0 3 ? * SUN *)"\nbatch = "rate(1 day)"',
        'BatchWorkloads = "diabetes,churn"',
    )

    given = settings.parameters(found, "dev")
    assert given["RetrainSchedule"] == "cron(0 3 ? * SUN *)"
    assert (given["BatchSchedule"], given["BatchWorkloads"]) == ("rate(1 day)", "diabetes,churn")
    assert "RetrainSchedule" not in settings.parameters(found, "dev", "eu-west-1")
    assert "RetrainSchedule" not in settings.parameters(found, "prod")


def test_a_schedule_of_another_name_is_refused(folder: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"schedules\.retrian: unknown key; did you mean retrain"
    ):
        scheduled(folder, 'retrian = "rate(1 day)"')


def test_a_schedule_may_not_be_written_as_a_parameter(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"parameters\.BatchSchedule: follows from"):
        scheduled(folder, "", 'BatchSchedule = "rate(1 day)"')


def given_to_the_function(kind: str, **parameters: str) -> ScheduledStart:
    document = templates.read(repository.ROOT / "template.yaml")
    defaults = {n: str(p.get("Default", "")) for n, p in document["Parameters"].items()}
    scope = scope_of(document, {**defaults, **parameters})
    target = document["Resources"][SCHEDULES[kind]]["Properties"]["Target"]
    text = str(intrinsics.resolve(target["Input"], scope))
    return read(ScheduledStart, json.loads(text.replace("<aws.scheduler.scheduled-time>", DUE)))


def scope_of(document: dict[str, Any], parameters: dict[str, str]) -> intrinsics.Scope:
    return intrinsics.Scope(
        parameters=parameters,
        pseudo={},
        mappings=document["Mappings"],
        conditions=document["Conditions"],
        resource_ref=str,
        resource_attribute=lambda name, attribute: f"{name}.{attribute}",
        resources=frozenset(document["Resources"]),
    )


def test_the_function_understands_what_a_retraining_gives_it() -> None:
    start = given_to_the_function("retrain", RetrainArchive="workloads/diabetes.zip")

    assert (start.kind, start.workloads) == ("retrain", ["auto"])
    assert start.archive == "workloads/diabetes.zip"


@pytest.mark.parametrize("names", ["diabetes", "diabetes,churn"])
def test_the_function_understands_what_a_batch_gives_it(names: str) -> None:
    start = given_to_the_function("batch", BatchWorkloads=names)

    assert (start.kind, start.workloads) == ("batch", names.split(","))
    assert start.scheduled_for.isoformat() == "2026-11-22T03:00:00+00:00"


def test_without_settings_nothing_starts_by_itself() -> None:
    document = templates.read(repository.ROOT / "template.yaml")
    parameters = {n: str(p.get("Default", "")) for n, p in document["Parameters"].items()}
    scope = scope_of(document, parameters)

    for name in SCHEDULES.values():
        assert not intrinsics.holds(document["Resources"][name]["Condition"], scope)


def test_a_batch_needs_workloads() -> None:
    rule = repository.template()["Rules"]["ABatchNeedsWorkloads"]

    assert rule["Assertions"][0]["Assert"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "BatchWorkloads"}, ""]}]
    }
