"""What the account set-up does not do: deploy the examples, make what an account has already."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from delivery import examples, settings
from localaws import clients
from localaws.accounts import ACCOUNTS, BY_ENVIRONMENT
from localaws.context import REGION
from localaws.server import Config, LaptopServer
from signalbox_cli.doctor.identities import examples_trusted
from signalbox_cli.target import UP_FILE
from tests.cli.conftest import ROOT, Answer

Run = Callable[..., Answer]
URL = "https://token.actions.githubusercontent.com"
TEMPLATE = {
    "Parameters": {
        name: {"Type": "String", "Default": ""}
        for name in (
            *("AppName", "Part", "OperationsAccount", "OperationsRegion", "TargetAccounts"),
            *("ConnectionArn", "EnvironmentName", "Repository", "OidcProvider"),
            *("RepositoryOwnerId", "RepositoryId"),
        )
    },
    "Conditions": {"Makes": {"Fn::Equals": [{"Ref": "OidcProvider"}, "create"]}},
    "Resources": {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "GitHubProvider": {
            "Type": "AWS::IAM::OIDCProvider",
            "Condition": "Makes",
            "DeletionPolicy": "RetainExceptOnCreate",
            "Properties": {"Url": URL, "ClientIdList": ["sts.amazonaws.com"]},
        },
    },
}


@pytest.fixture
def here(signalbox: Run, tmp_path: Path) -> Iterator[Path]:
    """A project folder with the example settings, one small template, and a laptop that is up."""
    del signalbox  # it makes tmp_path the current folder
    with LaptopServer(Config(port=0, state_dir=tmp_path / "state")) as laptop:
        UP_FILE.parent.mkdir()
        up = {"url": laptop.url, "pid": os.getpid(), "region": REGION, "environments": {}}
        UP_FILE.write_text(json.dumps(up))
        shutil.copytree(ROOT / "delivery" / "environments", tmp_path / "delivery" / "environments")
        (tmp_path / "delivery" / "account.yaml").write_text(json.dumps(TEMPLATE))
        yield tmp_path


def client(service: str, part: str = "dev") -> Any:
    return clients.developer_client(service, account=BY_ENVIRONMENT[part].id)


def providers(part: str = "dev") -> list[str]:
    found = client("iam", part).list_open_id_connect_providers()["OpenIDConnectProviderList"]
    return [str(one["Arn"]) for one in found]


def status(stack: str = "signalbox-dev-account") -> str:
    found = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return str(found["StackStatus"])


def chosen(stack: str) -> str:
    found = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    given = {one["ParameterKey"]: one["ParameterValue"] for one in found["Parameters"]}
    return str(given["OidcProvider"])


def bootstrap(signalbox: Run, *arguments: str) -> Answer:
    return signalbox("bootstrap", "--local", "--yes", "--only", "dev", *arguments)


def test_a_provider_that_somebody_else_made_is_used(signalbox: Run, here: Path) -> None:
    client("iam").create_open_id_connect_provider(Url=URL, ClientIDList=["sts.amazonaws.com"])

    first = bootstrap(signalbox)
    again = bootstrap(signalbox)

    assert first.code == 0, first.stderr
    assert "Nothing to change" in again.stdout
    assert chosen("signalbox-dev-account") == "exists"
    removed = bootstrap(signalbox, "--remove")
    assert removed.code == 0, removed.stderr
    assert len(providers()) == 1


def test_a_provider_is_made_once_kept_named_and_used_the_next_time(
    signalbox: Run, here: Path
) -> None:
    first = bootstrap(signalbox)
    again = bootstrap(signalbox)
    removed = bootstrap(signalbox, "--remove")
    next_time = bootstrap(signalbox)

    assert first.code == 0, first.stderr
    assert "Nothing to change" in again.stdout
    (arn,) = providers()
    assert f"kept identity provider {arn} in 123456789012" in removed.stdout
    assert f"delete-open-id-connect-provider --open-id-connect-provider-arn {arn}" in removed.stdout
    assert next_time.code == 0, next_time.stderr
    assert chosen("signalbox-dev-account") == "exists"
    assert providers() == [arn]


def test_of_several_environments_in_one_account_one_makes_it(
    signalbox: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever comes first: staging alone makes it, and dev, which comes later, does not."""
    dev = BY_ENVIRONMENT["dev"]
    up = json.loads(UP_FILE.read_text())
    monkeypatch.setenv("AWS_ENDPOINT_URL", up["url"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", dev.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", dev.secret_access_key)
    staging = here / "delivery" / "environments" / "staging.toml"
    staging.write_text(staging.read_text().replace(BY_ENVIRONMENT["staging"].id, dev.id))

    alone = signalbox("bootstrap", "--yes", "--only", "staging")
    both = signalbox("bootstrap", "--yes", "--only", "dev", "--only", "staging")

    assert alone.code == 0, alone.stderr
    assert both.code == 0, both.stderr
    assert chosen("signalbox-staging-account") == "create"
    assert chosen("signalbox-dev-account") == "exists"
    assert len(providers()) == 1


def test_settings_say_that_an_account_has_a_provider(signalbox: Run, here: Path) -> None:
    path = here / "delivery" / "environments" / "dev.toml"
    path.write_text('oidc_provider = "exists"\n' + path.read_text())

    found = {d.name: d.parameters for d in settings.deployments(settings.load(path.parent))}

    assert found["dev"]["OidcProvider"] == "exists"
    path.write_text(path.read_text().replace('"exists"', '"exist"'))
    refused = bootstrap(signalbox)
    assert "dev.toml" in refused.stderr
    assert "oidc_provider" in refused.stderr


def test_the_examples_are_not_deployed_to_aws(
    signalbox: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    answer = signalbox("bootstrap", "--yes", "--only", "dev")

    assert answer.code == 1
    for left in (
        'shared.toml: [repository] name = "example-org/signalbox"',
        'shared.toml: [operations] account = "567890123456"',
        'shared.toml: [data] account = "678901234567"',
        'dev.toml: account = "123456789012"',
        'prod.toml: account = "345678901234"',
    ):
        assert left in answer.stderr
    assert "Nothing was asked of AWS" in answer.stderr


def test_one_example_that_is_left_is_enough_and_none_is_fine(here: Path) -> None:
    folder = here / "delivery" / "environments"
    for path in folder.glob("*.toml"):
        text = path.read_text().replace("example-org", "our-org")
        for number, one in enumerate(ACCOUNTS):
            text = text.replace(one.id, f"{111111111111 + number}")
        path.write_text(text)

    assert list(examples.remaining(settings.load(folder))) == []
    path = folder / "prod.toml"
    path.write_text(path.read_text().replace("111111111113", BY_ENVIRONMENT["prod"].id))
    assert list(examples.remaining(settings.load(folder))) == [
        'prod.toml: account = "345678901234"'
    ]


def test_the_examples_are_the_laptop_s_accounts() -> None:
    assert set(examples.ACCOUNTS) == {one.id for one in ACCOUNTS}


@pytest.mark.parametrize(
    ("subject", "is_told"),
    [
        ("repo:example-org/signalbox:environment:prod", True),
        ("repo:example-org@1/signalbox@2:environment:prod", True),
        ("repo:example-organisation/signalbox:environment:prod", False),
        ("repo:ours/example-org:environment:prod", False),
    ],
)
def test_the_doctor_tells_of_a_role_that_trusts_the_example(subject: str, is_told: bool) -> None:
    statement = {"Condition": {"StringEquals": {f"{URL.removeprefix('https://')}:sub": subject}}}

    assert bool(list(examples_trusted(statement))) is is_told
