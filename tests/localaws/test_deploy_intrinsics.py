"""Intrinsic functions give what CloudFormation's User Guide says they give.

Source of the expectations: "Intrinsic function reference" and "Pseudo parameters reference".
"""

from typing import Any

import pytest

from localaws.deployer.errors import TemplateInvalid
from localaws.deployer.intrinsics import (
    NO_VALUE,
    Pending,
    Scope,
    holds,
    is_pending,
    references,
    resolve,
)

MADE = {"Bucket": ("store-1", {"Arn": "arn:aws:s3:::store-1"})}


def scope(**changes: Any) -> Scope:
    def ref(name: str) -> Any:
        return MADE[name][0] if name in MADE else Pending(name)

    def attribute(name: str, key: str) -> Any:
        return MADE[name][1][key] if name in MADE else Pending(name, key)

    parts: dict[str, Any] = {
        "parameters": {"Env": "dev", "Count": "3", "Names": ["a", "b"], "Empty": ""},
        "pseudo": {"AWS::Region": "eu-west-1", "AWS::AccountId": "111122223333"},
        "mappings": {"Images": {"eu-west-1": {"Account": "42"}}},
        "conditions": {
            "IsDev": {"Fn::Equals": [{"Ref": "Env"}, "dev"]},
            "IsProd": {"Fn::Equals": [{"Ref": "Env"}, "prod"]},
            "Either": {"Fn::Or": [{"Condition": "IsDev"}, {"Condition": "IsProd"}]},
            "Both": {"Fn::And": [{"Condition": "IsDev"}, {"Condition": "IsProd"}]},
            "NotProd": {"Fn::Not": [{"Condition": "IsProd"}]},
        },
        "resource_ref": ref,
        "resource_attribute": attribute,
        "resources": frozenset({"Bucket", "Later"}),
    }
    return Scope(**{**parts, **changes})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        (5, 5),
        ({"Ref": "Env"}, "dev"),
        ({"Ref": "Names"}, ["a", "b"]),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Ref": "Bucket"}, "store-1"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "arn:aws:s3:::store-1"),
        ({"Fn::GetAtt": "Bucket.Arn"}, "arn:aws:s3:::store-1"),
        ({"Fn::Sub": "${Env}-${AWS::AccountId}"}, "dev-111122223333"),
        ({"Fn::Sub": "${Bucket} ${Bucket.Arn}/*"}, "store-1 arn:aws:s3:::store-1/*"),
        ({"Fn::Sub": ["${X}${Env}", {"X": {"Ref": "Count"}}]}, "3dev"),
        ({"Fn::Sub": "${!Literal} #{codepipeline.Id}"}, "${Literal} #{codepipeline.Id}"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Env"}, 1]]}, "a-dev-1"),
        ({"Fn::Split": [",", "a,b,c"]}, ["a", "b", "c"]),
        ({"Fn::Select": [1, {"Ref": "Names"}]}, "b"),
        ({"Fn::Select": ["0", {"Fn::Split": ["/", "x/y"]}]}, "x"),
        ({"Fn::FindInMap": ["Images", {"Ref": "AWS::Region"}, "Account"]}, "42"),
        ({"Fn::If": ["IsDev", "yes", "no"]}, "yes"),
        ({"Fn::If": ["IsProd", "yes", {"Ref": "Env"}]}, "dev"),
        ({"Fn::Base64": "hello"}, "aGVsbG8="),
        ({"a": [{"Ref": "AWS::NoValue"}, 1], "b": {"Ref": "AWS::NoValue"}}, {"a": [1]}),
        ({"Condition": {"StringEquals": {"a": "b"}}}, {"Condition": {"StringEquals": {"a": "b"}}}),
    ],
)
def test_a_function_gives_its_value(value: Any, expected: Any) -> None:
    assert resolve(value, scope()) == expected


def test_no_value_alone_stays_recognisable() -> None:
    assert resolve({"Fn::If": ["IsProd", 1, {"Ref": "AWS::NoValue"}]}, scope()) is NO_VALUE


@pytest.mark.parametrize(
    ("name", "expected"),
    [("IsDev", True), ("IsProd", False), ("Either", True), ("Both", False), ("NotProd", True)],
)
def test_a_condition_holds_or_not(name: str, expected: bool) -> None:
    assert holds(name, scope()) is expected


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "Later"},
        {"Fn::GetAtt": ["Later", "Arn"]},
        {"Fn::Sub": "x-${Later.Arn}"},
        {"Fn::Join": ["", ["a", {"Ref": "Later"}]]},
        {"Fn::Select": [0, {"Fn::Split": [":", {"Ref": "Later"}]}]},
        {"deep": [{"Fn::Base64": {"Ref": "Later"}}]},
    ],
)
def test_what_needs_a_resource_that_is_not_made_yet_is_pending(value: Any) -> None:
    assert is_pending(resolve(value, scope()))


@pytest.mark.parametrize(
    ("value", "message", "pointer"),
    [
        ({"a": {"Ref": "Nowhere"}}, "Ref to 'Nowhere'", "/a/Ref"),
        ({"Fn::GetAtt": ["Nowhere", "Arn"]}, "GetAtt of 'Nowhere'", "/Fn::GetAtt"),
        ({"x/y": {"Fn::Sub": "${Nowhere}"}}, "'Nowhere'", "/x~1y/Fn::Sub"),
        ([{"Fn::Transform": "shared"}], "Fn::Transform is not supported", "/0"),
        ({"Fn::Select": [2, ["a"]]}, "index 2 of a list of 1", "/Fn::Select"),
        ({"Fn::FindInMap": ["Images", "mars", "Account"]}, "Images / mars", "/Fn::FindInMap"),
        ({"Fn::If": ["Unknown", 1, 2]}, "condition Unknown is not defined", "/Conditions"),
        ({"Ref": "Env", "Fn::Sub": "x"}, "must be alone", ""),
        ({"Fn::Cidr": ["10.0.0.0/24", 4, 7]}, "has no 4 blocks of /25", "/Fn::Cidr"),
    ],
)
def test_a_mistake_is_named_with_its_place(value: Any, message: str, pointer: str) -> None:
    with pytest.raises(TemplateInvalid) as caught:
        resolve(value, scope())

    assert message in str(caught.value)
    assert caught.value.problems[0].pointer == pointer


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Bucket"}, {"Bucket"}),
        ({"Ref": "Env"}, set()),
        ({"Fn::Sub": "${Bucket.Arn} ${Later} ${Env}"}, {"Bucket", "Later"}),
        ({"Fn::Sub": ["${Later}", {"Later": {"Ref": "Bucket"}}]}, {"Bucket"}),
        ({"Fn::If": ["IsProd", {"Ref": "Later"}, {"Ref": "Bucket"}]}, {"Bucket"}),
        ({"x": [{"Fn::Join": ["", [{"Fn::GetAtt": ["Later", "A"]}]]}]}, {"Later"}),
    ],
)
def test_references_are_those_that_count(value: Any, expected: set[str]) -> None:
    assert references(value, scope()) == expected


def test_a_network_is_cut_into_equal_parts_and_its_zones_are_of_the_region() -> None:
    cut = {"Fn::Cidr": ["10.64.0.0/20", 3, 10]}

    assert resolve(cut, scope()) == ["10.64.0.0/22", "10.64.4.0/22", "10.64.8.0/22"]
    assert resolve({"Fn::Select": [1, {"Fn::GetAZs": "eu-west-1"}]}, scope()) == "eu-west-1b"
