"""Several AWS accounts in one process: who is whose, and that nobody sees into another account."""

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.accounts import ACCOUNTS, Account
from localaws.clients import developer_client
from localaws.server import LaptopServer
from tests.localaws.account_world import session_of

pytestmark = pytest.mark.usefixtures("laptop")

DEV, STAGING, PROD, *_ = ACCOUNTS


@pytest.mark.parametrize("account", ACCOUNTS, ids=lambda account: account.environment)
def test_a_key_of_an_account_is_its_developer(remote: Callable[..., Any], account: Account) -> None:
    sts = remote("sts", key_id=account.access_key_id, secret=account.secret_access_key)

    identity = sts.get_caller_identity()

    assert identity["Account"] == account.id
    assert identity["Arn"] == f"arn:aws:iam::{account.id}:user/developer"


def test_the_key_of_one_account_and_the_secret_of_another_open_neither(
    remote: Callable[..., Any],
) -> None:
    sts = remote("sts", key_id=STAGING.access_key_id, secret=PROD.secret_access_key)

    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        sts.get_caller_identity()


def test_an_unknown_key_is_told_which_ones_are_known(remote: Callable[..., Any]) -> None:
    with pytest.raises(ClientError, match=r"AKIALAPTOPDEVELOPER1 \(staging\)"):
        remote("sts", key_id="AKIAUNKNOWN000000000").get_caller_identity()


def test_health_tells_the_accounts(laptop: LaptopServer) -> None:
    with urllib.request.urlopen(f"{laptop.url}/_localaws/health") as answer:
        told = json.load(answer)

    environments = {"dev": DEV.id, "staging": STAGING.id, "prod": PROD.id}
    delivery = {"operations": "567890123456", "data": "678901234567"}
    assert told["accounts"] == environments | delivery
    assert told["account"] == DEV.id


def test_nobody_becomes_administrator_of_another_account_by_asking() -> None:
    role = f"arn:aws:iam::{PROD.id}:role/OrganizationAccountAccessRole"

    with pytest.raises(ClientError, match="the role does not exist"):
        developer_client("sts").assume_role(RoleArn=role, RoleSessionName="admin")


def test_the_tags_of_a_role_are_those_of_its_session() -> None:
    """IAM User Guide, "Pass session tags in AWS STS": a role's own tags are the principal's."""
    iam, name = developer_client("iam"), "tagged"
    within = {"aws:PrincipalTag/team": "delivery"}
    statement = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    trusted = {"Effect": "Allow", "Principal": {"AWS": DEV.id}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trusted]}),
        Tags=[{"Key": "team", "Value": "delivery"}],
    )["Role"]
    allowed = {**statement, "Condition": {"StringEquals": within}}
    iam.put_role_policy(
        RoleName=name,
        PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )

    session = session_of(role["Arn"])

    assert "Buckets" in session.client("s3").list_buckets()
