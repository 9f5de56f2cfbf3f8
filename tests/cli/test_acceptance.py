"""What an acceptance compares, and the files by which one job of a CI tells the next."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from signalbox.serving import Deployment, DeploymentStatus, ServingRecord, serving, taken_down
from signalbox_cli import acceptance, acceptance_evidence
from signalbox_cli.acceptance_evidence import Check, Evidence
from signalbox_cli.acceptance_predictions import Probe, compare
from signalbox_cli.console import Output
from signalbox_cli.errors import CommandError
from signalbox_cli.target import Target, Wiring

ROOT = Path(__file__).parents[2]
ARN = "arn:aws:sagemaker:us-east-1:210987654321:model-package/signalbox-staging-x-acceptance/4"
TRAINED = Evidence(
    environment="staging",
    workload="diabetes-acceptance",
    commit="4f2a",
    run_id="261121-093005-b8dd2b",
    execution_id="c2be966a",
    model_package_arn=ARN,
    link="https://example.org/it's here",
    metrics={"regression_metrics.rmse.value": 56.5},
    reasons=("rmse is 56.5, as asked: at most 65",),
)
PASSED = Check("endpoint", rows=50)


def probe(*predictions: str, tolerance: float = 1e-6) -> Probe:
    rows = tuple("1,2" for _ in predictions)
    return Probe(rows, predictions, "text/csv", "text/csv", tolerance)


def test_answers_within_the_tolerance_agree() -> None:
    """1e-6 relative where a prediction is above 1: 151.0001 is 6.6e-7 from 151."""
    check = compare("endpoint", probe("151.0", "2.0"), ["151.0001", "2.0"])

    assert check.is_passed
    assert check.largest_difference == pytest.approx(0.0001 / 151, rel=1e-6)


def test_every_row_that_differs_is_counted_and_the_first_are_shown() -> None:
    answers = ["1.0", *(f"{number}.5" for number in range(2, 10))]

    check = compare("batch transform", probe(*(f"{n}.0" for n in range(1, 10))), answers)

    assert not check.is_passed
    assert (check.rows, check.differing, len(check.examples)) == (9, 8, 5)
    assert check.examples[0] == "row 2: 2.5, the evaluation predicted 2.0"
    assert check.headline == "batch transform: 8 of 9 rows are answered otherwise"


@pytest.mark.parametrize("answers", [[], ["1.0"], ["1.0", "2.0", "3.0"]])
def test_another_number_of_answers_is_a_fault(answers: list[str]) -> None:
    check = compare("endpoint", probe("1.0", "2.0"), answers)

    assert check.fault == f"{len(answers)} predictions for 2 rows"
    assert not check.is_passed


@pytest.mark.parametrize(
    ("checks", "passed", "word"),
    [
        ((), None, "trained in staging"),
        ((PASSED, Check("batch", rows=50)), True, "passed in staging"),
        ((PASSED, Check("batch", rows=50, differing=1)), False, "FAILED in staging"),
        ((PASSED, Check("batch", fault="refused")), False, "FAILED in staging"),
        ((PASSED, Check("batch", rows=0)), False, "FAILED in staging"),
    ],
)
def test_all_checks_have_to_pass(checks: tuple[Check, ...], passed: bool | None, word: str) -> None:
    found = TRAINED.with_checks(checks)

    assert found.document()["passed"] is passed
    assert found.summary.startswith(f"{word}: diabetes-acceptance, commit 4f2a, run 261121-")


def test_the_next_job_reads_what_this_one_wrote(tmp_path: Path) -> None:
    acceptance_evidence.write(TRAINED, tmp_path / "new")

    assert acceptance_evidence.read(tmp_path / "new", "staging") == TRAINED


def test_a_shell_can_source_the_variables_whatever_they_hold(tmp_path: Path) -> None:
    acceptance_evidence.write(TRAINED.with_checks((PASSED,)), tmp_path)
    file = shlex.quote(str(tmp_path / "acceptance.env"))

    printed = subprocess.run(
        ["sh", "-c", f'. {file}; printf "%s" "$ACCEPTANCE_LINK"'],
        capture_output=True,
        text=True,
        check=True,
    )

    assert printed.stdout == "https://example.org/it's here"


def test_a_summary_fits_into_an_approval() -> None:
    """CodePipeline takes 512 characters, in one line."""
    found = TRAINED.with_checks((Check("endpoint", fault="long\n" * 400),))

    assert len(found.summary) == 500
    assert "\n" not in found.summary


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, r"does not exist; `signalbox acceptance train"),
        ("{", "is not what `signalbox acceptance train` writes"),
        ("{}", "is not what `signalbox acceptance train` writes"),
        (json.dumps({**TRAINED.document(), "environment": "dev"}), "is of environment dev, not st"),
    ],
)
def test_evidence_that_cannot_be_used_says_what_to_do(
    tmp_path: Path, content: str | None, complaint: str
) -> None:
    if content is not None:
        (tmp_path / "acceptance.json").write_text(content)

    with pytest.raises(CommandError, match=complaint):
        acceptance_evidence.read(tmp_path, "staging")


def test_evidence_of_another_workload_is_refused() -> None:
    with pytest.raises(CommandError, match=r"is of diabetes-acceptance and .*breast_cancer is"):
        acceptance.check_workload(ROOT / "workloads" / "breast_cancer", TRAINED)


def environment(path: str) -> Target:
    """staging, with a promotion path of its own; a call to AWS would fail."""
    target = Target(environment="staging", endpoint_url="http://127.0.0.1:9")
    target._memo["wiring"] = Wiring(*"abcdefg", promotion_path=path)
    return target


def test_an_environment_that_promotes_is_refused_before_anything_is_released() -> None:
    """Its approvals would take the test's model to the next environment."""
    target = environment('[{"environment": "prod"}]')

    with pytest.raises(CommandError, match=r"promotes every version .* to prod"):
        acceptance.train(
            target, ROOT / "workloads/diabetes", data=None, commit="", output=Output(quiet=True)
        )


def test_a_workload_without_data_is_refused_before_anything_is_released(tmp_path: Path) -> None:
    manifest = {"schemaVersion": "1", "name": "mine", "problem": "regression"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(CommandError, match=r"no sample data for the workload 'mine'.*--data FILE"):
        acceptance.train(
            environment("[]"), tmp_path, data=None, commit="", output=Output(quiet=True)
        )


@pytest.mark.parametrize(
    ("name", "tried"),
    [
        ("breast-cancer", "breast-cancer-acceptance"),
        ("a" * 31, "a" * 20 + "-acceptance"),
        ("twenty-characters-to-here", "twenty-characters-to-acceptance"),
    ],
)
def test_a_workload_is_tried_under_a_name_of_at_most_31_characters(name: str, tried: str) -> None:
    assert acceptance.acceptance_name(name) == tried
    assert len(tried) <= 31


def test_an_endpoint_taken_down_serves_nothing_and_keeps_its_history() -> None:
    deployed: dict[str, Any] = {
        "at": "2026-11-21T09:30:05Z",
        "run_id": "r",
        "model_package_arn": ARN,
        "version": 4,
        "endpoint_config": "config",
        "model": "model",
    }
    record = ServingRecord(
        endpoint="e",
        deployments=[
            Deployment(key="1", status=DeploymentStatus.ROLLED_BACK, **deployed),
            Deployment(key="2", status=DeploymentStatus.SERVING, **deployed),
        ],
    )

    down = taken_down(record, "acceptance is over")

    assert serving(down) is None
    assert [one.status.value for one in down.deployments] == ["rolled-back", "superseded"]
    assert taken_down(down, "again") == down
