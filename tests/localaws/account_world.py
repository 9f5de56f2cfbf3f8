"""What the tests of several accounts share: roles in each of them, and policies on both sides."""

import uuid
from typing import Any

from localaws.accounts import BY_ENVIRONMENT
from localaws.clients import developer_client
from tests.localaws.iam_roles import Role, document, trust

DEV, STAGING, PROD = (BY_ENVIRONMENT[name].id for name in ("dev", "staging", "prod"))
REGION = "us-east-1"


def owner(service: str, account: str) -> Any:
    """A client of an account's developer."""
    return developer_client(service, account=account)


def root(account: str) -> dict[str, str]:
    """An account as a Principal."""
    return {"AWS": f"arn:aws:iam::{account}:root"}


def unused(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def make_role(account: str, *statements: dict[str, Any], trusted: str = "") -> str:
    """A role of an account that its own developer may assume, unless `trusted` says another."""
    iam, name = owner("iam", account), unused("role")
    document_ = trusted or trust(root(account))
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document_)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
    return arn


def put_policy(role_arn: str, *statements: dict[str, Any]) -> None:
    """Replace what a role may do; nothing without statements."""
    iam, name = owner("iam", role_arn.split(":")[4]), role_arn.rpartition("/")[2]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
    else:
        iam.delete_role_policy(RoleName=name, PolicyName="p")


def session_of(role_arn: str, *, account: str = "", **more: Any) -> Role:
    """A session of a role, opened by the developer of its own account or of another."""
    sts = owner("sts", account or role_arn.split(":")[4])
    answer = sts.assume_role(RoleArn=role_arn, RoleSessionName="test", **more)
    return Role(role_arn, role_arn.rpartition("/")[2], answer["Credentials"])
