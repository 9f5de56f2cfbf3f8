"""What hosts models and nobody refers to, and what it costs."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox import hosting
from signalbox.hosting import Config, Endpoint, Hosting, Named
from signalbox.serving import Deployment, DeploymentStatus, ServingRecord

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
# us-east-1, on demand, from the price list of SageMaker: 0.115 USD an hour.
PRICES = {"ml.m5.large": 0.115}


def deployed(config: str, model: str, status: str = "serving") -> Deployment:
    return Deployment(
        key=config,
        at="2026-11-01T00:00:00Z",
        run_id="r",
        model_package_arn="arn:v/3",
        version=3,
        endpoint_config=config,
        model=model,
        status=DeploymentStatus(status),
    )


def record(*deployments: Deployment) -> ServingRecord:
    return ServingRecord(endpoint="e", deployments=list(deployments))


def world(**changes: object) -> Hosting:
    """One endpoint, served by config c2 with model m2; c1 and m1 are the ones before."""
    facts: dict[str, object] = {
        "endpoints": (Endpoint("e", "InService", "c2", LONG_AGO),),
        "described": {
            "c1": Config("c1", ("m1",), (("ml.m5.large", 2),)),
            "c2": Config("c2", ("m2",), (("ml.m5.large", 2),)),
        },
        "configs": tuple(Named(name, LONG_AGO) for name in ("c1", "c2", "c3")),
        "models": tuple(Named(name, LONG_AGO) for name in ("m1", "m2", "m3")),
        "records": {"e": record(deployed("c1", "m1", "superseded"), deployed("c2", "m2"))},
    }
    return Hosting(**(facts | changes))  # type: ignore[arg-type]


def keys(found: list[hosting.Finding]) -> set[str]:
    return {finding.key for finding in found}


def test_only_what_neither_an_endpoint_nor_a_record_names_is_left_over():
    assert keys(hosting.left_over(world(), NOW, PRICES)) == {
        "unused endpoint configuration c3",
        "unused model m3",
    }


def test_the_configuration_of_an_update_under_way_is_in_use():
    going = Endpoint("e", "Updating", "c2", LONG_AGO, pending_config="c3")
    facts = world(endpoints=(going,), described={**world().described, "c3": Config("c3", ("m3",))})

    assert hosting.left_over(facts, NOW, PRICES) == []


def test_what_is_young_may_belong_to_a_rollout_and_is_not_told():
    young = Named("c3", NOW - timedelta(hours=23))

    found = hosting.left_over(world(configs=(young,), models=()), NOW, PRICES)

    assert found == []


def test_an_endpoint_in_no_record_is_told_with_what_it_costs_a_month():
    """2 instances x 0.115 USD x 730 hours = 167.90 USD."""
    found = hosting.left_over(world(records={}, configs=(), models=()), NOW, PRICES)

    assert keys(found) == {"unused endpoint e"}
    assert "about 167.90 USD a month" in found[0].sentence


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (Config("c", (), (("ml.m5.large", 1), ("ml.m5.large", 3))), 4 * 0.115 * 730),
        (Config("c", ("m",)), 0.0),  # serverless: nothing while nobody asks
        (Config("c", (), (("ml.x9.huge", 1),)), None),
        (None, None),
    ],
)
def test_the_price_of_a_month_is_known_or_said_to_be_unknown(config, expected):
    found = hosting.monthly_usd(config, PRICES)

    assert found == (expected if expected is None else pytest.approx(expected))


def test_a_listing_that_was_cut_accuses_nothing():
    assert hosting.left_over(world(is_whole=False, records={}), NOW, PRICES) == []


@given(
    st.sets(st.sampled_from(["c1", "c2", "c3", "c4"])),
    st.sets(st.sampled_from(["c1", "c2", "c3", "c4"])),
    st.sampled_from(["c1", "c2", "c3", "c4"]),
)
def test_nothing_that_a_record_or_a_live_endpoint_names_is_ever_left_over(
    recorded: set[str], listed: set[str], live: str
):
    facts = world(
        endpoints=(Endpoint("e", "InService", live, LONG_AGO),),
        described={c: Config(c, (f"m{c[1]}",)) for c in listed | {live}},
        configs=tuple(Named(name, LONG_AGO) for name in sorted(listed)),
        models=tuple(Named(f"m{name[1]}", LONG_AGO) for name in sorted(listed)),
        records={"e": record(*(deployed(c, f"m{c[1]}") for c in sorted(recorded)))},
    )

    found = keys(hosting.left_over(facts, NOW, PRICES)) - {"unused endpoint e"}

    free = listed - recorded - {live}
    assert found == {f"unused endpoint configuration {c}" for c in free} | {
        f"unused model m{c[1]}" for c in free
    }


def test_an_endpoint_that_serves_something_else_than_its_record_says_is_told():
    changed = world(endpoints=(Endpoint("e", "InService", "c9", LONG_AGO),))

    (finding,) = hosting.unlike_the_record(changed, NOW)

    assert "serves configuration c9, and its record says c2" in finding.sentence


def test_an_update_under_way_is_no_difference():
    assert (
        hosting.unlike_the_record(world(endpoints=(Endpoint("e", "Updating", "c1", NOW),)), NOW)
        == []
    )


def test_a_rollout_that_has_not_come_to_its_record_yet_is_no_difference():
    """A shadow serves beside the old version for up to an hour, under a config of its own."""
    endpoints = (Endpoint("e", "InService", "shadow", LONG_AGO),)
    young = (Named("shadow", NOW - timedelta(hours=1)),)

    assert hosting.unlike_the_record(world(endpoints=endpoints, configs=young), NOW) == []


@pytest.mark.parametrize("status", ["Failed", "UpdateRollbackFailed"])
def test_a_broken_endpoint_is_told_with_its_reason(status: str):
    broken = Endpoint("e", status, "c2", LONG_AGO, reason="no capacity")

    (finding,) = hosting.unlike_the_record(world(endpoints=(broken,)), NOW)

    assert f"endpoint e is {status}: no capacity" in finding.sentence


def test_a_record_whose_endpoint_is_gone_is_told():
    (finding,) = hosting.unlike_the_record(world(endpoints=()), NOW)

    assert finding.key == "gone e c2"


def test_only_old_runs_that_nothing_names_are_told():
    runs = ["260101-000000-aaaaaa", "260101-000000-bbbbbb", "261120-000000-cccccc", "reconciler"]

    old = hosting.old_runs(runs, {"260101-000000-bbbbbb"}, NOW)

    assert old == ["260101-000000-aaaaaa"]
    (finding,) = hosting.run_findings({old[0]: 2_000_000_000}, "b")
    assert "2.000 GB: about 0.0460 USD a month" in finding.sentence  # 2 GB x 0.023 USD
