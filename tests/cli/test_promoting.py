"""A promotion started by hand: exactly this version, once, and what is known of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from signalbox_cli import explaining, models, promoting
from signalbox_cli.errors import CommandError, NotFoundError, RunFailed
from signalbox_cli.target import Target
from tests.cli.serving_world import GROUP, World, arn

EVALUATION = {"regression_metrics": {"rmse": {"value": 54.123456}, "r2": {"value": 0.5}}}


@pytest.fixture
def world(target: Target, monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    """Makes worlds with two approved versions, of which version 2 serves."""
    monkeypatch.setattr("time.sleep", lambda _s: None)

    def make(**changes: Any) -> World:
        made = World(target=target, **changes)
        made.attach()
        made.put_record("superseded", "serving")
        bucket = target.client("s3")
        for name in (
            f"promotions/{GROUP}/1.json",
            f"promotions/{GROUP}/2.json",
            "evaluation/2.json",
        ):
            bucket.delete_object(Bucket="workflow", Key=name)
        return made

    return make


def put_promotion(world: World, version: int, **targets: dict[str, Any]) -> None:
    record = {"schemaVersion": "1", "modelPackageArn": arn(version), "targets": targets}
    world.put(f"promotions/{GROUP}/{version}.json", json.dumps(record).encode())


@pytest.mark.parametrize("name", ["diabetes/1", "diabetes:1", "1", arn(1), f"{GROUP}/1"])
def test_a_version_is_found_by_every_name_it_goes_by(world, name):
    assert models.named_version(world().target, name).arn == arn(1)


@pytest.mark.parametrize("name", ["diabetes/7", "7", "unknown/1", "diabetes"])
def test_an_unknown_version_is_answered_with_what_to_do(world, name):
    with pytest.raises(NotFoundError, match=r"signalbox models|The newest: diabetes/2"):
        models.named_version(world().target, name)


def start(world: World, version: int = 1, to: str = "staging") -> promoting.Promotion:
    found = models.named_version(world.target, f"diabetes/{version}")
    promoting.check(world.target, found, to)
    return promoting.start(world.target, found, to)


def test_exactly_the_named_version_goes_to_exactly_the_named_environment(world):
    made = world()

    started = start(made)

    (execution,) = made.executions.values()
    assert json.loads(execution["input"]) == {"modelPackageArn": arn(1), "to": ["staging"]}
    assert started.is_new


def test_the_same_command_while_it_runs_finds_the_same_promotion(world):
    made = world()
    first = start(made)

    second = start(made)

    assert (second.execution, second.is_new) == (first.execution, False)
    assert len(made.executions) == 1


def test_after_it_has_failed_the_same_command_starts_another(world):
    made = world()
    first = start(made)
    made.executions[first.execution]["status"] = "FAILED"

    second = start(made)

    assert second.is_new
    assert second.execution != first.execution


def test_a_promotion_that_an_approval_started_is_followed_and_not_doubled(world):
    made = world()
    running = "arn:aws:states:us-east-1:123456789012:execution:signalbox-dev-promotion:by-event"
    made.executions[running] = {"status": "RUNNING"}
    put_promotion(made, 1, staging={"status": "registered", "by": running})

    assert start(made).execution == running


@pytest.mark.parametrize(
    ("approval", "mark", "to", "said"),
    [
        ("PendingManualApproval", "", "staging", "only an approved version is promoted"),
        ("Rejected", "", "staging", "is Rejected"),
        ("Approved", "2026-11-21T10:00:00Z drifts", "staging", "was rolled back .2026-11-21"),
        ("Approved", "", "dev", "does not lead to dev: it leads to staging, prod"),
    ],
)
def test_what_must_not_be_promoted_is_refused_before_anything_starts(
    world, approval, mark, to, said
):
    made = world()
    made.approvals[1] = approval
    made.metadata[1] = {"rolled_back": mark} if mark else {}

    with pytest.raises(CommandError, match=said):
        start(made, to=to)

    assert made.executions == {}


def follow(world: World, status: str, **more: Any) -> list[str]:
    started = start(world)
    world.executions[started.execution] |= {"status": status, **more}
    said: list[str] = []
    promoting.follow(world.target, started, said.append)
    return said


def test_following_says_what_it_is_at_and_how_to_approve_where_it_waits(world):
    made = world()
    put_promotion(made, 1, staging={"status": "waiting", "modelPackageArn": "arn:there/9"})

    said = follow(made, "SUCCEEDED")

    assert "  Verify" in said
    assert "staging: waiting" in said
    assert any("--model-package-arn arn:there/9" in line for line in said)


def test_a_promotion_that_fails_says_why_and_that_nothing_has_changed(world):
    with pytest.raises(RunFailed, match=r"digest differs.*serves on") as failed:
        follow(world(), "FAILED", error="PromotionRefused", cause="the digest differs")

    assert failed.value.exit_code == 4


def test_a_promotion_that_was_rolled_back_is_not_to_be_repeated(world):
    with pytest.raises(RunFailed, match=r"EndpointRolledBack: an alarm.*release a better version"):
        follow(world(), "FAILED", error="EndpointRolledBack", cause="an alarm")


def test_a_rollback_in_a_target_is_explained_by_its_name(world):
    made = world()
    entry = {"status": "failed", "error": "EndpointRolledBack", "cause": "an alarm fired"}
    put_promotion(made, 2, staging=entry)

    story = explaining.version_story(made.target, models.named_version(made.target, "diabetes/2"))

    assert "           EndpointRolledBack: an alarm fired" in story
    assert story[-1] == "It was rolled back in staging. Next: release a better version."


def test_models_show_what_was_measured_and_where_each_is_in_use(world):
    made = world()
    made.put("evaluation/2.json", json.dumps(EVALUATION).encode())
    put_promotion(made, 2, staging={"status": "promoted"}, prod={"status": "waiting"})

    newest, oldest = (models.standing(made.target, v) for v in models.versions(made.target))

    assert newest.shown_metrics == "rmse 54.12 r2 0.5"
    assert newest.shown_places == "dev: serving, staging: promoted, prod: waiting"
    assert (oldest.shown_metrics, oldest.shown_places) == ("-", "dev: superseded")


def test_a_version_is_explained_with_what_comes_next(world):
    made = world()
    put_promotion(
        made,
        2,
        staging={"status": "promoted", "at": "2026-11-21T10:00:00Z"},
        prod={"status": "failed", "cause": "the key refuses"},
    )

    story = explaining.version_story(made.target, models.named_version(made.target, "diabetes/2"))

    text = "\n".join(story)
    assert "Promotion path: dev -> staging -> prod" in text
    assert "staging  promoted since 2026-11-21T10:00:00Z: is in use there" in text
    assert "the key refuses" in text
    assert story[-1] == f"Next: signalbox promote {GROUP}/2 --to prod"
    assert "signalbox rollback diabetes --reason WHY" in text


@pytest.mark.parametrize(
    ("approval", "metadata", "last"),
    [
        ("PendingManualApproval", {}, "Next: approve or reject it; approval starts its promotion."),
        ("Rejected", {}, "It was rejected and is not promoted. Next: release a better version."),
        ("Approved", {"rolled_back": "x"}, "Next: release a better version."),
        ("Approved", {}, f"Next: signalbox promote {GROUP}/2 --to staging"),
    ],
)
def test_what_comes_next_follows_from_the_decision(world, approval, metadata, last):
    made = world()
    made.approvals[2], made.metadata[2] = approval, metadata

    story = explaining.version_story(made.target, models.named_version(made.target, "diabetes/2"))

    assert story[-1] == last
