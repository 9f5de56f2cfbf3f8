"""What the contracts read: the committed files, the template as written, and the template expanded.

The expanded template is what CloudFormation would get: AWS's own translator has replaced the
serverless types, and each state machine's file stands in it as text.
"""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.deployer import template as templates
from localaws.deployer import transform

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
REGION = "us-east-1"
SETTINGS = ROOT / "tests" / "delivery" / "environments"
"""The example accounts, which tests count on; delivery/environments/ is an organisation's own."""
PACKAGED = {"Bucket": "packages", "Key": "package.zip"}
PATHS = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}
"""Properties that name a local path until the template is packaged, by type."""


@functools.cache
def committed_files() -> tuple[Path, ...]:
    """Files under version control, new ones that are not ignored included; relative to the root."""
    if not (ROOT / ".git").exists():
        return files_of_an_archive()
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = sorted(set(listed.stdout.split("\0")) - {""})
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


_MADE_HERE = {".venv", ".tools", ".signalbox", ".aws-sam", "node_modules", "demo-data"} | {
    "__pycache__",
    ".hypothesis",
    ".git",
}


def files_of_an_archive() -> tuple[Path, ...]:
    """Without version control, as in a build of the delivery pipeline: all but what make makes."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [n for n in folders if n not in _MADE_HERE and not n.endswith("cache")]
        found += [(Path(folder) / n).relative_to(ROOT) for n in names if n not in _MADE_HERE]
    return tuple(sorted(found))


def example_files() -> Iterator[tuple[Path, Path]]:
    """Path and source of each file of a checkout whose settings are those of the tests."""
    own = Path("delivery/environments")
    yield from ((p, ROOT / p) for p in committed_files() if not p.is_relative_to(own))
    yield from ((own / path.name, path) for path in sorted(SETTINGS.glob("*.toml")))


def python_files(*folders: str) -> list[Path]:
    """Committed Python files under the given folders, all of them when none is given."""
    return [
        path
        for path in committed_files()
        if path.suffix == ".py"
        and (
            not folders
            or path.is_relative_to(folders[0])
            or any(path.is_relative_to(folder) for folder in folders)
        )
    ]


def template() -> dict[str, Any]:
    """The template as written, short forms read; a fresh copy."""
    return templates.read(TEMPLATE)


def resources(kind: str, document: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """Properties of the resources of one type, by logical id."""
    found = (document or template())["Resources"]
    return {name: r.get("Properties", {}) for name, r in found.items() if r["Type"] == kind}


def definition_of(machine: dict[str, Any]) -> str:
    """The text of a state machine's file."""
    return (ROOT / machine["DefinitionUri"]).read_text(encoding="utf-8")


def packaged() -> dict[str, Any]:
    """The template with every local path replaced by one uploaded object; a fresh copy."""
    document = template()
    document["Globals"]["Function"].pop("CodeUri")
    for resource in document["Resources"].values():
        properties = resource.get("Properties", {})
        if path := PATHS.get(resource["Type"]):
            properties[path] = dict(PACKAGED)
    return document


@functools.cache
def _expanded(folder: Path) -> str:
    answer = transform.expanded(packaged(), {}, region=REGION, cache=folder)
    for name, machine in resources("AWS::Serverless::StateMachine").items():
        properties = answer["Resources"][name]["Properties"]
        properties.pop("DefinitionS3Location", None)
        properties["DefinitionString"] = definition_of(machine)
    return json.dumps(answer)


def expanded(folder: Path) -> dict[str, Any]:
    """The template as CloudFormation would get it, the ASL inlined; `folder` keeps the work."""
    answer: dict[str, Any] = json.loads(_expanded(folder))
    return answer


@dataclass(frozen=True)
class Statement:
    """One statement of one policy and where it stands."""

    owner: str
    body: dict[str, Any]

    @property
    def place(self) -> str:
        """Owner and Sid, for messages."""
        return f"{self.owner}/{self.body.get('Sid', '(no Sid)')}"

    @property
    def allows(self) -> bool:
        """Whether the statement grants something."""
        return bool(self.body["Effect"] == "Allow")

    @property
    def actions(self) -> list[str]:
        """Actions as a list."""
        return listed(self.body["Action"])

    @property
    def resources(self) -> list[Any]:
        """Resources as a list, intrinsics as they are."""
        return listed(self.body.get("Resource", []))


def listed(value: Any) -> list[Any]:
    """A value that may stand alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]


def statements_of(document: dict[str, Any], owner: str) -> Iterator[Statement]:
    """The statements of a policy document; of a conditional one, every branch."""
    for entry in listed(document["Statement"]):
        branches = entry["Fn::If"][1:] if "Fn::If" in entry else [entry]
        for branch in branches:
            if "Effect" in branch:
                yield Statement(owner, branch)


def delivery_templates() -> list[Path]:
    """The plain CloudFormation templates of delivery/."""
    return sorted((ROOT / "delivery").glob("*.yaml"))


def role_statements(document: dict[str, Any] | None = None) -> list[Statement]:
    """Every statement of every role's policies."""
    return [
        statement
        for name, role in resources("AWS::IAM::Role", document).items()
        for policy in role.get("Policies", [])
        for statement in statements_of(policy["PolicyDocument"], name)
    ]


def resource_policy_statements(document: dict[str, Any] | None = None) -> list[Statement]:
    """Every statement of the policies of buckets, queues, topics and keys."""
    kinds = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
    found = [
        statement
        for kind in kinds
        for name, policy in resources(kind, document).items()
        for statement in statements_of(policy["PolicyDocument"], name)
    ]
    for name, key in resources("AWS::KMS::Key", document).items():
        found += statements_of(key["KeyPolicy"], name)
    return found


def trust_statements(document: dict[str, Any] | None = None) -> list[Statement]:
    """Every statement that says who may assume a role."""
    return [
        statement
        for name, role in resources("AWS::IAM::Role", document).items()
        for statement in statements_of(role["AssumeRolePolicyDocument"], name)
    ]


def tool(name: str) -> str:
    """The path of a command installed beside the running Python."""
    return str(Path(sys.executable).with_name(name))
