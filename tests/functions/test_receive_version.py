"""receive_version: what a target does about a version that another environment registered there."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from functions import receive_version
from signalbox import registration
from signalbox.aws import runs
from signalbox.errors import PromotionRefused
from tests.functions import gate_stories as stories
from tests.functions import promotion_world as two
from tests.functions.conftest import WORKFLOW
from tests.functions.gate_stories import RUN

GROUP = "signalbox-dev-diabetes"
HOME = "arn:aws:sagemaker:us-east-1:123456789012:model-package/signalbox-home-diabetes/3"
WITHDRAWN = "Withdrawn in dev by decision 2: it is Rejected there"
PROMOTED = {"source_arn": HOME, "image_digest": two.DIGEST}


@pytest.fixture
def register(world):
    """Register a version with this metadata, pending; its ARN."""
    two.keep_what_is_not_named(world.sagemaker)
    world.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    return lambda metadata: two.version(world, metadata)


def ask(arn, step):
    request = {"step": step, "modelPackageArn": arn, "reason": "Approved in dev: good"}
    return receive_version.handler(request, None)


def status(world, arn):
    found = world.sagemaker.describe_model_package(ModelPackageName=arn)
    return found["ModelApprovalStatus"], found.get("ApprovalDescription", "")


def ask_people(monkeypatch):
    monkeypatch.setenv("PROMOTION_APPROVAL", "manual")
    receive_version._settings.cache_clear()


def test_where_nobody_is_asked_the_approval_at_home_is_enough(world, register):
    arn = register(PROMOTED)

    answers = [ask(arn, "approve")["approval"] for _ in range(2)]

    assert answers == ["Approved", "Approved"]
    assert status(world, arn) == ("Approved", "Approved in dev: good")


def test_where_a_person_is_asked_the_promotion_cannot_approve(world, register, monkeypatch):
    ask_people(monkeypatch)
    arn = register(PROMOTED)

    assert ask(arn, "approve")["approval"] == "PendingManualApproval"
    assert status(world, arn) == ("PendingManualApproval", "")


def test_a_look_alone_approves_nothing(world, register):
    arn = register(PROMOTED)

    answer = ask(arn, "check")

    assert answer["approval"] == "PendingManualApproval"
    assert answer["foundDigest"] == two.DIGEST
    assert status(world, arn)[0] == "PendingManualApproval"


@pytest.mark.parametrize("word", ["Approved", "Rejected"])
def test_what_a_person_has_said_here_stands(world, register, word):
    arn = register({**PROMOTED, "image_digest": "sha256:another"})
    two.decide(world, arn, word)

    assert ask(arn, "approve")["approval"] == word
    assert status(world, arn) == (word, "good")


@pytest.mark.parametrize("step", ["check", "approve"])
@pytest.mark.parametrize("wanted", ["sha256:another", ""])
def test_a_version_whose_image_is_not_the_approved_one_is_taken_back(
    world, register, monkeypatch, step, wanted
):
    ask_people(monkeypatch)
    arn = register({**PROMOTED, "image_digest": wanted} if wanted else {"source_arn": HOME})
    taken = []
    monkeypatch.setattr(receive_version.registry, "delete", taken.append)

    answer = ask(arn, step)

    assert (answer["isTakenBack"], taken) == (True, [arn])
    assert answer["foundDigest"] == two.DIGEST


@pytest.mark.parametrize(
    "metadata",
    [
        {"image_digest": two.DIGEST},
        {**PROMOTED, "source_arn": HOME.replace("123456789012", "999999999999")},
        {**PROMOTED, "source_arn": "123456789012"},
    ],
    ids=["made here", "from an account unknown here", "no ARN"],
)
@pytest.mark.parametrize("step", ["check", "approve"])
def test_a_version_that_no_known_account_promoted_is_left_alone(world, register, metadata, step):
    arn = register({**metadata, "image_digest": "sha256:another"})

    with pytest.raises(PromotionRefused, match="was not promoted from 123456789012"):
        ask(arn, step)

    assert status(world, arn)[0] == "PendingManualApproval"


def test_a_version_that_is_not_there_is_an_error(world, register):
    with pytest.raises(ClientError):
        ask(f"{register(PROMOTED).rpartition('/')[0]}/99", "check")


def test_the_documented_event_is_understood(world, register):
    arn = register(PROMOTED)
    event = world.event("receive_version")

    assert receive_version.handler({**event, "modelPackageArn": arn}, None)["approval"] == (
        "Approved"
    )


# -------------------------------------------------------------------------------- taking into use


@pytest.fixture
def deployable(world, workload, author):
    """A version of a promoted run, approved; its manifest as `serves` says. Answers its ARN."""
    stories.release(world, workload, {**author, "inference": {"mode": "endpoint"}})
    two.keep_what_is_not_named(world.sagemaker)
    world.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    arn = two.version(world, {**PROMOTED, "run_id": RUN})

    def make(serves=arn, status="Approved", **metadata):
        two.decide(world, arn, status, **metadata)
        uri = f"s3://{WORKFLOW}/runs/{RUN}/manifest.json"
        now = datetime(2026, 11, 21, tzinfo=UTC)
        runs.change(uri, lambda known: registration.with_serving(known, serves, at=now))
        return arn

    return make


def deploy(arn):
    request = {"step": "deploy", "modelPackageArn": arn, "executionName": "promoted-1"}
    return receive_version.handler(request, None)


def test_an_approved_version_is_taken_into_use_once_under_a_name(world, deployable):
    arn = deployable()

    for _ in range(2):
        deploy(arn)

    (started,) = world.machines.started
    assert started["name"] == "promoted-1"
    assert json.loads(started["input"])["inference"]["modelPackageArn"] == arn


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"status": "PendingManualApproval"}, "is PendingManualApproval; approve it here first"),
        ({"status": "Rejected"}, "is Rejected; approve it here first"),
        ({"rolled_back": "2026-11-21T10:00:00Z alarm"}, "rolled back"),
        ({"serves": HOME}, f"takes {HOME} into use"),
    ],
    ids=["pending", "rejected", "rolled back", "a manifest of another version"],
)
def test_what_was_not_approved_here_is_not_taken_into_use(world, deployable, given, said):
    arn = deployable(**given)

    with pytest.raises(PromotionRefused, match=said):
        deploy(arn)

    assert world.machines.started == []


def waits_again(arn, decision):
    request = {"step": "reopen", "modelPackageArn": arn, "reason": "anew", "decision": decision}
    return receive_version.handler(request, None)["approval"]


def test_only_what_was_withdrawn_by_an_earlier_decision_waits_again(world, register):
    arn = register(PROMOTED)
    withdrawal = {"step": "withdraw", "modelPackageArn": arn, "reason": WITHDRAWN}

    answers = [receive_version.handler(withdrawal, None)["isWithdrawn"] for _ in range(2)]

    assert answers == [True, False]
    assert status(world, arn) == ("Rejected", WITHDRAWN)
    assert waits_again(arn, 2) == "Rejected"
    assert waits_again(arn, 3) == "PendingManualApproval"
    assert status(world, arn) == ("PendingManualApproval", "anew")
    two.decide(world, arn, "Rejected")
    assert waits_again(arn, 9) == "Rejected"
