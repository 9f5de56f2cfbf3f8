"""Everything the command prints goes through here: text for people, JSON for programs.

Colours and the moving status line appear only on a terminal; progress goes to stderr, results to
stdout, so that a pipe gets results alone.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

# A pipe has no width: cells are neither folded nor cut there.
_PIPE_WIDTH = 10_000


class Output:
    """The command's two streams and its choice of text or JSON."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.text = Console(highlight=False, soft_wrap=True)
        if not self.text.is_terminal:
            self.text.width = _PIPE_WIDTH
        self.progress = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, message: str) -> None:
        """One line of a result, for people only."""
        if not self.as_json:
            self.text.print(message)

    def note(self, message: str) -> None:
        """One line of progress; not part of the result."""
        if not self.quiet:
            self.progress.print(message)

    def hint(self, message: str) -> None:
        """What to do next, for people only; not part of the result."""
        if not self.as_json:
            self.note(f"[dim]{message}[/dim]")

    def result(self, value: Any) -> None:
        """The result as one JSON document, when JSON was asked for."""
        if self.as_json:
            json.dump(value, sys.stdout, default=_as_text, indent=2)
            sys.stdout.write("\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Rows under headings, for people only; no headings without rows.

        Only the last column is folded where a terminal is too narrow: names stay in one piece.
        """
        shown = list(rows)
        if self.as_json or not shown:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column != columns[-1])
        for row in shown:
            table.add_row(*row)
        self.text.print(table)


def _as_text(value: Any) -> str:
    return utc_text(value) if isinstance(value, datetime) else str(value)


def utc_text(moment: datetime) -> str:
    """ISO-8601 in UTC with a Z.

    >>> utc_text(datetime(2026, 11, 21, 9, 30, tzinfo=UTC))
    '2026-11-21T09:30:00Z'
    """
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


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
