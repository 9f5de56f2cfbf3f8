"""What stands in for the actions that our workflows use.

Each does what its action does as far as a later step can see: the checkout with its depth, the
interpreter with what is installed, the role with a token whose claims are GitHub's. None is taken
for more: what it was not written for raises StepFailed or KeyError.
"""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.delivery.workflow_runner import Job, Runner

ROOT = Path(__file__).parents[2]
REPOSITORY = "example-org/signalbox"
OWNER_ID, REPOSITORY_ID = "583231", "1296269"
ISSUER = "https://token.actions.githubusercontent.com"
_LONG_AGO = 1_000_000_000


class StepFailed(Exception):
    """A step ended as a failure; the message is its log."""


def checkout(runner: "Runner", job: "Job", given: Mapping[str, str]) -> str:
    """The commit of the event: alone, or with `fetch-depth: 0` all branches, tags and history."""
    _only(given, "persist-credentials", "fetch-depth")
    ref, depth = job.run.event.ref, given.get("fetch-depth", "1")
    origin = f"file://{runner.repository}"
    _git(job.workspace, "init", "--quiet")
    _git(job.workspace, "remote", "add", "origin", origin)
    wanted = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
    if depth != "0":
        local = ref if ref.startswith("refs/tags/") else ref.replace("heads", "remotes/origin")
        wanted = [f"--depth={depth}", f"+{ref}:{local}"]
    _git(job.workspace, "fetch", "--quiet", "--no-tags", "origin", *wanted)
    _git(job.workspace, "checkout", "--quiet", "--detach", job.run.event.sha)
    for file in _git(job.workspace, "ls-files").splitlines():
        os.utime(job.workspace / file, (_LONG_AGO, _LONG_AGO), follow_symlinks=False)
    return f"{REPOSITORY}@{job.run.event.sha[:12]}"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise StepFailed(f"git {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def setup_python(runner: "Runner", job: "Job", given: Mapping[str, str]) -> str:
    """This environment's interpreter under the name python, and what make would install.

    The version asked for is the functions' own; what is installed from the locks is linked from
    this checkout, so that no network is needed. The commit's own code comes before it.
    """
    _only(given, "python-version")
    if given["python-version"] != "3.13":
        raise StepFailed("template.yaml's functions run on Python 3.13")
    for name in (".venv", ".tools"):
        if (ROOT / name).exists():
            (job.workspace / name).symlink_to(ROOT / name)
    state = job.workspace / ".signalbox"
    state.mkdir()
    (state / ".layers").touch()
    job.variables["PATH"] = f"{runner.folder / 'bin'}:{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    code = [job.workspace / part for part in ("", "cli", "layers/signalbox/python")]
    job.variables["PYTHONPATH"] = ":".join(map(str, code))
    return "python of this checkout"


def configure_aws_credentials(runner: "Runner", job: "Job", given: Mapping[str, str]) -> str:
    """The role, by a token whose subject is GitHub's for this job; the laptop's STS decides.

    GitHub documentation, "OpenID Connect reference" (read 2026-11-21): the subject names the
    environment of a job that has one, else the pull request, else the ref.
    """
    _only(
        given,
        *("role-to-assume", "aws-region", "role-session-name"),
        *("allowed-account-ids", "mask-aws-account-id"),
    )
    if job.permissions.get("id-token") != "write":
        raise StepFailed("Credentials could not be loaded: no id-token: write, so no token")
    sts = boto3.client(
        "sts",
        region_name=given["aws-region"],
        endpoint_url=runner.aws["AWS_ENDPOINT_URL"],
        config=Config(signature_version=UNSIGNED),
    )
    try:
        answer = sts.assume_role_with_web_identity(
            RoleArn=given["role-to-assume"],
            RoleSessionName=given["role-session-name"],
            WebIdentityToken=token(subject(job)),
        )
    except ClientError as error:
        raise StepFailed(f"Could not assume role with OIDC: {error}") from None
    account = answer["AssumedRoleUser"]["Arn"].split(":")[4]
    if account not in given["allowed-account-ids"].split(","):
        raise StepFailed(f"account {account} is not allowed")
    keys = answer["Credentials"]
    job.variables |= {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
        "AWS_REGION": given["aws-region"],
        "AWS_DEFAULT_REGION": given["aws-region"],
    }
    return str(answer["AssumedRoleUser"]["Arn"])


def subject(job: "Job") -> str:
    """The `sub` of the job's token, of a repository made since 2026-07-15."""
    event = job.run.event
    if job.environment:
        return f"{prefix()}:environment:{job.environment}"
    if event.name == "pull_request":
        return f"{prefix()}:pull_request"
    return f"{prefix()}:ref:{event.ref}"


def prefix(*, immutable: bool = True) -> str:
    """How `sub` names the repository: with GitHub's numbers, or as older repositories do.

    GitHub documentation, "OpenID Connect reference", "Immutable subject claims" (read 2026-11-21).
    """
    owner, name = REPOSITORY.split("/")
    numbered = f"repo:{owner}@{OWNER_ID}/{name}@{REPOSITORY_ID}"
    return numbered if immutable else f"repo:{REPOSITORY}"


def token(sub: str) -> str:
    """A JSON Web Token with GitHub's claims; the laptop verifies no signature (docs/parity.md)."""
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": "sts.amazonaws.com",
        "sub": sub,
        "exp": time.time() + 300,
    }
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256"}, claims, "not signed"))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def upload_artifact(runner: "Runner", job: "Job", given: Mapping[str, str]) -> str:
    """The files, copied to the runner's folder."""
    _only(given, "name", "path", "include-hidden-files", "if-no-files-found")
    source = job.workspace / given["path"]
    if not source.exists():
        return "no files were found"
    target = runner.folder / "artifacts" / given["name"]
    shutil.copytree(source, target, dirs_exist_ok=True)
    return ", ".join(sorted(file.name for file in target.iterdir()))


def _only(given: Mapping[str, str], *known: str) -> None:
    unknown = given.keys() - set(known)
    if unknown:
        raise StepFailed(f"this stand-in does not know the inputs {sorted(unknown)}")
