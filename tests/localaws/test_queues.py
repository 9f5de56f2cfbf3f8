"""A queue wakes its function as on AWS: in batches, again after a failure, then never more.

The visibility time-out of 30 s passes in one second here, the least that the laptop waits.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localaws import clients
from localaws.lambdas import queues as lambda_queues
from localaws.server import LaptopServer
from tests.localaws.lambda_world import EVERYTHING, TRUST, zipped

# Writes down what it is given; a body says what becomes of its record.
APP = """
import json, os

def handler(event, context):
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(json.dumps(event["Records"]) + "\\n")
    bodies = {record["body"]: record["messageId"] for record in event["Records"]}
    if "raise" in bodies:
        raise ValueError("cannot")
    if "nonsense" in bodies:
        return {"batchItemFailures": [{"itemIdentifier": "of another batch"}]}
    failed = [bodies[body] for body in bodies if body.startswith("refuse")]
    return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}
"""


@dataclass
class Line:
    """A queue with its dead-letter queue, and the function that it wakes."""

    name: str
    url: str
    arn: str
    dead_url: str
    seen: Path
    role: str

    def send(self, *bodies: str) -> None:
        """Messages, one after another."""
        for body in bodies:
            clients.developer_client("sqs").send_message(QueueUrl=self.url, MessageBody=body)

    def map(self, **settings: Any) -> str:
        """Let the queue wake the function; the mapping's UUID."""
        made = clients.developer_client("lambda").create_event_source_mapping(
            EventSourceArn=self.arn, FunctionName=self.name, **settings
        )
        return str(made["UUID"])

    def batches(self) -> list[list[dict[str, Any]]]:
        """The records of each invocation so far."""
        text = self.seen.read_text() if self.seen.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def bodies(self) -> list[list[str]]:
        """The bodies in each invocation so far."""
        return [[record["body"] for record in batch] for batch in self.batches()]

    def await_batches(self, count: int) -> list[list[dict[str, Any]]]:
        """What the function was given, once it was invoked that often."""
        until(lambda: len(self.batches()) >= count)
        return self.batches()

    def waiting(self) -> tuple[int, int]:
        """How many messages the queue shows, and how many it hides."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = clients.developer_client("sqs").get_queue_attributes(
            QueueUrl=self.url, AttributeNames=names
        )["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def dead(self) -> list[str]:
        """The bodies in the dead-letter queue."""
        received = clients.developer_client("sqs").receive_message(
            QueueUrl=self.dead_url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [message["Body"] for message in received.get("Messages", [])]


def until(is_so: Callable[[], bool], limit_s: float = 120) -> None:
    deadline = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline, f"not within {limit_s} s"
        time.sleep(0.02)


def pollers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lambda-queue"]


@pytest.fixture
def line(laptop: LaptopServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Line]:
    """A line of its own for each test; its mappings go with it."""
    name = "f-" + request.node.name.removeprefix("test_").replace("_", "-")[:40].strip("-")
    iam, sqs = clients.developer_client("iam"), clients.developer_client("sqs")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    allow(name)
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": arn_of(dead), "maxReceiveCount": 2}
    queue = sqs.create_queue(
        QueueName=name,
        Attributes={"VisibilityTimeout": "30", "RedrivePolicy": json.dumps(redrive)},
    )["QueueUrl"]
    functions = clients.developer_client("lambda")
    functions.create_function(
        FunctionName=name,
        Role=role,
        Runtime="python3.13",
        Handler="app.handler",
        Code={"ZipFile": zipped({"app.py": APP})},
        Timeout=20,
        Environment={"Variables": {"SEEN": str(tmp_path / "seen.jsonl")}},
    )
    yield Line(name, queue, arn_of(queue), dead, tmp_path / "seen.jsonl", name)
    for mapping in functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])


def allow(role: str) -> None:
    clients.developer_client("iam").put_role_policy(
        RoleName=role, PolicyName="everything", PolicyDocument=json.dumps(EVERYTHING)
    )


def arn_of(url: str) -> str:
    found = clients.developer_client("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=["QueueArn"]
    )
    return str(found["Attributes"]["QueueArn"])


def test_a_message_wakes_the_function_with_a_record_as_lambda_sends_it(line: Line) -> None:
    line.map()

    clients.developer_client("sqs").send_message(
        QueueUrl=line.url,
        MessageBody="hello",
        MessageAttributes={"kind": {"DataType": "String", "StringValue": "failed"}},
    )

    ((record,),) = line.await_batches(1)
    assert record["body"] == "hello"
    assert record["messageAttributes"]["kind"]["stringValue"] == "failed"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert (record["eventSource"], record["eventSourceARN"]) == ("aws:sqs", line.arn)
    assert record["awsRegion"] == "us-east-1"
    assert {"messageId", "receiptHandle", "md5OfBody"} <= set(record)
    until(lambda: line.waiting() == (0, 0))


def test_what_waits_already_comes_in_batches_of_the_mapping_s_size(line: Line) -> None:
    line.send("a", "b", "c")

    line.map(BatchSize=2)

    line.await_batches(2)
    assert sorted(len(batch) for batch in line.bodies()) == [1, 2]
    assert sorted(body for batch in line.bodies() for body in batch) == ["a", "b", "c"]
    until(lambda: line.waiting() == (0, 0))


def test_a_batch_that_failed_comes_again_until_its_queue_gives_it_up(line: Line) -> None:
    """Twice, as the redrive policy says, each after the visibility time-out."""
    line.map()
    started = time.monotonic()

    line.send("raise")

    until(lambda: line.dead() == ["raise"])
    assert time.monotonic() - started > 2
    counts = [r["attributes"]["ApproximateReceiveCount"] for (r,) in line.batches()]
    assert counts == ["1", "2"]
    assert line.waiting() == (0, 0)


def test_a_failed_batch_holds_no_later_message_back_and_is_not_forgotten_over_it(
    line: Line,
) -> None:
    """The later message makes the poller look while the failed one is still hidden."""
    line.map(BatchSize=1)

    line.send("raise")
    line.await_batches(1)
    line.send("after")

    until(lambda: ["after"] in line.bodies())
    until(lambda: line.dead() == ["raise"])


def test_only_the_records_that_are_reported_come_again(line: Line) -> None:
    line.send("good", "refuse it")

    line.map(FunctionResponseTypes=["ReportBatchItemFailures"])

    until(lambda: line.dead() == ["refuse it"])
    assert sorted(body for batch in line.bodies() for body in batch) == [
        "good",
        "refuse it",
        "refuse it",
    ]


def test_a_report_that_names_a_stranger_brings_the_whole_batch_again(line: Line) -> None:
    line.send("good", "nonsense")

    line.map(FunctionResponseTypes=["ReportBatchItemFailures"])

    until(lambda: sorted(line.dead()) == ["good", "nonsense"])


def test_an_answer_counts_as_a_report_only_where_the_mapping_says_so(line: Line) -> None:
    line.map()

    line.send("refuse it")

    line.await_batches(1)
    until(lambda: line.waiting() == (0, 0))
    assert line.dead() == []


def test_a_mapping_that_is_disabled_takes_nothing_until_it_is_enabled(line: Line) -> None:
    functions = clients.developer_client("lambda")
    uuid = line.map(Enabled=False)
    until(lambda: not pollers())  # those of other tests end by themselves
    line.send("patient")
    assert line.waiting() == (1, 0)

    functions.update_event_source_mapping(UUID=uuid, Enabled=True)

    line.await_batches(1)
    assert line.bodies() == [["patient"]]


def test_messages_stay_when_their_mapping_goes(line: Line) -> None:
    uuid = line.map()
    line.send("first")
    line.await_batches(1)
    until(lambda: line.waiting() == (0, 0))

    clients.developer_client("lambda").delete_event_source_mapping(UUID=uuid)
    until(lambda: not pollers())
    line.send("second")

    assert line.bodies() == [["first"]]
    assert line.waiting() == (1, 0)


def test_a_role_that_may_not_receive_leaves_the_message_for_when_it_may(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    line.map()
    line.send("allowed")
    line.await_batches(1)
    iam = clients.developer_client("iam")
    iam.delete_role_policy(RoleName=line.role, PolicyName="everything")
    line.send("early")
    until(lambda: "is not read" in caplog.text)
    assert "AccessDenied" in caplog.text
    assert line.bodies() == [["allowed"]]

    allow(line.role)
    line.send("late")

    until(lambda: {b for batch in line.bodies() for b in batch} == {"allowed", "early", "late"})


def test_no_poller_outlives_the_laptop(line: Line, laptop: LaptopServer) -> None:
    line.map()
    line.send("last")
    line.await_batches(1)
    assert pollers()

    lambda_queues.shutdown()
    try:
        until(lambda: not pollers())
        line.send("too late")
        assert line.bodies() == [["last"]]
    finally:
        assert laptop.context is not None
        lambda_queues.install(laptop.context)
