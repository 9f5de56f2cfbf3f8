"""Several environments on one laptop: which account a command goes to, and how they are wired."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from localaws.accounts import ACCOUNTS
from signalbox_cli.deploy_laptop import stacks
from signalbox_cli.laptop import LaptopOptions, Up, announced, serving
from signalbox_cli.laptop_environments import credentials, in_order, promotion_parameters
from signalbox_cli.target import UP_FILE, resolve_target
from tests.cli.conftest import ROOT, Answer

Run = Callable[..., Answer]
NOBODY = "http://127.0.0.1:1"
ALL = ("dev", "staging", "prod")
# The accounts of the laptop, as docs/operations.md lists them.
NUMBERS = {"dev": "123456789012", "staging": "210987654321", "prod": "345678901234"}


def announce(*environments: str) -> None:
    UP_FILE.parent.mkdir(exist_ok=True)
    up = {"url": NOBODY, "pid": os.getpid(), "region": "us-east-1", "account": NUMBERS["dev"]}
    keys = credentials(environments)
    more = {"accessKeyId": "AKIA", "secretAccessKey": "secret", "environments": keys}
    UP_FILE.write_text(json.dumps(up | more))


def test_each_environment_has_an_account_and_a_key_of_its_own() -> None:
    known = {account.environment: account.id for account in ACCOUNTS}
    assert known == NUMBERS | {"operations": "567890123456", "data": "678901234567"}
    assert len({account.access_key_id for account in ACCOUNTS}) == 5
    assert len({account.secret_access_key for account in ACCOUNTS}) == 5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("dev,qa", "'qa' is no environment: choose from dev, staging, prod"),
        ("dev,staging,dev", "dev is there twice"),
        ("", "'' is no environment"),
    ],
)
def test_up_refuses_environments_it_does_not_know(signalbox: Run, given: str, said: str) -> None:
    answer = signalbox("up", "--environments", given)

    assert answer.code == 2
    assert said in answer.stderr


def test_a_laptop_for_delivery_serves_five_accounts_and_deploys_nothing() -> None:
    options = LaptopOptions(port=0, environments=(), delivery=True)

    with serving(options, print) as up:
        assert list(up.environments) == [*ALL, "operations", "data"]
        operations = up.target(options, "operations")
        assert operations.client("sts").get_caller_identity()["Account"] == "567890123456"
        assert operations.client("cloudformation").describe_stacks()["Stacks"] == []


def test_environments_are_deployed_in_the_order_of_promotion() -> None:
    assert in_order(("prod", "dev")) == ("dev", "prod")


@pytest.mark.parametrize("environment", ALL)
def test_a_command_takes_the_key_of_its_environment(
    signalbox: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: str
) -> None:
    monkeypatch.chdir(tmp_path)
    announce(*ALL)

    target = resolve_target(
        local=True, endpoint_url=None, region=None, environment=environment, app="signalbox"
    )

    keys = credentials(ALL)[environment]
    assert (target.access_key_id, target.secret_access_key) == (
        keys["accessKeyId"],
        keys["secretAccessKey"],
    )
    exported = signalbox("env", "-e", environment).stdout.splitlines()
    assert f"export AWS_ACCESS_KEY_ID={keys['accessKeyId']}" in exported


@pytest.mark.parametrize("command", [("status", "--local"), ("env",)])
def test_an_environment_that_is_not_served_is_said_with_what_serves_it(
    signalbox: Run, command: tuple[str, ...]
) -> None:
    announce("dev", "staging")

    answer = signalbox(*command, "-e", "prod")

    assert answer.code == 5
    assert "serves dev, staging, not prod" in answer.stderr
    assert "signalbox up --environments dev,staging,prod" in answer.stderr


def test_what_up_announces_is_dev_with_every_environment_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    UP_FILE.parent.mkdir()

    with announced(Up(NOBODY, os.getpid(), environments=credentials(("staging", "prod")))):
        told = json.loads(UP_FILE.read_text())

    assert (told["account"], told["accessKeyId"]) == (NUMBERS["dev"], "AKIALAPTOPDEVELOPER0")
    assert {name: keys["account"] for name, keys in told["environments"].items()} == {
        "staging": "210987654321",
        "prod": "345678901234",
    }


def test_the_target_of_a_laptop_is_its_first_environment_unless_named() -> None:
    up = Up(NOBODY, 1, environments=credentials(ALL))
    options = LaptopOptions(environments=ALL)

    assert up.target(options).access_key_id == "AKIALAPTOPDEVELOPER0"
    assert up.target(options, "prod").prefix == "signalbox-prod"


def test_one_environment_is_promoted_nowhere() -> None:
    assert promotion_parameters("dev", ("dev",), app="signalbox", region="us-east-1") == {}


def test_the_first_environment_leads_to_the_others_and_prod_asks_a_person() -> None:
    wired = promotion_parameters("dev", ALL, app="box", region="us-east-1")

    assert json.loads(wired["PromotionPath"]) == [
        {
            "environment": "staging",
            "account": "210987654321",
            "region": "us-east-1",
            "deployRoleArn": "arn:aws:iam::210987654321:role/box-staging-deploy-us-east-1",
            "approval": "none",
            "kind": "artifact",
        },
        {
            "environment": "prod",
            "account": "345678901234",
            "region": "us-east-1",
            "deployRoleArn": "arn:aws:iam::345678901234:role/box-prod-deploy-us-east-1",
            "approval": "manual",
            "kind": "artifact",
        },
    ]
    assert wired["PromotionTargetAccounts"] == "210987654321,345678901234"
    assert promotion_parameters("prod", ALL, app="box", region="us-east-1") == {
        "PromotionSourceAccounts": "123456789012"
    }


def test_a_template_is_given_only_what_it_declares(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(
        "Parameters:\n  PromotionPath: {Type: String}\nResources: {Key: {Type: 'AWS::KMS::Key'}}\n"
    )

    dev, staging = stacks(template, "signalbox", ["staging", "dev"])

    assert "PromotionPath" in dev.request.parameters
    assert "PromotionTargetAccounts" not in dev.request.parameters
    assert "PromotionSourceAccounts" not in staging.request.parameters
    assert (staging.request.stack_name, staging.account.id) == ("signalbox-staging", "210987654321")


def test_one_environment_is_deployed_with_the_defaults_of_promotion() -> None:
    (dev,) = stacks(ROOT / "template.yaml", "signalbox", ["dev"])

    assert not [name for name in dev.request.parameters if name.startswith("Promotion")]
