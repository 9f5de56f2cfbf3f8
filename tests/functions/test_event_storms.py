"""Event storms: each event 1 to 5 times, late and in any order, and still one outcome of each.

Three moments: the gate waits, somebody decides at one of the two doors, the run ends. An event can
come at its own moment or any time after it; hypothesis draws when each copy comes and in which
order. Where a schedule fails, it prints the smallest one that does.
"""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functions import gate_stories as stories
from tests.functions.beginning import Beginning
from tests.functions.gate_stories import RUN, deliver, execution_event, gate_event, version_event

OPEN, DECIDED, ENDED = 0, 1, 2


@dataclass(frozen=True)
class Copy:
    """One delivery: which event, and at which moment."""

    name: str
    moment: int


DOORS = ("gate approves", "gate rejects", "registry approves", "registry rejects", "nobody")


def told_when(door: str) -> dict[str, int]:
    """Each event of a run that went through a door, and the moment it happens."""
    if door == "nobody":
        return {"waits": OPEN, "gate ends": DECIDED, "stage fails": DECIDED, "run fails": ENDED}
    ends = {"run fails": ENDED} if "rejects" in door else {"run succeeds": ENDED}
    fails = {"stage fails": DECIDED} if "rejects" in door else {}
    return {"waits": OPEN, "version changes": DECIDED, "gate ends": DECIDED, **fails, **ends}


@st.composite
def schedules(draw: st.DrawFn) -> tuple[str, list[Copy]]:
    """A door, and every event of its run 1 to 5 times in some order."""
    door = draw(st.sampled_from(DOORS))
    copies = [
        Copy(name, draw(st.integers(moment, ENDED)))
        for name, moment in told_when(door).items()
        for _ in range(draw(st.integers(1, 5)))
    ]
    return door, draw(st.permutations(copies))


def decide(world: Any, door: str, arn: str) -> None:
    """What a person does; at the registry the handler of its event does the rest."""
    status = "Approved" if "approves" in door else "Rejected"
    if door == "nobody":
        world.pipeline.gate_status = "Failed"
    elif door.startswith("gate"):
        stories.decide_at_gate(world, status, "because")
    else:
        stories.decide_in_registry(world, arn, status, "because")
        deliver(version_event(world, arn, status))


def event_of(world: Any, name: str, door: str, arn: str) -> dict[str, Any]:
    """The event as AWS would send it."""
    approved = "approves" in door
    return {
        "waits": lambda: gate_event(world, "STARTED"),
        "gate ends": lambda: gate_event(world, "SUCCEEDED" if approved else "FAILED"),
        "version changes": lambda: version_event(
            world, arn, "Approved" if approved else "Rejected"
        ),
        "stage fails": lambda: execution_event(world, "Stage", "FAILED"),
        "run fails": lambda: execution_event(world, "Pipeline", "FAILED"),
        "run succeeds": lambda: execution_event(world, "Pipeline", "SUCCEEDED"),
    }[name]()


EXPECTED = {
    "gate approves": ("Succeeded", "Approved", "approved", ["succeeded"]),
    "gate rejects": ("Failed", "Rejected", "rejected", ["rejected"]),
    "registry approves": ("Succeeded", "Approved", "approved", ["succeeded"]),
    "registry rejects": ("Failed", "Rejected", "rejected", ["rejected"]),
    "nobody": ("Failed", "PendingManualApproval", "expired", ["expired"]),
}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_storm_ends_in_one_manifest_one_decision_and_one_message_of_each(world, workload, author):
    beginning = Beginning.of(world, stories.at_model_gate(world, workload, author))
    seen: list[str] = []

    @settings(
        max_examples=200, deadline=None, derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(schedules())
    def storm(drawn: tuple[str, list[Copy]]) -> None:
        seen.append(drawn[0])
        beginning.again()
        assert_one_end(world, beginning.arn, *drawn)

    storm()

    assert len(seen) >= 200
    assert set(seen) == set(DOORS)


def assert_one_end(world: Any, arn: str, door: str, copies: list[Copy]) -> None:
    for moment in (OPEN, DECIDED, ENDED):
        if moment == DECIDED:
            decide(world, door, arn)
        for one in copies:
            if one.moment == moment:
                deliver(event_of(world, one.name, door, arn))

    gate, version, recorded, kinds = EXPECTED[door]
    assert world.pipeline.gate_status == gate
    assert stories.version_of(world, arn)[0] == version
    assert len(world.pipeline.answers) == (0 if door == "nobody" else 1)
    history = [(e["phase"], e["status"]) for e in world.manifest(RUN)["history"]]
    assert sorted(history) == sorted([("training", "registered"), ("gate", recorded)])
    asked = Copy("waits", OPEN) in copies
    told = [message["kind"] for message in world.told()]
    assert told == (["decision"] if asked else []) + kinds
