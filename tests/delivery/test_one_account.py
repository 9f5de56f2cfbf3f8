"""One account for everything: what guards the keys of one part against the roles of another.

CloudFormation's role keeps keys, and a key has no name before it is made, so the role is granted it
on every key of the account; the keys' own policies say who not.
"""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from delivery import settings
from delivery.model import Settings
from localaws.clients import developer_client
from localaws.deployer import template as templates
from localaws.iam import service as iam
from localaws.server import LaptopServer
from tests.contracts import repository
from tests.delivery.conftest import deploy, stack_outputs

ALL = ("operations", "data", "dev", "staging", "prod")
ACCOUNT, REGION = "123456789012", "us-east-1"


@pytest.fixture(scope="module")
def together(laptop: LaptopServer, found: Settings) -> Settings:
    """Every part of the account set-up in one account."""
    one = settings.relocated(found, dict.fromkeys(ALL, ACCOUNT), REGION)
    outputs: dict[str, dict[str, str]] = {}
    for part in settings.deployments(one):
        if part.name != "pipeline":
            outputs[part.name] = deploy(part, outputs)
    return one


@pytest.fixture(scope="module")
def keys(together: Settings) -> dict[str, str]:
    """Ids of the keys of packages, of data sets, and of dev, which is made by dev's own role."""
    document = templates.read(repository.TEMPLATE)
    key = document["Resources"]["EncryptionKey"]
    alone = {name: document[name] for name in ("Parameters", "Conditions")}
    cloudformation = developer_client("cloudformation", account=ACCOUNT)
    cloudformation.create_stack(
        StackName="signalbox-dev",
        TemplateBody=json.dumps({**alone, "Resources": {"EncryptionKey": key}}),
        RoleARN=together.role_arn("dev", "cloudformation"),
    )
    stack_outputs(cloudformation, "signalbox-dev")
    found = cloudformation.describe_stack_resources(StackName="signalbox-dev")["StackResources"]
    aliases = developer_client("kms", account=ACCOUNT).list_aliases()["Aliases"]
    by_alias = {a["AliasName"]: a.get("TargetKeyId", "") for a in aliases}
    return {
        "packages": by_alias["alias/signalbox-delivery"],
        "data": by_alias["alias/signalbox-data"],
        "dev": found[0]["PhysicalResourceId"],
    }


def kms_of(found: Settings, environment: str) -> Any:
    """KMS as CloudFormation calls it under an environment's role."""
    given = iam.assume_service_role(
        found.role_arn(environment, "cloudformation"),
        "cloudformation.amazonaws.com",
        session_name="test",
        source_arn=f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/signalbox-{environment}/1",
    )
    opened = boto3.Session(given.access_key_id, given.secret_access_key, given.session_token)
    url = developer_client("kms").meta.endpoint_url
    return opened.client("kms", region_name=REGION, endpoint_url=url)


@pytest.mark.parametrize(
    ("environment", "key"),
    [("dev", "packages"), ("prod", "packages"), ("dev", "data"), ("staging", "dev")],
)
def test_a_deployment_cannot_take_away_the_key_of_another_part(
    together: Settings, keys: dict[str, str], environment: str, key: str
) -> None:
    kms, name = kms_of(together, environment), keys[key]
    policy = kms.get_key_policy(KeyId=name, PolicyName="default")["Policy"]

    codes = {
        refused(kms.schedule_key_deletion, KeyId=name),
        refused(kms.disable_key, KeyId=name),
        refused(kms.disable_key_rotation, KeyId=name),
        refused(kms.put_key_policy, KeyId=name, PolicyName="default", Policy=policy),
    }

    assert codes == {"AccessDeniedException"}


def refused(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return str(error.value.response["Error"]["Code"])


def test_an_environment_keeps_its_own_key_and_a_person_every_key(
    together: Settings, keys: dict[str, str]
) -> None:
    own, person = kms_of(together, "dev"), developer_client("kms", account=ACCOUNT)

    for kms, name in ((own, keys["dev"]), (person, keys["dev"]), (person, keys["packages"])):
        policy = kms.get_key_policy(KeyId=name, PolicyName="default")["Policy"]
        kms.put_key_policy(KeyId=name, PolicyName="default", Policy=policy)
        kms.disable_key(KeyId=name)
        assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyState"] == "Disabled"
        kms.enable_key(KeyId=name)


def test_one_of_three_environments_makes_the_provider(together: Settings) -> None:
    """An account has one provider of an address at most (IAM User Guide)."""
    found = developer_client("iam", account=ACCOUNT).list_open_id_connect_providers()

    assert len(found["OpenIDConnectProviderList"]) == 1
    assert together.target_accounts == (ACCOUNT,)
