"""Ctrl-C at any point leaves no process behind, and the next start works."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.conftest import REPOSITORY

_MARK = "SIGNALBOX_TEST_MARK"
_LIMIT_S = 25


class Started:
    """A command whose whole family can be found again by a mark in its environment."""

    def __init__(self, *arguments: str) -> None:
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, "-m", "signalbox_cli.main", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, _MARK: self.mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def family(self) -> list[int]:
        """Processes that still run and were started by this command, zombies not counted."""
        wanted = f"{_MARK}={self.mark}".encode()
        return [pid for pid in _processes() if wanted in _environment_of(pid)]

    def await_no_family(self) -> list[int]:
        """The family after giving it a moment to end."""
        deadline = time.monotonic() + _LIMIT_S
        while self.family() and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.family()

    def end(self) -> None:
        """Whatever the test did, nothing of it stays."""
        for pid in self.family():
            os.kill(pid, signal.SIGKILL)
        self.process.communicate()


def _processes() -> Iterator[int]:
    return (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit())


def _environment_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks the processes up in /proc")
@pytest.mark.parametrize("after_s", [0.2, 1.0, 2.5, 4.0, 7.0])
def test_ctrl_c_at_any_point_leaves_no_process_behind(after_s: float) -> None:
    started = Started("demo", "--port", "0")
    try:
        time.sleep(after_s)
        started.process.send_signal(signal.SIGINT)
        code = started.process.wait(_LIMIT_S)

        assert started.await_no_family() == []
        assert code in (130, 0, -signal.SIGINT)
    finally:
        started.end()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks the processes up in /proc")
def test_killing_the_command_outright_takes_everything_with_it() -> None:
    started = Started("up", "--port", "0", "--json")
    try:
        assert started.process.stdout is not None
        while "ready" not in (line := started.process.stdout.readline()):
            assert line, "the command ended before it was ready"
        started.process.kill()
        started.process.wait(_LIMIT_S)

        assert started.await_no_family() == []
    finally:
        started.end()
        (REPOSITORY / ".signalbox" / "up.json").unlink(missing_ok=True)


def test_a_taken_port_is_named_and_nothing_is_left_running() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        started = Started("up", "--port", str(port))
        try:
            _, errors = started.process.communicate(timeout=_LIMIT_S)

            assert started.process.returncode == 1
            assert f"port {port} is in use" in errors
            assert started.await_no_family() == []
        finally:
            started.end()


def test_without_a_laptop_the_command_says_how_to_start_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "signalbox_cli.main", "status", "--local", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 5
    assert "signalbox up" in done.stderr
    assert json.loads(done.stdout or "null") is None
