"""Commands under an assumed role: whose keys they get, and what is said when they get none."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from delivery import as_role
from localaws import clients
from localaws.context import DEVELOPER_KEY_ID, DEVELOPER_SECRET
from localaws.server import Config, LaptopServer
from tests.delivery.workflow_runner import ROOT

ACCOUNT = "123456789012"
WHO = (
    "import boto3, json, os; print(json.dumps([boto3.client('sts').get_caller_identity()['Arn'], "
    "os.environ.get('AWS_DEFAULT_REGION'), os.environ.get('AWS_PROFILE')]))"
)


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopServer]:
    config = Config(port=0, state_dir=tmp_path_factory.mktemp("laptop"), time_scale=100_000.0)
    with LaptopServer(config) as server:
        trust = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        statement = {"Effect": "Allow", "Principal": trust, "Action": "sts:AssumeRole"}
        clients.developer_client("iam").create_role(
            RoleName="signalbox-dev-delivery-us-east-1",
            AssumeRolePolicyDocument=json.dumps({"Statement": [statement]}),
        )
        yield server


def run(laptop: LaptopServer, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    keys = {"AWS_ACCESS_KEY_ID": DEVELOPER_KEY_ID, "AWS_SECRET_ACCESS_KEY": DEVELOPER_SECRET}
    where = {"AWS_ENDPOINT_URL": laptop.url, "AWS_DEFAULT_REGION": "eu-west-1"}
    return subprocess.run(
        [sys.executable, "-m", "delivery.as_role", *arguments],
        cwd=ROOT,
        env={**kept, **keys, **where, "AWS_EC2_METADATA_DISABLED": "true", **more},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("role", "region"),
    [
        ("dev/delivery", "us-east-1"),
        (f"arn:aws:iam::{ACCOUNT}:role/signalbox-dev-delivery-us-east-1", "eu-west-1"),
    ],
)
def test_a_command_acts_as_the_role_and_nobody_else(
    laptop: LaptopServer, role: str, region: str, tmp_path: Path
) -> None:
    """The caller's profile is not the command's."""
    (tmp_path / "config").write_text("[profile build]\noutput = json\n")
    profile = {"AWS_PROFILE": "build", "AWS_CONFIG_FILE": str(tmp_path / "config")}
    run_id = {"GITHUB_RUN_ID": "17"}

    done = run(laptop, role, "--", sys.executable, "-c", WHO, **profile, **run_id)

    assert done.returncode == 0, done.stderr
    assumed = f"arn:aws:sts::{ACCOUNT}:assumed-role/signalbox-dev-delivery-us-east-1/delivery-17"
    assert json.loads(done.stdout) == [assumed, region, None]


RENEW = """
import boto3, datetime, json, os
found = boto3.Session().get_credentials()
keys = [found.get_frozen_credentials().access_key]
found._expiry_time = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
keys.append(found.get_frozen_credentials().access_key)
sts = boto3.client("sts")
print(json.dumps([found.method, keys, os.environ.get("AWS_SECRET_ACCESS_KEY"),
                  sts.get_caller_identity()["Arn"].split("/")[1]]))
"""


def test_a_command_outlasts_its_first_session(laptop: LaptopServer) -> None:
    """An hour is the longest that a role has which a role assumed; an acceptance may take three."""
    done = run(laptop, "dev/delivery", "--", sys.executable, "-c", RENEW)

    assert done.returncode == 0, done.stderr
    method, keys, secret, role = json.loads(done.stdout)
    assert (method, secret) == ("custom-process", None)
    assert keys[0] != keys[1]
    assert role == "signalbox-dev-delivery-us-east-1"


def test_a_role_does_not_become_another_one(laptop: LaptopServer) -> None:
    """The caller would be lost, and with it the way to renew."""
    inner = (sys.executable, "-m", "delivery.as_role", "dev/delivery", "--", "true")

    done = run(laptop, "dev/delivery", "--", *inner)

    assert done.returncode == 2
    assert "role/signalbox-dev-delivery-us-east-1 already" in done.stderr


def test_the_command_s_own_exit_code_comes_back(laptop: LaptopServer) -> None:
    assert run(laptop, "dev/delivery", "--", "sh", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("dev/delivery", "--", "no-such-command"), 127, "no-such-command: No such file"),
        (("dev/deploy", "--", "true"), 2, "dev/deploy: dev has no role deploy, only delivery"),
        (
            ("elsewhere/delivery", "--", "true"),
            2,
            "no environment elsewhere, only dev, staging",
        ),
        (("delivery", "--", "true"), 2, "is neither the ARN of a role nor ENVIRONMENT/KIND"),
        (("prod/delivery", "--", "true"), 2, "signalbox-prod-delivery-us-east-1 cannot be assumed"),
        (("dev/delivery", "true"), 2, "write the command after --"),
        (("dev/delivery", "--"), 2, "write the command after --"),
    ],
)
def test_what_cannot_be_done_is_said(
    laptop: LaptopServer, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = run(laptop, *arguments)

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_without_credentials_nobody_can_assume_it(laptop: LaptopServer) -> None:
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": "/nonexistent"}

    done = run(laptop, "dev/delivery", "--", "true", **none)

    assert done.returncode == 2
    assert "nobody to assume" in done.stderr


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"CODEBUILD_BUILD_NUMBER": "3"}, "delivery-3"),
        ({"CIRCLE_WORKFLOW_ID": "a b/ü"}, "delivery-a-b--"),
        ({"GITHUB_RUN_ID": "1" * 80}, "delivery-" + "1" * 55),
        ({}, "delivery-unnamed"),
    ],
)
def test_a_session_is_named_after_its_run(variables: dict[str, Any], name: str) -> None:
    assert as_role.session_name(variables) == name
