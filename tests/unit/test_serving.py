"""The serving record: what serves, where a rollback leads, what may be deleted."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox import serving
from signalbox.errors import ServingRecordError
from signalbox.serving import Deployment, DeploymentStatus, ServingRecord

NOW = datetime(2026, 11, 21, 9, 30, 5, tzinfo=UTC)
GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/signalbox-dev-diabetes"
EMPTY = ServingRecord(endpoint="signalbox-dev-diabetes")


def deployment(number: int, status: str = "serving", *, version: int | None = None) -> Deployment:
    """The deployment of a run, of the version with its number unless told."""
    of = number if version is None else version
    return Deployment(
        key=f"key-{number}",
        at="2026-11-21T09:30:05Z",
        run_id=f"run-{number}",
        model_package_arn=f"{GROUP}/{of}",
        version=of,
        endpoint_config=f"config-{number}",
        model=f"model-{number}",
        status=DeploymentStatus(status),
    )


def record_of(*deployments: Deployment) -> ServingRecord:
    record = EMPTY
    for one in deployments:
        record = serving.deployed(record, one)
    return record


def statuses(record: ServingRecord) -> list[tuple[int, str]]:
    return [(one.version, one.status.value) for one in record.deployments]


def test_what_serves_supersedes_what_served():
    record = record_of(deployment(1), deployment(2))

    assert statuses(record) == [(1, "superseded"), (2, "serving")]


@pytest.mark.parametrize("status", ["failed", "rolled-back"])
def test_a_deployment_that_did_not_succeed_leaves_what_serves(status):
    record = record_of(deployment(1), deployment(2, status))

    found = serving.serving(record)
    assert found is not None
    assert found.version == 1


def test_a_report_told_twice_and_late_is_one_deployment():
    record = record_of(deployment(1), deployment(2), deployment(1))

    assert statuses(record) == [(1, "superseded"), (2, "serving")]


def test_a_rollback_leads_past_versions_that_were_rolled_back():
    record = record_of(deployment(1), deployment(2), deployment(3))
    back = serving.last_good(record)
    assert back is not None
    record = serving.rolled_back(record, back, key="r", at=NOW, by="arn:ada", reason="errors")

    assert statuses(record) == [
        (1, "superseded"),
        (2, "superseded"),
        (3, "rolled-back"),
        (2, "serving"),
    ]
    again = serving.last_good(record)
    assert again is not None
    assert again.version == 1
    assert serving.rolled_back_versions(record) == {f"{GROUP}/3"}


def test_one_rollback_told_twice_is_one():
    record = record_of(deployment(1), deployment(2))
    once = serving.rolled_back(
        record, record.deployments[0], key="r", at=NOW, by="arn:ada", reason="errors"
    )
    twice = serving.rolled_back(
        once, record.deployments[0], key="r", at=NOW, by="arn:ada", reason="errors"
    )

    assert twice == once


def test_there_is_nothing_to_return_to_after_the_first_deployment():
    assert serving.last_good(record_of(deployment(1))) is None
    assert serving.serving(EMPTY) is None


def test_old_configs_beyond_the_count_are_retired():
    record = record_of(*map(deployment, range(1, 7)))

    assert [one.config for one in serving.retired(record, keep=3)] == ["config-2", "config-1"]


def test_the_last_good_config_is_kept_when_failures_have_filled_the_count():
    failures = [deployment(number, "failed") for number in range(3, 8)]
    record = record_of(deployment(1), deployment(2), *failures)

    gone = serving.retired(record, keep=1)

    assert [one.config for one in gone] == ["config-6", "config-5", "config-4", "config-3"]


def test_a_record_is_bounded_and_keeps_what_serves_and_what_was_good():
    failures = [deployment(number, "failed") for number in range(3, 203)]
    record = record_of(deployment(1), deployment(2), *failures)

    assert len(record.deployments) == serving.MAX_DEPLOYMENTS
    assert statuses(record)[:2] == [(1, "superseded"), (2, "serving")]
    assert record.deployments[-1].version == 202


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(list(DeploymentStatus))), max_size=40))
def test_no_order_of_deployments_retires_what_is_needed(told):
    record = record_of(
        *(deployment(n, status.value) for n, status in told if status != "superseded")
    )

    gone = {one.config for one in serving.retired(record, keep=1)}

    needed = {
        one.endpoint_config
        for one in (serving.serving(record), serving.last_good(record))
        if one is not None
    }
    assert not gone & needed
    assert [s for _, s in statuses(record)].count("serving") <= 1


def test_a_record_survives_its_own_text():
    record = record_of(deployment(1), deployment(2, "rolled-back"))

    assert serving.from_json(serving.to_json(record), source="here") == record


def test_something_else_is_no_record():
    with pytest.raises(ServingRecordError, match=r"s3://b/e\.json is no serving record: /endpoint"):
        serving.from_json(b'{"schemaVersion": "1"}', source="s3://b/e.json")


def test_a_mark_fits_the_metadata_of_a_version():
    mark = serving.rolled_back_mark(NOW, 'Alarm "x": 5 % > 1 %;\n' + "y" * 500)

    assert mark.startswith("2026-11-21T09:30:05Z Alarm x : 5 1 y")
    assert len(mark) == 256
