"""record_outcome on what the inference machine reports: the serving record and what follows."""

import json
from typing import Any

import pytest

from functions import create_schema, record_outcome
from signalbox.aws import serving as records
from signalbox.errors import ManifestError
from tests.functions.conftest import WORKFLOW

RUN = "261121-093005-2867b0"
ENDPOINT = "signalbox-dev-diabetes"
GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/signalbox-dev-diabetes"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:signalbox-dev-inference:inference-"
NOTHING: dict[str, Any] = {"superseded": [], "retired": [], "marks": [], "failed": []}


@pytest.fixture
def run(world, author, workload):
    """A run whose model is to be served by an endpoint."""
    author["inference"] = {"mode": "endpoint", "keep": 1}
    world.put_archive({**workload, "manifest.json": json.dumps(author)})
    create_schema.handler(world.event("create_schema"), None)
    return world


def names_of(number: int) -> dict[str, Any]:
    return {
        "endpoint": ENDPOINT,
        "endpointConfig": f"config-{number}",
        "model": f"model-{number}",
        "modelPackageArn": f"{GROUP}/{number}",
    }


def report(world: Any, status: str, number: int, detail: dict[str, Any]) -> dict[str, Any]:
    event = world.event("record_outcome") | {
        "phase": "inference",
        "status": status,
        "execution": f"{EXECUTION}{number}",
        "detail": detail,
    }
    answer: dict[str, Any] = record_outcome.handler(event, None)
    return {key: value for key, value in answer.items() if key != "recorded"}


def serves(world: Any, number: int) -> dict[str, Any]:
    return report(world, "succeeded", number, names_of(number))


def fails(world: Any, number: int, cause: str, status: str = "failed") -> dict[str, Any]:
    detail = {"error": "E", "cause": cause, "deployment": names_of(number)}
    return report(world, status, number, detail)


def recorded() -> list[tuple[int, str]]:
    found = records.read(WORKFLOW, ENDPOINT).deployments
    return [(one.version, one.status.value) for one in found]


def test_a_version_that_serves_supersedes_the_one_before(run):
    first, second = serves(run, 1), serves(run, 2)

    assert first == NOTHING
    assert second == NOTHING | {"superseded": [f"{GROUP}/1"]}
    assert recorded() == [(1, "superseded"), (2, "serving")]
    (_, last) = records.read(WORKFLOW, ENDPOINT).deployments
    assert (last.endpoint_config, last.model, last.run_id) == ("config-2", "model-2", RUN)
    assert last.by == f"{EXECUTION}2"


def test_a_report_told_again_has_the_same_answer_and_changes_nothing(run):
    serves(run, 1)
    first, second = serves(run, 2), serves(run, 2)

    assert first == second
    assert len(recorded()) == 2


def test_configs_beyond_the_count_are_named_for_deletion(run):
    for number in range(1, 4):
        serves(run, number)

    assert serves(run, 4)["retired"] == [
        {"config": "config-2", "model": "model-2"},
        {"config": "config-1", "model": "model-1"},
    ]


def test_a_version_that_was_rolled_back_is_marked(run):
    serves(run, 1)

    answer = fails(run, 2, 'alarm "errors" fired', "rolled-back")

    (mark,) = answer["marks"]
    assert mark.endswith("Z alarm errors fired")
    assert answer["failed"] == []
    assert recorded() == [(1, "serving"), (2, "rolled-back")]


@pytest.mark.parametrize(
    "cause",
    [
        "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity",
        "The account-level service limit 'ml.m5.large' Quota was reached",
    ],
)
def test_a_version_for_which_there_was_no_room_may_come_again(run, cause):
    answer = fails(run, 1, f"Endpoint e was rolled back. Reason: {cause}", "rolled-back")

    assert answer == NOTHING | {"failed": [f"{GROUP}/1"]}


def test_a_name_with_such_a_word_in_it_is_no_reason(run):
    said = "Endpoint signalbox-dev-capacity was rolled back. Reason: alarm fired"

    assert fails(run, 1, said, "rolled-back")["marks"]


def test_a_failure_of_the_version_that_serves_leaves_its_stamps(run):
    serves(run, 1)
    names = names_of(2) | {"modelPackageArn": f"{GROUP}/1"}

    answer = report(run, "rolled-back", 2, {"cause": "alarm", "deployment": names})

    assert answer == NOTHING


def test_a_failure_before_anything_was_made_is_no_deployment(run):
    answer = report(run, "failed", 1, {"error": "E", "cause": "denied", "deployment": {}})

    assert answer == NOTHING
    assert recorded() == []


def test_a_training_is_told_which_version_serves(run):
    run.s3.put_object(Bucket=WORKFLOW, Key=f"runs/{RUN}/source/rows.csv", Body=b"age\n1\n")
    start = run.event("record_outcome")
    before = record_outcome.handler(start, None)
    serves(run, 7)
    after = record_outcome.handler(start, None)

    assert (before["champion"], after["champion"]) == ([], [f"{GROUP}/7"])


def test_a_run_of_an_earlier_signalbox_is_refused_with_what_to_do(run):
    key = f"runs/{RUN}/manifest.json"
    manifest = run.manifest(RUN)
    del manifest["steps"]["inference"]["rollout"]
    run.s3.put_object(Bucket=WORKFLOW, Key=key, Body=json.dumps(manifest).encode())

    with pytest.raises(ManifestError, match="release the workload again"):
        report(run, "started", 1, {})
