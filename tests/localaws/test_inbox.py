"""The inbox holds what the laptops that serve now have told, and nothing of those before."""

import os
from pathlib import Path

from localaws.inbox import Inbox


def kept(folder: Path) -> list[str]:
    return sorted(path.read_text() for path in folder.glob("*-email-*.txt"))


def test_messages_stay_when_the_laptop_ends_and_go_when_the_next_begins(tmp_path: Path) -> None:
    first = Inbox(tmp_path)
    first.open()
    first.keep("email", "run 1 finished", ".txt", "of run 1")
    first.close()
    assert kept(tmp_path) == ["of run 1"]

    Inbox(tmp_path).open()

    assert kept(tmp_path) == []


def test_what_a_laptop_that_was_killed_has_left_goes_too(tmp_path: Path) -> None:
    (tmp_path / ".laptop-4194305").touch()  # above the largest process id of Linux
    (tmp_path / "20261121T093005-0001-email-old.txt").write_text("of a run that nobody knows")
    (tmp_path / ".20261121T093006-0002-email-cut.txt.partial").write_text("half of one")

    Inbox(tmp_path).open()

    assert [path.name for path in tmp_path.iterdir()] == [f".laptop-{os.getpid()}"]


def test_a_second_laptop_in_the_folder_leaves_the_first_one_s_messages(tmp_path: Path) -> None:
    (tmp_path / f".laptop-{os.getppid()}").touch()
    (tmp_path / ".laptop-4194305").touch()
    (tmp_path / "20261121T093005-0001-email-asked.txt").write_text("of the first one's run")

    Inbox(tmp_path).open()

    assert kept(tmp_path) == ["of the first one's run"]
    marks = {path.name for path in tmp_path.glob(".laptop-*")}
    assert marks == {f".laptop-{os.getppid()}", f".laptop-{os.getpid()}"}
