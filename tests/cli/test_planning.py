"""A plan is made by the rules of create_schema, and calls nothing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from signalbox.errors import ManifestError
from signalbox_cli.planning import plan
from tests.cli.conftest import ROOT, Answer

DIABETES = ROOT / "workloads" / "diabetes"


def test_a_plan_names_jobs_gates_and_what_is_left_to_defaults() -> None:
    planned = plan(DIABETES, {}, prefix="signalbox-dev", environment="dev")

    assert [job.step for job in planned.jobs] == ["preprocess", "train", "evaluate", "transform"]
    assert planned.names["endpoint"] == "signalbox-dev-diabetes"
    assert planned.gates["approveModel"] == "manual"
    assert planned.defaults["/train/instanceType"] == "ml.m5.large"
    assert "/train/script" not in planned.defaults
    assert planned.instance_hours == 4


def test_options_change_the_plan() -> None:
    options = {"inference": {"mode": "endpoint"}, "train": {"instanceCount": 2}}

    planned = plan(DIABETES, options, prefix="signalbox-dev", environment="dev")

    assert [job.step for job in planned.jobs] == ["preprocess", "train", "evaluate"]
    assert planned.instance_hours == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"train": {"scrpt": "x.py"}}, "/train/scrpt"),
        ({"train": {"script": "missing.py"}}, r'no "missing\.py"'),
        ({"name": "other"}, "/name: cannot be changed"),
    ],
)
def test_a_bad_workload_is_refused_with_the_place(options: dict[str, object], said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        plan(DIABETES, options, prefix="signalbox-dev", environment="dev")


def test_the_command_shows_defaults_in_lines_of_their_section(
    signalbox: Callable[..., Answer],
) -> None:
    shown = signalbox("plan", str(DIABETES))

    assert shown.code == 0
    lines = [line.strip() for line in shown.stdout.splitlines()]
    assert any(line.startswith("train ") and "volumeSizeGb 10" in line for line in lines)
    assert max(map(len, lines)) < 230


def test_the_command_gives_json_without_decoration(signalbox: Callable[..., Answer]) -> None:
    document = json.loads(signalbox("plan", str(DIABETES), "-e", "staging", "--json").stdout)

    assert document["names"]["modelPackageGroup"] == "signalbox-staging-diabetes"
    assert document["jobs"][1]["instanceType"] == "ml.m5.large"
    assert document["instanceHours"] == 4


def test_a_copy_under_another_name_is_a_workload_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "sugar"
    shutil.copytree(DIABETES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "name": "sugar-study"}))

    assert plan(folder, {}, prefix="p", environment="dev").names["endpoint"] == "p-sugar-study"
