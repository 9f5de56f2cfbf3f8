"""What a rule's target is sent; expectations from the EventBridge user guide's examples."""

import json

import pytest

from localaws.events.input import InvalidTargetInput, RuleFacts, check, render

RULE = RuleFacts("arn:aws:events:us-east-1:123456789012:rule/r", "r", "2026-11-21T00:00:00Z")
EVENT = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
    "detail": {"instance-id": "i-0123456789", "state": 'RUN"NING', "n": 3, "list": [1, {"a": 2}]},
}
PATHS = {"instance": "$.detail.instance-id", "state": "$.detail.state", "gone": "$.detail.gone"}


def transformed(template: str, **paths: str) -> str:
    transformer = {"InputPathsMap": {**PATHS, **paths}, "InputTemplate": template}
    return render({"InputTransformer": transformer}, EVENT, RULE)


def test_sends_the_whole_event_by_default():
    assert json.loads(render({}, EVENT, RULE)) == EVENT


def test_sends_a_constant_as_it_was_written():
    assert render({"Input": '{"a":  1}'}, EVENT, RULE) == '{"a":  1}'


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", EVENT),
        ("$.detail.instance-id", "i-0123456789"),
        ("$.resources[0]", EVENT["resources"][0]),
        ("$.detail.list[-1].a", 2),
        ("$.detail.list[*]", [1, {"a": 2}]),
        ("$.detail['n']", 3),
        ("$.detail.missing", None),
    ],
)
def test_sends_the_part_at_a_path(path: str, expected: object):
    assert json.loads(render({"InputPath": path}, EVENT, RULE)) == expected


def test_a_string_put_as_a_value_is_quoted_and_escaped():
    sent = transformed('{"instance": <instance>, "state": <state>, "n": <n>}', n="$.detail.n")

    assert json.loads(sent) == {"instance": "i-0123456789", "state": 'RUN"NING', "n": 3}


def test_a_string_put_inside_a_string_gets_no_quotes_of_its_own():
    assert json.loads(transformed('"<instance> is <state>"')) == 'i-0123456789 is RUN"NING'


def test_an_object_put_inside_a_string_leaves_the_template_valid():
    sent = transformed('{"text": "it is <detail>"}', detail="$.detail.list[1]")

    assert json.loads(sent) == {"text": 'it is {"a":2}'}


def test_a_variable_that_finds_nothing_is_null_or_empty():
    assert json.loads(transformed('{"a": <gone>, "b": "<gone>."}')) == {"a": None, "b": "."}


def test_predefined_variables_need_no_path():
    sent = transformed(
        '{"arn": <aws.events.rule-arn>, "name": "<aws.events.rule-name>",'
        ' "at": <aws.events.event.ingestion-time>, "event": <aws.events.event.json>,'
        ' "bare": <aws.events.event>}'
    )

    assert json.loads(sent) == {
        "arn": RULE.arn,
        "name": "r",
        "at": RULE.received_at,
        "event": EVENT,
        "bare": {key: value for key, value in EVENT.items() if key != "detail"},
    }


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"Input": "not json"}, "not valid JSON"),
        ({"Input": "{}", "InputPath": "$.a"}, "Only one of"),
        ({"InputPath": "detail"}, "starts with"),
        ({"InputPath": "$.detail[x]"}, "at character"),
        ({"InputTransformer": {"InputTemplate": '{"a": <b>}'}}, "does not define"),
        ({"InputTransformer": {"InputTemplate": '{"a": }'}}, "not valid JSON"),
        (
            {"InputTransformer": {"InputPathsMap": {"awsX": "$.a"}, "InputTemplate": "<awsX>"}},
            "reserved",
        ),
    ],
)
def test_refuses_a_target_input_that_cannot_work(target: dict[str, object], reason: str):
    with pytest.raises(InvalidTargetInput, match=reason):
        check(target)


def test_accepts_a_target_input_that_can():
    check({"InputTransformer": {"InputPathsMap": PATHS, "InputTemplate": '{"a": <instance>}'}})
    check({"InputPath": "$.detail"})
    check({"Input": "{}"})
