"""Least privilege, shown: whatever is taken from whatever policy, something recorded fails.

The exercise walks every path of the workflow on a laptop of its own while every decision is
recorded. Each action, resource and value of a condition of each statement is then taken out in turn
and the record is decided again. What AWS needs and the laptop cannot ask for is listed, with its
reason, in docs/parity.md, and may not be listed when something here does ask for it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from localaws.iam.record import CAPACITY, Record, denials
from signalbox_cli import laptop
from tests.scenarios import exercise, iam_evidence, iam_listed
from tests.scenarios.conftest import REPOSITORY, Laptop
from tests.scenarios.iam_evidence import Document
from tests.scenarios.iam_listed import Row

UNEXERCISED = "Granted, and not exercised on the laptop"
UNNEEDED = "Statements of resource policies that nothing on the laptop needs"
GIT_ONLY = {
    Row("PipelineRole", "UseTheConnection", "codeconnections:UseConnection"),
    Row("PipelineRole", "UseTheConnection", "codestar-connections:UseConnection"),
    Row("PipelineRole", "HandTheArchiveOn", "s3:PutObjectAcl"),
}
"""Listed, and not in the policies of an environment whose source is S3."""


@dataclass(frozen=True)
class Evidence:
    """What the exercise left."""

    served: Laptop
    records: list[Record]
    roles: dict[str, dict[str, Document]]
    resources: dict[str, Document]


@pytest.fixture(scope="module")
def evidence() -> Iterator[Evidence]:
    """A laptop on which every path of the workflow has been walked, into staging's account too."""
    options = laptop.LaptopOptions(
        port=0,
        warm_ahead=False,
        time_scale=600,
        template=REPOSITORY / "template.yaml",
        environments=("dev", "staging"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        with laptop.serving(options, lambda _line: None) as up:
            served, staging = (Laptop(up, up.target(options, n)) for n in ("dev", "staging"))
            exercise.walk_every_path(served)
            records = iam_evidence.recorded(served)
            assert len(records) < CAPACITY, "the laptop has forgotten the first decisions"
            roles, resources = (
                {**of(served), **_entered(of(staging))}
                for of in (iam_evidence.role_policies, iam_evidence.resource_policies)
            )
            yield Evidence(served, records, roles, resources)


def _entered(policies: dict[str, Any]) -> dict[str, Any]:
    """Of another environment, those of the roles that a promotion into it acts under."""
    roles = ("-deploy-", "-receive-version-")
    return {arn: policy for arn, policy in policies.items() if any(one in arn for one in roles)}


def assert_none(heading: str, found: Iterable[object]) -> None:
    """Fail with everything that was found, one thing to a line."""
    lines = sorted(str(each) for each in found)
    assert not lines, "\n  ".join([f"{heading}:", *lines])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_granted_action_is_needed_by_something_recorded(evidence: Evidence) -> None:
    prefix = evidence.served.target.prefix
    found = denials(evidence.records, evidence.roles)
    granted = {removal: iam_listed.row_of(removal, prefix) for removal in found}
    unused = {granted[removal] for removal, denied in found.items() if not denied}
    listed = iam_listed.listed(UNEXERCISED)

    assert_none("granted, not exercised, not listed in docs/parity.md", unused - listed)
    assert_none("listed in docs/parity.md, and exercised", listed & set(granted.values()) - unused)
    assert_none("listed in docs/parity.md, and not granted", listed - unused - GIT_ONLY)
    assert len(found) - len(unused) > 100


@pytest.mark.slow
def test_every_resource_and_every_value_of_a_condition_is_needed(evidence: Evidence) -> None:
    prefix, listed = evidence.served.target.prefix, iam_listed.listed(UNEXERCISED)
    narrower = [
        narrowing
        for role, documents in evidence.roles.items()
        for name, document in documents.items()
        for narrowing in iam_evidence.narrowings(role, name, document)
    ]

    unused = [
        n for n in narrower if not iam_evidence.is_needed(n, evidence.records, evidence.roles)
    ]

    excused = [n for n in unused if iam_listed.rows_of(n, prefix) <= listed]
    assert_none("no recorded request needs", (n.describe() for n in unused if n not in excused))
    assert len(narrower) - len(unused) > 40


@pytest.mark.slow
def test_every_statement_of_a_resource_policy_changes_something(evidence: Evidence) -> None:
    names = iam_listed.logical_resources(evidence.resources, evidence.served.target.prefix)
    taken = [
        (narrowing, document)
        for holder, document in evidence.resources.items()
        for narrowing in iam_evidence.statements_removed(holder, document)
    ]

    unused = {
        Row(names[narrowing.holder], narrowing.statement, "")
        for narrowing, document in taken
        if not iam_evidence.changes_something(narrowing, document, evidence.records, evidence.roles)
    }

    listed = iam_listed.listed(UNNEEDED)
    assert_none("needed by nothing, not listed in docs/parity.md", unused - listed)
    assert_none("listed in docs/parity.md, and needed", listed - unused)
    assert len(taken) - len(unused) > 15


@pytest.mark.slow
def test_nothing_that_a_run_needs_was_denied(evidence: Evidence) -> None:
    notifier = f"function:{evidence.served.target.prefix}-approval-notifier:live"
    denied = {
        (r.role or r.principal, r.action, r.resource.rpartition("012:")[2])
        for r in evidence.records
        if not r.allowed
    }

    # The exercise shuts EventBridge out for a while. A promotion may not list its target's bucket,
    # and takes the 403 for a file that is missing.
    (deploys,) = (role for role in evidence.roles if "-deploy-" in role)
    bucket = "arn:aws:s3:::signalbox-staging-workflow-210987654321-us-east-1"
    assert denied == {
        ("events.amazonaws.com", "lambda:InvokeFunction", notifier),
        (deploys, "s3:ListBucket", bucket),
    }
