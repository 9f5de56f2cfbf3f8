"""Which commit is delivered: the CI's word, the archive's, git's."""

import shutil
import subprocess
from pathlib import Path

import pytest

from delivery import commits
from signalbox_cli.demo_commits import Repository
from signalbox_cli.errors import CommandError
from tests.contracts import repository

OURS = "0f914693e8b054596ba0e2a5899c886dc33a8fd2"
OTHER = "3e6d0bb3bcb2f49332b0afd5f132f17a42c35f33"


def folder_with(path: Path, text: str) -> Path:
    (path / "delivery").mkdir()
    (path / commits.ARCHIVED).write_text(text)
    return path


@pytest.mark.parametrize(
    ("variables", "archived", "expected"),
    [
        ({}, f"{OURS}\n", OURS),
        ({"SIGNALBOX_COMMIT": OTHER}, f"{OURS}\n", OTHER),
        ({"CODEBUILD_RESOLVED_SOURCE_VERSION": OTHER}, "$Format:%H$\n", OTHER),
        # Of a source in S3: the version id of the archive, which is no commit.
        ({"CODEBUILD_RESOLVED_SOURCE_VERSION": "3sL4kqtJlcpXro_abc"}, f"{OURS}\n", OURS),
        ({"SIGNALBOX_COMMIT": ""}, "$Format:%H$\n", ""),
    ],
)
def test_what_a_ci_says_wins_over_the_archive(
    variables: dict[str, str], archived: str, expected: str, tmp_path: Path
) -> None:
    assert commits.delivered(variables, folder_with(tmp_path, archived)) == expected


@pytest.mark.skipif(not (repository.ROOT / ".git").exists(), reason="this is an archive")
def test_a_checkout_is_its_own_head() -> None:
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=repository.ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()

    assert commits.delivered({}) == head


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout with an ignored file and one that is not committed yet."""
    folder = tmp_path / "checkout"
    (folder / "delivery").mkdir(parents=True)
    for name, text in {
        ".gitignore": "built\n",
        ".gitattributes": (repository.ROOT / ".gitattributes").read_text(),
        "delivery/COMMIT": (repository.ROOT / "delivery" / "COMMIT").read_text(),
        "built": "not to be delivered",
        "new.txt": "not committed",
    }.items():
        (folder / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


def test_an_archive_of_the_story_names_its_own_commit(checkout: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    made = Repository(checkout, scratch)

    first = made.commit("as it is")
    second = made.commit("changed", {"new.txt": "changed"})

    for commit, text in ((first, "not committed"), (second, "changed")):
        unpacked = tmp_path / commit.id
        shutil.unpack_archive(commit.archive, unpacked)
        assert commits.delivered({}, unpacked) == commit.id
        assert (unpacked / "new.txt").read_text() == text
        assert not (unpacked / "built").exists()
    assert first.id != second.id


def test_the_checkout_of_the_story_is_only_read(checkout: Path, tmp_path: Path) -> None:
    before = sorted(p.relative_to(checkout) for p in checkout.rglob("*"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    Repository(checkout, scratch).commit("as it is")

    assert sorted(p.relative_to(checkout) for p in checkout.rglob("*")) == before


def test_a_folder_without_version_control_can_be_delivered(checkout: Path, tmp_path: Path) -> None:
    shutil.rmtree(checkout / ".git")
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    made = Repository(checkout, scratch)

    assert made.text("new.txt") == "not committed"
    with pytest.raises(FileNotFoundError):
        made.text("built")


def test_what_git_refuses_is_said(checkout: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    made = Repository(checkout, scratch)
    made.commit("as it is")

    with pytest.raises(CommandError, match="`git commit"):
        made.commit("nothing has changed")
