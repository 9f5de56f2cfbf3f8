"""The laptop's inbox: what SNS would e-mail, and what a webhook would be posted, as files.

Files lie in `<state>/inbox/`, named by time and kind, so that a listing is in order. They are of
the laptops that serve now, and of the last one when none does: a laptop that begins forgets every
run, so it throws away what was told of them, unless another one still writes there. An e-mail
subscription is confirmed by itself: nobody could click the link.

parity: SNS asks an address to confirm before it sends anything, and adds a footer with a link to
unsubscribe.
"""

import json
import os
import re
import threading
from pathlib import Path
from typing import Any

from localaws import clock, wire
from localaws.context import Context
from localaws.jobs.folder import is_alive
from localaws.moto_seams.queues import Mail

FOLDER = "inbox"
_MARK = ".laptop-"
WEBHOOK_PATH = "/_localaws/webhook"


class Inbox:
    """The files of one laptop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._count = 0
        self._mark = folder / f"{_MARK}{os.getpid()}"

    def open(self) -> None:
        """Begin empty, unless another laptop that is alive keeps its messages here, too."""
        self._folder.mkdir(parents=True, exist_ok=True)
        marks = {m: int(m.name.removeprefix(_MARK)) for m in self._folder.glob(f"{_MARK}*")}
        others = {m for m, pid in marks.items() if pid != os.getpid() and is_alive(pid)}
        for path in self._folder.iterdir() if not others else marks.keys() - others:
            path.unlink(missing_ok=True)
        self._mark.touch()

    def close(self) -> None:
        """Leave the folder to the next laptop; the files stay."""
        self._mark.unlink(missing_ok=True)

    def keep(self, kind: str, title: str, suffix: str, content: str) -> Path:
        """Store one thing under a name that sorts by arrival."""
        with self._lock:
            self._count += 1
            number = self._count
        self._folder.mkdir(parents=True, exist_ok=True)
        moment = clock.now().strftime("%Y%m%dT%H%M%S")
        slug = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")[:80]
        path = self._folder / f"{moment}-{number:04d}-{kind}-{slug}{suffix}"
        # Whoever lists the folder must not find half of a message.
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(content, encoding="utf-8")
        return partial.replace(path)


_inbox: Inbox | None = None


def install(context: Context) -> None:
    """Keep what is sent from now on below the state directory."""
    global _inbox  # noqa: PLW0603 - one laptop per process, as everywhere in localaws
    _inbox = Inbox(context.config.state_dir / FOLDER)
    _inbox.open()


def shutdown() -> None:
    """Keep nothing more; the files stay."""
    global _inbox  # noqa: PLW0603 - see install
    if _inbox is not None:
        _inbox.close()
    _inbox = None


def keep_mail(mail: Mail) -> None:
    """One e-mail, as its reader sees it."""
    if _inbox is not None:
        head = f"From: {mail.topic_arn.rpartition(':')[2]}\nTo: {mail.address}\n"
        _inbox.keep("email", mail.subject, ".txt", f"{head}Subject: {mail.subject}\n\n{mail.text}")


def keep_post(environ: dict[str, Any]) -> None:
    """One POST to the laptop's own webhook."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length).decode("utf-8", "replace")
    headers = {
        name: value
        for name, value in wire.headers_of(environ).items()
        if name.startswith("x-signalbox-") or name == "content-type"
    }
    if _inbox is not None:
        text = json.dumps({"headers": headers, "body": _parsed(body)}, indent=2) + "\n"
        title = headers.get("x-signalbox-message", "message")
        _inbox.keep("webhook", title, ".json", text)


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body
