"""What people are told: a message as a value, before anybody decides how it looks or travels.

Rules only: imports no AWS client.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from signalbox.json_documents import Document

# SNS, Publish: a subject is ASCII, one line, shorter than 100 characters (read 2026-11-21).
SUBJECT_LIMIT = 99
# Nobody reads more anyway.
SHOWN_LINES = 60
# Characters of a line and lines of a section that a message is cut to, until it fits.
_CUTS = ((2000, SHOWN_LINES), (500, 40), (200, 20), (100, 8))


class Kind(StrEnum):
    """What a message is about."""

    DECISION = "decision"
    REMINDER = "reminder"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REFUSED = "refused"
    QUARANTINED = "quarantined"
    INCOMPLETE = "incomplete"
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
    >>> subject("data\\r\\t.csv was refused")
    'data  .csv was refused'
    """
    import unicodedata

    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    plain = unicodedata.normalize("NFKD", printable.replace("–", "-"))
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


def fitted(message: Message, fits: Callable[[Message], bool]) -> Message:
    """The message, cut as little as makes it fit; commands and links stay whole."""
    for chars, lines in _CUTS:
        if fits(message):
            break
        message = _shortened(message, chars, lines)
    return message


def _shortened(message: Message, chars: int, lines: int) -> Message:
    sections = [
        Section(
            title=part.title,
            lines=[
                *(_cut(line, chars) for line in part.lines[:lines]),
                *(["(cut: too long for this message)"] if len(part.lines) > lines else []),
            ],
        )
        for part in message.sections
    ]
    summary = [_cut(paragraph, 2 * chars) for paragraph in message.summary]
    return message.model_copy(update={"summary": summary, "sections": sections})


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else f"{text[: chars - 3]}..."
