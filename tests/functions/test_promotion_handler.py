"""promotion_handler: a version decided in the registry settles the gate that waits, once."""

import pytest

from functions import promotion_handler
from tests.functions import gate_stories as stories
from tests.functions.gate_stories import RUN, deliver, gate_event, version_event


@pytest.fixture
def version(world, workload, author):
    """The version of a run that waits at ApproveModel."""
    return stories.at_model_gate(world, workload, author)


@pytest.mark.parametrize(("status", "gate"), [("Approved", "Succeeded"), ("Rejected", "Failed")])
def test_the_gate_gets_the_decision_and_the_reason(world, version, status, gate):
    stories.decide_in_registry(world, version, status, "seen by the board")

    outcome = deliver(version_event(world, version, status))

    assert outcome == "gate settled: made"
    assert world.pipeline.gate_status == gate
    assert "seen by the board" in world.pipeline.summary


def test_the_registry_is_read_as_it_is_not_as_an_old_event_says(world, version):
    assert deliver(version_event(world, version, "Approved")) == "not decided"
    assert world.pipeline.answers == []


def test_a_change_of_metadata_alone_is_no_decision(world, version):
    stories.decide_in_registry(world, version, "Approved", "good")
    event = version_event(world, version, "Approved")
    event["detail"]["UpdatedModelPackageFields"] = ["CustomerMetadataProperties"]

    assert deliver(event) == "not a decision"
    assert world.pipeline.answers == []


def test_an_event_without_the_list_of_fields_may_be_a_decision(world, version):
    stories.decide_in_registry(world, version, "Approved", "good")
    event = version_event(world, version, "Approved")
    del event["detail"]["UpdatedModelPackageFields"]

    assert deliver(event) == "gate settled: made"


def test_a_version_of_no_run_is_left_alone(world, version):
    world.s3.delete_object(
        Bucket=promotion_handler._settings().workflow_bucket, Key=f"runs/{RUN}/manifest.json"
    )
    stories.decide_in_registry(world, version, "Approved", "good")

    assert deliver(version_event(world, version, "Approved")) == "not of a run"


def test_neither_door_answers_the_other_s_answer(world, version):
    stories.decide_in_registry(world, version, "Approved", "good")
    for _ in range(2):
        deliver(version_event(world, version, "Approved"))
        deliver(gate_event(world, "SUCCEEDED"))

    assert len(world.pipeline.answers) == 1
    assert stories.version_of(world, version) == ("Approved", "good")


def test_a_gate_that_begins_to_wait_after_the_registry_was_decided_is_settled_at_once(
    world, version
):
    stories.decide_in_registry(world, version, "Rejected", "too slow")

    assert deliver(gate_event(world, "STARTED")) == "closing made"
    assert world.pipeline.gate_status == "Failed"
    assert "too slow" in world.pipeline.summary
    assert world.told() == []
