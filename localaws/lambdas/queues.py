"""Queues that wake functions: event source mappings, polled with the function's own role.

Rules: Lambda Developer Guide, "Using Lambda with Amazon SQS" and "Implementing partial batch
responses" (read 2026-11-21): Lambda receives with the execution role, deletes what was done, and
leaves the rest to the queue's visibility time-out and redrive policy. Two failure modes
considered: a role that may not receive (logged, tried again at the next arrival) and a function
that is deleted while its mapping stands (the messages stay).

parity: one batch of a mapping is under way at a time, and nothing is asked of an empty queue: the
poller wakes when a message arrives or comes back. The visibility time-out passes at the laptop's
time scale, at least one second.
"""

import json
import logging
import math
import threading
import time
from typing import Any

from localaws import clients, clock, inbox, topic_delivery
from localaws.context import Context
from localaws.lambdas.log import PRINCIPAL
from localaws.moto_seams import queues as moto_seams_queues
from localaws.moto_seams.queues import QueueHooks, QueueMapping

_MOST_RECEIVED = 10
_HIDDEN = "ApproximateNumberOfMessagesNotVisible"
_MARGIN_S = 0.05
_log = logging.getLogger("localaws.lambdas")


class QueuePoller:
    """Feeds one function from one queue until it is stopped."""

    def __init__(self, mapping: QueueMapping) -> None:
        self.mapping = mapping
        self._wake = threading.Event()
        self._stopped = False
        self._comes_back_at: float | None = None
        """By the monotonic clock: when the last batch, were it not done, would be visible again."""
        self._thread = threading.Thread(target=self._run, name="lambda-queue", daemon=True)
        self._wake.set()
        self._thread.start()

    def wake(self) -> None:
        """Look at the queue soon."""
        self._wake.set()

    def stop(self) -> None:
        """Take no more messages."""
        self._stopped = True
        self._wake.set()

    def _run(self) -> None:
        wait_s: float | None = None
        while True:
            self._wake.wait(wait_s)
            self._wake.clear()
            if self._stopped:
                return
            try:
                wait_s = self._empty_queue()
            except Exception as error:  # noqa: BLE001 - a thread's edge: told here, tried at the next arrival
                _log.warning("%s is not read: %s", self.mapping.queue_arn, error)
                wait_s = self._until_back_s()

    def _until_back_s(self) -> float | None:
        """Seconds until the last batch may come back; None when that has passed."""
        if self._comes_back_at is None:
            return None
        left_s = self._comes_back_at - time.monotonic()
        return left_s + _MARGIN_S if left_s > 0 else None

    def _empty_queue(self) -> float | None:
        """Work off what is visible; seconds until something comes back, None for nothing.

        What is hidden is not forgotten by a look that an arrival caused, or that came too early.
        """
        while not self._stopped:
            sqs, url = self._client(), _queue_url(self.mapping.queue_arn)
            hidden_s, hidden = _visibility(sqs, url)
            received = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(self.mapping.batch_size, _MOST_RECEIVED),
                VisibilityTimeout=hidden_s,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if not received:
                return self._until_back_s() or (hidden_s if hidden else None)
            self._comes_back_at = time.monotonic() + hidden_s
            failed = self._failed(received)
            for message in received:
                if message["MessageId"] not in failed:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return None

    def _client(self) -> Any:
        role = moto_seams_queues.role_of(self.mapping.function_arn)
        parts = self.mapping.function_arn.split(":")
        return clients.client_as(role, PRINCIPAL, "sqs", region=parts[3], session_name=parts[6])

    def _failed(self, received: list[dict[str, Any]]) -> set[str]:
        """Ids of the messages that the function did not finish."""
        everything = {message["MessageId"] for message in received}
        event = {"Records": [_record(message, self.mapping.queue_arn) for message in received]}
        payload = json.dumps(event).encode()
        answer, failed = moto_seams_queues.run_function(self.mapping.function_arn, payload)
        if failed:
            return everything
        return failures_in(answer, everything) if self.mapping.reports_failures else set()


def failures_in(answer: bytes, sent: set[str]) -> set[str]:
    """Which messages a function reports as failed; all of them when its report is not valid.

    >>> failures_in(b'{"batchItemFailures": [{"itemIdentifier": "a"}]}', {"a", "b"})
    {'a'}
    >>> failures_in(b'null', {"a"}), failures_in(b'{"batchItemFailures": [{}]}', {"a"})
    (set(), {'a'})
    """
    report = json.loads(answer)
    listed = report.get("batchItemFailures") if isinstance(report, dict) else None
    named = {str(item.get("itemIdentifier", "")) for item in listed or []}
    return named if named <= sent else sent


def _record(message: dict[str, Any], queue_arn: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {
                "stringValue": value.get("StringValue"),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": value["DataType"],
            }
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }


def _visibility(sqs: Any, url: str) -> tuple[int, int]:
    """For how many seconds a message is hidden here, and how many messages are."""
    names = ["VisibilityTimeout", _HIDDEN]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return max(1, math.ceil(clock.scaled_s(float(found["VisibilityTimeout"])))), int(found[_HIDDEN])


def _queue_url(arn: str) -> str:
    _, _, _, region, account, name = arn.split(":", 5)
    return f"https://sqs.{region}.amazonaws.com/{account}/{name}"


_pollers: dict[str, QueuePoller] = {}


def install(context: Context) -> None:
    """Poll for every mapping from now on."""
    del context
    shutdown()
    moto_seams_queues.install_queues(
        QueueHooks(
            mapped=_mapped,
            unmapped=_unmapped,
            arrived=_arrived,
            mailed=inbox.keep_mail,
            may_deliver=topic_delivery.may_deliver,
        )
    )


def shutdown() -> None:
    """Stop every poller; what waits in the queues is lost with them."""
    moto_seams_queues.forget_hooks()
    for uuid in list(_pollers):
        _unmapped(uuid)


def _mapped(mapping: QueueMapping) -> None:
    _pollers[mapping.uuid] = QueuePoller(mapping)


def _unmapped(uuid: str) -> None:
    poller = _pollers.pop(uuid, None)
    if poller is not None:
        poller.stop()


def _arrived(queue_arn: str) -> None:
    for poller in list(_pollers.values()):
        if poller.mapping.queue_arn == queue_arn:
            poller.wake()
