"""An environment of several regions, brought up to date by a workflow: each of them, or none."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery import as_role, settings
from delivery.toml_reading import SettingsError
from tests.delivery.workflow_runner import ROOT, combinations

DELIVER = yaml.safe_load((ROOT / ".github/workflows/deliver.yml").read_text(encoding="utf-8"))


@pytest.fixture
def two_regions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The committed settings with prod in two regions."""
    folder = tmp_path / "environments"
    shutil.copytree(settings.FOLDER, folder)
    file = folder / "prod.toml"
    text = file.read_text(encoding="utf-8")
    regions = 'regions = ["us-east-1"]'
    assert regions in text
    file.write_text(text.replace(regions, 'regions = ["us-east-1", "eu-west-1"]'), "utf-8")
    monkeypatch.setenv(settings.FOLDER_VARIABLE, str(folder))
    return folder


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    assert settings.main(arguments) == 0
    return dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())


@pytest.mark.usefixtures("two_regions")
def test_each_region_is_signed_in_to_by_its_own_role(capsys: pytest.CaptureFixture[str]) -> None:
    regions = json.loads(printed(capsys, "regions", "prod")["regions"])
    told = {r: printed(capsys, "github", "prod", "--region", r) for r in regions}

    assert regions == ["us-east-1", "eu-west-1"]
    assert {r: (t["region"], t["is_home"]) for r, t in told.items()} == {
        "us-east-1": ("us-east-1", "true"),
        "eu-west-1": ("eu-west-1", "false"),
    }
    further = told["eu-west-1"]
    prod = "arn:aws:iam::345678901234:role/signalbox-prod"
    assert further["role"] == f"{prod}-github-eu-west-1"
    assert further["delivery_role"] == f"{prod}-delivery-eu-west-1"
    assert further["artifact_bucket"] == "signalbox-delivery-567890123456-eu-west-1"


@pytest.mark.usefixtures("two_regions")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prod"], "prod is delivered to us-east-1, eu-west-1: say which one of them"),
        (["prod", "--region", ""], "prod is delivered to us-east-1, eu-west-1: say which one"),
        (["prod", "--region", "eu-north-1"], "prod is not in eu-north-1, only in us-east-1, eu-w"),
        (["dev", "--region", "eu-west-1"], "dev is not in eu-west-1, only in us-east-1"),
    ],
)
def test_a_ci_that_forgets_a_region_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert settings.main(["github", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("two_regions")
def test_a_command_acts_as_the_role_of_its_region() -> None:
    prod = "arn:aws:iam::345678901234:role/signalbox-prod-delivery"

    assert as_role.role_arn("prod/delivery") == f"{prod}-us-east-1"
    assert as_role.role_arn("prod/delivery/eu-west-1") == f"{prod}-eu-west-1"
    assert as_role.region_of("prod/delivery/eu-west-1")["AWS_REGION"] == "eu-west-1"
    with pytest.raises(as_role.RoleError, match="prod is not in eu-north-1, only in us-east-1, eu"):
        as_role.role_arn("prod/delivery/eu-north-1")


@pytest.mark.parametrize(
    ("region", "called"), [("", ["dev/delivery", "dev"]), ("r-1", ["dev/delivery/r-1", "dev"])]
)
def test_make_hands_the_region_on(region: str, called: list[str]) -> None:
    command = ["make", "--dry-run", "deploy", "ENV=dev", "AS=delivery"]
    variables = {**os.environ, "REGION": region}

    done = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True
    )

    words = done.stdout.split()
    assert words[words.index("delivery.as_role") + 1] == called[0]
    rest = words[words.index("delivery.change_sets") + 2 :]
    assert rest == [called[1], *(["--region", region] if region else [])]


def test_the_workflow_delivers_to_one_region_after_the_other() -> None:
    job: dict[str, Any] = DELIVER["jobs"]["deliver"]
    outputs = {"regions": '["us-east-1", "eu-west-1"]'}
    context = {"needs": {"regions": {"result": "success", "outputs": outputs}}}

    assert combinations(job, context) == [{"region": "us-east-1"}, {"region": "eu-west-1"}]
    assert job["env"]["REGION"] == "${{ matrix.region }}"
    assert "environment" not in DELIVER["jobs"]["regions"]
    assert "permissions" not in DELIVER["jobs"]["regions"]


def test_what_is_known_of_one_region_is_not_asked_for_by_accident() -> None:
    """An environment of one region needs none named."""
    with pytest.raises(SettingsError, match="staging is not in eu-west-1"):
        settings.github_outputs(settings.load(), "staging", "eu-west-1")
    assert "is_home=true" in settings.github_outputs(settings.load(), "staging")
