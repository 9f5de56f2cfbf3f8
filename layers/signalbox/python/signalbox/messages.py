"""What people are told: a message as a value, before anybody decides how it looks or travels.

Rules only: imports no AWS client.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from signalbox.json_documents import Document

# SNS, Publish: a subject is ASCII, one line, shorter than 100 characters (read 2026-11-21).
SUBJECT_LIMIT = 99
# A message travels in an SNS notification of 256 KB, three times over; nobody reads more anyway.
SHOWN_LINES = 60


class Kind(StrEnum):
    """What a message is about."""

    DECISION = "decision"
    REMINDER = "reminder"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REFUSED = "refused"
    FAILED = "failed"
    SUCCEEDED = "succeeded"
    FOUND = "found"


class Section(Document):
    """Some lines under a heading."""

    title: str
    lines: list[str]


class Command(Document):
    """Something that the reader can do, and the exact line that does it."""

    purpose: str
    line: str


class Link(Document):
    """Somewhere to look."""

    text: str
    url: str


class Message(Document):
    """One thing that people are told, once; `key` names it within its run."""

    kind: Annotated[Kind, Field(strict=False)]
    key: str
    run_id: str
    workload: str
    environment: str
    subject: str
    summary: list[str]
    sections: list[Section]
    commands: list[Command]
    links: list[Link]


def subject(text: str) -> str:
    """A text as SNS takes it for a subject.

    >>> subject("Run 1 – läuft")
    'Run 1 - lauft'
    """
    import unicodedata

    plain = unicodedata.normalize("NFKD", text.replace("–", "-").replace("\n", " "))
    ascii_only = plain.encode("ascii", "ignore").decode()
    return (
        ascii_only if len(ascii_only) <= SUBJECT_LIMIT else f"{ascii_only[: SUBJECT_LIMIT - 3]}..."
    )


def section(title: str, lines: list[str]) -> list[Section]:
    """A section, or none when there is nothing to say."""
    shown = lines[:SHOWN_LINES]
    if len(lines) > SHOWN_LINES:
        shown = [*shown, f"... and {len(lines) - SHOWN_LINES} more"]
    return [Section(title=title, lines=shown)] if lines else []
