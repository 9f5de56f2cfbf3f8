"""Whose tokens a role for GitHub takes, in the two forms that GitHub's `sub` has.

GitHub documentation, "OpenID Connect reference", "Immutable subject claims" (read 2026-11-21): a
repository made, renamed or moved since 2026-07-15 has its owner's and its own number in `sub`.
"""

from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from delivery import settings
from delivery.model import Deployment, Settings
from localaws.clients import developer_client
from localaws.server import LaptopServer
from signalbox_cli.template_bodies import body_of
from tests.contracts import repository
from tests.delivery.conftest import deploy, stack_outputs
from tests.delivery.workflow_stand_ins import ISSUER, prefix, token

NAMES, NUMBERS = prefix(immutable=False), prefix(immutable=True)
OTHERS = [
    "repo:example-org@11/signalbox@1296269",  # the name of the owner, taken over
    "repo:example-org@583231/signalbox@12",  # the name of the repository, made anew
    "repo:renamed@583231/signalbox@1296269",
    "repo:somebody/else",
]


def dev(found: Settings, *, owner_id: str, own_id: str) -> Deployment:
    named = replace(found.repository, owner_id=owner_id, id=own_id)
    every = settings.deployments(replace(found, repository=named))
    return next(one for one in every if one.name == "dev")


@pytest.fixture(scope="module")
def by_names(laptop: LaptopServer, found: Settings) -> Deployment:
    """dev's account, set up for a repository whose tokens hold names alone."""
    wanted = dev(found, owner_id="", own_id="")
    deploy(wanted, {})
    return wanted


def takes(found: Settings, sub: str) -> bool:
    sts = boto3.client(
        "sts",
        region_name="us-east-1",
        endpoint_url=developer_client("sts").meta.endpoint_url,
        config=Config(signature_version=UNSIGNED),
    )
    try:
        sts.assume_role_with_web_identity(
            RoleArn=found.role_arn("dev", "github"),
            RoleSessionName="job",
            WebIdentityToken=token(sub),
        )
    except sts.exceptions.ClientError as fault:
        if fault.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    return True


def update(one: Deployment) -> None:
    client: Any = developer_client("cloudformation", account=one.place.account)
    client.update_stack(
        StackName=one.stack_name,
        TemplateBody=body_of(repository.ROOT / one.template),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in one.parameters.items()],
        Capabilities=list(one.capabilities),
    )
    stack_outputs(client, one.stack_name)


def test_the_role_takes_one_form_of_the_repository_and_no_other(
    by_names: Deployment, found: Settings
) -> None:
    subjects = [f"{one}:environment:dev" for one in (NAMES, NUMBERS, *OTHERS)]

    first = [sub for sub in subjects if takes(found, sub)]
    update(dev(found, owner_id="583231", own_id="1296269"))
    second = [sub for sub in subjects if takes(found, sub)]

    assert ISSUER == "https://token.actions.githubusercontent.com"
    assert first == ["repo:example-org/signalbox:environment:dev"]
    assert second == ["repo:example-org@583231/signalbox@1296269:environment:dev"]
    assert not takes(found, f"{NUMBERS}:environment:prod")
    assert not takes(found, f"{NUMBERS}:ref:refs/heads/main")


def test_one_number_without_the_other_is_refused(by_names: Deployment, found: Settings) -> None:
    with pytest.raises(ClientError, match="RepositoryOwnerId and RepositoryId need each other"):
        update(dev(found, owner_id="", own_id="1296269"))
