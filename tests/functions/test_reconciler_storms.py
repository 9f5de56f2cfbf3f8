"""Events of the registry doubled, shuffled, late and lost, then one run of the reconciler.

The storms are those of the promotion (250 of them there); here the whole function makes good what
is lost, which is slower. 250 were run once, on 2026-11-21.
"""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings

from functions import reconciler
from tests.functions import gate_stories as stories
from tests.functions import promotion_world as two
from tests.functions.test_promotion_storms import (
    PATH,
    STORM,
    Storm,
    check,
    deliver,
    end_what_runs,
    snapshot,
    storms,
)


@pytest.mark.slow
@pytest.mark.timeout(600)
@given(storm=storms())
@settings(STORM, max_examples=60)
def test_the_next_run_brings_every_storm_to_the_same_end(
    fresh_world, workload, author, storm: Storm
):
    world = fresh_world()
    arn = stories.at_model_gate(world, workload, author)
    world.pipeline.gate_status = "Succeeded"
    two.put_path(PATH)
    two.keep_what_is_not_named(world.sagemaker)
    for moment, word in enumerate(storm.words):
        stories.decide_in_registry(world, arn, word, "because")
        for said, comes in storm.copies:
            if comes == moment:
                deliver(world, arn, storm.words[said], said)
        if storm.endings[moment]:
            end_what_runs(world)

    reconciler.reconcile(datetime.now(UTC), owner="one")

    check(world, arn, storm.words[-1])
    before = snapshot(world, arn)
    reconciler.reconcile(datetime.now(UTC), owner="two")
    assert snapshot(world, arn) == before
