"""A person promotes by hand: three accounts, the command's own process."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios import exercise_reconciler
from tests.scenarios import promotion_stories as three
from tests.scenarios.promotion_stories import Environments

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def all_three() -> Iterator[Environments]:
    """dev, staging and prod of one laptop."""
    with three.three_environments() as served:
        yield served


def test_a_version_whose_approval_nobody_heard_of_is_promoted_by_hand_to_one_environment(
    all_three: Environments, tmp_path: Path
) -> None:
    dev = all_three.dev
    three.put_sample(dev, tmp_path)
    with exercise_reconciler.lost(dev, "model-decided"), exercise_reconciler.asleep(dev):
        _, arn = three.release(dev, {**three.STANDING, "inference": {"mode": "none"}})
        three.decide(dev, arn, "Approved")

        done = dev.signalbox("promote", "diabetes/1", "--to", "staging", "--json", check=False)

        assert done.returncode == 0, done.stderr
        (newest,) = json.loads(dev.signalbox("models", "diabetes", "--json").stdout)
        story = dev.signalbox("explain", "diabetes/1").stdout

    assert json.loads(done.stdout)["status"] == "SUCCEEDED"
    assert newest["serves"] == {"staging": "promoted"}
    assert "Promotion path: dev -> staging -> prod" in story
    assert "Next: signalbox promote signalbox-dev-diabetes/1 --to prod" in story


def test_the_reconciler_promotes_what_nobody_heard_of(
    all_three: Environments, tmp_path: Path
) -> None:
    """Within its next run; prod waits for its person, as the path says."""
    dev = all_three.dev
    three.put_sample(dev, tmp_path)
    with exercise_reconciler.lost(dev, "model-decided"):
        _, arn = three.release(dev, {**three.STANDING, "inference": {"mode": "none"}})
        three.decide(dev, arn, "Approved")
        exercise_reconciler.reconcile(dev)
        three.await_status(dev, arn, "prod", "waiting")

    assert "waits for a person" in dev.signalbox("explain", "diabetes/2").stdout
