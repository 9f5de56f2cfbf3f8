"""TwoPersonRule: whoever released a run cannot open its model gate, through whichever door."""

import pytest

from functions import update_schema
from tests.functions import gate_stories as stories
from tests.functions.gate_stories import ADA, deliver, gate_event, version_event

GRACE = "arn:aws:sts::123456789012:assumed-role/Reviewer/grace"


@pytest.fixture
def rule(monkeypatch):
    """An environment that asks for two people."""
    monkeypatch.setenv("TWO_PERSON_RULE", "true")


@pytest.fixture
def version(rule, world, workload, author):
    """The version of a run that ada released and that waits at ApproveModel."""
    stories.released_by(world, ADA)
    return stories.at_model_gate(world, workload, author)


def update(world):
    """PrepareInference runs; how its job was answered."""
    world.pipeline.answers.clear()
    update_schema.handler(world.event("update_schema"), None)
    ((kind, request),) = world.pipeline.answers
    return kind, request.get("failureDetails", {}).get("message", "")


@pytest.mark.parametrize(("who", "status"), [(ADA, "InProgress"), (GRACE, "Succeeded")])
def test_only_another_person_s_approval_in_the_registry_opens_the_gate(world, version, who, status):
    stories.decide_in_registry(world, version, "Approved", "good")
    stories.changed_by(world, who)

    deliver(version_event(world, version, "Approved"))
    deliver(gate_event(world, "STARTED"))

    assert world.pipeline.gate_status == status


def test_the_author_approving_before_the_gate_waits_does_not_open_it(world, version):
    """The gate begins to wait, and finds its version approved: by the author, as it happens."""
    stories.decide_in_registry(world, version, "Approved", "mine")
    stories.changed_by(world, ADA)

    assert deliver(gate_event(world, "STARTED")) == "ours to send"
    assert world.pipeline.answers == []


def test_the_author_may_reject(world, version):
    stories.decide_in_registry(world, version, "Rejected", "not good enough")
    stories.changed_by(world, ADA)

    assert deliver(gate_event(world, "STARTED")) == "closing made"


def test_a_manifest_that_says_automatic_is_not_a_second_person(rule, world, workload, author):
    author["approvals"] = {"approveModel": "automatic"}
    stories.at_model_gate(world, workload, author)

    assert deliver(gate_event(world, "STARTED")) == "ours to send"
    assert world.pipeline.answers == []


def test_the_author_approving_at_both_doors_is_still_one_person(world, version):
    stories.decide_in_registry(world, version, "Approved", "mine")
    stories.changed_by(world, ADA)
    stories.decide_at_gate(world, "Approved", "mine again")

    kind, message = update(world)

    assert kind == "failure"
    assert "asks for a second person (TwoPersonRule)" in message


def test_another_person_in_the_registry_makes_up_for_the_author_at_the_gate(world, version):
    stories.decide_at_gate(world, "Approved", "mine")
    assert update(world)[0] == "failure"
    stories.decide_in_registry(world, version, "Approved", "seen")
    stories.changed_by(world, GRACE)

    assert update(world)[0] == "success"


def test_another_person_at_the_gate_makes_up_for_the_author_in_the_registry(world, version):
    stories.decide_in_registry(world, version, "Approved", "mine")
    stories.changed_by(world, ADA)
    world.pipeline.caller = GRACE
    stories.decide_at_gate(world, "Approved", "seen")

    assert update(world)[0] == "success"


def test_a_gate_whose_opener_is_not_told_yet_is_not_taken_for_a_second_person(world, version):
    """The pipeline's list may be behind the pipeline."""
    kind, message = update(world)

    assert kind == "failure"
    assert "does not tell yet who opened gate ApproveModel" in message
    assert stories.version_of(world, version)[0] == "PendingManualApproval"
