"""What every template of delivery/ must hold, whoever adds a resource."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from localaws.deployer import template as templates
from signalbox_cli.template_bodies import body_of
from tests.contracts import repository
from tests.contracts.repository import Statement

TEMPLATES = repository.delivery_templates()
DOCUMENTS = {path.name: templates.read(path) for path in TEMPLATES}
# IAM User Guide, "IAM and AWS STS quotas": characters without white space.
INLINE_LIMIT, TRUST_LIMIT, MANAGED_LIMIT = 10_240, 2_048, 6_144
# CloudFormation User Guide, "Quotas": without a bucket, a template is part of the request.
BODY_LIMIT = 51_200
LONGEST = {
    "${AWS::Partition}": "aws",
    "${AWS::Region}": "ap-southeast-1",
    "${AWS::AccountId}": "123456789012",
    "${OperationsAccount}": "123456789012",
    "${OperationsRegion}": "ap-southeast-1",
    "${AppName}": "fifteen-letters",
    "${EnvironmentName}": "staging",
}
# GitHub documentation, "OpenID Connect reference", "Immutable subject claims" (read 2026-11-21).
SUBJECTS = [
    {
        "Fn::Sub": [
            "repo:${Owner}@${RepositoryOwnerId}/${Name}@${RepositoryId}"
            ":environment:${EnvironmentName}",
            {
                part: {"Fn::Select": [place, {"Fn::Split": ["/", {"Ref": "Repository"}]}]}
                for place, part in enumerate(("Owner", "Name"))
            },
        ]
    },
    {"Fn::Sub": "repo:${Repository}:environment:${EnvironmentName}"},
]
LENIENT = tuple(
    f"{service}.amazonaws.com" for service in ("codepipeline", "cloudformation", "servicecatalog")
)


def everywhere(kind: str) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (file, name, properties)
        for file, document in DOCUMENTS.items()
        for name, properties in repository.resources(kind, document).items()
    ]


def managed_statements() -> list[Statement]:
    return [
        statement
        for _, name, policy in everywhere("AWS::IAM::ManagedPolicy")
        for statement in repository.statements_of(policy["PolicyDocument"], name)
    ]


GRANTS = [
    s
    for document in DOCUMENTS.values()
    for s in [
        *repository.role_statements(document),
        *repository.resource_policy_statements(document),
    ]
    if s.allows
] + managed_statements()
TRUST = [s for document in DOCUMENTS.values() for s in repository.trust_statements(document)]


def test_there_are_templates() -> None:
    assert {"account.yaml", "pipeline.yaml"} <= set(DOCUMENTS)


def test_cfn_lint_has_nothing_to_say() -> None:
    """All templates in one process: reading the schemas takes longer than reading a template."""
    command = [repository.tool("cfn-lint"), "--regions", repository.REGION, "--"]
    done = subprocess.run([*command, *TEMPLATES], capture_output=True, text=True, check=False)

    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_a_template_can_be_deployed_before_there_is_a_bucket(path: Path) -> None:
    """By what bootstrap sends, which is what docs/delivery.md has a person send."""
    assert len(body_of(path).encode()) <= BODY_LIMIT
    assert templates.parse(body_of(path)) == DOCUMENTS[path.name]


def functions_in(value: Any) -> set[str]:
    """Keys of every mapping below: in a rule's expressions they are functions."""
    if isinstance(value, dict):
        return set(value).union(*map(functions_in, value.values()))
    return set().union(*map(functions_in, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("path", [*TEMPLATES, repository.TEMPLATE], ids=lambda p: p.name)
def test_rules_hold_functions_of_rules_only(path: Path) -> None:
    """CloudFormation User Guide, "Rule functions": others are refused, also by ValidateTemplate."""
    used = set()
    for rule in templates.read(path).get("Rules", {}).values():
        used |= functions_in(rule.get("RuleCondition", {}))
        used |= functions_in([assertion["Assert"] for assertion in rule["Assertions"]])

    assert used <= {
        *("Ref", "Fn::And", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn"),
        *("Fn::Equals", "Fn::Not", "Fn::Or", "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll"),
    }


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_every_wildcard_resource_has_its_reason_beside_it(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    bare = [line for line in lines if re.search(r'(Resource: |- )"\*"', line)]

    assert [line for line in bare if "# " not in line] == []


def test_no_granted_action_holds_a_wildcard() -> None:
    assert [(s.place, a) for s in GRANTS for a in s.actions if "*" in a] == []


def test_every_grant_has_a_name() -> None:
    assert [s.owner for s in GRANTS if not str(s.body.get("Sid", "")).isalnum()] == []


def test_nobody_gets_a_policy_of_aws() -> None:
    """They change without notice, and grant what nobody here asked for."""
    attached = [
        arn for _, _, r in everywhere("AWS::IAM::Role") for arn in r.get("ManagedPolicyArns", [])
    ]
    own = [{"Ref": name} for _, name, _ in everywhere("AWS::IAM::ManagedPolicy")]

    assert [arn for arn in attached if arn not in own] == []


def test_a_role_is_passed_to_named_services_only() -> None:
    passes = [s for s in GRANTS if "iam:PassRole" in s.actions and s.owner != "Boundary"]

    assert passes
    for statement in passes:
        assert "*" not in repository.listed(statement.resources)
        services = statement.body["Condition"]["StringEquals"]["iam:PassedToService"]
        assert all(name.endswith(".amazonaws.com") for name in repository.listed(services))


@pytest.mark.parametrize("statement", TRUST, ids=lambda s: s.place)
def test_who_assumes_a_role_is_said_exactly(statement: Statement) -> None:
    """Confused deputies: a service acts for this account and its resource; another account comes as
    one role; a workflow has to be of the repository, and of the environment.
    """
    condition = statement.body["Condition"]
    ((kind, who),) = statement.body["Principal"].items()
    if kind == "Service":
        # Their guides promise no source keys: checked where sent.
        lenient = who in LENIENT
        suffix = "IfExists" if lenient else ""
        account = condition[f"StringEquals{suffix}"]["aws:SourceAccount"]
        assert account == {"Ref": "AWS::AccountId"}
        assert any("aws:SourceArn" in keys for keys in condition.values())
    elif kind == "Federated":
        assert set(condition) == {"StringEquals"}
        assert condition["StringEquals"] == {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": {"Fn::If": ["HasIds", *SUBJECTS]},
        }
    else:
        assert set(condition) == {"ArnEquals"}
        roles = str(condition["ArnEquals"]["aws:PrincipalArn"])
        assert ":role/${AppName}-" in roles
        assert "*" not in roles


def resolved(value: Any) -> str:
    """A document with every placeholder at its longest, without white space."""
    text = re.sub(r"\s", "", repr(value))
    for name, longest in LONGEST.items():
        text = text.replace(name, longest)
    return text.replace("{'Fn::Sub':", "").replace("'Fn::If'", "")


@pytest.mark.parametrize(
    ("name", "role"), [pytest.param(n, r, id=n) for _, n, r in everywhere("AWS::IAM::Role")]
)
def test_a_role_stays_within_the_quotas_of_iam(name: str, role: dict[str, Any]) -> None:
    policies = [resolved(p["PolicyDocument"]) for p in role.get("Policies", [])]

    assert sum(map(len, policies)) < INLINE_LIMIT
    assert len(resolved(role["AssumeRolePolicyDocument"])) < TRUST_LIMIT
    assert len(resolved(role["RoleName"])) - 2 <= 64, name


def test_a_managed_policy_stays_within_the_quota_of_iam() -> None:
    for _, _, policy in everywhere("AWS::IAM::ManagedPolicy"):
        assert len(resolved(policy["PolicyDocument"])) < MANAGED_LIMIT


@pytest.mark.parametrize(
    ("name", "bucket"), [pytest.param(n, b, id=n) for _, n, b in everywhere("AWS::S3::Bucket")]
)
def test_a_bucket_is_private_versioned_and_encrypted(name: str, bucket: dict[str, Any]) -> None:
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]

    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert list(bucket["PublicAccessBlockConfiguration"].values()) == [True] * 4
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    policies = [
        p for _, _, p in everywhere("AWS::S3::BucketPolicy") if p["Bucket"] == {"Ref": name}
    ]
    (first, *_) = policies[0]["PolicyDocument"]["Statement"]
    assert (first["Effect"], first["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (file, name)
        for kind in ("AWS::S3::Bucket", "AWS::KMS::Key")
        for file, name, _ in everywhere(kind)
    ],
)
def test_what_holds_data_outlives_its_stack(file: str, name: str) -> None:
    resource = DOCUMENTS[file]["Resources"][name]

    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"
    if resource["Type"] == "AWS::KMS::Key":
        assert resource["Properties"]["EnableKeyRotation"] is True


def test_other_accounts_come_as_roles_of_this_application_only() -> None:
    others = [s for s in GRANTS if "TargetAccounts" in str(s.body.get("Principal"))]

    assert len(others) == 6
    for statement in others:
        roles = str(statement.body["Condition"]["ArnLike"]["aws:PrincipalArn"])
        assert roles.count("iam::*:role/") == roles.count("iam::*:role/${AppName}-") > 0
