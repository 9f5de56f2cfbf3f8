"""Commands that pages show in fenced blocks, taken apart as a shell would.

A block is one of commands when its fence says `sh` or `console`; in a `console` block
only lines that begin with `$ ` are commands.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"^[A-Z_]+=")
_STOPS = {"|", "||", "&&", ";", ">", ">>", "<", "#"}


@dataclass(frozen=True)
class ShellCommand:
    """One command of one page."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"

    @property
    def options(self) -> set[str]:
        """Names of its long options."""
        long = (word[2:].partition("=")[0] for word in self.words if word.startswith("--"))
        return set(long) - {""}


def commands_of(page: Path) -> Iterator[ShellCommand]:
    """Every command in the fenced blocks of a page, in order."""
    for kind, text in _FENCE.findall(page.read_text(encoding="utf-8")):
        if kind in ("sh", "console"):
            yield from (ShellCommand(page.name, words) for words in _commands(text, kind))


def _commands(text: str, kind: str) -> Iterator[tuple[str, ...]]:
    for line in text.replace("\\\n", " ").splitlines():
        if kind == "console" and not line.startswith("$ "):
            continue
        for each in [line.removeprefix("$ "), *re.findall(r"\$\((.*?)\)", line)]:
            yield from _simple(each)


def _simple(line: str) -> Iterator[tuple[str, ...]]:
    """The commands between pipes, semicolons and redirections; assignments before them are left."""
    found: list[str] = []
    is_target = False
    for word in [*shlex.split(line, comments=True), ";"]:
        if word in _STOPS:
            if found and not is_target:
                yield (found[0].rpartition("/")[2] or found[0], *found[1:])
            found, is_target = [], word in (">", ">>", "<")
        elif found or not _ASSIGNMENT.match(word):
            found.append(word)
