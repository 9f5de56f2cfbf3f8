"""Which commit is delivered: from the CI, from the archive that it came in, or from git.

    python -m delivery.commits

Prints its id, or nothing where nobody can tell. Standard library only.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
ARCHIVED = Path("delivery") / "COMMIT"
"""`git archive` writes the id into it (export-subst in .gitattributes)."""
VARIABLE = "SIGNALBOX_COMMIT"
_OF_CODEBUILD = "CODEBUILD_RESOLVED_SOURCE_VERSION"  # of an archive in S3 it is a version id
_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def delivered(variables: Mapping[str, str], root: Path = ROOT) -> str:
    """40 or 64 hexadecimal digits, or "" for unknown.

    What a CI says wins over what the files say; a checkout's own git is asked last.
    """
    known = (variables.get(VARIABLE, ""), variables.get(_OF_CODEBUILD, ""), _archived(root))
    return next((one for one in known if _ID.fullmatch(one)), "") or _checked_out(root)


def _archived(root: Path) -> str:
    try:
        return (root / ARCHIVED).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _checked_out(root: Path) -> str:
    if not (root / ".git").exists():  # of a folder above it might be somebody else's
        return ""
    command = ["git", "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


if __name__ == "__main__":
    sys.stdout.write(f"{delivered(os.environ)}\n")
