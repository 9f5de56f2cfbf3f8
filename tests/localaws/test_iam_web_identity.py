"""Roles assumed with a token of another identity provider, as GitHub's workflows do."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws.clients import developer_client
from tests.localaws.iam_roles import ACCOUNT, allow, document

HOST = "token.actions.githubusercontent.com"
SUB = "repo:example-org/signalbox:environment:staging"


def token(**changes: Any) -> str:
    """A JSON Web Token as GitHub's, with some claims replaced; the laptop verifies no signature."""
    claims = {
        "iss": f"https://{HOST}",
        "aud": "sts.amazonaws.com",
        "sub": SUB,
        "exp": time.time() + 300,
        **changes,
    }
    parts = (json.dumps(part).encode() for part in ({"alg": "RS256"}, claims, "signature"))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@pytest.fixture(scope="module")
def role_arn(laptop: Any) -> Iterator[str]:
    """A role that one environment of one repository may assume."""
    iam = developer_client("iam")
    provider = iam.create_open_id_connect_provider(
        Url=f"https://{HOST}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["f" * 40]
    )["OpenIDConnectProviderArn"]
    trusted = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{HOST}:sub": SUB, f"{HOST}:aud": "sts.amazonaws.com"}},
    }
    arn = iam.create_role(RoleName="workflow", AssumeRolePolicyDocument=document(trusted))
    iam.put_role_policy(
        RoleName="workflow", PolicyName="p", PolicyDocument=document(allow("s3:ListAllMyBuckets"))
    )
    yield arn["Role"]["Arn"]
    iam.delete_role_policy(RoleName="workflow", PolicyName="p")
    iam.delete_role(RoleName="workflow")
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)


def assume(role_arn: str, given: str) -> dict[str, Any]:
    """As a caller without any key."""
    sts = boto3.client(
        "sts",
        region_name="us-east-1",
        endpoint_url=developer_client("sts").meta.endpoint_url,
        config=Config(signature_version=UNSIGNED),
    )
    return dict(
        sts.assume_role_with_web_identity(
            RoleArn=role_arn, RoleSessionName="run-17", WebIdentityToken=given
        )
    )


def test_the_token_of_the_trusted_environment_opens_the_role(role_arn: str) -> None:
    answer = assume(role_arn, token())

    keys = answer["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    url = developer_client("sts").meta.endpoint_url
    s3 = session.client("s3", region_name="us-east-1", endpoint_url=url)
    assert "Buckets" in s3.list_buckets()
    assert answer["AssumedRoleUser"]["Arn"] == (
        f"arn:aws:sts::{ACCOUNT}:assumed-role/workflow/run-17"
    )
    with pytest.raises(ClientError, match="s3:CreateBucket"):
        s3.create_bucket(Bucket="not-for-workflows")


@pytest.mark.parametrize(
    "sub",
    [
        "repo:example-org/signalbox:pull_request",
        "repo:example-org/signalbox:ref:refs/heads/main",
        "repo:example-org/signalbox:environment:prod",
        "repo:example-org/other:environment:staging",
        "repo:somebody/signalbox:environment:staging",
    ],
)
def test_no_other_subject_opens_it(role_arn: str, sub: str) -> None:
    with pytest.raises(ClientError, match="AssumeRoleWithWebIdentity"):
        assume(role_arn, token(sub=sub))


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("nonsense", "InvalidIdentityToken"),
        (token(iss="https://elsewhere.example"), "InvalidIdentityToken"),
        (token(aud="somebody-else"), "InvalidIdentityToken"),
        (token(exp=time.time() - 1), "ExpiredTokenException"),
    ],
)
def test_a_token_that_cannot_be_used_is_refused_with_aws_s_code(
    role_arn: str, given: str, code: str
) -> None:
    with pytest.raises(ClientError) as refused:
        assume(role_arn, given)

    assert refused.value.response["Error"]["Code"] == code


def test_an_unsigned_call_is_let_in_with_a_token_only(role_arn: str) -> None:
    sts = boto3.client(
        "sts",
        region_name="us-east-1",
        endpoint_url=developer_client("sts").meta.endpoint_url,
        config=Config(signature_version=UNSIGNED),
    )
    with pytest.raises(ClientError, match="MissingAuthenticationToken"):
        sts.assume_role(RoleArn=role_arn, RoleSessionName="me")


def test_a_role_trusts_the_provider_that_it_names_and_no_other(role_arn: str) -> None:
    iam = developer_client("iam")
    url = "https://id.example/other"
    other = iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"])
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
    trusted = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
    }
    open_arn = iam.create_role(RoleName="open", AssumeRolePolicyDocument=document(trusted))
    try:
        assume(open_arn["Role"]["Arn"], token())
        with pytest.raises(ClientError, match="AssumeRoleWithWebIdentity"):
            assume(open_arn["Role"]["Arn"], token(iss=url))
    finally:
        iam.delete_role(RoleName="open")
        iam.delete_open_id_connect_provider(
            OpenIDConnectProviderArn=other["OpenIDConnectProviderArn"]
        )
