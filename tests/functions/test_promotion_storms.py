"""Storms over a promotion: words said in the registry, events doubled, shuffled, late and lost.

A person says something up to five times. Each word has an event, which comes once to three times,
in any order, at its own moment or any later one, or never. In between, promotions end well or not.
What is left when all is quiet, after one run of the reconciler, follows from the registry's last
word alone.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions import promotion_handler, reconciler
from signalbox import promotion
from signalbox.aws import promotions
from tests.functions import gate_stories as stories
from tests.functions import promotion_world as two
from tests.functions.beginning import Beginning
from tests.functions.gate_stories import version_event

WORDS = ("Approved", "Rejected", "PendingManualApproval")
PATH = two.target_of("staging", "210987654321", "none")
STORM = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Storm:
    """Words in the order they are said; for each event copy its word and the moment it comes."""

    words: list[str]
    copies: list[tuple[int, int]]
    endings: list[bool]
    """After each word, whether the promotions that run then come to their end."""


@st.composite
def storms(draw: st.DrawFn) -> Storm:
    """Words, and every event of them in some order, some of them lost."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5))
    copies = [
        (said, draw(st.integers(said, len(words) - 1)))
        for said in range(len(words))
        for _ in range(draw(st.integers(0, 3)))
    ]
    endings = draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    return Storm(words, draw(st.permutations(copies)), endings)


def undecided(world: Any, workload: dict[str, str], author: dict[str, Any]) -> Beginning:
    """A version that nobody has decided on, and a path with one target."""
    arn = stories.at_model_gate(world, workload, author)
    world.pipeline.gate_status = "Succeeded"  # the gate has storms of its own
    two.put_path(PATH)
    two.keep_what_is_not_named(world.sagemaker)
    return Beginning.of(world, arn)


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


def weathered(beginning: Beginning, storm: Storm) -> tuple[Any, str]:
    """The world after a storm, and its version."""
    beginning.again()
    world, arn = beginning.world, beginning.arn
    for moment, word in enumerate(storm.words):
        stories.decide_in_registry(world, arn, word, "because")
        for said, comes in storm.copies:
            if comes == moment:
                deliver(world, arn, storm.words[said], said)
        if storm.endings[moment]:
            end_what_runs(world)
    return world, arn


def assert_worth_looking_at(seen: list[Storm]) -> None:
    """At least 200 storms, some of each kind: events lost, doubled, late, out of order."""
    assert len(seen) >= 200
    told = [[said for said, _ in storm.copies] for storm in seen]
    words = [range(len(storm.words)) for storm in seen]
    assert sum(set(said) < set(all_) for said, all_ in zip(told, words, strict=True)) >= 50
    assert sum(len(said) > len(set(said)) for said in told) >= 50
    assert sum(said != sorted(said) for said in told) >= 50
    assert sum(any(comes > said for said, comes in storm.copies) for storm in seen) >= 50


def deliver(world: Any, arn: str, word: str, said: int) -> None:
    """One copy of an event."""
    event = version_event(world, arn, word)
    event["detail"]["LastModifiedTime"] = f"2026-11-21T09:0{said}:00.000000Z"
    promotion_handler.handler(event, None)


def end_what_runs(world: Any) -> None:
    """Every promotion that runs succeeds."""
    for arn, known in list(world.machines.ended.items()):
        if known["status"] == "RUNNING":
            world.machines.end(arn, "SUCCEEDED")


def snapshot(world: Any, arn: str) -> Any:
    """Record and executions."""
    statuses = {name: one["status"] for name, one in world.machines.ended.items()}
    return promotions.read(two.WORKFLOW, arn), statuses


def check(world: Any, arn: str, last: str) -> None:
    """An approved version has a promotion of its last decision; any other has none that runs."""
    record, statuses = snapshot(world, arn)
    running = [name for name, status in statuses.items() if status == "RUNNING"]
    if last != "Approved":
        assert running == []
        assert record is None or record.status == last
        return
    name = promotion.execution_name(arn, record.decision)
    assert record.status == "Approved"
    assert statuses[f"{two.MACHINE}:{name}"] in ("RUNNING", "SUCCEEDED")
    assert running in ([], [f"{two.MACHINE}:{name}"])
