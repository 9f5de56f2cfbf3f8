"""What the template lets one environment do in another: promoted runs, pending versions."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from localaws.iam.conditions import wildcard
from signalbox import naming
from signalbox.promotion_manifest import WIRED, promoted_run_id
from tests.contracts import repository
from tests.contracts.repository import Statement

DEPLOYS = [s for s in repository.role_statements() if s.owner == "DeployRole"]
PROMOTED = "${WorkflowBucket.Arn}/runs/??????-??????-p?????/"
PROMOTION_ROLES = ("DeployRole", "PromoteVersionRole", "ReceiveVersionRole")
OPENED = "s3:ExistingObjectTag/signalbox-promotion"
# Service Authorization Reference, "Actions, resources, and condition keys" of SageMaker, S3 and KMS
# (read 2026-11-21): the keys of a service that each action has, of those that the template uses.
SERVICE_KEYS = {
    "sagemaker:CreateModelPackage": {"sagemaker:ModelApprovalStatus"},
    "sagemaker:UpdateModelPackage": {"sagemaker:ModelApprovalStatus"},
    "s3:GetObjectVersion": {OPENED},
    "s3:GetObjectVersionTagging": {OPENED},
    "s3:ListBucketVersions": {"s3:prefix"},
    "kms:Decrypt": {"kms:ViaService"},
    "kms:GenerateDataKey": {"kms:ViaService"},
}


def texts(resource: Any) -> str:
    """A resource as it stands in the template."""
    return str(resource["Fn::Sub"]) if "Fn::Sub" in resource else str(resource)


def of(*actions: str) -> list[Statement]:
    """The deploy role's statements about any of these actions."""
    return [s for s in DEPLOYS if set(actions) & set(s.actions)]


def keys_of(statement: Statement) -> set[str]:
    """The condition keys of a statement."""
    return {key for keys in statement.body.get("Condition", {}).values() for key in keys}


def test_a_deploy_role_changes_no_version_and_lists_nothing() -> None:
    granted = {action for statement in DEPLOYS for action in statement.actions}

    assert {a for a in granted if re.search(r":(Update|Delete|List|Tag|Stop|StartEx)", a)} == set()
    assert granted >= {"sagemaker:CreateModelPackage", "lambda:InvokeFunction"}


def test_a_deploy_role_registers_pending_versions_only() -> None:
    (statement,) = of("sagemaker:CreateModelPackage")

    assert statement.body["Condition"] == {
        "StringEquals": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}
    }


def test_a_deploy_role_reads_and_writes_promoted_runs_only() -> None:
    places = {
        texts(resource)
        for statement in of("s3:GetObject", "s3:PutObject", "s3:PutObjectTagging")
        for resource in statement.resources
    }

    assert {place for place in places if not place.startswith(PROMOTED)} == {
        "${SourceBucket.Arn}/promoted/*"  # only where PromotionOfCode is accepted
    }


def test_a_deploy_role_reads_the_parameters_that_a_promotion_needs() -> None:
    (statement,) = of("ssm:GetParameters", "ssm:GetParameter", "ssm:GetParametersByPath")

    assert statement.actions == ["ssm:GetParameters"]
    assert {texts(r).rpartition("/")[2] for r in statement.resources} == set(WIRED)
    assert len(WIRED) <= 10  # GetParameters takes no more


def test_others_read_at_home_what_was_opened_to_them_only() -> None:
    """By exact version; the key alone reads nothing."""
    opened = [
        s for s in repository.resource_policy_statements() if "PromotionTargetAccounts" in str(s)
    ]

    assert {tuple(s.actions) for s in opened} == {
        ("kms:Decrypt",),
        ("s3:GetObjectVersion", "s3:GetObjectVersionTagging"),
    }
    (bucket,) = [s for s in opened if s.owner == "WorkflowBucketPolicy"]
    assert bucket.body["Condition"]["StringEquals"] == {OPENED: "approved"}


def test_every_condition_of_a_promotion_has_a_key_that_its_action_knows() -> None:
    statements = [
        s
        for s in [*repository.role_statements(), *repository.resource_policy_statements()]
        if s.owner in PROMOTION_ROLES or "PromotionTargetAccounts" in str(s)
    ]

    unknown = [
        (statement.place, action, key)
        for statement in statements
        for action in statement.actions
        for key in keys_of(statement)
        if not key.startswith("aws:") and key not in SERVICE_KEYS.get(action, set())
    ]

    assert unknown == []


MOMENTS = st.datetimes(timezones=st.timezones())
PATTERN = wildcard(PROMOTED.removeprefix("${WorkflowBucket.Arn}/") + "manifest.json")


@given(st.uuids(), MOMENTS)
def test_the_pattern_has_every_promoted_run_and_no_other(execution: Any, moment: Any) -> None:
    native = naming.run_id(str(execution), moment)
    promoted = promoted_run_id(f"arn:{execution}", native, "prod")

    assert PATTERN.fullmatch(naming.manifest_key(promoted))
    assert not PATTERN.fullmatch(naming.manifest_key(native))
    assert len(promoted) == len(native)
    assert promoted[:13] == native[:13]
    for below in ("code/-p00000", "p-p00000", "00-p00000"):
        assert not PATTERN.fullmatch(f"runs/{native}/{below}/manifest.json")
