"""Asynchronous invocations: tried again after a failure, then handed to a destination.

Rules: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation"
and "Capturing records of Lambda asynchronous invocations" (read 2026-11-21). Two failure modes
considered: a destination that refuses the record (logged, the event is lost, as on AWS) and a stop
of the laptop while events wait (they are lost: nothing of the laptop outlives its process).
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from localaws import clients, clock
from localaws.errors import LocalAwsError, UnsupportedByLocalAws
from localaws.lambdas.function import AsyncPolicy, FunctionSpec, Invocation, Outcome
from localaws.lambdas.log import PRINCIPAL
from localaws.lambdas.runtime import now_text

RETRY_DELAYS_S = (60.0, 120.0)
_WORKERS = 16
_MESSAGE_ATTRIBUTE_LIMIT = 1024

_log = logging.getLogger("localaws.lambdas")

Run = Callable[[FunctionSpec, Invocation], Outcome]


@dataclass(frozen=True)
class QueuedEvent:
    """An accepted event; the function is looked up anew for each try."""

    find: Callable[[], tuple[FunctionSpec, AsyncPolicy]]
    invocation: Invocation
    accepted_at: float
    tries: int = 0


class AsyncInvoker:
    """The queue in front of functions for events that nobody waits for."""

    def __init__(self, run: Run, url: str) -> None:
        self._run = run
        self._url = url
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="lambda-async")
        self._stopped = threading.Event()
        self._open = 0
        self._changed = threading.Condition()

    def accept(self, event: QueuedEvent) -> None:
        """Take an event; it runs soon."""
        with self._changed:
            self._open += 1
        self._submit(event)

    def drain(self, limit_s: float) -> bool:
        """Wait until every accepted event has come to its end; False when it took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open == 0, limit_s)

    def stop(self) -> None:
        """Take no more events; those that wait are lost."""
        self._stopped.set()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _submit(self, event: QueuedEvent) -> None:
        if not self._stopped.is_set():
            self._workers.submit(self._attempt, event)

    def _attempt(self, event: QueuedEvent) -> None:
        try:
            again_after_s = self._try_once(event)
        except Exception as error:  # noqa: BLE001 - a worker's edge: whatever it is, the event has ended
            _log.warning("asynchronous event %s is lost: %s", event.invocation.request_id, error)
            again_after_s = None
        if again_after_s is None:
            with self._changed:
                self._open -= 1
                self._changed.notify_all()
        else:
            self._later(event, again_after_s)

    def _later(self, event: QueuedEvent, delay_s: float) -> None:
        next_try = QueuedEvent(event.find, event.invocation, event.accepted_at, event.tries + 1)
        timer = threading.Timer(clock.scaled_s(delay_s), self._submit, [next_try])
        timer.daemon = True
        timer.start()

    def _try_once(self, event: QueuedEvent) -> float | None:
        """Run the function; seconds until the next try, None at the event's end."""
        spec, policy = event.find()
        outcome = self._run(spec, event.invocation)
        if not outcome.failed:
            if policy.on_success:
                self._deliver(policy.on_success, spec, event, outcome, "Success")
            return None
        # Only the delays have passed faster; the function's own time is no wait.
        age_s = time.monotonic() - event.accepted_at + sum(RETRY_DELAYS_S[: event.tries])
        delay_s = RETRY_DELAYS_S[min(event.tries, len(RETRY_DELAYS_S) - 1)]
        if event.tries >= policy.retries:
            self._give_up(policy, spec, event, outcome, "RetriesExhausted")
        elif age_s + delay_s > policy.longest_age_s:
            self._give_up(policy, spec, event, outcome, "EventAgeExceeded")
        else:
            return delay_s
        return None

    def _give_up(
        self,
        policy: AsyncPolicy,
        spec: FunctionSpec,
        event: QueuedEvent,
        outcome: Outcome,
        condition: str,
    ) -> None:
        if policy.dead_letters:
            self._bury(policy.dead_letters, spec, event, outcome)
        if policy.on_failure:
            self._deliver(policy.on_failure, spec, event, outcome, condition)

    def _deliver(
        self,
        destination: str,
        spec: FunctionSpec,
        event: QueuedEvent,
        outcome: Outcome,
        condition: str,
    ) -> None:
        record = invocation_record(spec, event, outcome, condition)
        text = json.dumps(record)
        service, name = destination.split(":")[2], destination.rsplit(":", maxsplit=1)[-1]
        client = self._client(spec, service)
        if service == "sqs":
            client.send_message(QueueUrl=self._queue_url(destination), MessageBody=text)
        elif service == "sns":
            client.publish(TopicArn=destination, Message=text)
        elif service == "lambda":
            client.invoke(FunctionName=destination, InvocationType="Event", Payload=text)
        elif service == "events":
            result = "Success" if condition == "Success" else "Failure"
            _put_event(client, name.rpartition("/")[2], spec, result, text)
        else:
            raise UnsupportedByLocalAws("lambda", "Invoke", f"a destination of {service}")

    def _bury(
        self, queue_or_topic: str, spec: FunctionSpec, event: QueuedEvent, outcome: Outcome
    ) -> None:
        """The dead-letter queue gets the event itself, and the error as message attributes."""
        description = json.loads(outcome.payload).get("errorMessage", "")
        attributes = {
            "RequestID": _attribute(event.invocation.request_id),
            "ErrorCode": {"DataType": "Number", "StringValue": "200"},
            "ErrorMessage": _attribute(str(description)[:_MESSAGE_ATTRIBUTE_LIMIT] or "-"),
        }
        service, body = queue_or_topic.split(":")[2], event.invocation.payload.decode()
        client = self._client(spec, service)
        if service == "sqs":
            url = self._queue_url(queue_or_topic)
            client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
        else:
            client.publish(TopicArn=queue_or_topic, Message=body, MessageAttributes=attributes)

    def _client(self, spec: FunctionSpec, service: str) -> Any:
        return clients.client_as(
            spec.role_arn, PRINCIPAL, service, region=spec.region, session_name=spec.name
        )

    def _queue_url(self, arn: str) -> str:
        _, _, _, _, account, name = arn.split(":")
        return f"{self._url}/{account}/{name}"


def invocation_record(
    spec: FunctionSpec, event: QueuedEvent, outcome: Outcome, condition: str
) -> dict[str, Any]:
    """What a destination is told of an event's end."""
    response = {"statusCode": 200, "executedVersion": spec.version}
    if outcome.failed:
        response["functionError"] = "Unhandled"
    return {
        "version": "1.0",
        "timestamp": now_text(),
        "requestContext": {
            "requestId": event.invocation.request_id,
            "functionArn": spec.qualified_arn,
            "condition": condition,
            "approximateInvokeCount": event.tries + 1,
        },
        "requestPayload": json.loads(event.invocation.payload),
        "responseContext": response,
        "responsePayload": json.loads(outcome.payload),
    }


def _attribute(text: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": text}


def _put_event(client: Any, bus: str, spec: FunctionSpec, result: str, text: str) -> None:
    entry = {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {result}",
        "Detail": text,
        "EventBusName": bus,
        "Resources": [spec.qualified_arn],
    }
    answer = client.put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise LocalAwsError(f"the event bus {bus} refused the record: {answer['Entries'][0]}")
