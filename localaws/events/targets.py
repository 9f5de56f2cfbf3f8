"""Hands one rendered event to one target, with the credentials that AWS would use.

A target with a role is called as that role, assumed by EventBridge; a Lambda function, queue,
topic or log group without one is called as the service `events.amazonaws.com`, so that the
target's own resource policy decides. Knows no retries.
"""

import contextvars
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from localaws import clients, clock
from localaws.errors import UnsupportedByLocalAws

EVENTS = "events.amazonaws.com"
SCHEDULER = "scheduler.amazonaws.com"


@dataclass(frozen=True)
class Rule:
    """The rule or schedule that a delivery belongs to."""

    arn: str
    name: str
    account: str
    region: str
    principal: str = EVENTS
    """Who assumes the target's role."""
    vouches_for: str = ""
    """The source ARN of that, where it is not the rule's own."""

    @property
    def source_arn(self) -> str:
        """What a trust policy sees as `aws:SourceArn`."""
        return self.vouches_for or self.arn


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one target."""

    rule: Rule
    target: dict[str, Any]
    event: dict[str, Any]
    payload: str

    @property
    def target_arn(self) -> str:
        """Where it goes."""
        return str(self.target["Arn"])


_current: contextvars.ContextVar[Delivery | None] = contextvars.ContextVar("delivery", default=None)


def current_delivery() -> Delivery | None:
    """The delivery that the request being served is part of; None for every other request.

    Calls to targets stay in the process and on their thread, so an operation can tell that a rule
    and not a person has called it.
    """
    return _current.get()


@contextmanager
def _delivering(delivery: Delivery) -> Iterator[None]:
    mark = _current.set(delivery)
    try:
        yield
    finally:
        _current.reset(mark)


def send(delivery: Delivery) -> None:
    """Deliver; raises botocore's ClientError, AccessDeniedByLocalAws or UnsupportedByLocalAws."""
    sender = _SENDERS[kind_of(delivery.target_arn)]
    with _delivering(delivery):
        sender(delivery)


def kind_of(target_arn: str) -> str:
    """The kind of target an ARN names; raises UnsupportedByLocalAws for one not known here."""
    service, resource = (target_arn.split(":", 5) + [""] * 6)[2:6:3]
    kind = "event-bus" if service == "events" and resource.startswith("event-bus/") else service
    if kind not in _SENDERS:
        raise UnsupportedByLocalAws("events", "PutTargets", f"target {target_arn}")
    return kind


def needs_role(target_arn: str) -> bool:
    """Whether AWS refuses such a target without a RoleArn."""
    return kind_of(target_arn) in {"states", "codepipeline"}


def send_to_queue(
    queue_arn: str, body: str, delivery: Delivery, attributes: dict[str, str]
) -> None:
    """Put a message into a dead-letter queue.

    EventBridge does so under the queue's own policy, a schedule under its role.
    """
    rule = delivery.rule
    is_schedule = rule.principal == SCHEDULER
    client = (
        _client("sqs", delivery)
        if is_schedule
        else _service_client("sqs", rule, _region(queue_arn))
    )
    client.send_message(
        QueueUrl=_queue_url(queue_arn),
        MessageBody=body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )


def _client(service: str, delivery: Delivery) -> Any:
    role = delivery.target.get("RoleArn")
    if not role:
        return _service_client(service, delivery.rule, _region(delivery.target_arn))
    return clients.client_as(
        role,
        delivery.rule.principal,
        service,
        region=_region(delivery.target_arn),
        session_name=_session_name(delivery.rule),
        source_arn=delivery.rule.source_arn,
    )


def _session_name(rule: Rule) -> str:
    return hashlib.sha256(rule.arn.encode()).hexdigest()[:32]


def _service_client(service: str, rule: Rule, region: str) -> Any:
    return clients.client_as_service(
        EVENTS, service, region=region, source_arn=rule.arn, source_account=rule.account
    )


def _region(arn: str) -> str:
    return arn.split(":")[3]


def _to_function(delivery: Delivery) -> None:
    _client("lambda", delivery).invoke(
        FunctionName=delivery.target_arn,
        InvocationType="Event",
        Payload=delivery.payload.encode(),
    )


def _to_machine(delivery: Delivery) -> None:
    digest = hashlib.sha256(f"{delivery.rule.arn} {delivery.target['Id']}".encode()).hexdigest()
    states = _client("stepfunctions", delivery)
    try:
        states.start_execution(
            stateMachineArn=delivery.target_arn,
            name=f"{delivery.event['id']}_{digest[:32]}",
            input=delivery.payload,
        )
    except states.exceptions.ExecutionAlreadyExists:
        # The name stands for this event and target: an earlier attempt has arrived after all.
        return


def _to_queue(delivery: Delivery) -> None:
    group = (delivery.target.get("SqsParameters") or {}).get("MessageGroupId")
    extra = {"MessageGroupId": group} if group else {}
    _client("sqs", delivery).send_message(
        QueueUrl=_queue_url(delivery.target_arn), MessageBody=delivery.payload, **extra
    )


def _queue_url(arn: str) -> str:
    _, _, _, region, account, name = arn.split(":", 5)
    return f"https://sqs.{region}.amazonaws.com/{account}/{name}"


def _to_topic(delivery: Delivery) -> None:
    _client("sns", delivery).publish(TopicArn=delivery.target_arn, Message=delivery.payload)


def _to_pipeline(delivery: Delivery) -> None:
    """Start a pipeline; a payload may carry variables and source revisions, as on AWS."""
    payload = json.loads(delivery.payload)
    given = payload if isinstance(payload, dict) else {}
    options = {name: given[name] for name in ("variables", "sourceRevisions") if given.get(name)}
    _client("codepipeline", delivery).start_pipeline_execution(
        name=delivery.target_arn.rpartition(":")[2], **options
    )


def _to_log_group(delivery: Delivery) -> None:
    group = delivery.target_arn.split(":log-group:", 1)[1].removesuffix(":*")
    stream = str(uuid.uuid4())
    logs = _client("logs", delivery)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    record = {"timestamp": int(clock.now().timestamp() * 1000), "message": delivery.payload}
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[record])


def _to_bus(delivery: Delivery) -> None:
    """Forward to another bus; PutEvents sees `current_delivery` and keeps the event as it is.

    Towards another account the target's role and the policy of that bus decide together.
    """
    event = delivery.event
    answer = _client("events", delivery).put_events(
        Entries=[
            {
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"]),
                "EventBusName": delivery.target_arn,
            }
        ]
    )
    if answer["FailedEntryCount"]:
        raise UnsupportedByLocalAws("events", "PutEvents", str(answer["Entries"]))


_SENDERS: dict[str, Callable[[Delivery], None]] = {
    "lambda": _to_function,
    "states": _to_machine,
    "sqs": _to_queue,
    "sns": _to_topic,
    "codepipeline": _to_pipeline,
    "logs": _to_log_group,
    "event-bus": _to_bus,
}
