"""Telling a thing once: who holds a message, for how long, and whether it is sent.

A claim is an object in S3 that only one delivery can create. Whoever created it sends the message
and says so in the claim. If it dies in between, Lambda runs the same invocation again (the same
owner, which goes on at once), and any later event of the same thing takes the claim over when its
lease has passed. A message can be sent twice only when its sender dies between SNS's answer and
the note of it, or outlives its lease. Rules only: imports no AWS client, reads no clock.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from signalbox.json_documents import Document, to_text
from signalbox.manifest_history import timestamp
from signalbox.messages import Message
from signalbox.naming import run_prefix

# Longer than the function's own time-out, so that nobody takes over from one that still works.
LEASE = timedelta(minutes=5)


class Standing(StrEnum):
    """How one delivery stands to a message."""

    OURS = "ours to send"
    IN_FLIGHT = "being told by another delivery"
    SENT = "told before"


class Claim(Document):
    """Who sends a message, and when it was sent."""

    owner: str
    lease_until: str
    sent_at: str | None = None
    message: Message


def claim(message: Message, owner: str, now: datetime) -> Claim:
    """The claim of a delivery that comes first."""
    return Claim(owner=owner, lease_until=timestamp(now + LEASE), message=message)


def standing(known: Claim, owner: str, now: datetime) -> Standing:
    """What a delivery that finds a claim has to do with it."""
    if known.sent_at is not None:
        return Standing.SENT
    is_ours = bool(owner) and known.owner == owner
    has_lapsed = known.lease_until <= timestamp(now)
    return Standing.OURS if is_ours or has_lapsed else Standing.IN_FLIGHT


def taken_over(known: Claim, owner: str, now: datetime) -> Claim:
    """The claim in other hands; what is told stays what the first one wanted to say."""
    return claim(known.message, owner, now)


def sent(known: Claim, now: datetime) -> Claim:
    """The claim with its message sent."""
    return known.model_copy(update={"sent_at": timestamp(now)})


def claim_key(run_id: str, key: str) -> str:
    """Where the claim of a run's message lies."""
    return f"{run_prefix(run_id)}/messages/{key}.json"


def to_json(known: Claim) -> bytes:
    """The claim as it lies in S3."""
    return to_text(known.model_dump(mode="json")).encode()
