"""What people are told of a run's jobs: what they printed last and what they are worth."""

import json

import pytest

from signalbox_cli.inbox import await_letter
from tests.scenarios import stories
from tests.scenarios.conftest import Laptop


@pytest.mark.slow
def test_a_failed_script_s_last_lines_are_in_the_mail_about_it(served: Laptop) -> None:
    script = "print('reading rows')\nraise SystemExit('no column target in data.csv')"
    run = stories.run_to_end(served, stories.smallest(train_py=script))

    letter = await_letter(run.run_id, "failed", stories.PATIENCE_S)

    assert letter is not None
    log = letter.text.partition("The last lines of its log\n")[2].partition("\n\n")[0]
    assert "reading rows" in log
    assert "no column target in data.csv" in log
    assert "group /aws/sagemaker/TrainingJobs, streams" in letter.text
    spent = letter.text.partition("Estimated cost so far\n")[2]
    assert [line.split()[0] for line in spent.splitlines()[1:4]] == ["Preprocess", "Train", "Total"]


@pytest.mark.slow
def test_explain_estimates_what_the_run_would_have_cost_on_aws(served: Laptop) -> None:
    run = stories.run_to_end(served, stories.smallest())

    told = served.signalbox("explain", run.run_id).stdout
    document = json.loads(served.signalbox("explain", run.run_id, "--json").stdout)

    assert "The laptop bills nothing: on AWS, the same seconds would cost this." in told
    cost = document["cost"]
    assert [job["state"] for job in cost["jobs"]] == ["Preprocess", "Train", "Evaluate"]
    assert {job["instanceType"] for job in cost["jobs"]} == {"ml.m5.large"}
    seconds = sum(job["seconds"] for job in cost["jobs"])
    # 0.115 USD an hour: the price table's ml.m5.large
    assert cost["estimatedUsd"] == pytest.approx(seconds * 0.115 / 3600, rel=1e-3, abs=1e-6)
    assert cost["notEstimated"] == []
