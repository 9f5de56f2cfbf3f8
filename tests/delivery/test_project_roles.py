"""The roles of product.yaml, the policies of project.yaml: all that is asked of them, and no more.

The same question as tests/scenarios/test_iam_tight.py asks of the other templates, over requests
that are worked out instead of recorded, and with the same code that decides on the laptop.
"""

from typing import Any

import pytest

from localaws.iam.decide import Policies, decide
from localaws.iam.policy import Caller, Policy, Request, compile_policy
from localaws.iam.record import Removal, removals, without
from tests.delivery.project_needs import (
    ACCOUNT,
    ENVIRONMENTS_KEY,
    NEEDS,
    NEVER,
    OWN_KEY,
    PREFIX,
    PRODUCT,
    PROJECT,
    REGION,
    ROLES,
    RULES,
    Need,
    arn,
    asked,
)

DOCUMENTS: dict[str, dict[str, Any]] = {
    role: {one["PolicyName"]: one["PolicyDocument"] for one in PRODUCT[role].properties["Policies"]}
    for role in ROLES
}
KEY_POLICY = PROJECT["Key"].properties["KeyPolicy"]
REMOVALS = list(removals(DOCUMENTS))


def allowed(
    need: Need,
    documents: dict[str, dict[str, Any]] = DOCUMENTS,
    key_policy: dict[str, Any] = KEY_POLICY,
) -> bool:
    """As AWS would decide: a project's key lets in only whom its own policy lets."""
    caller = Caller(
        arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLES[need.role]}/s",
        account=ACCOUNT,
        kind="role",
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/{ROLES[need.role]}",
    )
    identity = tuple(compile_policy(n, d) for n, d in documents[need.role].items())
    is_own_key = need.resource == OWN_KEY
    policies = Policies(
        identity=identity, resource=compile_policy("key", key_policy) if is_own_key else None
    )
    request = Request(caller, need.action, need.resource, need.context)
    return decide(
        request, policies, resource_account=ACCOUNT, resource_policy_required=is_own_key
    ).allowed


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_all_that_is_asked_of_it(role: str) -> None:
    asked_of = [need for need in NEEDS if need.role == role]

    assert asked_of
    assert [need for need in asked_of if not allowed(need)] == []


@pytest.mark.parametrize("removal", REMOVALS, ids=lambda r: f"{r.role}-{r.statement}-{r.action}")
def test_whatever_is_taken_away_something_is_refused(removal: Removal) -> None:
    held = DOCUMENTS[removal.role]
    left = {**held, removal.policy: without(held[removal.policy], removal)}

    asked_of = [need for need in NEEDS if need.role == removal.role]

    assert [n for n in asked_of if not allowed(n, {**DOCUMENTS, removal.role: left})]


def test_what_is_never_asked_for_is_asked_for_by_a_handler() -> None:
    """A reason whose action no handler names any more would hide the next one."""
    assert {k: sorted(set(v) - asked(k)) for k, v in NEVER.items() if set(v) - asked(k)} == {}


ELSEWHERE = [
    Need("ReleaseRole", "s3:PutObject", f"arn:aws:s3:::{PREFIX}-source-{ACCOUNT}-{REGION}/other"),
    Need("ReleaseRole", "codecommit:GitPull", arn("codecommit", f"{PREFIX}-churn-deploy")),
    Need("ApproveRole", "codecommit:GitPull", arn("codecommit", f"{PREFIX}-churn-build")),
    Need("ApproveRole", "sagemaker:UpdateModelPackage", arn("sagemaker", "model-package/other/1")),
    Need(
        "EventsRole", "codebuild:StartBuild", arn("codebuild", "project/signalbox-delivery-build")
    ),
    Need("LaunchRole", "kms:ScheduleKeyDeletion", ENVIRONMENTS_KEY),
    Need("LaunchRole", "kms:PutKeyPolicy", ENVIRONMENTS_KEY),
    Need("LaunchRole", "kms:Decrypt", ENVIRONMENTS_KEY),
    Need("LaunchRole", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-job-{REGION}"),
    Need("LaunchRole", "iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-project-x"),
    Need(
        "LaunchRole", "cloudformation:CreateStack", arn("cloudformation", "stack/signalbox-dev/1")
    ),
]


@pytest.mark.parametrize("need", ELSEWHERE, ids=lambda n: f"{n.role}-{n.action}")
def test_a_role_may_not_do_the_same_elsewhere(need: Need) -> None:
    assert not allowed(need)


# ------------------------------------------------------------------------- policies of a project


# For the account's administrators, whom a project's key must not lock out.
OF_PEOPLE = {
    *("kms:CancelKeyDeletion", "kms:CreateGrant", "kms:DisableKey", "kms:DisableKeyRotation"),
    *("kms:EnableKey", "kms:ListGrants", "kms:RevokeGrant"),
}


def key_removals(sid: str) -> list[Removal]:
    document = {"Key": {"key": KEY_POLICY}}
    return [one for one in removals(document) if one.statement == f"key#{sid}"]


@pytest.mark.parametrize(
    "removal", key_removals("AdministeredByTheAccount"), ids=lambda removal: removal.action
)
def test_the_key_lets_the_account_s_roles_do_what_they_need_and_people_the_rest(
    removal: Removal,
) -> None:
    left = without(KEY_POLICY, removal)
    refused = [n for n in NEEDS if n.resource == OWN_KEY and not allowed(n, key_policy=left)]

    assert bool(refused) is (removal.action not in OF_PEOPLE)


def by_service(policy: Policy, action: str, resource: str, service: str, **context: str) -> bool:
    caller = Caller(service, "", "service")
    values = {key.replace("__", ":"): (value,) for key, value in context.items()}
    return decide(
        Request(caller, action, resource, values),
        Policies(resource=policy),
        resource_account=ACCOUNT,
    ).allowed


# CloudWatch Logs User Guide, "Encrypt log data using AWS KMS"; ReEncrypt is for another key.
@pytest.mark.parametrize("verb", ["Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey"])
def test_the_key_opens_to_the_project_s_log_groups_only(verb: str) -> None:
    service, context = f"logs.{REGION}.amazonaws.com", "kms__encryptioncontext:aws:logs:arn"
    ours = arn("logs", f"log-group:/aws/codebuild/{PREFIX}-project-churn-release")
    removal = next(
        one for one in key_removals("LogGroupsOfTheProject") if one.action == f"kms:{verb}"
    )
    narrowed = compile_policy("key", without(KEY_POLICY, removal))
    policy = compile_policy("key", KEY_POLICY)

    def opens(to: str, by: Policy) -> bool:
        return by_service(by, f"kms:{verb}", OWN_KEY, service, **{context: to})

    assert opens(ours, policy)
    assert not opens(ours, narrowed)
    assert not opens(ours.replace("churn", "other"), policy)


def test_the_queue_of_lost_pushes_takes_them_from_the_project_s_rules_only() -> None:
    document = PROJECT["UndeliveredPushesPolicy"].properties["PolicyDocument"]
    queue = arn("sqs", PROJECT["UndeliveredPushes"].text("QueueName"))
    policy = compile_policy("queue", document)

    def takes(source: str, service: str = "events.amazonaws.com") -> bool:
        return by_service(policy, "sqs:SendMessage", queue, service, **{"aws__sourcearn": source})

    assert all(map(takes, RULES))
    assert not takes(arn("events", f"rule/{PREFIX}-project-other-release"))
    assert not takes(RULES[0], "sns.amazonaws.com")
