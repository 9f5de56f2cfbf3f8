"""Promotion by Git tag: make the tag, and refuse one that must not promote.

    python -m delivery.promotion_tags make ENVIRONMENT [--commit COMMIT] [--push]
    python -m delivery.promotion_tags check REF [--commit COMMIT] [--evidence github|none]
    python -m delivery.promotion_tags environment REF

`staging` and `prod` promote the commit they point at, whether moved (`git push -f`) or, better, as
`staging/<UTC time>-<commit>`: such a tag is never moved, so that Git itself says what was promoted
and when, and a rule of the repository can keep `prod/*` for few people. Git has no tag `staging`
beside tags `staging/NAME`, so a repository uses the one or the others. A commit is promoted when it
is on the default branch; to prod, when its promotion to staging has succeeded (without a
staging.toml in delivery/environments there is none to wait for).
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from delivery import settings
from delivery.toml_reading import SettingsError

_TAG = re.compile(r"(?:refs/tags/)?(staging|prod)(?:/[A-Za-z0-9._-]+)?")
WORKFLOW = "promote.yml"


class TagError(Exception):
    """The tag promotes nothing; the message says why and what to do."""


def environment_of(ref: str) -> str:
    """The environment that a tag promotes to; raises TagError.

    >>> environment_of("refs/tags/staging/261121-093005-4f2a61c")
    'staging'
    """
    found = _TAG.fullmatch(ref)
    if found is None:
        raise TagError(f"{ref} is no promotion tag: staging, prod, staging/NAME or prod/NAME")
    return found[1]


def tag_name(environment: str, commit: str, now: datetime) -> str:
    """A tag that sorts by time and is never moved.

    >>> tag_name("prod", "4f2a61c0ffee", datetime(2026, 11, 21, 9, 30, 5, tzinfo=UTC))
    'prod/261121-093005-4f2a61c'
    """
    return f"{environment}/{now:%y%m%d-%H%M%S}-{commit[:7]}"


def check(ref: str, *, evidence: str, expected: str = "") -> str:
    """The environment that the tag may promote its commit to; raises TagError.

    `expected` is the commit that a CI is about to deploy: a tag can be moved while it waits.
    """
    environment = environment_of(ref)
    name = f"refs/tags/{ref.removeprefix('refs/tags/')}"
    commit = _git("rev-parse", "--verify", f"{name}^{{commit}}")
    if expected and _git("rev-parse", "--verify", f"{expected}^{{commit}}") != commit:
        raise TagError(
            f"{ref} points at {commit[:12]} by now, and not at {expected[:12]}, which is about to "
            "be deployed: the run of the newer commit promotes it"
        )
    check_commit(commit)
    is_tried_out = "staging" in settings.load().environments
    if environment == "prod" and evidence == "github" and is_tried_out:
        _check_staging(commit)
    return environment


def check_commit(commit: str) -> None:
    """Raises TagError for a commit that is not on the default branch."""
    branch = settings.load().repository.branch
    known = [ref for ref in (f"refs/remotes/origin/{branch}", f"refs/heads/{branch}") if _has(ref)]
    if not known:
        raise TagError(
            f"there is no branch {branch} to compare with; fetch the whole history "
            "(actions/checkout: fetch-depth: 0)"
        )
    if not any(_is_ancestor(commit, ref) for ref in known):
        raise TagError(
            f"{commit[:12]} is not on {branch}: what was not reviewed there is not promoted. Merge "
            "it, then tag the merged commit"
        )


def _check_staging(commit: str) -> None:
    """Raises TagError unless the commit was promoted to staging by a run that succeeded whole.

    `gh` is GitHub's own client, there on GitHub's runners; it needs `actions: read`.
    """
    fields = ("--json", "headBranch", "--status", "success", "--commit", commit)
    done = _run("gh", "run", "list", "--workflow", WORKFLOW, *fields)
    if done.returncode != 0:
        raise TagError(f"GitHub does not say whether staging has accepted it: {_last(done.stderr)}")
    tags = [str(one["headBranch"]) for one in json.loads(done.stdout or "[]")]
    if not any(_TAG.fullmatch(tag) and environment_of(tag) == "staging" for tag in tags):
        raise TagError(
            f"{commit[:12]} has not been accepted in staging: no run of {WORKFLOW} for a staging "
            "tag of it has succeeded. Promote it there first: make promote-tag TAG=staging"
        )


def make(environment: str, commit: str, *, push: bool) -> str:
    """Tag a commit of the default branch, here and with `push` at origin; raises TagError."""
    full = _git("rev-parse", "--verify", f"{commit}^{{commit}}")
    check_commit(full)
    if _has(f"refs/tags/{environment}"):
        raise TagError(
            f"there is a tag {environment}, beside which Git has no {environment}/NAME: move it "
            f"(git push --force origin {full[:12]}:refs/tags/{environment}), or delete it for good"
        )
    tag = tag_name(environment, full, datetime.now(UTC))
    _git("tag", "--annotate", tag, full, "--message", f"promote {full[:12]} to {environment}")
    if push:
        _git("push", "--quiet", "origin", f"refs/tags/{tag}")
    return tag


def _has(ref: str) -> bool:
    return _run("git", "rev-parse", "--quiet", "--verify", ref).returncode == 0


def _is_ancestor(commit: str, ref: str) -> bool:
    return _run("git", "merge-base", "--is-ancestor", commit, ref).returncode == 0


def _git(*arguments: str) -> str:
    done = _run("git", *arguments)
    if done.returncode != 0:
        raise TagError(f"git {' '.join(arguments[:2])}: {_last(done.stderr)}")
    return done.stdout.strip()


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise TagError(f"{command[0]} was not found") from None


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, or 1 with the cause on standard error."""
    chosen = _parser().parse_args(arguments)
    try:
        if chosen.command == "make":
            print(make(chosen.environment, chosen.commit, push=chosen.push))  # noqa: T201
        elif chosen.command == "check":
            found = check(chosen.ref, evidence=chosen.evidence, expected=chosen.commit)
            print(found)  # noqa: T201
        else:
            print(environment_of(chosen.ref))  # noqa: T201
    except (TagError, SettingsError) as fault:
        print(f"promotion: {fault}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m delivery.promotion_tags")
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("make")
    made.add_argument("environment", choices=("staging", "prod"))
    made.add_argument("--commit", default="HEAD")
    made.add_argument("--push", action="store_true")
    checked = commands.add_parser("check")
    checked.add_argument("ref")
    checked.add_argument("--commit", default="", help="what is about to be deployed")
    checked.add_argument("--evidence", choices=("github", "none"), default="none")
    commands.add_parser("environment").add_argument("ref")
    return parser


if __name__ == "__main__":
    sys.exit(main())
