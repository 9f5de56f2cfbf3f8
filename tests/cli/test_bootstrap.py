"""The accounts are set up in order, shown before anything happens, and taken away again."""

import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from delivery import settings
from localaws import clients
from localaws.accounts import BY_ENVIRONMENT
from localaws.context import REGION
from localaws.server import Config, LaptopServer
from signalbox_cli import template_bodies
from signalbox_cli.errors import CommandError
from signalbox_cli.target import UP_FILE
from signalbox_cli.template_bodies import body_of
from tests.cli.conftest import ROOT, Answer

Run = Callable[..., Answer]
PARTS = ("operations", "data", "dev", "staging", "prod", "pipeline")
STACKS = {
    "operations": "signalbox-delivery",
    "data": "signalbox-data",
    "dev": "signalbox-dev-account",
    "staging": "signalbox-staging-account",
    "prod": "signalbox-prod-account",
    "pipeline": "signalbox-delivery-pipeline",
}


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[LaptopServer]:
    with LaptopServer(Config(port=0, state_dir=tmp_path / "state")) as server:
        yield server


@pytest.fixture
def here(laptop: LaptopServer, signalbox: Run, tmp_path: Path) -> Path:
    """A project folder with the real settings, small templates, and a laptop that is up."""
    del signalbox  # it makes tmp_path the current folder
    UP_FILE.parent.mkdir()
    up = {"url": laptop.url, "pid": os.getpid(), "region": REGION, "environments": {}}
    UP_FILE.write_text(json.dumps(up))
    environments = tmp_path / "delivery" / "environments"
    shutil.copytree(ROOT / "delivery" / "environments", environments)
    write_templates(tmp_path)
    return tmp_path


def write_templates(folder: Path, *, more: dict[str, Any] | None = None) -> None:
    """Templates with all the parameters that the settings give, and next to nothing in them."""
    every = settings.deployments(settings.load(folder / "delivery" / "environments"))
    for template in {one.template for one in every}:
        given = {n: {"Type": "String", "Default": ""} for n in names_of(every, template)}
        document = {"Parameters": given, "Resources": {**resources(template), **(more or {})}}
        if template.endswith("account.yaml"):
            document["Outputs"] = {"ArtifactKeyArn": {"Value": "arn:aws:kms:of-operations"}}
        (folder / template).write_text(json.dumps(document))


def names_of(every: tuple[Any, ...], template: str) -> set[str]:
    chosen = [one for one in every if one.template == template]
    return {n for one in chosen for n in one.parameters} | {
        needed.parameter for one in chosen for needed in one.from_outputs
    }


def resources(template: str) -> dict[str, Any]:
    if template.endswith("account.yaml"):
        name = {"Fn::Sub": "${AppName}-${Part}-${EnvironmentName}x-${AWS::AccountId}"}
        return {
            "Bucket": {
                "Type": "AWS::S3::Bucket",
                "DeletionPolicy": "Retain",
                "Properties": {
                    "BucketName": name,
                    "VersioningConfiguration": {"Status": "Enabled"},
                },
            }
        }
    place = {"Name": "/delivery/key", "Type": "String", "Value": {"Ref": "ArtifactKeyArn"}}
    return {"Key": {"Type": "AWS::SSM::Parameter", "Properties": place}}


def client(service: str, part: str) -> Any:
    owner = "operations" if part == "pipeline" else part
    return clients.developer_client(service, account=BY_ENVIRONMENT[owner].id)


def standing() -> dict[str, str]:
    """Status of every stack there is, by its name."""
    owners = ("operations", "data", "dev", "staging", "prod")
    return {
        one["StackName"]: one["StackStatus"]
        for owner in owners
        for one in client("cloudformation", owner).list_stacks()["StackSummaries"]
        if one["StackStatus"] != "DELETE_COMPLETE"
    }


def bootstrap(signalbox: Run, *arguments: str) -> Answer:
    return signalbox("bootstrap", "--local", *arguments)


def test_a_dry_run_shows_every_stack_and_leaves_nothing(signalbox: Run, here: Path) -> None:
    answer = bootstrap(signalbox, "--dry-run")

    assert answer.code == 0, answer.stderr
    shown = [line for line in answer.stdout.splitlines() if not line.startswith(" ")]
    assert [line.split()[0] for line in shown] == list(PARTS)
    assert "operations signalbox-delivery in 567890123456, us-east-1: create" in shown
    assert "  add     Bucket (S3::Bucket)" in answer.stdout
    assert "planned after operations" in shown[-1]
    assert standing() == {}


def test_everything_is_deployed_in_order_into_its_account(signalbox: Run, here: Path) -> None:
    answer = bootstrap(signalbox, "--yes", "--json")

    assert answer.code == 0, answer.stderr
    done = json.loads(answer.stdout)
    assert [(one["name"], one["stack"], one["action"]) for one in done] == [
        (part, STACKS[part], "create") for part in PARTS
    ]
    assert standing() == dict.fromkeys(STACKS.values(), "CREATE_COMPLETE")
    for part in PARTS[:5]:
        assert client("s3", part).list_buckets()["Buckets"], part


def test_a_value_of_one_stack_reaches_the_one_that_waits_for_it(signalbox: Run, here: Path) -> None:
    bootstrap(signalbox, "--yes", "--only", "operations")

    answer = bootstrap(signalbox, "--yes", "--only", "pipeline")

    assert answer.code == 0, answer.stderr
    found = client("ssm", "pipeline").get_parameter(Name="/delivery/key")
    assert found["Parameter"]["Value"] == "arn:aws:kms:of-operations"


def test_a_stack_whose_source_is_missing_says_what_comes_first(signalbox: Run, here: Path) -> None:
    answer = bootstrap(signalbox, "--yes", "--only", "pipeline")

    assert answer.code == 1
    assert "deploy operations first" in answer.stderr
    assert standing() == {}


def test_a_second_run_changes_nothing(signalbox: Run, here: Path) -> None:
    bootstrap(signalbox, "--yes")

    again = bootstrap(signalbox, "--yes")

    assert again.code == 0, again.stderr
    assert "Nothing to change: all 6 stacks are as the templates say" in again.stdout
    assert set(standing().values()) == {"CREATE_COMPLETE"}
    for part in PARTS:
        sets = client("cloudformation", part).list_change_sets(StackName=STACKS[part])["Summaries"]
        assert {one["ExecutionStatus"] for one in sets} == {"EXECUTE_COMPLETE"}, part


def test_a_change_is_shown_and_applied_in_place(signalbox: Run, here: Path) -> None:
    bootstrap(signalbox, "--yes", "--only", "data")
    client("s3", "data").put_object(Bucket="signalbox-data-x-678901234567", Key="a", Body=b"1")
    queue = {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "more"}}}
    write_templates(here, more=queue)

    answer = bootstrap(signalbox, "--yes", "--only", "data")

    assert "  add     Queue (SQS::Queue)" in answer.stdout
    assert standing() == {"signalbox-data": "UPDATE_COMPLETE"}
    kept = client("s3", "data").list_objects_v2(Bucket="signalbox-data-x-678901234567")
    assert kept["KeyCount"] == 1


def test_a_failure_says_what_failed_and_the_same_command_finishes(
    signalbox: Run, here: Path
) -> None:
    taken = "signalbox-environment-devx-123456789012"
    client("s3", "prod").create_bucket(Bucket=taken)

    failed = bootstrap(signalbox, "--yes", "--only", "operations", "--only", "dev")

    assert failed.code == 1
    assert "stack signalbox-dev-account is ROLLBACK_COMPLETE: Bucket: " in failed.stderr
    assert standing()["signalbox-delivery"] == "CREATE_COMPLETE"
    client("s3", "prod").delete_bucket(Bucket=taken)
    again = bootstrap(signalbox, "--yes", "--only", "operations", "--only", "dev")
    assert again.code == 0, again.stderr
    assert standing()["signalbox-dev-account"] == "CREATE_COMPLETE"


def test_a_template_that_cannot_be_deployed_names_its_part_and_leaves_nothing(
    signalbox: Run, here: Path
) -> None:
    path = here / "delivery" / "account.yaml"
    document = json.loads(path.read_text())
    document["Parameters"]["EnvironmentName"]["AllowedValues"] = ["", "dev", "staging"]
    path.write_text(json.dumps(document))

    answer = bootstrap(signalbox, "--yes")

    assert answer.code == 1
    assert "prod (signalbox-prod-account in 345678901234): AWS refused" in answer.stderr
    assert standing() == {}


def test_saying_no_leaves_nothing(
    signalbox: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    answer = bootstrap(signalbox, "--only", "data")

    assert answer.code == 0
    assert "Nothing was changed" in answer.stdout
    assert standing() == {}


def test_credentials_of_another_account_are_refused_before_anything_is_made(
    signalbox: Run, here: Path, laptop: LaptopServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev = BY_ENVIRONMENT["dev"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", laptop.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", dev.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", dev.secret_access_key)

    answer = signalbox("bootstrap", "--yes")

    assert answer.code == 1
    assert "operations belongs into account 567890123456" in answer.stderr
    assert "these credentials are of 123456789012: give --profile operations=NAME" in answer.stderr
    assert standing() == {}
    own = signalbox("bootstrap", "--yes", "--only", "dev")
    assert own.code == 0, own.stderr


def test_one_role_may_be_assumed_in_every_account(
    signalbox: Run, here: Path, laptop: LaptopServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev = BY_ENVIRONMENT["dev"]
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{dev.id}:root"},
        "Action": "sts:AssumeRole",
    }
    document = {"Version": "2012-10-17", "Statement": [trust]}
    iam = client("iam", "data")
    iam.create_role(RoleName="Admin", AssumeRolePolicyDocument=json.dumps(document))
    iam.put_role_policy(
        RoleName="Admin",
        PolicyName="all",
        PolicyDocument=json.dumps({**document, "Statement": [everything]}),
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", laptop.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", dev.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", dev.secret_access_key)

    answer = signalbox("bootstrap", "--yes", "--role", "Admin", "--only", "data", "--only", "dev")

    assert answer.code == 0, answer.stderr
    assert set(standing()) == {"signalbox-data", "signalbox-dev-account"}


def test_a_part_that_is_not_there_is_named_with_those_that_are(signalbox: Run, here: Path) -> None:
    answer = bootstrap(signalbox, "--only", "developement")

    assert answer.code == 1
    assert "no part 'developement' to set up: choose from operations, data, dev" in answer.stderr


def test_settings_that_cannot_be_used_are_named(signalbox: Run, here: Path) -> None:
    path = here / "delivery" / "environments" / "dev.toml"
    path.write_text(path.read_text().replace("account", "acount"))

    answer = bootstrap(signalbox, "--dry-run")

    assert answer.code == 1
    assert "dev.toml: acount" in answer.stderr


def test_removing_takes_everything_away_in_reverse_order(signalbox: Run, here: Path) -> None:
    bootstrap(signalbox, "--yes")
    client("s3", "data").put_object(Bucket="signalbox-data-x-678901234567", Key="a", Body=b"1")

    answer = bootstrap(signalbox, "--remove", "--yes", "--allow-prod", "--json")

    assert answer.code == 0, answer.stderr
    done = json.loads(answer.stdout)["done"]
    stacks = [one.split()[2] for one in done if one.startswith("deleted stack")]
    assert stacks == [STACKS[part] for part in reversed(PARTS)]
    assert standing() == {}
    for part in PARTS[:5]:
        assert client("s3", part).list_buckets()["Buckets"] == [], part
    nothing = bootstrap(signalbox, "--remove", "--yes", "--allow-prod")
    assert "There was nothing to remove" in nothing.stdout


def test_the_set_up_of_prod_is_not_removed_by_the_way(signalbox: Run, here: Path) -> None:
    answer = bootstrap(signalbox, "--remove", "--yes")

    assert answer.code == 1
    assert "never removed without --allow-prod" in answer.stderr


def test_an_environment_that_stands_keeps_its_account_s_set_up(signalbox: Run, here: Path) -> None:
    bootstrap(signalbox, "--yes", "--only", "dev")
    topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    client("cloudformation", "dev").create_stack(
        StackName="signalbox-dev", TemplateBody=json.dumps(topic)
    )

    answer = bootstrap(signalbox, "--remove", "--yes", "--only", "dev")

    assert answer.code == 1
    assert "signalbox-dev is still deployed in account 123456789012" in answer.stderr
    assert "`signalbox destroy -e dev` first; nothing was deleted" in answer.stderr
    assert "signalbox-dev-account" in standing()


def test_a_long_template_travels_without_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    body = "Resources:\n  Topic: {Type: AWS::SNS::Topic}\n"
    path.write_text(body + "# a comment\n" * 6000)

    assert json.loads(body_of(path)) == {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}


def test_a_template_that_is_too_long_without_comments_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text(f"Description: {'x' * 60_000}\nResources: {{A: {{Type: AWS::SNS::Topic}}}}\n")

    with pytest.raises(CommandError, match="bytes even without comments, at most 51200"):
        body_of(path)


def test_what_is_sent_can_be_written_for_the_aws_cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As docs/delivery.md has it, for who sets an account up without bootstrap."""
    short, none = tmp_path / "short.yaml", tmp_path / "none.yaml"
    short.write_text("Resources: {A: {Type: AWS::SNS::Topic}} # a topic\n")

    assert template_bodies.main([str(short)]) == 0
    assert capsys.readouterr().out == short.read_text()
    assert template_bodies.main([str(none)]) == 1
    assert "none.yaml" in capsys.readouterr().err


@pytest.mark.slow
def test_the_real_set_up_is_deployed_looked_at_and_taken_away(
    signalbox: Run, here: Path, laptop: LaptopServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for template in ("account.yaml", "pipeline.yaml"):
        shutil.copy(ROOT / "delivery" / template, here / "delivery" / template)

    first = bootstrap(signalbox, "--yes")
    again = bootstrap(signalbox, "--yes", "--json")

    assert first.code == 0, first.stderr
    assert {one["action"] for one in json.loads(again.stdout)} == {"unchanged"}
    monkeypatch.setenv("AWS_ENDPOINT_URL", laptop.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for part in ("operations", "data", "dev", "staging", "prod"):
        account = BY_ENVIRONMENT[part]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", account.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", account.secret_access_key)
        looked = signalbox("doctor", "--stack", STACKS[part])
        assert looked.code == 0, looked.stdout
    removed = bootstrap(signalbox, "--remove", "--yes", "--allow-prod")
    assert removed.code == 0, removed.stderr
    assert standing() == {}
