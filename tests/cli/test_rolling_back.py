"""Back to the last good version: once, from any interruption, and never past it by accident."""

from collections.abc import Callable
from typing import Any

import pytest

from signalbox_cli import rolling_back
from signalbox_cli.errors import CommandError, NotFoundError, RunFailed
from signalbox_cli.rolling_back import Done, Way
from signalbox_cli.target import Target
from tests.cli.serving_world import GROUP, Interrupted, World

AFTER = [(1, "superseded"), (2, "rolled-back"), (1, "serving")]


@pytest.fixture
def world(target: Target, monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    """Makes worlds in which version 2 serves and version 1 served before."""
    monkeypatch.setattr("time.sleep", lambda _s: None)

    def make(*statuses: str, interrupt_at: int = 0, **changes: Any) -> World:
        made = World(target=target, **changes)
        made.attach()
        made.put_record(*(statuses or ("superseded", "serving")))
        made.calls, made.interrupt_at = 0, interrupt_at
        return made

    return make


def run(world: World, to: int | None = None) -> Way | Done:
    """What the command does after it has read its options."""
    way = rolling_back.find_way(world.target, "diabetes", to)
    if isinstance(way, Way):
        rolling_back.roll_back(world.target, way, "drifts since Monday", lambda _line: None)
    return way


def test_the_endpoint_returns_and_both_versions_say_so(world):
    made = world()

    run(made)

    assert (made.served, made.updates) == ("config-1", 1)
    assert made.record() == AFTER
    assert "drifts since Monday" in made.metadata[2]["rolled_back"]
    assert made.stages[2] == {
        "Stage": "dev",
        "StageStatus": "RolledBack",
        "StageDescription": "drifts since Monday",
    }
    assert made.stages[1]["StageStatus"] == "Serving"


def test_the_same_command_again_does_nothing_and_goes_no_further_back(world):
    made = world()
    run(made)

    again = run(made)

    assert isinstance(again, Done)
    assert (made.served, made.updates, made.record()) == ("config-1", 1, AFTER)


def test_interrupted_at_any_call_the_same_command_comes_to_the_same_end(world):
    untouched = world()
    run(untouched)
    calls = untouched.calls

    for moment in range(1, calls + 1):
        made = world(interrupt_at=moment)
        with pytest.raises(Interrupted):
            run(made)
        run(made)

        assert (made.served, made.updates, made.record()) == ("config-1", 1, AFTER), moment
        assert made.metadata[2]["rolled_back"].endswith("drifts since Monday")
    assert calls > 10


def test_a_version_is_marked_before_the_endpoint_is_touched(world):
    """So that no event deploys it again while the endpoint returns."""
    made = world()
    seen: list[bool] = []
    made.target.client("sagemaker").meta.events.register_first(
        "before-call.sagemaker.UpdateEndpoint",
        lambda **_: seen.append("rolled_back" in made.metadata[2]),
    )

    run(made)

    assert seen == [True]


@pytest.mark.parametrize(("first_instances", "keeps"), [(1, True), (2, False), (4, False)])
def test_the_way_back_takes_no_instance_from_an_endpoint_that_has_scaled(
    world, first_instances, keeps
):
    """Two instances serve: a config that begins with one would halve them under load."""
    made = world(first_instances=first_instances)

    run(made)

    assert (made.served, made.keeps_instances) == ("config-1", keeps)


def test_an_update_that_sagemaker_takes_back_is_no_success(world):
    made = world(takes_back=True)

    with pytest.raises(RunFailed, match="took the update back") as failed:
        run(made)

    assert failed.value.exit_code == 4
    assert made.record() == [(1, "superseded"), (2, "serving")]
    made.takes_back = False
    run(made)
    assert made.record() == AFTER


def test_an_update_under_way_is_waited_for_first(world):
    made = world(served="config-1", pending="config-2", status="Updating")

    run(made)

    assert (made.served, made.record()) == ("config-1", AFTER)


def unchanged(made: World) -> bool:
    """Whether the rollback has left no trace."""
    return (made.updates, made.metadata[2]) == (0, {}) and made.record()[-1] == (2, "serving")


def test_while_another_version_rolls_out_nothing_is_taken_back(world):
    """Version 3 is on its way: which of the two is meant nobody can tell."""
    made = world(pending="config-3", status="Updating")

    with pytest.raises(CommandError, match=r"another version than 2 is on its way\. Nothing was"):
        run(made)

    assert unchanged(made)


def test_a_version_that_serves_and_is_not_recorded_yet_is_not_taken_for_the_one_before(world):
    made = world(served="config-3")

    with pytest.raises(CommandError, match="serves config-3, and version 2, which the record"):
        run(made)

    assert unchanged(made)


def test_a_rollout_that_begins_while_a_rollback_waits_ends_the_rollback(world):
    made = world(pending="config-2", status="Updating", looks_until_done=100)
    way = rolling_back.find_way(made.target, "diabetes", None)
    assert isinstance(way, Way)

    def begin(_line: str) -> None:
        made.pending = "config-3"

    with pytest.raises(CommandError, match="another version than 2 is on its way"):
        rolling_back.roll_back(made.target, way, "drifts", begin)

    assert unchanged(made)


def test_a_rollout_that_is_faster_than_the_update_leaves_no_mark(world):
    made = world(rival="config-3")

    with pytest.raises(CommandError, match="another version than 2 is on its way"):
        run(made)

    assert unchanged(made)
    assert made.stages[2]["StageStatus"] == "Serving"


def test_an_update_whose_answer_was_lost_is_gone_on_with(world):
    """Botocore makes the call again, and SageMaker refuses the second one."""
    made = world(rival="config-1")

    run(made)

    assert (made.served, made.record()) == ("config-1", AFTER)


def test_a_deployment_recorded_meanwhile_is_not_taken_back_unasked(world):
    """Version 3 came and was recorded between the command's first look and its turn."""
    made = world()
    way = rolling_back.find_way(made.target, "diabetes", None)
    assert isinstance(way, Way)
    made.put_record("superseded", "superseded", "serving")

    with pytest.raises(CommandError, match=r"meanwhile .* came to serve version 3"):
        rolling_back.roll_back(made.target, way, "drifts", lambda _line: None)

    assert (made.updates, made.metadata[2]) == (0, {})


def test_an_endpoint_that_failed_is_left_alone(world):
    made = world(status="Failed")

    with pytest.raises(RunFailed, match="is Failed"):
        run(made)

    assert made.updates == 0


def test_a_configuration_that_is_gone_is_told_before_anything_is_changed(world):
    made = world(configs={"config-2"})

    with pytest.raises(CommandError, match="config-1 was deleted"):
        run(made)

    assert (made.updates, made.metadata[2]) == (0, {})


def test_what_an_alarm_took_back_already_is_not_taken_back_once_more(world):
    """Version 2 serves, version 3 failed its rollout: version 2 has done nothing wrong."""
    made = world("superseded", "serving", "rolled-back")

    assert isinstance(run(made), Done)
    assert (made.served, made.updates) == ("config-2", 0)


def test_a_version_named_with_to_is_returned_to_even_past_another_one(world):
    made = world("superseded", "superseded", "serving", served="config-3")
    made.configs |= {"config-3"}
    made.approvals[3], made.metadata[3] = "Approved", {}

    run(made, 1)

    assert made.served == "config-1"
    assert made.record()[2:] == [(3, "rolled-back"), (1, "serving")]


@pytest.mark.parametrize(
    ("statuses", "to", "said"),
    [
        (("serving",), None, "there is no version before"),
        (("superseded", "serving"), 7, r"version 7 never served; versions that served: 1"),
        (("failed",), None, "nobody has recorded"),
    ],
)
def test_where_there_is_nothing_to_return_to_it_says_so(world, statuses, to, said):
    with pytest.raises(NotFoundError, match=said):
        run(world(*statuses), to)


def test_a_workload_without_an_endpoint_is_answered_with_those_there_are(world):
    with pytest.raises(NotFoundError, match=GROUP):
        rolling_back.find_way(world().target, "unknown", None)
