"""The laptop's inbox: the messages that SNS would have e-mailed, as files."""

import time
from dataclasses import dataclass
from pathlib import Path

from signalbox_cli.target import STATE_FOLDER

FOLDER = STATE_FOLDER / "inbox"


@dataclass(frozen=True)
class Letter:
    """One e-mail."""

    path: Path
    subject: str
    text: str


def letters() -> list[Letter]:
    """Every e-mail in this folder's inbox, oldest first."""
    return [letter_at(path) for path in sorted(FOLDER.glob("*-email-*.txt"))]


def letter_at(path: Path) -> Letter:
    """The e-mail in a file."""
    text = path.read_text(encoding="utf-8")
    found = (line for line in text.splitlines() if line.startswith("Subject: "))
    return Letter(path, next(found, "").removeprefix("Subject: "), text)


def await_letter(run_id: str, title: str, limit_s: float = 10.0) -> Letter | None:
    """The e-mail about a run whose name holds the title, once it is there."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        for path in FOLDER.glob(f"*-email-*{title}*{run_id}*.txt"):
            return letter_at(path)
        time.sleep(0.05)
    return None
