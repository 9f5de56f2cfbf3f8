"""The rollout in a manifest: what is refused, and what the machine is given."""

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from signalbox import manifest, rollout
from signalbox.manifest_checks import check
from signalbox.manifest_inference import SWITCHED_OFF_BY_NULL
from tests.unit.test_manifest import problems_of

KEY = "arn:aws:kms:us-east-1:123456789012:key/1a2b3c4d"


def served(author: dict[str, Any], **inference: Any) -> dict[str, Any]:
    return author | {"inference": {"mode": "endpoint", **inference}}


def strategy(name: str, **more: Any) -> dict[str, Any]:
    return {"rollout": {"strategy": name, **more}}


# (inference section, expected beginning of one problem, what AWS or we demand)
REFUSED = [
    (
        {"mode": "serverless", **strategy("rolling")},
        "/inference/rollout/strategy: rolling needs mo",
    ),
    (
        {"mode": "serverless", **strategy("canary")},
        "/inference/rollout/strategy: canary needs mode",
    ),
    (
        {"mode": "async", **strategy("shadow")},
        "/inference/rollout/strategy: shadow needs mode endp",
    ),
    (
        {"mode": "batch", **strategy("linear")},
        "/inference/rollout/strategy: linear needs mode endp",
    ),
    (
        strategy("canary", percent=51),
        "/inference/rollout/percent: 51 for canary; SageMaker takes 1",
    ),
    (
        strategy("linear", percent=9),
        "/inference/rollout/percent: 9 for linear; SageMaker takes 10 ",
    ),
    (strategy("linear", percent=60), "/inference/rollout/percent: 60 for linear"),
    (
        strategy("rolling", percent=4),
        "/inference/rollout/percent: 4 for rolling; SageMaker takes 5",
    ),
    (
        strategy("canary", percent=0),
        "/inference/rollout/percent: Input should be greater than or e",
    ),
    (
        strategy("linear", waitSeconds=600),
        "/inference/rollout/maxDurationSeconds: 3600 is less than the 5700 s",
    ),
    (
        strategy("rolling", waitSeconds=600),
        "/inference/rollout/maxDurationSeconds: 3600 is less than the 6000 s",
    ),
    (
        strategy("canary", maxDurationSeconds=599),
        "/inference/rollout/maxDurationSeconds: Input sho",
    ),
    (strategy("canary", waitSeconds=3601), "/inference/rollout/waitSeconds: Input should be less"),
    (
        strategy("canary", waitSeconds=59),
        "/inference/rollout/waitSeconds: 59 is less than the 60 s over which the alarms measure",
    ),
    (
        strategy("shadow", bakeSeconds=30),
        "/inference/rollout/bakeSeconds: 30 is less than the 60 s",
    ),
    (
        {**strategy("shadow"), "alarms": False},
        "/inference/alarms: a shadow is judged by its alarms",
    ),
    (
        {"mode": "serverless", "alarms": {}},
        "/inference/alarms: needs mode endpoint; the mode is ser",
    ),
    (
        {"alarms": {"periodSeconds": 90}},
        "/inference/alarms/periodSeconds: Input should be a multip",
    ),
    (
        {"alarms": {"maxErorRate": 1}},
        '/inference/alarms/maxErorRate: unknown key; did you mean "ma',
    ),
    ({"alarms": True}, "/inference/alarms: Input should be an object"),
    (
        {"mode": "serverless", "dataCapture": {"percent": 5}},
        "/inference/dataCapture: needs mode en",
    ),
    ({"dataCapture": {"percent": 0}}, "/inference/dataCapture/percent: Input should be greater"),
    (
        {"async": {"maxConcurrentInvocations": 2}},
        "/inference/async: needs mode async; the mode is ",
    ),
    (
        {"scaling": {"minInstances": 3, "maxInstances": 2, "invocationsPerInstance": 9}},
        "/inference/scaling: minInstances 3 is above maxInstances 2",
    ),
    (
        {"scaling": {"minInstances": 2, "maxInstances": 3, "invocationsPerInstance": 9}},
        "/inference/instanceCount: 1 is outside the 2 to 3 of scaling",
    ),
    (
        {
            "scaling": {"maxInstances": 3, "invocationsPerInstance": 9},
            "instanceType": "ml.t2.medium",
        },
        "/inference/scaling: SageMaker scales no burstable instances",
    ),
    (
        {"mode": "async", "scaling": {"maxInstances": 3, "invocationsPerInstance": 9}},
        "/inference/scaling: needs mode endpoint",
    ),
    ({"keep": 0}, "/inference/keep: Input should be greater than or equal to 1"),
    (
        {"probe": {"tolerance": -1}},
        "/inference/probe/tolerance: Input should be greater than or eq",
    ),
    (
        {"rollout": {"strategy": "blue"}},
        "/inference/rollout/strategy: Input should be 'all-at-once'",
    ),
]


@pytest.mark.parametrize(("inference", "expected"), REFUSED)
def test_what_cannot_be_is_named_with_its_pointer(author, inference, expected):
    problems = problems_of(served(author, **inference))

    assert any(problem.startswith(expected) for problem in problems), problems


GOOD = [
    {},
    {"alarms": False, "probe": False},
    {"mode": "serverless"},
    {"mode": "serverless", "alarms": False},
    {"mode": "async", "async": {"maxConcurrentInvocations": 2}},
    {"mode": "batch"},
    strategy("canary", percent=50),
    strategy("linear", percent=10),
    strategy("rolling", percent=50),
    strategy("shadow", percent=100),
    {"alarms": {"maxErrorRate": None, "maxLatencyMs": 80}},
    {"scaling": {"maxInstances": 3, "invocationsPerInstance": 9}, "dataCapture": {"percent": 100}},
]


def planned(author: dict[str, Any], **inference: Any) -> rollout.RolloutPlan | None:
    workload = manifest.validate(served(author, **inference))
    check(workload)
    return rollout.plan(
        workload.inference, endpoint="signalbox-dev-diabetes", bucket="b", kms_key_arn=KEY
    )


@pytest.mark.parametrize("inference", GOOD)
def test_what_can_be_is_taken(author, inference):
    plan = planned(author, **inference)

    assert (plan is None) is (inference.get("mode") == "batch")


def test_alarms_are_on_where_there_are_instances(author):
    on, off, serverless = (
        planned(author),
        planned(author, alarms=False),
        planned(author, mode="serverless"),
    )

    assert on is not None
    assert on.alarm_names == ["signalbox-dev-diabetes-errors", "signalbox-dev-diabetes-latency"]
    assert [plan.alarm_names for plan in (off, serverless) if plan] == [[], []]


WRITTEN = [  # (what the author wrote, Options of the run, the alarms that are left)
    ({}, {}, ["errors", "latency"]),
    ({"maxLatencyMs": None}, {}, ["errors"]),
    ({}, {"maxLatencyMs": None}, ["errors"]),
    ({"maxErrorRate": 0.5}, {"maxErrorRate": None}, ["latency"]),
    ({"maxLatencyMs": None}, {"maxErrorRate": None}, []),
    ({"maxLatencyMs": None}, {"maxLatencyMs": 80}, ["errors", "latency"]),
    ({"maxLatencyMs": None}, {"periodSeconds": 120}, ["errors"]),
    ({"periodSeconds": 120}, {"periodSeconds": None}, ["errors", "latency"]),
]


@pytest.mark.parametrize(("written", "said", "left"), WRITTEN)
def test_null_switches_an_alarm_off_in_the_manifest_and_in_options(author, written, said, left):
    author["inference"] = {"mode": "endpoint", "alarms": written}
    options = json.dumps({"inference": {"alarms": said}})

    patched, given = manifest.apply_options(author, options)

    plan = planned(author, **patched["inference"])
    assert plan is not None
    assert plan.alarm_names == [f"signalbox-dev-diabetes-{name}" for name in left]
    assert given == {"inference": {"alarms": said}}


def test_every_key_whose_null_is_not_its_default_can_be_set_to_null_by_options():
    assert set(nullable(manifest.AuthorManifest, ())) == set(SWITCHED_OFF_BY_NULL)


def nullable(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The paths, in the JSON, of the keys that may be null and are something else by default."""
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        if type(None) in get_args(field.annotation) and field.default is not None:
            yield here
        for kind in [field.annotation, *get_args(field.annotation)]:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from nullable(kind, here)


@pytest.mark.parametrize("seconds", [600, 3600, 28_800])
def test_no_wait_fills_the_history_of_an_execution(author, seconds):
    """A look is 11 events, an execution has 25,000, and four waits may follow each other."""
    plan = planned(author, maxRuntimeSeconds=432_000, rollout={"maxDurationSeconds": seconds})

    assert plan is not None
    assert 4 * 11 * (plan.update_seconds / plan.poll_seconds) < 24_000
    assert plan.creation_seconds <= plan.update_seconds
    assert plan.update_seconds > seconds
