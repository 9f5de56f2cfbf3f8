"""What jobs cost: billed seconds by the hour's price, and a word where there is no price."""

import pytest

from signalbox import costs
from signalbox.jobs import Job, JobKind, JobName


def job(instance_type: str, count: int, seconds: float) -> Job:
    return Job(JobName(JobKind.TRAINING, "t"), "Train", instance_type, count, seconds, True)


@pytest.mark.parametrize(
    ("instance_type", "count", "seconds", "expected_usd"),
    [
        ("ml.m5.xlarge", 1, 3600, 0.23),  # one hour: the price itself
        ("ml.m5.xlarge", 2, 3600, 0.46),  # BillableTimeInSeconds is of one instance of two
        ("ml.g4dn.xlarge", 1, 900, 0.1841),  # a quarter of 0.7364
        ("ml.m5.large", 1, 0, 0.0),
    ],
)
def test_a_job_costs_its_seconds_on_every_instance(instance_type, count, seconds, expected_usd):
    assert costs.cost_usd(job(instance_type, count, seconds)) == pytest.approx(expected_usd)


def test_a_type_without_a_price_is_named_and_the_sum_is_a_least_one():
    jobs = (job("ml.m5.xlarge", 1, 3600), job("ml.x9.huge", 1, 3600))

    lines = costs.statement(jobs)

    assert costs.total_usd(jobs) == pytest.approx(0.23)
    assert lines[2].split() == ["At", "least", "0.2300", "USD"]
    assert lines[3] == "not estimated: ml.x9.huge has no price in the table of 2026-11-21"


def test_a_run_without_a_job_has_no_estimate():
    assert costs.statement(()) == []
