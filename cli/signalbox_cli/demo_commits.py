"""Commits for a story: this checkout as a git repository of its own, changed, and archived.

The checkout itself and its history are only read.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from delivery import samconfig, toml_writing
from delivery.model import Settings
from signalbox_cli.errors import CommandError

_AUTHOR = "Signalbox's story"
_ADDRESS = "story@example.com"


@dataclass(frozen=True)
class Commit:
    """A commit of the story: its id, what it says, and its archive as `git archive` makes it."""

    id: str
    subject: str
    archive: Path

    @property
    def short(self) -> str:
        """As people write it."""
        return self.id[:7]


class Repository:
    """A repository made of the files of a folder, without those that its .gitignore names.

    The folder may be a checkout with changes, or an unpacked archive. Raises CommandError without
    git.
    """

    def __init__(self, checkout: Path, folder: Path) -> None:
        self._checkout, self._folder = checkout, folder / "repository"
        self._folder.mkdir()
        _git(self._folder, "init", "--quiet", "--initial-branch", "main")
        there = (f"--git-dir={self._folder / '.git'}", f"--work-tree={checkout}")
        listed = _git(checkout, *there, "ls-files", "-z", "--others", "--exclude-standard")
        for name in listed.split("\0"):
            source, target = checkout / name, self._folder / name
            if name and source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)

    def text(self, path: str) -> str:
        """A file as it is now."""
        return (self._folder / path).read_text(encoding="utf-8")

    def commit(self, subject: str, changed: Mapping[str, str] | None = None) -> Commit:
        """Commit everything, after files (path to text) were written."""
        for path, text in (changed or {}).items():
            (self._folder / path).write_text(text, encoding="utf-8")
        _git(self._folder, "add", "--all", "--force")
        _git(self._folder, "commit", "--quiet", "--message", subject)
        made = _git(self._folder, "rev-parse", "HEAD").strip()
        archive = self._folder.parent / f"{made}.zip"
        _git(self._folder, "archive", "--format", "zip", "--output", str(archive), made)
        return Commit(made, subject, archive)


def settings_files(settings: Settings) -> dict[str, str]:
    """Path to text: what says where a commit goes, for accounts other than the checkout's own."""
    written = toml_writing.files(settings).items()
    return {
        **{f"delivery/environments/{name}": text for name, text in written},
        samconfig.PATH.name: samconfig.rendered(settings),
    }


def _git(folder: Path, *arguments: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own = {
        # Neither signing nor hooks nor line endings of this machine's user.
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_NAME": _AUTHOR for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": _ADDRESS for who in ("AUTHOR", "COMMITTER")},
    }
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={**kept, **own},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise CommandError("git was not found; this story delivers commits") from None
    if done.returncode != 0:
        called = " ".join(("git", *arguments))
        raise CommandError(f"`{called}` in {folder} failed: {done.stderr.strip()}")
    return done.stdout
