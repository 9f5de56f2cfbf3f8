"""What the story of a promotion checks: each thing that must not happen ends it."""

import json
import shutil
import stat
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from delivery.settings import load
from signalbox_cli import aws_cli
from signalbox_cli.demo_promotion import check_load, check_path, load_rows
from signalbox_cli.demo_stories import FORCED, WORSE, packed_with_fault
from signalbox_cli.errors import CommandError, RunFailed
from signalbox_cli.live_load import Tally
from signalbox_cli.target import Target
from tests.contracts.repository import SETTINGS

DIABETES = Path(__file__).parents[2] / "workloads" / "diabetes"
QUIET = Tally(by_old=50)
FAULT = "ValueError: could not convert string '' to float64 at row 0, column 3."


def rollout(**more: object) -> Tally:
    """A rollout as it should be, with some of its counts replaced."""
    expected = {
        "by_old": 400,
        "by_new": 9,
        "model_errors": 3,
        "complaints": {FAULT},
        "failed_rows": {"59,2,,101"},
    }
    return Tally(**{**expected, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("dev.toml", 'promotes_to = "staging"', 'promotes_to = "prod"'),
        ("dev.toml", 'promotes_to = "staging"', ""),
        ("prod.toml", '"manual"', '"none"'),
    ],
)
def test_settings_that_lead_another_way_are_told_before_anything_is_started(
    tmp_path: Path, file: str, old: str, new: str
) -> None:
    folder = Path(shutil.copytree(SETTINGS, tmp_path / "environments"))
    text = (folder / file).read_text(encoding="utf-8")
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")

    check_path(load(SETTINGS))
    with pytest.raises(CommandError, match="SIGNALBOX_SETTINGS=tests/delivery/environments"):
        check_path(load(folder))


def test_a_rollout_in_which_only_the_fault_failed_is_accepted() -> None:
    check_load(QUIET, rollout(), QUIET)


@pytest.mark.parametrize(
    ("before", "during", "after", "complaint"),
    [
        (QUIET, rollout(unanswered=["no route"]), QUIET, "1 requests during .* no route"),
        (QUIET, rollout(), Tally(by_old=50, unanswered=["gone"]), "1 requests after .* gone"),
        (Tally(by_old=50, by_new=1), rollout(), QUIET, "before the rollout not every answer"),
        (QUIET, rollout(), Tally(by_old=50, model_errors=1), "after the rollout not every answer"),
        (QUIET, rollout(), Tally(), "after the rollout not every answer"),
        (QUIET, rollout(complaints={FAULT, "out of memory"}), QUIET, "otherwise than by the fault"),
        (QUIET, rollout(failed_rows={"59,2,32.1,101"}), QUIET, "whole rows failed"),
        (QUIET, rollout(by_old=0), QUIET, "no load that shows anything"),
        (QUIET, rollout(model_errors=0), QUIET, "no load that shows anything"),
    ],
)
def test_a_request_that_the_old_fleet_owed_ends_the_story(
    before: Tally, during: Tally, after: Tally, complaint: str
) -> None:
    with pytest.raises(RunFailed, match=complaint):
        check_load(before, during, after)


def test_every_third_row_of_the_load_lacks_a_measurement() -> None:
    rows = load_rows(["59,2,32.1,101"] * 6)

    assert rows == ["59,2,32.1,101", "59,2,32.1,101", "59,2,,101"] * 2


def test_the_faulty_workload_differs_in_one_line_of_one_file() -> None:
    with zipfile.ZipFile(BytesIO(packed_with_fault(DIABETES))) as archive:
        packed = {name: archive.read(name).decode() for name in archive.namelist()}
    files = {p.name: p.read_text() for p in DIABETES.iterdir() if p.is_file()}
    changed = {name for name in packed if packed[name] != files[name]}
    lines = packed["inference.py"].splitlines()
    before = files["inference.py"].splitlines()

    assert packed.keys() == files.keys()
    assert changed == {"inference.py"}
    assert [line for line in lines if line not in before] == ["    return float(field)"]
    assert len(lines) == len(before)


def test_another_script_is_not_made_faulty(tmp_path: Path) -> None:
    (tmp_path / "inference.py").write_text("")

    with pytest.raises(CommandError, match=r"inference.py is not the script"):
        packed_with_fault(tmp_path)


def test_the_options_fit_into_a_pipeline_variable() -> None:
    for options in (WORSE, FORCED):
        assert len(json.dumps(options, separators=(",", ":"))) <= 1000


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only `aws` there is: it prints its environment, and fails at the word `fail`."""
    script = tmp_path / "aws"
    script.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "if 'fail' in sys.argv:\n    sys.exit('An error occurred (AccessDenied)')\n"
        "print(json.dumps(dict(os.environ)))\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    return script


def test_the_stock_command_meets_the_target_and_no_other_aws(
    aws: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "somebody-elses")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "somebody-elses")
    target = Target(
        environment="prod",
        region="us-east-1",
        endpoint_url="http://127.0.0.1:1",
        access_key_id="AKIAPROD",
        secret_access_key="prod's",
    )

    seen = json.loads(aws_cli.call(target, "sts", "get-caller-identity"))

    assert aws_cli.find_aws() == str(aws)
    assert (seen["AWS_ENDPOINT_URL"], seen["AWS_ACCESS_KEY_ID"]) == (
        "http://127.0.0.1:1",
        "AKIAPROD",
    )
    assert "AWS_PROFILE" not in seen
    assert "AWS_SESSION_TOKEN" not in seen


@pytest.mark.usefixtures("aws")
def test_what_the_stock_command_complains_of_is_said() -> None:
    with pytest.raises(CommandError, match=r"`aws sagemaker fail` failed: .*AccessDenied"):
        aws_cli.call(Target(), "sagemaker", "fail")


def test_without_the_stock_command_the_story_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CommandError, match="make demo-promotion"):
        aws_cli.find_aws()
