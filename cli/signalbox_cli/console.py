"""Everything the command prints goes through here: text for people, JSON for programs.

Colours and the moving status line appear only on a terminal; progress goes to stderr, results to
stdout, so that a pipe gets results alone.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


class Output:
    """The command's two streams and its choice of text or JSON."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.text = Console(highlight=False, soft_wrap=True)
        self.progress = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, message: str) -> None:
        """One line of a result, for people only."""
        if not self.as_json:
            self.text.print(message)

    def note(self, message: str) -> None:
        """One line of progress; not part of the result."""
        if not self.quiet:
            self.progress.print(message)

    def result(self, value: Any) -> None:
        """The result as one JSON document, when JSON was asked for."""
        if self.as_json:
            json.dump(value, sys.stdout, default=str, indent=2)
            sys.stdout.write("\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Rows under headings, for people only."""
        if self.as_json:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*row)
        self.text.print(table)


STATUS_STYLE = {
    "Succeeded": "green",
    "InProgress": "cyan",
    "Failed": "red",
    "Refused": "yellow",
    "Stopped": "yellow",
    "Waiting": "yellow",
}


def coloured(status: str) -> str:
    """A status in its colour (rich markup; plain where there is no terminal)."""
    style = STATUS_STYLE.get(status)
    return f"[{style}]{status}[/{style}]" if style else status


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
