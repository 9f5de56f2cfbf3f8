"""A page as a browser sees it: Debian's Chromium without a window, where there is one."""

import functools
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_CONSOLE = re.compile(r":CONSOLE[(:][^\]]*\] (.*)")


@dataclass(frozen=True)
class Opened:
    """What came of a page: its DOM, what the console said, the paths that were asked for."""

    dom: str
    console: list[str]
    requested: list[str]


def program() -> str:
    """The browser's path; skips the test where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    return found


def open_page(page: Path, profile: Path) -> Opened:
    """Open a page over HTTP, so that each request for something beside it is seen."""
    with _serving(page.parent) as (address, requested):
        done = _run(profile, "--enable-logging=stderr", "--dump-dom", f"{address}/{page.name}")
    return Opened(done.stdout, _CONSOLE.findall(done.stderr), requested)


def screenshot(page: Path, profile: Path, picture: Path, *, is_dark: bool, height: int) -> None:
    """A picture of the page as someone with a light or a dark desktop sees it."""
    scheme = f"--blink-settings=preferredColorScheme={0 if is_dark else 1}"
    size = f"--window-size=1100,{height}"
    _run(profile, scheme, size, "--hide-scrollbars", f"--screenshot={picture}", page.as_uri())


def _run(profile: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Without its sandbox, which needs more rights than a container has; the page is ours."""
    quiet = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    return subprocess.run(
        [program(), *quiet, f"--user-data-dir={profile}", *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )


class _Recorder(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args: object, requested: list[str], **kwargs: object) -> None:
        self._requested = requested
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        self._requested.append(self.path)


@contextmanager
def _serving(folder: Path) -> Iterator[tuple[str, list[str]]]:
    requested: list[str] = []
    handler = functools.partial(_Recorder, directory=str(folder), requested=requested)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", requested
        finally:
            server.shutdown()
            thread.join()
