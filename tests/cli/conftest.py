"""A user at a prompt: the real entry point in a process that has no AWS of its own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from delivery.settings import FOLDER_VARIABLE
from signalbox_cli import main as entry
from signalbox_cli.target import Target

ROOT = Path(__file__).parents[2]


class Answer:
    """What a command printed and how it ended."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code = code
        self.stdout = stdout
        self.stderr = stderr


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    """An environment in moto, for one file of tests: its clients are made once."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        yield Target(region="us-east-1")


@pytest.fixture
def signalbox(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[..., Answer]:
    """Run a command in an empty folder, as the console script does; exit codes included."""
    for name in [n for n in os.environ if n.startswith(("AWS_", "SIGNALBOX_"))]:
        if name != FOLDER_VARIABLE:  # the example settings
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
