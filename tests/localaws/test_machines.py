"""What the interpreter does with a definition: paths, intrinsics, waits, retries, limits."""

import json
import time
from typing import Any

import pytest

from tests.localaws import machine_bench as bench

pytestmark = pytest.mark.usefixtures("laptop")


INTRINSICS = [
    ("States.Format('{}/{}', $.a, $.n)", "x/3"),
    ("States.Format('it\\'s \\{{}\\} {\"k\": {}}', $.a, $.n)", 'it\'s {x} {"k": 3}'),
    ("States.StringToJson('{\"k\": [1, 2]}')", {"k": [1, 2]}),
    ("States.JsonToString($.d)", '{"k":1}'),
    ("States.ArrayContains($.l, 2)", True),
    ("States.ArrayContains($.l, 9)", False),
    ("States.MathAdd($.n, -1)", 2),
    ("States.Array($.a, $.n)", ["x", 3]),
    ("States.ArrayLength($.l)", 3),
    ("States.ArrayGetItem($.l, 1)", 2),
    ("States.StringSplit('a,b', ',')", ["a", "b"]),
    ("States.JsonMerge($.d, $.e, false)", {"k": 1, "z": 2}),
    ("States.Base64Encode('hi')", "aGk="),
]


@pytest.mark.parametrize(("expression", "expected"), INTRINSICS)
def test_intrinsic_gives_what_the_language_says(expression: str, expected: Any) -> None:
    document = {"a": "x", "n": 3, "l": [1, 2, 3], "d": {"k": 1}, "e": {"z": 2}}

    result = bench.output_of(bench.one_state(Type="Pass", Parameters={"v.$": expression}), document)

    assert result == {"v": expected}


def test_strings_of_a_definition_keep_their_quotes_and_line_ends() -> None:
    result = bench.output_of(bench.one_state(Type="Pass", Result={"t": 'say "hi"\n\\n é'}))

    assert result == {"t": 'say "hi"\n\\n é'}


@pytest.mark.parametrize("path", ["$.a", "$$.Execution.Input.a", "States.Format('{}', $.a)"])
def test_a_path_is_read_under_every_key_also_role_arn(path: str) -> None:
    parameters = {"RoleArn.$": path, "inner": [{"RoleArn.$": path}]}

    result = bench.output_of(bench.one_state(Type="Pass", Parameters=parameters), {"a": "x"})

    assert result == {"RoleArn": "x", "inner": [{"RoleArn": "x"}]}


def test_map_builds_an_array_with_format() -> None:
    item = {"Type": "Pass", "Parameters": {"name.$": "States.Format('s3://{}', $)"}, "End": True}
    definition = bench.one_state(
        Type="Map",
        ItemsPath="$.names",
        ItemProcessor={"StartAt": "Name", "States": {"Name": item}},
    )

    result = bench.output_of(definition, {"names": ["a", "b"]})

    assert result == [{"name": "s3://a"}, {"name": "s3://b"}]


def test_loop_counts_with_math_add_until_its_choice_ends_it() -> None:
    definition = {
        "StartAt": "Count",
        "States": {
            "Count": {
                "Type": "Pass",
                "Parameters": {"n.$": "States.MathAdd($.n, 1)"},
                "Next": "Enough",
            },
            "Enough": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericGreaterThanEquals": 25, "Next": "Done"}],
                "Default": "Count",
            },
            "Done": {"Type": "Succeed"},
        },
    }

    assert bench.output_of(definition, {"n": 0}) == {"n": 25}


def test_context_object_names_execution_state_and_times_as_strings() -> None:
    parameters = {
        "id.$": "$$.Execution.Id",
        "started.$": "$$.Execution.StartTime",
        "entered.$": "$$.State.EnteredTime",
        "state.$": "$$.State.Name",
        "machine.$": "$$.StateMachine.Name",
    }
    execution = bench.start(bench.make_machine(bench.one_state(Type="Pass", Parameters=parameters)))

    shown = json.loads(bench.ended(execution)["output"])

    assert shown["id"] == execution
    assert shown["state"] == "Only"
    assert shown["machine"] == execution.split(":")[6]
    assert shown["started"].endswith("Z")
    assert shown["entered"].endswith("Z")


def test_wait_passes_on_the_scaled_clock() -> None:
    definition = bench.one_state(Type="Wait", Seconds=600)
    began = time.monotonic()

    bench.output_of(definition)

    assert time.monotonic() - began < 60  # 600 s of AWS are 6 ms here


def test_retry_counts_its_attempts_and_backs_off_on_the_scaled_clock() -> None:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ssm:getParameter",
        "Parameters": {"Name.$": "States.Format('/none/{}', $$.State.RetryCount)"},
        "Retry": [
            {"ErrorEquals": ["Ssm.ParameterNotFoundException"], "IntervalSeconds": 300},
        ],
        "End": True,
    }
    execution = bench.start(bench.make_machine(bench.one_state(**task)))

    bench.ended(execution)

    asked = [
        json.loads(event["taskScheduledEventDetails"]["parameters"])["Name"]
        for event in bench.history(execution)
        if event["type"] == "TaskScheduled"
    ]
    assert asked == ["/none/0", "/none/1", "/none/2", "/none/3"]


def test_fail_takes_error_and_cause_from_what_was_caught() -> None:
    definition = {
        "StartAt": "Ask",
        "States": {
            "Ask": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:ssm:getParameter",
                "Parameters": {"Name": "/none"},
                "Catch": [
                    {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Give up"}
                ],
                "End": True,
            },
            "Give up": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
        },
    }

    description = bench.run(definition)

    assert description["status"] == "FAILED"
    assert description["error"] == "Ssm.ParameterNotFoundException"
    assert description["cause"].startswith("Parameter /none not found. (Service: Ssm, ")


def test_machine_time_limit_ends_a_wait_as_timed_out() -> None:
    definition = {**bench.one_state(Type="Wait", Seconds=10_000_000), "TimeoutSeconds": 1}

    description = bench.run(definition)

    assert description["status"] == "TIMED_OUT"
    assert description["stopDate"] is not None


def test_a_document_over_256_kb_fails_its_state() -> None:
    grow = {"Type": "Pass", "Parameters": {"twice.$": "States.Array($.t, $.t)"}}

    description = bench.run(bench.one_state(**grow), {"t": "x" * 140_000})

    assert description["status"] == "FAILED"
    assert description["error"] == "States.DataLimitExceeded"


def test_failing_branch_ends_the_waits_of_its_siblings() -> None:
    definition = bench.one_state(
        Type="Parallel",
        Branches=[
            {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 10**7, "End": True}}},
            {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Bad", "Cause": "why"}}},
        ],
    )

    description = bench.run(definition)

    assert (description["status"], description["error"]) == ("FAILED", "Bad")


JSONATA = [
    ("{% $states.input.x + 1 %}", 4),
    ("{% $length($uuid()) %}", 36),
    ("{% $parse('{\"a\": 1}').a %}", 1),
    (
        # sha256 of the single letter a, from `printf a | sha256sum`
        "{% $hash('a', 'SHA-256') %}",
        "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    ),
    ("{% $states.input.l[$ > 1] %}", [2, 3]),
    ("{% $said %}", 'he "x"'),
]


@pytest.mark.parametrize(("expression", "expected"), JSONATA)
def test_jsonata_expression_gives_its_value(expression: str, expected: Any) -> None:
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "Say",
        "States": {
            "Say": {"Type": "Pass", "Assign": {"said": 'he "x"'}, "Next": "Only"},
            "Only": {"Type": "Pass", "Output": {"v": expression}, "End": True},
        },
    }

    assert bench.output_of(definition, {"x": 3, "l": [1, 2, 3]}) == {"v": expected}


def test_twenty_executions_at_once_each_end_with_their_own_output() -> None:
    states = {
        "Pause": {"Type": "Wait", "Seconds": 60, "Next": "Name"},
        "Name": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:ssm:putParameter",
            "Parameters": {
                "Name.$": "States.Format('/twenty/{}', $.n)",
                "Value": "v",
                "Type": "String",
            },
            "ResultPath": None,
            "End": True,
        },
    }
    machine = bench.make_machine({"StartAt": "Pause", "States": states})

    executions = [bench.start(machine, {"n": n}) for n in range(20)]
    outputs = [json.loads(bench.ended(execution)["output"]) for execution in executions]

    assert outputs == [{"n": n} for n in range(20)]
    listed = bench.client("ssm").get_parameters_by_path(Path="/twenty", MaxResults=10)
    assert len(listed["Parameters"]) == 10
