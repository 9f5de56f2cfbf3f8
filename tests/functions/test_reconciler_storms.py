"""Events of the registry doubled, shuffled, late and lost, then one run of the reconciler.

The storms are those of the promotion; here the whole function makes good what is lost.
"""

from datetime import UTC, datetime

import pytest
from hypothesis import given

from functions import reconciler
from tests.functions.test_promotion_storms import (
    STORM,
    Storm,
    assert_worth_looking_at,
    check,
    snapshot,
    storms,
    undecided,
    weathered,
)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_next_run_brings_every_storm_to_the_same_end(world, workload, author):
    beginning = undecided(world, workload, author)
    seen: list[Storm] = []

    @STORM
    @given(storms())
    def hold(storm: Storm) -> None:
        seen.append(storm)
        world, arn = weathered(beginning, storm)
        reconciler.reconcile(datetime.now(UTC), owner="one")

        check(world, arn, storm.words[-1])
        before = snapshot(world, arn)
        reconciler.reconcile(datetime.now(UTC), owner="two")
        assert snapshot(world, arn) == before

    hold()

    assert_worth_looking_at(seen)
