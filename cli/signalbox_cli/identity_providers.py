"""GitHub's identity provider in an account: there is at most one, and it may be anybody's.

IAM User Guide, "Create an OpenID Connect (OIDC) identity provider in IAM" (read 2026-11-21): one
provider for each address and account. A stack that declares one that exists fails, and one whose
template stops declaring its own would give it up.
"""

from typing import Any

from signalbox_cli.target import Target

_TYPE = "AWS::IAM::OIDCProvider"
_GITHUB = ":oidc-provider/token.actions.githubusercontent.com"


def github_provider(target: Target) -> str:
    """The ARN of the account's provider for GitHub, "" when there is none."""
    listed = target.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    arns = (str(one["Arn"]) for one in listed)
    return next((arn for arn in arns if arn.endswith(_GITHUB)), "")


def is_of_stack(target: Target, arn: str, stack: str) -> bool:
    """Whether a provider is a resource of a stack that stands."""
    pages = target.client("cloudformation").get_paginator("list_stack_resources")
    summaries: list[dict[str, Any]] = [
        one for page in pages.paginate(StackName=stack) for one in page["StackResourceSummaries"]
    ]
    return any(
        one["ResourceType"] == _TYPE
        and one.get("PhysicalResourceId") == arn
        and not one["ResourceStatus"].startswith("DELETE_")
        for one in summaries
    )
