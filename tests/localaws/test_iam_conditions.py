"""Condition operators, one row per rule of the IAM User Guide.

Sources: "IAM JSON policy elements: Condition operators" (CO), "Conditions with multiple context
keys or values" (MV), "Set operators for multi-valued context keys" (SO), "Variables and tags" (PV).
"""

import pytest

from localaws.errors import UnsupportedByLocalAws
from localaws.iam.conditions import Context, compile_condition

Row = tuple[str, str, list[str], Context, bool, str]
ROWS: list[Row] = [
    ("StringEquals", "k", ["a"], {"k": ("a",)}, True, "CO string"),
    ("StringEquals", "k", ["a"], {"k": ("A",)}, False, "CO string: case-sensitive"),
    ("StringEquals", "K", ["a"], {"k": ("a",)}, True, "CO: key names ignore case"),
    ("StringEquals", "k", ["a", "b"], {"k": ("b",)}, True, "MV: values are alternatives"),
    ("StringEquals", "k", ["a*"], {"k": ("ab",)}, False, "CO string: no wildcards"),
    ("StringEquals", "k", ["a"], {}, False, "CO: key missing"),
    ("StringNotEquals", "k", ["a"], {"k": ("b",)}, True, "CO string"),
    ("StringNotEquals", "k", ["a", "b"], {"k": ("b",)}, False, "MV: negated values are NOR"),
    ("StringNotEquals", "k", ["a"], {}, True, "CO: negated and key missing"),
    ("StringEqualsIgnoreCase", "k", ["AbC"], {"k": ("aBc",)}, True, "CO string"),
    ("StringNotEqualsIgnoreCase", "k", ["AbC"], {"k": ("aBc",)}, False, "CO string"),
    ("StringLike", "k", ["a*c"], {"k": ("abbc",)}, True, "CO string"),
    ("StringLike", "k", ["a?c"], {"k": ("abbc",)}, False, "CO string: ? is one character"),
    ("StringLike", "k", ["a${*}c"], {"k": ("a*c",)}, True, "PV: a literal asterisk"),
    ("StringLike", "k", ["a${*}c"], {"k": ("abc",)}, False, "PV: a literal asterisk"),
    ("StringNotLike", "k", ["a*"], {"k": ("b",)}, True, "CO string"),
    ("StringEqualsIfExists", "k", ["a"], {}, True, "CO IfExists"),
    ("StringEqualsIfExists", "k", ["a"], {"k": ("b",)}, False, "CO IfExists"),
    ("NumericLessThan", "k", ["10"], {"k": ("9.5",)}, True, "CO numeric"),
    ("NumericLessThanEquals", "k", ["10"], {"k": ("10",)}, True, "CO numeric"),
    ("NumericGreaterThan", "k", ["10"], {"k": ("9",)}, False, "CO numeric"),
    ("NumericGreaterThanEquals", "k", ["10"], {"k": ("10",)}, True, "CO numeric"),
    ("NumericEquals", "k", ["10"], {"k": ("10.0",)}, True, "CO numeric"),
    ("NumericNotEquals", "k", ["10"], {"k": ("11",)}, True, "CO numeric"),
    ("NumericEquals", "k", ["10"], {"k": ("ten",)}, False, "CO numeric: not a number"),
    ("DateLessThan", "k", ["2026-01-01T00:00:00Z"], {"k": ("2025-12-31T23:59:59Z",)}, True, "CO"),
    ("DateGreaterThan", "k", ["1700000000"], {"k": ("2026-01-01T00:00:00Z",)}, True, "CO: epoch"),
    ("DateEquals", "k", ["2026-01-01"], {"k": ("2026-01-01T00:00:00Z",)}, True, "CO: date only"),
    ("Bool", "k", ["true"], {"k": ("true",)}, True, "CO boolean"),
    ("Bool", "k", ["false"], {"k": ("true",)}, False, "CO boolean"),
    ("Bool", "k", ["true"], {}, False, "CO boolean: key missing"),
    ("BoolIfExists", "k", ["true"], {}, True, "CO IfExists"),
    ("BinaryEquals", "k", ["QmluYXJ5"], {"k": ("QmluYXJ5",)}, True, "CO binary"),
    ("IpAddress", "k", ["203.0.113.0/24"], {"k": ("203.0.113.7",)}, True, "CO IP"),
    ("IpAddress", "k", ["203.0.113.0/24"], {"k": ("203.0.114.7",)}, False, "CO IP"),
    ("IpAddress", "k", ["2001:DB8::/32"], {"k": ("2001:db8::1",)}, True, "CO IP: version 6"),
    ("NotIpAddress", "k", ["203.0.113.0/24"], {"k": ("203.0.114.7",)}, True, "CO IP"),
    ("ArnLike", "k", ["arn:aws:s3:::b*"], {"k": ("arn:aws:s3:::bucket",)}, True, "CO ARN"),
    ("ArnEquals", "k", ["arn:aws:s3:::b*"], {"k": ("arn:aws:s3:::bucket",)}, True, "CO ARN: same"),
    ("ArnLike", "k", ["arn:aws:sqs:*:1:q"], {"k": ("arn:aws:sqs:r:2:q",)}, False, "CO ARN: parts"),
    ("ArnLike", "k", ["arn:aws:*:q"], {"k": ("arn:aws:sqs:r:1:q",)}, False, "CO ARN: parts"),
    ("ArnNotLike", "k", ["arn:aws:s3:::b"], {"k": ("arn:aws:s3:::c",)}, True, "CO ARN"),
    ("ArnNotEquals", "k", ["arn:aws:s3:::b"], {"k": ("arn:aws:s3:::b",)}, False, "CO ARN"),
    ("Null", "k", ["true"], {}, True, "CO Null"),
    ("Null", "k", ["true"], {"k": ("a",)}, False, "CO Null"),
    ("Null", "k", ["false"], {"k": ("a",)}, True, "CO Null"),
    ("ForAllValues:StringEquals", "k", ["a", "b"], {"k": ("a", "b")}, True, "SO"),
    ("ForAllValues:StringEquals", "k", ["a"], {"k": ("a", "b")}, False, "SO"),
    ("ForAllValues:StringEquals", "k", ["a"], {}, True, "SO: key missing"),
    ("ForAnyValue:StringEquals", "k", ["a"], {"k": ("a", "b")}, True, "SO"),
    ("ForAnyValue:StringEquals", "k", ["c"], {"k": ("a", "b")}, False, "SO"),
    ("ForAnyValue:StringEquals", "k", ["a"], {}, False, "SO: key missing"),
    ("ForAllValues:StringNotEquals", "k", ["a"], {"k": ("b", "c")}, True, "SO"),
    ("ForAllValues:StringNotEquals", "k", ["a"], {"k": ("a", "c")}, False, "SO"),
    ("ForAnyValue:StringNotEquals", "k", ["a"], {"k": ("a", "c")}, True, "SO"),
    ("ForAnyValue:StringLike", "k", ["t*"], {"k": ("x", "team")}, True, "SO"),
    ("StringEquals", "k", ["${aws:username}"], {"k": ("u",), "aws:username": ("u",)}, True, "PV"),
    ("StringEquals", "k", ["${aws:username}"], {"k": ("u",)}, False, "PV: no value, no match"),
    ("StringEquals", "k", ["${aws:username, 'd'}"], {"k": ("d",)}, True, "PV: default value"),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{r[0]}-{r[5]}-{i}" for i, r in enumerate(ROWS)])
def test_operator(row: Row) -> None:
    operator, key, wanted, context, expected, _source = row

    assert compile_condition(operator, key, wanted)(context) is expected


def test_wildcards_in_a_variables_value_are_plain_characters() -> None:
    condition = compile_condition("StringLike", "k", ["${aws:username}"])

    assert not condition({"k": ("anyone",), "aws:username": ("*",)})


@pytest.mark.parametrize("operator", ["StringMatches", "ForSome:StringEquals", ""])
def test_an_unknown_operator_is_refused(operator: str) -> None:
    with pytest.raises(UnsupportedByLocalAws):
        compile_condition(operator, "k", ["a"])
