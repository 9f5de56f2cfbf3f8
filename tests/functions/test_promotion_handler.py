"""promotion_handler: a version decided in the registry settles its gate, and is promoted, once."""

import json

import pytest

from functions import promotion_handler
from signalbox import promotion
from signalbox.aws import promotions
from signalbox.promotion import TargetRecord, TargetStatus
from tests.functions import gate_stories as stories
from tests.functions import promotion_world as two
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


# ------------------------------------------------------------------------------------ promotion


PATH = two.target_of("staging", "210987654321", "none")
MACHINE = "arn:aws:states:us-east-1:123456789012:execution:signalbox-dev-promotion"


def execution(decision: int) -> str:
    """The promotion of one decision on the version."""
    return f"{MACHINE}:signalbox-dev-diabetes-1-{decision}"


@pytest.fixture
def path(world, version):
    """A promotion path of one target."""
    two.put_path(PATH)
    two.keep_what_is_not_named(world.sagemaker)


def say(world, version, status):
    """A person decides in the registry, and its event is heard."""
    stories.decide_in_registry(world, version, status, "because")
    return hear(version_event(world, version, status))


def hear(event):
    return promotion_handler.handler(event, None)["promotion"]


def names(world):
    return [one["name"] for one in world.machines.started]


def test_without_a_path_nothing_is_promoted_or_written(world, version):
    assert say(world, version, "Approved") == "no promotion path"
    assert promotions.read(two.WORKFLOW, version) is None


def test_an_approval_starts_the_promotion_of_exactly_that_version_once(world, version, path):
    outcomes = [say(world, version, "Approved")]
    outcomes += [hear(version_event(world, version, "Approved")) for _ in range(3)]

    assert outcomes == ["promotion started", *["promotion started before"] * 3]
    (started,) = world.machines.started
    assert started["name"] == "signalbox-dev-diabetes-1-1"
    assert json.loads(started["input"]) == {"modelPackageArn": version, "decision": 1}


def test_approve_reject_approve_promotes_again(world, version, path):
    say(world, version, "Approved")
    assert say(world, version, "Rejected") == "promotion stopped"
    assert world.machines.ended[execution(1)]["error"] == "PromotionWithdrawn"

    assert say(world, version, "Approved") == "promotion started"
    assert names(world) == ["signalbox-dev-diabetes-1-1", "signalbox-dev-diabetes-1-3"]


def test_an_approval_taken_back_stops_the_promotion_too(world, version, path):
    say(world, version, "Approved")

    assert say(world, version, "PendingManualApproval") == "promotion stopped"


def test_a_promotion_that_has_reached_traffic_is_not_stopped(world, version, path):
    say(world, version, "Approved")
    entry = TargetRecord(status=TargetStatus.DEPLOYING, decision=1, by=execution(1), at="now")
    promotions.change(
        two.WORKFLOW, version, lambda known: promotion.with_target(known, "staging", entry)
    )

    assert say(world, version, "Rejected").startswith("promotion has reached traffic")
    assert world.machines.stopped == []


def test_a_rejection_whose_event_comes_after_the_next_approval_stops_nothing(world, version, path):
    say(world, version, "Approved")

    assert hear(version_event(world, version, "Rejected")) == "promotion started before"
    assert world.machines.stopped == []


def test_an_approval_said_again_after_its_promotion_failed_promotes_again_once(
    world, version, path
):
    say(world, version, "Approved")
    world.machines.end(execution(1), "FAILED", "ArtifactChanged")
    late = version_event(world, version, "Approved")
    late["detail"]["LastModifiedTime"] = "2026-11-21T10:00:01.000000Z"
    early = version_event(world, version, "Approved")
    early["detail"]["LastModifiedTime"] = "2026-11-21T09:59:59.000000Z"

    assert hear(early) == "promotion started before"
    assert [hear(late) for _ in range(2)] == ["promotion started", "promotion started before"]
    assert names(world)[-1] == "signalbox-dev-diabetes-1-2"


def test_a_stamp_in_the_registry_wakes_no_promotion(world, version, path):
    stories.decide_in_registry(world, version, "Approved", "good")
    event = version_event(world, version, "Approved")
    event["detail"]["UpdatedModelPackageFields"] = ["ModelLifeCycle", "CustomerMetadataProperties"]

    assert hear(event) == "not a decision"
    assert names(world) == []


def test_a_version_that_was_rolled_back_is_not_promoted(world, version, path):
    world.sagemaker.update_model_package(
        ModelPackageArn=version,
        CustomerMetadataProperties={"rolled_back": "2026-11-21T10:00:00Z alarm"},
    )

    assert say(world, version, "Approved") == "rolled back, not promoted"
    assert names(world) == []
