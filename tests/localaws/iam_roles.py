"""Roles for tests of IAM: made through the API, assumed through STS."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from localaws.clients import developer_client, new_client

ACCOUNT = "123456789012"
ME = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def allow(
    actions: str | list[str], resources: str | list[str] = "*", **more: Any
) -> dict[str, Any]:
    """An Allow statement."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def deny(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """A Deny statement."""
    return {"Effect": "Deny", "Action": actions, "Resource": resources, **more}


def document(*statements: dict[str, Any]) -> str:
    """A policy document of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal: Any, **more: Any) -> str:
    """A trust policy for one principal."""
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return document(statement)


@dataclass
class Role:
    """A role and a session of it."""

    arn: str
    name: str
    credentials: dict[str, Any]

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A client that acts as the role, inside the process."""
        keys = self.credentials
        return new_client(
            service, region, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]
        )


def role(
    *statements: dict[str, Any],
    boundary: str | None = None,
    trusted: str | None = None,
    session: dict[str, Any] | None = None,
    iam: Any = None,
    sts: Any = None,
) -> Role:
    """A new role with these statements, assumed by the developer (or through `sts`)."""
    iam = iam or developer_client("iam")
    name = f"role-{uuid.uuid4().hex[:8]}"
    more: dict[str, Any] = {"PermissionsBoundary": boundary} if boundary else {}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted or trust(ME), **more)[
        "Role"
    ]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
    answer = (sts or developer_client("sts")).assume_role(
        RoleArn=arn, RoleSessionName="test", **(session or {})
    )
    return Role(arn, name, answer["Credentials"])
