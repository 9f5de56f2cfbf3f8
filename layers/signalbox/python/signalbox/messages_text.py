"""A message as plain text that reads well as an e-mail.

Prose is wrapped at 78 columns; command lines and addresses stay whole, so that they can be copied.
Rules only: imports no AWS client.
"""

import textwrap
from collections.abc import Iterator

from signalbox.messages import Message

WIDTH = 78


def to_text(message: Message) -> str:
    """The whole message, newline at the end."""
    return "\n".join(_lines(message)) + "\n"


def _lines(message: Message) -> Iterator[str]:
    for paragraph in message.summary:
        yield from textwrap.wrap(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)
        yield ""
    for part in message.sections:
        yield from _heading(part.title)
        for line in part.lines:
            yield from _item(line)
        yield ""
    if message.commands:
        yield from _heading("What you can do")
    for command in message.commands:
        yield f"  {command.purpose}:"
        yield f"    {command.line}"
        yield ""
    if message.links:
        yield from _heading("Where to look")
        yield from (f"  {link.text}: {link.url}" for link in message.links)
        yield ""
    yield f"Signalbox, {message.environment}, run {message.run_id}"
    yield f"({message.key})"


def _heading(title: str) -> tuple[str, str]:
    return title, "-" * len(title)


def _item(line: str) -> list[str]:
    if not line:
        return [""]
    return (
        textwrap.wrap(
            line,
            WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
        )
        if len(line) > WIDTH - 2
        else [f"  {line}"]
    )
