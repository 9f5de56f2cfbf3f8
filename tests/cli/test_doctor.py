"""The doctor finds each planted fault and nothing else, and changes nothing while it looks."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from localaws.accounts import BY_ENVIRONMENT
from localaws.iam.live import RECORDER
from signalbox_cli.doctor.catalogue import CHECKS
from signalbox_cli.doctor.findings import Result, Status, examine
from signalbox_cli.doctor.patients import Patient, Resource
from signalbox_cli.target import Target
from tests.cli.doctor_plants import PLANTS, Plant
from tests.cli.doctor_world import environment


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    with environment(tmp_path_factory.mktemp("laptop")) as patient:
        yield patient


@pytest.fixture
def patient(deployed: Patient) -> Patient:
    """The environment, of which nothing is remembered."""
    return replace(deployed, memo={})


def look(patient: Patient) -> dict[str, Result]:
    return {result.check: result for result in examine(CHECKS, patient)}


def faults(results: dict[str, Result]) -> dict[str, list[str]]:
    return {
        name: [finding.what for finding in result.findings] or [result.note]
        for name, result in results.items()
        if result.status in (Status.FAULT, Status.UNKNOWN)
    }


def test_a_deployed_environment_is_well(patient: Patient) -> None:
    results = look(patient)

    assert faults(results) == {}
    skipped = {name for name, result in results.items() if result.status is Status.SKIPPED}
    assert skipped == {"federation", "connections", "network"}


def test_enough_is_planted() -> None:
    assert len(PLANTS) >= 15
    assert len({one.check for one in PLANTS}) >= 15


@pytest.mark.parametrize("planted", PLANTS, ids=lambda one: one.name)
def test_finds_a_planted_fault_and_only_it(patient: Patient, planted: Plant) -> None:
    undo = planted.do(patient)
    try:
        found = faults(look(patient))
    finally:
        undo()

    assert list(found) == [planted.check], found
    assert len(found[planted.check]) == 1, found
    assert planted.said in found[planted.check][0]


READING = ("Get", "List", "Describe", "Simulate", "BatchGet")


def test_looking_changes_nothing(patient: Patient) -> None:
    """Every decision that was asked for while it looked is about reading."""
    RECORDER.clear()

    look(patient)

    ours = BY_ENVIRONMENT["dev"].developer_arn
    actions = {r.action.partition(":")[2] for r in RECORDER.all() if r.principal == ours}
    assert len(actions) > 20
    assert {action for action in actions if not action.startswith(READING)} == set()


def test_a_person_who_may_read_nothing_hears_that_nothing_was_looked_at(patient: Patient) -> None:
    blind = replace(patient, target=guest(patient.target))

    results = look(blind)

    unknown = {name for name, result in results.items() if result.status is Status.UNKNOWN}
    assert unknown >= {"roles", "permissions", "keys", "buckets", "functions", "quotas"}
    assert "is not authorized to perform: iam:GetRole" in results["roles"].note
    assert not [name for name, result in results.items() if result.status is Status.FAULT]


def guest(target: Target) -> Target:
    iam = target.client("iam")
    iam.create_user(UserName="guest")
    key = iam.create_access_key(UserName="guest")["AccessKey"]
    return replace(
        target,
        access_key_id=key["AccessKeyId"],
        secret_access_key=key["SecretAccessKey"],
        _memo={},
    )


def changed(patient: Patient, **stack: Any) -> Patient:
    return replace(patient, stacks=(replace(patient.stacks[0], **stack),))


def test_an_account_of_the_path_that_may_not_read_what_is_promoted(patient: Patient) -> None:
    given = {**patient.stacks[0].parameters, "PromotionTargetAccounts": "210987654321"}

    (finding,) = look(changed(patient, parameters=given))["promotion"].findings

    assert finding.subject == "prod"
    assert "345678901234 is on the promotion path but may not read" in finding.what


def test_a_deploy_role_that_promotion_may_not_assume(patient: Patient) -> None:
    given = dict(patient.stacks[0].parameters)
    given["PromotionPath"] = given["PromotionPath"].replace("role/signalbox-prod", "role/sinalbox")

    (finding,) = look(changed(patient, parameters=given))["promotion"].findings

    assert "may not assume arn:aws:iam::345678901234:role/sinalbox-deploy-" in finding.what


def test_a_stack_whose_update_failed(patient: Patient) -> None:
    failed = changed(patient, status="UPDATE_ROLLBACK_FAILED", reason="no more roles")

    (finding,) = look(failed)["stack"].findings

    assert finding.what == "the stack is UPDATE_ROLLBACK_FAILED: no more roles"


def test_where_ec2_does_not_answer_subnets_are_no_matter_of_course(patient: Patient) -> None:
    """The laptop has no EC2: whoever sets JobSubnets there hears that nobody looked."""
    given = dict(patient.stacks[0].parameters)
    subnets = {"JobSubnets": "subnet-0a1b2c3d", "JobSecurityGroups": "sg-0a1b2c3d"}

    result = look(changed(patient, parameters=given | subnets))["network"]

    assert result.status is Status.UNKNOWN
    assert "ec2:DescribeSubnets is not supported by the laptop's AWS" in result.note


GITHUB = "token.actions.githubusercontent.com"
OUR_REPOSITORY = "repo:example-org/signalbox:environment:dev"


NUMBERED = "repo:example-org@583231/signalbox@1296269:environment:dev"


def github_role(
    patient: Patient, *, provider: str, subject: str, audience: str, wanted: str = OUR_REPOSITORY
) -> Patient:
    """A stack with one role for GitHub; the trust that is there, and the one that was wanted."""
    iam, name = patient.client("iam"), f"github-{uuid.uuid4().hex[:6]}"

    def trust(sub: str, aud: str) -> dict[str, Any]:
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": provider},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {
                        "StringEquals": {f"{GITHUB}:aud": aud},
                        "StringLike": {f"{GITHUB}:sub": sub},
                    },
                }
            ],
        }

    document = json.dumps(trust(subject, audience))
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    properties = {"AssumeRolePolicyDocument": trust(wanted, "sts.amazonaws.com")}
    role = Resource("GithubRole", "AWS::IAM::Role", name, properties)
    return changed(patient, resources={"GithubRole": role})


@pytest.fixture(scope="module")
def provider(deployed: Patient) -> str:
    arn: str = deployed.client("iam").create_open_id_connect_provider(
        Url=f"https://{GITHUB}", ClientIDList=["sts.amazonaws.com"]
    )["OpenIDConnectProviderArn"]
    return arn


@pytest.mark.parametrize(
    ("subject", "audience", "said"),
    [
        (OUR_REPOSITORY, "sts.amazonaws.com", ""),
        ("repo:example-org/*", "sts.amazonaws.com", "its trust lets any repository in"),
        ("*", "sts.amazonaws.com", "its trust lets any repository in: sub is *"),
        (OUR_REPOSITORY, "https://example.org", "its trust does not ask for the audience sts"),
        ("repo:example-org/signalbox:*", "sts.amazonaws.com", "is not as the template has it"),
    ],
)
def test_trust_in_github_is_bound_to_one_repository(
    patient: Patient, provider: str, subject: str, audience: str, said: str
) -> None:
    found = faults(
        look(github_role(patient, provider=provider, subject=subject, audience=audience))
    )

    assert list(found) == (["federation"] if said else [])
    assert not said or said in found["federation"][0]


@pytest.mark.parametrize(
    ("subject", "wanted", "said"),
    [
        (NUMBERED, NUMBERED, ""),
        (OUR_REPOSITORY, NUMBERED, f"sub is {OUR_REPOSITORY}, in the template {NUMBERED}"),
        (NUMBERED, OUR_REPOSITORY, f"sub is {NUMBERED}, in the template {OUR_REPOSITORY}"),
        (NUMBERED.replace("583231", "*"), NUMBERED, "its trust lets any repository in"),
        (NUMBERED.replace("29626", "?????"), NUMBERED, "its trust lets any repository in"),
    ],
)
def test_a_repository_is_named_by_its_numbers_too(
    patient: Patient, provider: str, subject: str, wanted: str, said: str
) -> None:
    """GitHub's subject has them for repositories made, renamed or moved since 2026-07-15."""
    role = github_role(
        patient, provider=provider, subject=subject, audience="sts.amazonaws.com", wanted=wanted
    )
    found = faults(look(role))

    assert list(found) == (["federation"] if said else [])
    assert not said or said in found["federation"][0]


def test_trust_in_a_provider_that_is_not_there(patient: Patient, provider: str) -> None:
    gone = provider.replace(GITHUB, "gone.example.org")

    found = faults(
        look(
            github_role(
                patient, provider=gone, subject=OUR_REPOSITORY, audience="sts.amazonaws.com"
            )
        )
    )

    assert "gone.example.org, which does not exist" in found["federation"][0]
