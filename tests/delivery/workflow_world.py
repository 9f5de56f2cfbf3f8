"""A repository on a laptop with five accounts, set up as delivery/account.yaml says.

The repository is a copy of this checkout with the example settings, uncommitted files included; the
accounts hold nothing but what the account set-up makes, as those of an organisation that begins.
"""

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3

from delivery import settings
from delivery.model import Deployment, Settings
from localaws.iam.record import CAPACITY, Record, from_json
from signalbox_cli import laptop
from tests.contracts.repository import SETTINGS, example_files
from tests.delivery.workflow_runner import ROOT, Event, Run, Runner
from tests.delivery.workflow_stand_ins import OWNER_ID, REPOSITORY_ID, prefix, token


@dataclass(frozen=True)
class Accounts:
    """The laptop and a client for the developer of each account."""

    up: laptop.Up

    def client(self, service: str, environment: str) -> Any:
        """A client with every right in one account: a look at it, never part of a workflow."""
        keys = self.up.environments[environment]
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name=self.up.region,
            endpoint_url=self.up.url,
            aws_access_key_id=keys["accessKeyId"],
            aws_secret_access_key=keys["secretAccessKey"],
        )

    def variables(self) -> Mapping[str, str]:
        """How a workflow reaches the laptop, without any key."""
        return {
            "AWS_ENDPOINT_URL": self.up.url,
            "SIGNALBOX_BUILD_DIR": str(ROOT / ".signalbox" / "build"),
        }


@contextmanager
def set_up_accounts() -> Iterator[Accounts]:
    """Five accounts with the stacks of the account set-up; waits pass 600 times faster."""
    options = laptop.LaptopOptions(
        port=0, warm_ahead=False, time_scale=600, environments=(), delivery=True
    )
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        with laptop.serving(options, lambda _line: None) as up:
            accounts = Accounts(up)
            for one in settings.deployments(with_numbers(settings.load())):
                if one.name != "pipeline":
                    _create(accounts, one)
            yield accounts
    finally:
        os.chdir(before)


def with_numbers(found: Settings) -> Settings:
    """The settings of a repository whose tokens hold GitHub's numbers."""
    numbered = replace(found.repository, owner_id=OWNER_ID, id=REPOSITORY_ID)
    return replace(found, repository=numbered)


def _create(accounts: Accounts, one: Deployment) -> None:
    owner = next(
        n for n, k in accounts.up.environments.items() if k["account"] == one.place.account
    )
    bucket, s3 = f"set-up-{one.place.account}", accounts.client("s3", owner)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="template.yaml", Body=(ROOT / one.template).read_bytes())
    stacks = accounts.client("cloudformation", owner)
    stacks.create_stack(
        StackName=one.stack_name,
        TemplateURL=f"{accounts.up.url}/{bucket}/template.yaml",
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in one.parameters.items()],
        Capabilities=list(one.capabilities),
    )
    (stack,) = stacks.describe_stacks(StackName=one.stack_name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack


class Repository:
    """A Git repository with the files of this checkout on `main`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name, source in example_files():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
        self.change(
            ".github/workflows/deploy-dev.yml",
            f"branches: [{settings.load(settings.FOLDER).repository.branch}]",
            f"branches: [{settings.load().repository.branch}]",
        )
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "uploadpack.allowAnySHA1InWant", "true")
        self.git("config", "user.name", "A developer")
        self.git("config", "user.email", "developer@example.org")
        self.first = self.commit("what there is")

    def git(self, *arguments: str) -> str:
        """A command's output."""
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def commit(self, message: str) -> str:
        """Everything as it is now; the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def change(self, path: str, before: str, after: str) -> None:
        """One text of one file, in the working tree."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert before in text
        file.write_text(text.replace(before, after, 1), encoding="utf-8")

    def tag(self, name: str, commit: str) -> Event:
        """Set or move a tag, as `git push --force origin COMMIT:refs/tags/NAME` does.

        Git has no tag `staging` beside `staging/NAME`: a repository uses the one or the others.
        """
        self.git("tag", "--force", name, commit)
        return Event("push", f"refs/tags/{name}", commit)

    def pull_request(self, number: int, commit: str) -> Event:
        """Propose a commit; GitHub makes a ref of what the merge would be."""
        ref = f"refs/pull/{number}/merge"
        self.git("update-ref", ref, commit)
        return Event("pull_request", ref, commit)


@dataclass(frozen=True)
class World:
    """Accounts, repository, and GitHub."""

    accounts: Accounts
    repository: Repository
    runner: Runner

    def push_main(self, message: str) -> Run:
        """Commit on main; the run of deploy-dev.yml."""
        return self.only(Event("push", "refs/heads/main", self.repository.commit(message)))

    def only(self, event: Event) -> Run:
        """The one run that an event starts."""
        (run,) = self.runner.trigger(event)
        return run

    def as_workflow(
        self, environment: str, kind: str, *command: str
    ) -> "subprocess.CompletedProcess[str]":
        """A command as a job of the environment runs it under one of its roles."""
        sts = self.accounts.client("sts", environment)
        keys = sts.assume_role_with_web_identity(
            RoleArn=settings.load().role_arn(environment, "github"),
            RoleSessionName="job",
            WebIdentityToken=token(f"{prefix()}:environment:{environment}"),
        )["Credentials"]
        return subprocess.run(
            [sys.executable, "-m", "delivery.as_role", f"{environment}/{kind}", "--", *command],
            cwd=ROOT,
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(self.runner.folder),
                "AWS_DEFAULT_REGION": self.accounts.up.region,
                "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
                "AWS_SESSION_TOKEN": keys["SessionToken"],
                settings.FOLDER_VARIABLE: str(SETTINGS),
                **self.accounts.variables(),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def decisions(self) -> list[Record]:
        """Everything that IAM has decided so far."""
        with urllib.request.urlopen(f"{self.accounts.up.url}/_localaws/decisions") as answer:
            lines = answer.read().decode().splitlines()
        assert len(lines) < CAPACITY, "the laptop has forgotten the first decisions"
        return [from_json(line) for line in lines if line.strip()]

    def role_policies(self, environment: str, *kinds: str) -> dict[str, dict[str, Any]]:
        """Role ARN -> name of inline policy -> document."""
        iam, found = self.accounts.client("iam", environment), {}
        for kind in kinds:
            role = settings.load().role_name(environment, kind)
            found[settings.load().role_arn(environment, kind)] = {
                name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
                for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
            }
        return found

    def stack(self, environment: str) -> Mapping[str, Any] | None:
        """The environment's stack; None when there is none."""
        stacks = self.accounts.client("cloudformation", environment)
        found = [
            s
            for s in stacks.describe_stacks()["Stacks"]
            if s["StackName"] == f"signalbox-{environment}"
        ]
        return found[0] if found else None


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Everything anew."""
    with set_up_accounts() as accounts:
        repository = Repository(folder / "repository")
        github = folder / "github"
        (github / "bin").mkdir(parents=True)
        gh = github / "bin" / "gh"
        script = ROOT / "tests" / "delivery" / "stand_in_gh.py"
        gh.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
        gh.chmod(0o755)
        yield World(accounts, repository, Runner(repository.folder, github, accounts.variables()))
