"""Event patterns against the examples and rules of the EventBridge user guide."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localaws.events.patterns import InvalidEventPattern, compile_pattern, matches

# The machine may be busy: only the answers are judged, not the pace.
unhurried = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

EVENT = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "111122223333",
    "time": "2017-12-22T18:43:48Z",
    "region": "us-west-1",
    "resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],
    "detail": {
        "instance-id": "i-1234567890abcdef0",
        "state": "terminated",
        "count": 5,
        "ratio": 3.0,
        "limit": 301.8,
        "flag": True,
        "nothing": None,
        "empty": "",
        "ip": "10.0.0.17",
        "file": "dir/report.PNG",
        "nested": {"a": {"b": "deep"}},
        "none": [],
        "tags": [{"k": "env", "v": "prod"}, {"k": "team", "v": "ml"}],
    },
}


def hits(pattern: object) -> bool:
    return matches(json.dumps(pattern), EVENT)


def detail(**pattern: object) -> dict[str, object]:
    return {"detail": pattern}


ACCEPTED = [
    ({"source": ["aws.ec2", "aws.fargate"]}, "one of several values"),
    ({"resources": [{"prefix": "arn:aws:ec2"}]}, "an array matches when one element does"),
    (detail(state=[{"prefix": "term"}]), "prefix"),
    (detail(file=[{"suffix": ".PNG"}]), "suffix"),
    (detail(file=[{"suffix": {"equals-ignore-case": ".png"}}]), "suffix, any case"),
    (detail(state=[{"prefix": {"equals-ignore-case": "TERM"}}]), "prefix, any case"),
    (detail(state=[{"equals-ignore-case": "TERMINATED"}]), "any case"),
    (detail(state=[{"anything-but": "running"}]), "anything but one"),
    (detail(state=[{"anything-but": ["running", "stopped"]}]), "anything but a list"),
    (detail(count=[{"anything-but": [1, 2]}]), "anything but numbers"),
    (detail(state=[{"anything-but": {"prefix": "run"}}]), "anything but a prefix"),
    (detail(state=[{"anything-but": {"suffix": ["ing", "ed2"]}}]), "anything but suffixes"),
    (detail(state=[{"anything-but": {"wildcard": "run*"}}]), "anything but a wildcard"),
    (detail(state=[{"anything-but": {"equals-ignore-case": ["RUNNING"]}}]), "but any case"),
    (detail(count=[{"numeric": [">", 0, "<=", 5]}]), "numeric range, upper bound included"),
    (detail(ratio=[{"numeric": ["=", 3]}]), "numeric equality compares values"),
    (detail(limit=[{"numeric": ["=", 3.018e2]}]), "numeric equality in another notation"),
    (detail(ip=[{"cidr": "10.0.0.0/24"}]), "cidr"),
    (detail(file=[{"wildcard": "dir/*.PNG"}]), "wildcard"),
    (detail(state=[{"exists": True}]), "exists"),
    (detail(absent=[{"exists": False}]), "does not exist"),
    (detail(nested=[{"exists": False}]), "exists looks at leaves only"),
    (detail(none=[{"exists": False}]), "an empty array is no leaf"),
    (detail(absent=[{"exists": False}, "x"]), "absent or a value"),
    (detail(nothing=[None]), "null"),
    (detail(empty=[""]), "empty string"),
    (detail(flag=[True]), "boolean"),
    (detail(count=[5]), "number"),
    (detail(nested={"a": {"b": ["deep"]}}), "nested objects"),
    (detail(tags={"k": ["env"], "v": ["prod"]}), "fields of one object of an array"),
    ({"$or": [{"source": ["x"]}, {"detail": {"count": [5]}}]}, "or at the top"),
    (detail(**{"$or": [{"state": ["x"]}, {"count": [{"numeric": ["<", 9]}]}]}), "or inside"),
    ({"source": ["aws.ec2"], "$or": [{"region": ["us-west-1"]}, {"id": ["x"]}]}, "or and a field"),
]

REFUSED = [
    ({"source": ["aws.s3"]}, "another value"),
    ({"source": ["aws.ec2"], "region": ["eu-west-1"]}, "one of the fields differs"),
    (detail(flag=[1]), "true is not 1"),
    (detail(count=[True]), "a number is not true"),
    (detail(count=["5"]), "a number is not its text"),
    (detail(count=[5.0]), "numbers are compared as written"),
    (detail(flag=[{"numeric": ["=", 1]}]), "true is not a number"),
    (detail(count=[{"prefix": "5"}]), "prefix is for strings"),
    (detail(absent=[{"anything-but": "x"}]), "anything-but needs the field"),
    (detail(nested=[{"exists": True}]), "an object is no leaf"),
    (detail(state={"deeper": ["x"]}), "a scalar where an object is asked for"),
    (detail(tags={"k": ["env"], "v": ["ml"]}), "fields of two different objects"),
    (detail(tags={"v": [{"exists": False}]}), "exists false looks at every object"),
    (detail(ip=[{"cidr": "10.0.1.0/24"}]), "another network"),
    (detail(state=[{"cidr": "10.0.0.0/24"}]), "no address"),
    (detail(file=[{"wildcard": "dir/*.png"}]), "wildcard minds the case"),
    (detail(nothing=["null"]), "null is not its text"),
    ({"$or": [{"source": ["x"]}, {"id": ["y"]}]}, "no alternative"),
    ({"$or": [{"source": ["x"]}, {"id": ["y"]}], "region": ["us-west-1"]}, "or is not enough"),
]

INVALID = [
    ("{", "not valid JSON"),
    ("[]", "not an object"),
    ("{}", "Empty objects"),
    ('{"source": "aws.ec2"}', "must be an object or an array"),
    ('{"source": []}', "Empty arrays"),
    ('{"source": [["a"]]}', "Arrays inside"),
    ('{"source": ["a"], "source": ["b"]}', "given twice"),
    ('{"a": [{"sounds-like": "x"}]}', "Unrecognized match type"),
    ('{"a": [{"prefix": "x", "suffix": "y"}]}', "Only one key"),
    ('{"a": [{"prefix": 5}]}', "must be a string"),
    ('{"a": [{"exists": "yes"}]}', "true or false"),
    ('{"a": [{"numeric": ["!", 5]}]}', "Unrecognized numeric"),
    ('{"a": [{"numeric": [">"]}]}', "one or two comparisons"),
    ('{"a": [{"numeric": ["<", 5, ">", 1]}]}', "lower bound"),
    ('{"a": [{"numeric": [">", 5, "<", 5]}]}', "less than top"),
    ('{"a": [{"cidr": "10.0.0"}]}', "Malformed CIDR"),
    ('{"a": [{"wildcard": "a**b"}]}', "Consecutive"),
    ('{"a": [{"wildcard": "a\\\\b"}]}', "escape"),
    ('{"a": [{"anything-but": ["x", 1]}]}', "not mixed"),
    ('{"a": [{"anything-but": {"cidr": "10.0.0.0/8"}}]}', "anything-but"),
]


@pytest.mark.parametrize(("pattern", "why"), ACCEPTED, ids=[why for _, why in ACCEPTED])
def test_accepts(pattern: object, why: str):
    assert hits(pattern), why


@pytest.mark.parametrize(("pattern", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_does_not_accept(pattern: object, why: str):
    assert not hits(pattern), why


@pytest.mark.parametrize(("pattern", "reason"), INVALID, ids=[reason for _, reason in INVALID])
def test_refuses_an_invalid_pattern_with_the_reason(pattern: str, reason: str):
    with pytest.raises(InvalidEventPattern, match=reason):
        compile_pattern(pattern)


def test_wildcard_escapes_stand_for_themselves():
    assert matches(r'{"a": [{"wildcard": "2\\*3"}]}', {"a": "2*3"})
    assert not matches(r'{"a": [{"wildcard": "2\\*3"}]}', {"a": "2x3"})


def test_or_is_a_field_name_unless_it_holds_objects():
    assert matches('{"$or": ["x"]}', {"$or": "x"})


scalars = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=5)
names = st.sampled_from(["a", "b", "c", "d-e"])
events = st.dictionaries(
    names,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def leaves(value: object, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict):
        return [hit for name, item in value.items() for hit in leaves(item, (*path, name))]
    if isinstance(value, list):
        return [hit for item in value for hit in leaves(item, path)]
    return [(path, value)]


def nest(path: tuple[str, ...], leaf: object) -> object:
    return nest(path[:-1], {path[-1]: leaf}) if path else leaf


@unhurried
@given(events)
def test_every_leaf_of_an_event_is_found_by_its_value_and_by_exists(event: dict[str, object]):
    for path, value in leaves(event):
        assert matches(json.dumps(nest(path, [value])), event)
        assert matches(json.dumps(nest(path, [{"exists": True}])), event)
        assert not matches(json.dumps(nest(path, [{"exists": False}])), event)


@unhurried
@given(events, st.lists(names, min_size=1, max_size=3), scalars)
def test_or_accepts_exactly_when_one_alternative_does(
    event: dict[str, object], path: list[str], value: object
):
    one, two = nest(tuple(path), [value]), nest(tuple(path), [{"exists": False}])

    either = matches(json.dumps({"$or": [one, two]}), event)

    assert either == (matches(json.dumps(one), event) or matches(json.dumps(two), event))


@unhurried
@given(events, st.lists(names, min_size=1, max_size=3))
def test_exists_true_and_false_are_opposites(event: dict[str, object], path: list[str]):
    present = matches(json.dumps(nest(tuple(path), [{"exists": True}])), event)
    absent = matches(json.dumps(nest(tuple(path), [{"exists": False}])), event)

    assert present != absent


@unhurried
@given(st.text(max_size=8), st.text(max_size=8))
def test_anything_but_is_the_opposite_of_the_value(value: str, other: str):
    plain = matches(json.dumps({"a": [other]}), {"a": value})

    assert matches(json.dumps({"a": [{"anything-but": other}]}), {"a": value}) != plain
