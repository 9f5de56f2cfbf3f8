"""Telling people: a claim in S3, one notification to SNS, a note that it is sent.

SNS takes it to everybody: the e-mail subscriptions get the text, the queue of the webhook gets
the message itself. What happens behind SNS holds nothing back here.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from signalbox import delivery
from signalbox.aws import clients, storage
from signalbox.delivery import Claim, Standing
from signalbox.errors import ObjectMissingError
from signalbox.messages import Message, fitted
from signalbox.messages_text import to_text
from signalbox.settings import TellingSettings

# The subscription of the webhook's queue takes only notifications with this attribute.
ATTRIBUTE = "signalbox"
# SNS, Publish: 262,144 bytes with everything (read 2026-11-21); a Step Functions cause alone may
# have 32,768 characters, and is there three times.
_LIMIT_BYTES = 250_000


@dataclass(frozen=True)
class Channel:
    """Where messages are claimed and published, by which delivery, and what they speak of."""

    bucket: str
    topic_arn: str
    owner: str
    environment: str
    region: str


def channel(found: TellingSettings, owner: str) -> Channel:
    """The channel of a function; `owner` is the delivery that it works for."""
    return Channel(
        bucket=found.workflow_bucket,
        topic_arn=found.notification_topic_arn,
        owner=owner,
        environment=found.environment_name,
        region=found.aws_region,
    )


def tell(message: Message, channel: Channel) -> Standing:
    """Send a message unless it was sent before; OURS means that this call has sent it."""
    key = delivery.claim_key(message.run_id, message.key)
    now = datetime.now(UTC)
    first = delivery.claim(message, channel.owner, now)
    if storage.create(
        channel.bucket, key, delivery.to_json(first), content_type="application/json"
    ):
        held, claimed = Standing.OURS, first
    else:
        held, claimed = _take_over(channel, key, now)
    if held is Standing.OURS:
        publish(claimed.message, channel.topic_arn)
        _note_sent(channel.bucket, key)
    return held


def is_sent(channel: Channel, run_id: str, key: str) -> bool:
    """Whether a message was sent; asked before its evidence is gathered."""
    try:
        stored = storage.read(channel.bucket, delivery.claim_key(run_id, key))
    except ObjectMissingError:
        return False
    return Claim.model_validate_json(stored.content).sent_at is not None


def _take_over(channel: Channel, key: str, now: datetime) -> tuple[Standing, Claim]:
    seen: list[tuple[Standing, Claim]] = []

    def rule(content: bytes) -> bytes:
        known = Claim.model_validate_json(content)
        standing = delivery.standing(known, channel.owner, now)
        seen.append((standing, known))
        if standing is not Standing.OURS:
            return content
        return delivery.to_json(delivery.taken_over(known, channel.owner, now))

    storage.update(channel.bucket, key, rule)
    return seen[-1]


def _note_sent(bucket: str, key: str) -> None:
    def rule(content: bytes) -> bytes:
        known = Claim.model_validate_json(content)
        return delivery.to_json(delivery.sent(known, datetime.now(UTC)))

    storage.update(bucket, key, rule)


def publish(message: Message, topic_arn: str) -> None:
    """One notification: text for people, the message itself for the queue of the webhook."""
    sent = fitted(message, _fits)
    clients.sns().publish(
        TopicArn=topic_arn,
        Subject=sent.subject,
        Message=_body(sent),
        MessageStructure="json",
        MessageAttributes={
            ATTRIBUTE: {"DataType": "String", "StringValue": sent.kind.value},
        },
    )


def _body(message: Message) -> str:
    text = to_text(message)
    body = {"default": text, "email": text, "sqs": message.model_dump_json()}
    return json.dumps(body, ensure_ascii=False)


def _fits(message: Message) -> bool:
    return len(_body(message).encode()) <= _LIMIT_BYTES
