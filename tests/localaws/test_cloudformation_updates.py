"""Signalbox's own template, from one commit to the next: in place, nothing lost, taken back whole.

The versions are those of the repository's history: the last few, or as many as
SIGNALBOX_TEMPLATE_VERSIONS says ("all" of them). A clone that was cut off fails; where there is no
history at all, as in a build of an archive, the test of the versions is skipped and says so.
"""

import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml  # type: ignore[import-untyped]

from delivery.package import with_settings
from localaws.clients import developer_client
from localaws.deployer import packaging, template
from localaws.package import addressed
from localaws.server import Config, LaptopServer
from tests.localaws import stack_world as world

T = TypeVar("T")
pytestmark = pytest.mark.timeout(900)
ROOT = Path(__file__).parents[2]
DEV = "123456789012"
STACK = "signalbox-dev"
PACKAGES = "packages-of-the-test"
SOURCES = ("template.yaml", "functions", "statemachines", "layers")
VERSIONS = os.environ.get("SIGNALBOX_TEMPLATE_VERSIONS", "3")
# Commits whose template cannot be deployed, and why; and what a commit took away on purpose that
# holds something.
UNKNOWN_FIELDS = (
    "InferenceStateMachine passes fields that Step Functions's integration does not take"
)
REFUSED = dict.fromkeys(("9193d95", "6f44775", "366910f"), UNKNOWN_FIELDS)
REMOVED: dict[str, set[str]] = {}
# What holds something: a new one in its place would be empty, or unknown to who used the old one.
HOLDING = (
    *("AWS::S3::Bucket", "AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::SQS::Queue"),
    *("AWS::SNS::Topic", "AWS::CodePipeline::Pipeline", "AWS::StepFunctions::StateMachine"),
)


def client(service: str) -> Any:
    return developer_client(service, account=DEV)


def git(*arguments: str) -> str:
    """What a git command prints; empty where there is no repository."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def commits() -> list[str]:
    """The last commits of the template in history, the oldest first."""
    most = [] if VERSIONS == "all" else [f"-{int(VERSIONS)}"]
    log = git("log", "--first-parent", *most, "--format=%H", "--", "template.yaml")
    return [commit for commit in log.split()[::-1] if is_whole(commit)]


def is_whole(commit: str) -> bool:
    """Whether all sources were there; the first commits of a repository lack some."""
    return len(git("ls-tree", "--name-only", commit, *SOURCES).split()) == len(SOURCES)


def checked_out(commit: str, folder: Path) -> Path:
    """The sources of a commit, with today's dependencies, so that nothing is installed."""
    command = ["git", "archive", commit, *SOURCES]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    target = folder / commit
    with tarfile.open(fileobj=BytesIO(archive)) as members:
        members.extractall(target, filter="data")
    shutil.rmtree(target / "layers" / "dependencies")
    shutil.copytree(ROOT / "layers" / "dependencies", target / "layers" / "dependencies")
    return target


def as_delivered(document: dict[str, Any]) -> dict[str, Any]:
    """With the digest that `python -m delivery.package` writes, where there is a place for it."""
    text = yaml.safe_dump(document, sort_keys=False)
    known = "SETTINGS_DIGEST: none" in text
    found: dict[str, Any] = yaml.safe_load(with_settings(text, {})) if known else document
    return found


@dataclass
class Delivery:
    """Releases versions of the template to one stack and looks at what became of it."""

    build: Path
    packaged: dict[Path, dict[str, Any]] = field(default_factory=dict)
    numbers: int = 0

    def package(self, source: Path) -> dict[str, Any]:
        """The template of a folder with its code in a bucket."""
        if source not in self.packaged:
            made = packaging.package(
                template.read(source / "template.yaml"),
                base=source,
                bucket=PACKAGES,
                build_dir=self.build,
            )
            for artifact in made.artifacts:
                client("s3").put_object(Bucket=PACKAGES, Key=artifact.key, Body=artifact.content)
            self.packaged[source] = as_delivered(addressed(made.template))
        return json.loads(json.dumps(self.packaged[source]))  # type: ignore[no-any-return]

    def propose(self, document: dict[str, Any], kind: str = "UPDATE") -> Any:
        """A change set, described."""
        self.numbers += 1
        made = client("cloudformation").create_change_set(
            StackName=STACK,
            ChangeSetName=f"release-{self.numbers}",
            ChangeSetType=kind,
            TemplateBody=json.dumps(document),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        return client("cloudformation").describe_change_set(ChangeSetName=made["Id"])

    def release(self, document: dict[str, Any], kind: str = "UPDATE") -> str:
        """Propose and execute; the stack's status afterwards."""
        proposal = self.propose(document, kind)
        if proposal["Status"] == "FAILED":
            return str(proposal["StatusReason"])
        client("cloudformation").execute_change_set(ChangeSetName=proposal["ChangeSetId"])
        return world.status(STACK, client("cloudformation"))

    def delete(self) -> None:
        """Nothing of the stack is left."""
        client("cloudformation").delete_stack(StackName=STACK)
        client("cloudformation").get_waiter("stack_delete_complete").wait(StackName=STACK)

    def why(self) -> str:
        """What failed first in the last change of the stack."""
        events = client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
        failed = [e for e in events if e["ResourceStatus"].endswith("_FAILED")]
        oldest: dict[str, Any] = min(failed, key=lambda e: e["Timestamp"], default={})
        return f"{oldest.get('LogicalResourceId')}: {oldest.get('ResourceStatusReason')}"

    def holding(self) -> dict[str, str]:
        """Physical ids of what holds something."""
        pages = client("cloudformation").get_paginator("list_stack_resources")
        found = [
            item
            for page in pages.paginate(StackName=STACK)
            for item in page["StackResourceSummaries"]
        ]
        return {
            item["LogicalResourceId"]: item["PhysicalResourceId"]
            for item in found
            if item["ResourceType"] in HOLDING
        }


@dataclass
class History:
    """What became of each version, in order: commit (empty for the working tree) to outcome."""

    applied: list[str] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    lost: dict[str, set[str]] = field(default_factory=dict)

    def add(self, delivery: Delivery, commit: str, folder: Path) -> None:
        """Bring the stack to the version; nothing that holds something may go or be replaced."""
        document = delivery.package(checked_out(commit, folder) if commit else ROOT)
        before = delivery.holding() if self.applied else {}
        outcome = delivery.release(document, "UPDATE" if self.applied else "CREATE")
        self.outcomes[commit] = outcome
        if outcome in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            text = json.dumps(document, sort_keys=True)
            self.applied += [text] if text not in self.applied else []
        elif "didn't contain changes" not in outcome:
            self.outcomes[commit] += f": {delivery.why()}"
        if not self.applied:
            delivery.delete()
            return
        if len(self.applied) == 1 and not before:
            fill()
        self.lost[commit] = {n for n, i in before.items() if delivery.holding().get(n) != i}
        assert_nothing_is_lost()


@pytest.fixture(scope="module")
def history() -> History:
    return History()


@pytest.fixture(scope="module")
def delivery(history: History, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    """A stack of an older version, brought up to the working tree, with data since the first."""
    folder = tmp_path_factory.mktemp("history")
    config = Config(port=0, state_dir=tmp_path_factory.mktemp("state"), time_scale=1.0)
    with LaptopServer(config):
        client("s3").create_bucket(Bucket=PACKAGES)
        made = Delivery(ROOT / ".signalbox" / "build")
        for commit in (*commits(), ""):
            history.add(made, commit, folder)
        yield made


BUCKET = f"signalbox-dev-workflow-{DEV}-us-east-1"


def fill() -> None:
    """Leave something in each thing that holds something."""
    for body in (b"first", b"second"):
        client("s3").put_object(Bucket=BUCKET, Key="runs/r1/manifest.json", Body=body)
    queue = client("sqs").get_queue_url(QueueName="signalbox-dev-dead-letters")["QueueUrl"]
    client("sqs").send_message(QueueUrl=queue, MessageBody="lost event")
    group = log_group()
    client("logs").create_log_stream(logGroupName=group, logStreamName="s")
    client("logs").put_log_events(
        logGroupName=group,
        logStreamName="s",
        logEvents=[{"timestamp": int(time.time() * 1000), "message": "said"}],
    )


def log_group() -> str:
    return "/aws/lambda/signalbox-dev-create-schema"


def assert_nothing_is_lost() -> None:
    """What `fill` left is there."""
    listed = client("s3").list_object_versions(Bucket=BUCKET)["Versions"]
    assert len(listed) == 2
    stored = client("s3").get_object(Bucket=BUCKET, Key="runs/r1/manifest.json")
    assert stored["Body"].read() == b"second"
    queue = client("sqs").get_queue_url(QueueName="signalbox-dev-dead-letters")["QueueUrl"]
    waiting = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
    assert waiting["Attributes"]["ApproximateNumberOfMessages"] == "1"
    said = client("logs").get_log_events(logGroupName=log_group(), logStreamName="s")["events"]
    assert [event["message"] for event in said] == ["said"]


TAKEN = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


def known(listed: Mapping[str, T], commit: str) -> T | None:
    """The entry of a commit in a list by abbreviated commits."""
    return next((entry for short, entry in listed.items() if commit.startswith(short)), None)


@pytest.mark.usefixtures("delivery")
def test_every_version_was_applied_in_place(history: History) -> None:
    """One after the other; a version that was not is a fault unless it is listed."""
    refused = {
        commit: outcome
        for commit, outcome in history.outcomes.items()
        if outcome not in TAKEN and "didn't contain changes" not in outcome
    }
    lost = {
        commit: names - (known(REMOVED, commit) or set()) for commit, names in history.lost.items()
    }

    assert {c: o for c, o in refused.items() if not (c and known(REFUSED, c))} == {}
    assert {c: names for c, names in lost.items() if names} == {}


@pytest.mark.usefixtures("delivery")
def test_there_were_versions_to_come_from(history: History) -> None:
    """Otherwise the test above would have updated nothing."""
    if len(history.applied) >= 2:
        return
    assert git("rev-parse", "--is-shallow-repository").strip() != "true", (
        "this clone was cut off (actions/checkout: fetch-depth: 0); run: git fetch --unshallow"
    )
    pytest.skip("no other version of template.yaml in the history: NO UPDATE WAS TRIED")


def test_a_second_deployment_changes_nothing(delivery: Delivery) -> None:
    assert "didn't contain changes" in delivery.release(delivery.package(ROOT))


def _memory(document: dict[str, Any]) -> None:
    document["Resources"]["CreateSchemaFunction"]["Properties"]["MemorySize"] = 384


def _retention(document: dict[str, Any]) -> None:
    document["Parameters"]["LogRetentionDays"]["Default"] = 30


def _more_rules(document: dict[str, Any]) -> None:
    bucket = document["Resources"]["WorkflowBucket"]["Properties"]
    rule = {"Id": "short", "Status": "Enabled", "Prefix": "scratch/", "ExpirationInDays": 3}
    bucket["LifecycleConfiguration"]["Rules"].append(rule)


def _key_words(document: dict[str, Any]) -> None:
    document["Resources"]["EncryptionKey"]["Properties"]["Description"] = "Other words"


def _longer_queue(document: dict[str, Any]) -> None:
    document["Resources"]["DeadLetterQueue"]["Properties"]["MessageRetentionPeriod"] = 86_400


def test_changes_are_made_in_place_and_taken_back_by_the_version_before(delivery: Delivery) -> None:
    document, before = delivery.package(ROOT), delivery.holding()
    for edit in (_memory, _retention, _more_rules, _key_words, _longer_queue):
        edit(document)
    proposal = delivery.propose(document)

    found = [change["ResourceChange"] for change in proposal["Changes"]]
    client("cloudformation").execute_change_set(ChangeSetName=proposal["ChangeSetId"])

    assert world.status(STACK, client("cloudformation")) == "UPDATE_COMPLETE"
    assert {change["Replacement"] for change in found} == {"False"}
    assert {change["LogicalResourceId"] for change in found} >= {
        *("CreateSchemaFunction", "WorkflowBucket", "EncryptionKey", "DeadLetterQueue"),
        "CreateSchemaLogGroup",
    }
    assert delivery.holding() == before
    assert_nothing_is_lost()
    assert delivery.release(delivery.package(ROOT)) == "UPDATE_COMPLETE"
    assert delivery.holding() == before


def test_a_failing_update_rolls_back_to_what_was(delivery: Delivery) -> None:
    """Functions, machines and rules are changed, then a role fails."""
    document, before = delivery.package(ROOT), delivery.holding()
    _memory(document)
    _longer_queue(document)
    document["Resources"]["Late"] = {
        "Type": "AWS::IAM::Role",
        "DependsOn": ["CreateSchemaFunction", "DeadLetterQueue"],
        "Properties": {
            "ManagedPolicyArns": [f"arn:aws:iam::{DEV}:policy/absent"],
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
        },
    }

    assert delivery.release(document) == "UPDATE_ROLLBACK_COMPLETE"

    assert delivery.holding() == before
    assert_nothing_is_lost()
    function = client("lambda").get_function_configuration(
        FunctionName="signalbox-dev-create-schema"
    )
    assert function["MemorySize"] != 384
    assert "didn't contain changes" in delivery.release(delivery.package(ROOT))
