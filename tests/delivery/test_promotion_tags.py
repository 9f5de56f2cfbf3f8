"""Tags that promote: which, of which commits, and how one is made."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from delivery import promotion_tags
from delivery.promotion_tags import TagError
from tests.delivery.workflow_runner import ROOT


@pytest.mark.parametrize(
    ("ref", "environment"),
    [
        ("staging", "staging"),
        ("refs/tags/prod", "prod"),
        ("refs/tags/prod/2026.11", "prod"),
        ("staging/261121-093005-4f2a61c", "staging"),
    ],
)
def test_a_tag_names_its_environment(ref: str, environment: str) -> None:
    assert promotion_tags.environment_of(ref) == environment


@pytest.mark.parametrize(
    "ref", ["", "production", "dev", "refs/heads/staging", "prod/a/b", "prod/", "prod/x y", "v1"]
)
def test_any_other_ref_promotes_nothing(ref: str) -> None:
    with pytest.raises(TagError, match="is no promotion tag"):
        promotion_tags.environment_of(ref)


class Clone:
    """A clone of a repository, and commands in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder / "clone", folder / "bin"
        self.bin.mkdir()
        origin = folder / "origin"
        subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(origin)], check=True)
        subprocess.run(["git", "clone", "--quiet", str(origin), str(self.folder)], check=True)
        self.git("config", "user.name", "A developer")
        self.git("config", "user.email", "developer@example.org")
        self.merged = self.commit("merged")
        self.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
        self.git("branch", "--move", "main")
        self.git("checkout", "--quiet", "-b", "feature")
        self.unmerged = self.commit("not merged")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, message: str) -> str:
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def gh(self, answer: str, code: int = 0) -> None:
        """What GitHub's client prints; on standard error when it fails."""
        script = self.bin / "gh"
        stream = ">&2" if code else ""
        script.write_text(f"#!/bin/sh\ncat {stream} <<'EOF'\n{answer}\nEOF\nexit {code}\n")
        script.chmod(0o755)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        path = f"{self.bin}:{Path('/usr/bin')}:{Path('/bin')}"
        return subprocess.run(
            [sys.executable, "-m", "delivery.promotion_tags", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_a_tag_is_made_of_time_and_commit_and_pushed(clone: Clone) -> None:
    done = clone.run("make", "staging", "--commit", clone.merged[:10], "--push")

    assert done.returncode == 0, done.stderr
    tag = done.stdout.strip()
    assert re.fullmatch(rf"staging/\d{{6}}-\d{{6}}-{clone.merged[:7]}", tag)
    assert clone.git("ls-remote", "origin", f"refs/tags/{tag}^{{}}").split()[0] == clone.merged
    assert clone.run("check", tag).stdout == "staging\n"


def test_beside_a_tag_that_is_moved_none_is_made(clone: Clone) -> None:
    clone.git("tag", "prod", clone.merged)

    done = clone.run("make", "prod", "--commit", clone.merged)

    assert done.returncode == 1
    assert "there is a tag prod, beside which Git has no prod/NAME: move it" in done.stderr


def test_what_is_not_merged_is_neither_tagged_nor_promoted(clone: Clone) -> None:
    made = clone.run("make", "staging", "--commit", clone.unmerged, "--push")
    clone.git("tag", "staging", clone.unmerged)
    checked = clone.run("check", "refs/tags/staging")

    assert (made.returncode, checked.returncode) == (1, 1)
    assert f"{clone.unmerged[:12]} is not on main" in made.stderr
    assert f"{clone.unmerged[:12]} is not on main" in checked.stderr
    assert clone.git("tag", "--list", "staging/*") == ""


def test_a_tag_that_was_moved_while_its_run_waited_promotes_nothing(clone: Clone) -> None:
    """The check would be of one commit and the deployment of another."""
    clone.git("checkout", "--quiet", "main")
    newer = clone.commit("merged later")
    clone.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    clone.git("tag", "--annotate", "staging", newer, "--message", "moved")

    late = clone.run("check", "staging", "--commit", clone.merged)
    right = clone.run("check", "staging", "--commit", newer)

    assert (late.returncode, right.returncode) == (1, 0), right.stderr
    assert f"staging points at {newer[:12]} by now, and not at {clone.merged[:12]}" in late.stderr


ACCEPTED = json.dumps([{"headBranch": "staging/261121-093005-4f2a61c"}])


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (ACCEPTED, 0, ""),
        ('[{"headBranch": "staging"}]', 0, ""),
        ("[]", 0, "has not been accepted in staging"),
        ('[{"headBranch": "prod"}, {"headBranch": "main"}]', 0, "has not been accepted in staging"),
        ("HTTP 403: Resource not accessible", 1, "GitHub does not say .* HTTP 403"),
    ],
)
def test_to_prod_goes_only_what_staging_has_accepted(
    clone: Clone, answer: str, code: int, said: str
) -> None:
    clone.git("tag", "prod", clone.merged)
    clone.gh(answer, code)

    done = clone.run("check", "refs/tags/prod", "--evidence", "github")

    assert (done.returncode, done.stdout) == ((1, "") if said else (0, "prod\n")), done.stderr
    assert re.search(said, done.stderr)


def test_without_github_s_client_prod_is_refused(clone: Clone) -> None:
    clone.git("tag", "prod", clone.merged)

    done = clone.run("check", "prod", "--evidence", "github")

    assert (done.returncode, done.stderr) == (1, "promotion: gh was not found\n")


def test_a_history_that_was_not_fetched_is_no_reason_to_promote(clone: Clone) -> None:
    """actions/checkout fetches one commit unless told otherwise."""
    clone.git("tag", "staging", clone.merged)
    clone.git("update-ref", "-d", "refs/remotes/origin/main")
    clone.git("branch", "--delete", "--force", "main")

    done = clone.run("check", "staging")

    assert done.returncode == 1
    assert "there is no branch main to compare with; fetch the whole history" in done.stderr


@pytest.mark.parametrize("ref", ["staging", "refs/tags/staging/none"])
def test_a_tag_that_is_not_there_is_said(clone: Clone, ref: str) -> None:
    done = clone.run("check", ref)

    assert done.returncode == 1
    assert "git rev-parse" in done.stderr
