"""The life of an execution, through the Step Functions API."""

import json
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.events import service as events
from localaws.machines import executions as machine_executions
from localaws.moto_seams import machines as seams
from tests.localaws import machine_bench as bench
from tests.localaws.sagemaker_world import comes_true

pytestmark = pytest.mark.usefixtures("laptop")

PASS = bench.one_state(Type="Pass")
LONG = bench.one_state(Type="Wait", Seconds=10**8)


def refused(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def stop(execution: str, **more: str) -> None:
    bench.client("stepfunctions").stop_execution(executionArn=execution, **more)


def test_unnamed_executions_get_names_of_their_own() -> None:
    machine = bench.make_machine(PASS)

    names = {bench.start(machine).rpartition(":")[2] for _ in range(3)}

    assert len(names) == 3
    assert all(len(name) == 36 for name in names)


def test_same_name_and_input_while_running_is_the_same_execution() -> None:
    machine = bench.make_machine(LONG)

    first = bench.start(machine, {"a": 1}, name="twice")
    second = bench.start(machine, {"a": 1}, name="twice")

    assert first == second
    stop(first)


@pytest.mark.parametrize("document", [{"a": 1}, {"a": 2}])
def test_name_of_an_ended_execution_is_taken(document: dict[str, int]) -> None:
    machine = bench.make_machine(PASS)
    bench.ended(bench.start(machine, {"a": 1}, name="once"))

    code, _ = refused(
        bench.client("stepfunctions").start_execution,
        stateMachineArn=machine,
        name="once",
        input=json.dumps(document),
    )

    assert code == "ExecutionAlreadyExists"


def test_other_input_under_a_running_name_is_refused() -> None:
    machine = bench.make_machine(LONG)
    execution = bench.start(machine, {"a": 1}, name="busy")

    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        bench.start(machine, {"a": 2}, name="busy")

    stop(execution)


def test_input_that_is_not_json_is_refused() -> None:
    code, _ = refused(
        bench.client("stepfunctions").start_execution,
        stateMachineArn=bench.make_machine(PASS),
        input="{not json",
    )

    assert code == "InvalidExecutionInput"


def test_stop_aborts_a_wait_at_once_with_error_and_cause() -> None:
    execution = bench.start(bench.make_machine(LONG))

    stop(execution, error="Cancelled", cause="by a person")

    description = bench.ended(execution)
    assert (description["status"], description["error"], description["cause"]) == (
        "ABORTED",
        "Cancelled",
        "by a person",
    )
    assert description["stopDate"] >= description["startDate"]
    assert bench.types_of(execution)[-1] == "ExecutionAborted"


def test_stop_aborts_a_task_that_waits_for_its_token() -> None:
    queue = bench.client("sqs").create_queue(QueueName=bench.unused_name("tokens"))["QueueUrl"]
    execution = bench.start(
        bench.make_machine(
            bench.one_state(
                Type="Task",
                Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                Parameters={"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}},
            )
        )
    )

    stop(execution)

    assert bench.ended(execution)["status"] == "ABORTED"


def test_an_execution_that_is_stopped_before_its_thread_runs_is_aborted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs, begin = machine_executions._Worker._execution_logic, threading.Event()

    def late(worker: Any) -> None:
        begin.wait(60)
        runs(worker)

    monkeypatch.setattr(machine_executions._Worker, "_execution_logic", late)
    execution = bench.start(bench.make_machine(LONG))

    threading.Timer(0.2, begin.set).start()
    stop(execution, error="Cancelled")

    assert bench.ended(execution)["error"] == "Cancelled"
    assert bench.types_of(execution) == ["ExecutionStarted", "ExecutionAborted"]


def test_task_token_brings_error_and_cause_back() -> None:
    queue = bench.client("sqs").create_queue(QueueName=bench.unused_name("tokens"))["QueueUrl"]
    execution = bench.start(
        bench.make_machine(
            bench.one_state(
                Type="Task",
                Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                Parameters={"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}},
            )
        )
    )
    received = bench.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)
    token = json.loads(received["Messages"][0]["Body"])["token"]

    bench.client("stepfunctions").send_task_failure(taskToken=token, error="No", cause="because")

    description = bench.ended(execution)
    assert (description["error"], description["cause"]) == ("No", "because")


def test_history_is_read_backwards_in_pages_and_without_data() -> None:
    execution = bench.start(bench.make_machine(PASS), {"secret": 1})
    bench.ended(execution)
    read = bench.client("stepfunctions").get_execution_history

    first = read(executionArn=execution, reverseOrder=True, maxResults=3)
    second = read(
        executionArn=execution, reverseOrder=True, maxResults=3, nextToken=first["nextToken"]
    )
    bare = read(executionArn=execution, includeExecutionData=False)

    types = [event["type"] for event in first["events"] + second["events"]]
    assert types == [
        "ExecutionSucceeded",
        "PassStateExited",
        "PassStateEntered",
        "ExecutionStarted",
    ]
    assert "nextToken" not in second
    assert "secret" not in json.dumps(bare["events"], default=str)


def test_executions_are_listed_newest_first_by_status_and_in_pages() -> None:
    machine = bench.make_machine(PASS)
    done = [bench.start(machine, {}, name=f"n{n}") for n in range(3)]
    for execution in done:
        bench.ended(execution)
    listing = bench.client("stepfunctions").list_executions

    page = listing(stateMachineArn=machine, maxResults=2)
    rest = listing(stateMachineArn=machine, maxResults=2, nextToken=page["nextToken"])
    running = listing(stateMachineArn=machine, statusFilter="RUNNING")

    assert [e["name"] for e in page["executions"] + rest["executions"]] == ["n2", "n1", "n0"]
    assert running["executions"] == []
    assert all(e["stopDate"] for e in page["executions"])


def test_update_leaves_a_running_execution_its_definition() -> None:
    machine = bench.make_machine(bench.one_state(Type="Wait", Seconds=100_000))
    execution = bench.start(machine, {"old": True})

    changed = bench.one_state(Type="Pass", Result={"new": True})
    bench.client("stepfunctions").update_state_machine(
        stateMachineArn=machine, definition=json.dumps(changed)
    )

    assert json.loads(bench.ended(execution)["output"]) == {"old": True}
    assert json.loads(bench.ended(bench.start(machine))["output"]) == {"new": True}


def test_creating_another_machine_under_a_name_in_use_is_refused() -> None:
    role = bench.make_role()
    create = bench.client("stepfunctions").create_state_machine
    same = {"name": bench.unused_name("same"), "roleArn": role}
    create(definition=json.dumps(PASS), **same)

    again = create(definition=json.dumps(PASS), **same)
    code, _ = refused(create, definition=json.dumps(LONG), **same)

    assert again["stateMachineArn"].endswith(same["name"])
    assert code == "StateMachineAlreadyExists"


@pytest.mark.parametrize("last", ["SUCCEEDED", "ABORTED"])
def test_status_changes_are_events_with_documents_as_strings(last: str) -> None:
    heard: list[dict[str, Any]] = []
    events.subscribe(heard.append)
    execution = bench.start(
        bench.make_machine(PASS if last == "SUCCEEDED" else LONG), {"a": 1}, name="told"
    )
    if last == "ABORTED":
        stop(execution)
    bench.ended(execution)

    def mine() -> list[dict[str, Any]]:
        return [e for e in heard if e["resources"] == [execution]]

    # The bus may hear of the end a moment after DescribeExecution tells it.
    assert comes_true(lambda: len(mine()) == 2)
    assert [e["detail"]["status"] for e in mine()] == ["RUNNING", last]
    assert {e["source"] for e in mine()} == {"aws.states"}
    assert {e["detail-type"] for e in mine()} == {"Step Functions Execution Status Change"}
    detail = mine()[1]["detail"]
    assert detail["executionArn"] == execution
    assert json.loads(detail["input"]) == {"a": 1}
    assert isinstance(detail["stopDate"], int)
    assert detail["output"] == ('{"a":1}' if last == "SUCCEEDED" else None)


def test_ended_execution_keeps_only_its_packed_history() -> None:
    execution = bench.start(bench.make_machine(PASS), {"filler": "x" * 100_000})
    bench.ended(execution)
    stored = seams.stepfunctions_parser_backends[bench.ACCOUNT][bench.REGION].describe_execution(
        execution
    )

    packed = stored.exec_worker.env.event_manager._packed

    assert len(packed) < 5_000
    assert seams.utils.TMP_THREADS == []


def test_oldest_ended_executions_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_executions, "KEPT_EXECUTIONS", 2)
    machine = bench.make_machine(PASS)

    for n in range(4):
        bench.ended(bench.start(machine, {}, name=f"n{n}"))

    listed = bench.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    assert [e["name"] for e in listed] == ["n3", "n2"]


@pytest.mark.parametrize("operation", ["start_sync_execution", "redrive_execution"])
def test_operations_not_built_say_so(operation: str) -> None:
    machine = bench.make_machine(PASS)
    execution = bench.start(machine)
    parameters = {
        "start_sync_execution": {"stateMachineArn": machine},
        "redrive_execution": {"executionArn": execution},
    }[operation]

    code, _ = refused(getattr(bench.client("stepfunctions"), operation), **parameters)

    assert code == "UnsupportedByLocalAws"


def test_express_machines_are_refused() -> None:
    code, _ = refused(
        bench.client("stepfunctions").create_state_machine,
        name="express",
        type="EXPRESS",
        roleArn=bench.make_role(),
        definition=json.dumps(PASS),
    )

    assert code == "UnsupportedByLocalAws"


def test_tracing_is_accepted_and_shown() -> None:
    machine = bench.make_machine(PASS, tracingConfiguration={"enabled": True})

    described = bench.client("stepfunctions").describe_state_machine(stateMachineArn=machine)

    assert described["tracingConfiguration"] == {"enabled": True}
    assert bench.ended(bench.start(machine))["status"] == "SUCCEEDED"


LOGGED = [
    (
        "ALL",
        True,
        ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"],
    ),
    ("ERROR", True, []),
    (
        "ALL",
        False,
        ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"],
    ),
]


@pytest.mark.parametrize(("level", "include", "expected"), LOGGED)
def test_history_is_logged_at_the_machines_level(
    level: str, include: bool, expected: list[str]
) -> None:
    logs, group = bench.client("logs"), bench.unused_name("/machines")
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:{bench.REGION}:{bench.ACCOUNT}:log-group:{group}:*"
    machine = bench.make_machine(
        PASS,
        loggingConfiguration={
            "level": level,
            "includeExecutionData": include,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}],
        },
    )

    bench.ended(bench.start(machine, {"seen": True}))

    lines = [
        json.loads(event["message"])
        for event in logs.filter_log_events(logGroupName=group)["events"]
    ]
    assert [line["type"] for line in lines] == expected
    assert ("seen" in json.dumps(lines)) == (include and bool(expected))


def _logged(group: str) -> dict[str, object]:
    arn = f"arn:aws:logs:{bench.REGION}:{bench.ACCOUNT}:log-group:{group}:*"
    return {
        "level": "ALL",
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}],
    }


LOG_DELIVERY = (
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery"),
    *("logs:DeleteLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy"),
    *("logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
)


@pytest.mark.parametrize("missing", LOG_DELIVERY)
def test_machine_with_a_log_is_refused_when_its_role_may_not_set_up_the_delivery(
    missing: str,
) -> None:
    granted = [action for action in LOG_DELIVERY if action != missing]
    role = bench.make_role(statements=[{"Effect": "Allow", "Action": granted, "Resource": "*"}])

    with pytest.raises(ClientError) as caught:
        bench.make_machine(PASS, role, loggingConfiguration=_logged("/machines/refused"))

    error = caught.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert "is not authorized to access the Log Destination" in error["Message"]
    assert missing in error["Message"]
    assert role.rpartition("/")[2] in error["Message"]


def test_machine_without_a_log_needs_no_right_to_deliver_one() -> None:
    role = bench.make_role(statements=[{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}])

    assert bench.make_machine(PASS, role)
