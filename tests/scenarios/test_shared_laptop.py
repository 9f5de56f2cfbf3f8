"""The laptop that all stories share: what one of them leaves does not hold up the others."""

import pytest

from tests.scenarios import stories
from tests.scenarios.conftest import Laptop, stop_unfinished_runs

MANUAL = {**stories.MANIFEST["approvals"], "approveModel": "manual"}


@pytest.mark.slow
def test_runs_that_a_story_leaves_do_not_hold_up_the_next(served: Laptop) -> None:
    waits, queued = (
        stories.start(served, stories.with_manifest(approvals=MANUAL)) for _ in range(2)
    )
    stories.await_stage(served, waits, "ApproveModel")

    stop_unfinished_runs(served)
    after = stories.run_to_end(served, stories.smallest())

    assert after.status == "Succeeded"
    assert [stories.await_end(served, left).status for left in (waits, queued)] == ["Stopped"] * 2
