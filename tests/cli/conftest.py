"""A user at a prompt: the real entry point in a process that has no AWS of its own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from signalbox_cli import main as entry

ROOT = Path(__file__).parents[2]


class Answer:
    """What a command printed and how it ended."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code = code
        self.stdout = stdout
        self.stderr = stderr


@pytest.fixture
def signalbox(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[..., Answer]:
    """Run a command in an empty folder, as the console script does; exit codes included."""
    for name in [n for n in os.environ if n.startswith(("AWS_", "SIGNALBOX_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Answer:
        monkeypatch.setattr("sys.argv", ["signalbox", *arguments])
        code = 0
        try:
            entry.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capfd.readouterr()
        return Answer(code, printed.out, printed.err)

    return run
