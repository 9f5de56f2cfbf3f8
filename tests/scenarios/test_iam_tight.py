"""Least privilege, shown: whatever action is taken from whatever role, something recorded fails.

The exercise below walks every path of the workflow on a laptop of its own while every decision is
recorded. Each action of each statement of each role is then taken out in turn and the record is
decided again. What AWS needs and the laptop cannot ask for is listed, with its reason, in
docs/parity.md, and may not be listed when something here does ask for it.
"""

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from localaws.iam_record import Record, Removal, denials, from_json, without
from signalbox_cli import laptop
from tests.scenarios import exercise, stories
from tests.scenarios.conftest import REPOSITORY, Laptop

SECTION = "## Granted, and not exercised on the laptop"


def role_policies(served: Laptop) -> dict[str, dict[str, Any]]:
    """Role ARN -> name of inline policy -> document, of every role of the environment."""
    iam = served.target.client("iam")
    roles = [r for page in iam.get_paginator("list_roles").paginate() for r in page["Roles"]]
    return {
        role["Arn"]: {
            name: iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
        }
        for role in roles
        if role["RoleName"].startswith(served.target.prefix)
    }


def recorded(served: Laptop) -> list[Record]:
    """Every decision of the laptop so far."""
    with urllib.request.urlopen(f"{served.up.url}/_localaws/decisions") as answer:
        lines = answer.read().decode().splitlines()
    return [from_json(line) for line in lines if line.strip()]


def listed_as_unexercised() -> set[tuple[str, str]]:
    """(logical id of a role, action) of the table in docs/parity.md."""
    table = (REPOSITORY / "docs" / "parity.md").read_text().partition(SECTION)[2]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("|")]
    pairs = set()
    for roles, actions in rows[2:]:
        for role in roles.strip().split(", "):
            pairs |= {(role, action) for action in re.findall(r"`([a-z0-9-]+:\w+)`", actions)}
    return pairs


def logical_role(removal: Removal, prefix: str) -> str:
    """`arn:...:role/signalbox-dev-create-schema-us-east-1` is CreateSchemaRole."""
    name = removal.role.rpartition("/")[2].removeprefix(f"{prefix}-").removesuffix("-us-east-1")
    return "".join(part.capitalize() for part in name.split("-")) + "Role"


FUNCTION_ROLES = frozenset(
    f"{name}Role"
    for name in ("CreateSchema", "UpdateSchema", "JudgeModel", "RecordOutcome", "ApprovalNotifier")
)


def is_listed(removal: Removal, prefix: str, listed: set[tuple[str, str]]) -> bool:
    """Whether docs/parity.md gives a reason for the action of the role."""
    role = logical_role(removal, prefix)
    names = {role, "every function"} if role in FUNCTION_ROLES else {role}
    return any((name, removal.action) in listed for name in names)


@pytest.fixture(scope="module")
def exercised() -> Iterator[Laptop]:
    """A laptop on which every path of the workflow has been walked."""
    options = laptop.LaptopOptions(port=0, time_scale=600, template=REPOSITORY / "template.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        with laptop.serving(options, lambda _line: None) as up:
            served = Laptop(up, up.target(options))
            exercise.walk_every_path(served)
            yield served


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_granted_action_is_needed_by_something_recorded(exercised: Laptop) -> None:
    policies, records = role_policies(exercised), recorded(exercised)
    listed = listed_as_unexercised()

    found = denials(records, policies)

    prefix = exercised.target.prefix
    unused = [r for r, denied in found.items() if not denied]
    unexplained = [r.describe() for r in unused if not is_listed(r, prefix, listed)]
    needless = [r.describe() for r, denied in found.items()
                if denied and is_listed(r, prefix, listed)]  # fmt: skip
    assert unexplained == []
    assert needless == []
    assert len(found) - len(unused) > 60


@pytest.mark.slow
def test_nothing_that_a_run_needs_was_denied(exercised: Laptop) -> None:
    denied = [r for r in recorded(exercised) if not r.allowed]

    assert [f"{r.role or r.principal} {r.action} {r.resource}" for r in denied] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("role", "action", "resource", "stage"),
    [
        ("training", "sagemaker:CreateTrainingJob", ":training-job/signalbox-dev-train-", "Train"),
        ("job", "s3:PutObject", "/preprocess/1/", "Train"),
        ("record-outcome", "s3:PutObject", "/manifest.json", "Train"),
        ("pipeline", "lambda:InvokeFunction", "signalbox-dev-create-schema", "Prepare"),
        ("create-schema", "codepipeline:ListActionExecutions", "signalbox-dev-workflow", "Prepare"),
        ("training", "iam:PassRole", "role/signalbox-dev-job-us-east-1", "Train"),
    ],
)
def test_a_removed_action_ends_the_run_where_aws_would_say_it(
    served: Laptop, role: str, action: str, resource: str, stage: str
) -> None:
    name = f"{served.target.prefix}-{role}-us-east-1"
    iam = served.target.client("iam")
    arn = iam.get_role(RoleName=name)["Role"]["Arn"]
    before = role_policies(served)[arn]
    try:
        _take_away(iam, name, before, action)

        run = stories.run_to_end(served, stories.smallest())
    finally:
        for policy, document in before.items():
            iam.put_role_policy(
                RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document)
            )

    assert run.status == "Failed"
    failed = next(a for a in run.actions if a.status == "Failed")
    assert failed.stage == stage
    for word in ("AccessDenied", action, resource, name):
        assert word.lower() in run.error.lower().replace("not authorized", "accessdenied")


def _take_away(iam: Any, role: str, policies: dict[str, Any], action: str) -> None:
    for policy, document in policies.items():
        changed = dict(document)
        for index in range(len(document["Statement"])):
            removal = Removal(role, policy, "", index, action)
            if action in _actions(document["Statement"][index]):
                changed = without(document, removal)
        iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(changed))


def _actions(statement: dict[str, Any]) -> list[str]:
    actions = statement.get("Action", [])
    return [actions] if isinstance(actions, str) else actions
