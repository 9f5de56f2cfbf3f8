"""Change sets, and the stock AWS CLI that deploys by them; packages for them.

Expected answers: CloudFormation API Reference, CreateChangeSet and ResourceChange (read 2026-11);
what `aws cloudformation deploy` prints is the CLI's own.
"""

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from botocore.exceptions import ClientError

from localaws import package
from localaws.server import LaptopServer
from tests.localaws import stack_world as world
from tests.localaws.account_world import unused
from tests.localaws.stack_world import BROKEN, SMALL, client, given

pytestmark = pytest.mark.usefixtures("laptop")


@pytest.fixture
def name() -> str:
    return unused("stack")


def propose(name: str, template: str = SMALL, **more: Any) -> Any:
    """Create a change set and describe it."""
    request = {
        "ChangeSetName": unused("change"),
        "Parameters": given(Name=name),
        "Capabilities": world.NAMED_IAM,
    } | more
    made = client("cloudformation").create_change_set(
        StackName=name, TemplateBody=template, **request
    )
    return client("cloudformation").describe_change_set(ChangeSetName=made["Id"])


def changes(proposal: Any) -> dict[str, tuple[str, str]]:
    """Action and replacement by logical id."""
    found = [change["ResourceChange"] for change in proposal["Changes"]]
    return {
        change["LogicalResourceId"]: (change["Action"], change.get("Replacement", ""))
        for change in found
    }


def test_a_new_stack_is_proposed_reviewed_and_executed(name: str) -> None:
    proposal = propose(name, ChangeSetType="CREATE", Description="first")

    assert (proposal["Status"], proposal["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert changes(proposal) == {"Queue": ("Add", ""), "Address": ("Add", "")}
    assert world.status(name) == "REVIEW_IN_PROGRESS"
    assert "QueueUrls" not in client("sqs").list_queues(QueueNamePrefix=name)

    client("cloudformation").execute_change_set(ChangeSetName=proposal["ChangeSetId"])

    assert world.status(name) == "CREATE_COMPLETE"
    assert world.described(name)["ChangeSetId"] == proposal["ChangeSetId"]
    done = client("cloudformation").describe_change_set(ChangeSetName=proposal["ChangeSetId"])
    assert done["ExecutionStatus"] == "EXECUTE_COMPLETE"


def test_a_proposal_tells_what_is_changed_replaced_and_removed(name: str) -> None:
    world.create(name)
    extended = SMALL.replace(
        "Outputs:",
        "  Topic: {Type: AWS::SNS::Topic}\nOutputs:",
    ).replace('Name: !Sub "/${Name}/queue"', 'Name: !Sub "/${Name}/other"')

    proposal = propose(name, extended, Parameters=given(Name=name, Delay="9"))

    assert changes(proposal) == {
        "Queue": ("Modify", "False"),
        "Address": ("Modify", "True"),
        "Topic": ("Add", ""),
    }
    details = {
        change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"]["Details"]
        for change in proposal["Changes"]
    }
    assert details["Queue"][0]["Target"] == {
        "Attribute": "Properties",
        "Name": "DelaySeconds",
        "RequiresRecreation": "Never",
    }
    assert details["Address"][0]["Target"]["RequiresRecreation"] == "Always"
    assert world.delay_of(name) == "5"


def test_a_removal_says_whether_the_resource_stays(name: str) -> None:
    kept = SMALL.replace("Type: AWS::SSM", "DeletionPolicy: Retain\n    Type: AWS::SSM")
    world.create(name, kept)
    lone = "Parameters: {Name: {Type: String}}\nResources: {Topic: {Type: AWS::SNS::Topic}}"

    removals = {
        change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"].get("PolicyAction")
        for change in propose(name, lone)["Changes"]
    }

    assert removals == {"Topic": None, "Queue": "Delete", "Address": "Retain"}


def test_a_proposal_without_changes_fails_and_cannot_be_executed(name: str) -> None:
    world.create(name)

    proposal = propose(name)

    assert (proposal["Status"], proposal["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert proposal["StatusReason"].startswith("The submitted information didn't contain changes.")
    with pytest.raises(ClientError, match="InvalidChangeSetStatus"):
        client("cloudformation").execute_change_set(ChangeSetName=proposal["ChangeSetId"])


def test_executing_one_proposal_ends_the_others(name: str) -> None:
    world.create(name)
    first = propose(name, Parameters=given(Name=name, Delay="8"))
    second = propose(name, Parameters=given(Name=name, Delay="9"))

    client("cloudformation").execute_change_set(ChangeSetName=second["ChangeSetId"])

    assert world.status(name) == "UPDATE_COMPLETE"
    assert world.delay_of(name) == "9"
    with pytest.raises(ClientError, match="ChangeSetNotFound"):
        client("cloudformation").execute_change_set(ChangeSetName=first["ChangeSetId"])


def test_a_proposal_is_deleted_and_its_name_is_free(name: str) -> None:
    world.create(name)
    more = {"ChangeSetName": "again", "Parameters": given(Name=name, Delay="9")}
    propose(name, **more)

    with pytest.raises(ClientError, match="AlreadyExistsException"):
        propose(name, **more)
    client("cloudformation").delete_change_set(StackName=name, ChangeSetName="again")

    assert propose(name, **more)["Status"] == "CREATE_COMPLETE"
    assert len(client("cloudformation").list_change_sets(StackName=name)["Summaries"]) == 1


def test_a_proposal_that_fails_when_executed_leaves_what_was(name: str) -> None:
    world.create(name)
    proposal = propose(name, BROKEN, Parameters=given(Name=name, Delay="9"))

    client("cloudformation").execute_change_set(ChangeSetName=proposal["ChangeSetId"])

    assert world.status(name) == "UPDATE_ROLLBACK_COMPLETE"
    assert world.delay_of(name) == "5"
    done = client("cloudformation").describe_change_set(ChangeSetName=proposal["ChangeSetId"])
    assert done["ExecutionStatus"] == "EXECUTE_FAILED"


@pytest.mark.parametrize(
    ("template", "given_", "direct", "needed"),
    [
        (BROKEN, [], False, "CAPABILITY_NAMED_IAM"),
        (BROKEN, ["CAPABILITY_IAM"], False, "CAPABILITY_NAMED_IAM"),
        (BROKEN.replace('RoleName: !Sub "${Name}-role"', "Path: /"), [], False, "CAPABILITY_IAM"),
        ("Transform: AWS::Serverless-2016-10-31\n" + SMALL, [], True, "CAPABILITY_AUTO_EXPAND"),
    ],
)
def test_capabilities_must_be_acknowledged(
    name: str, template: str, given_: list[str], direct: bool, needed: str
) -> None:
    """CloudFormation User Guide, "Acknowledging IAM resources"; macros only without a review."""
    make: Callable[..., Any] = world.create if direct else propose
    more = {} if direct else {"ChangeSetType": "CREATE"}

    with pytest.raises(ClientError, match=rf"InsufficientCapabilities.*\[{needed}\]"):
        make(name, template, Capabilities=given_, **more)


SERVERLESS = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Name: {Type: String}}
Resources:
  Greeter:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${Name}-greeter"
      Handler: greet.handler
      Runtime: python3.13
      CodeUri: functions/
"""


def environment_of(laptop: LaptopServer) -> dict[str, str]:
    keys = world.BY_ENVIRONMENT["operations"]
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": laptop.url,
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def test_the_stock_cli_deploys_updates_and_finds_nothing_to_do(
    laptop: LaptopServer, name: str, tmp_path: Path
) -> None:
    (tmp_path / "template.yaml").write_text(SMALL)
    aws = Path(sys.executable).with_name("aws")

    def deploy(*parameters: str) -> subprocess.CompletedProcess[str]:
        command = [aws, "cloudformation", "deploy", "--stack-name", name]
        options = ["--template-file", tmp_path / "template.yaml", "--parameter-overrides"]
        time.sleep(1 - time.time() % 1)  # the CLI names its change sets by the second
        return subprocess.run(
            [*command, *options, f"Name={name}", *parameters],
            env=environment_of(laptop),
            capture_output=True,
            text=True,
            check=False,
        )

    created, changed, nothing = deploy(), deploy("Delay=9"), deploy("Delay=9")

    codes = (created.returncode, changed.returncode, nothing.returncode)
    assert codes == (0, 0, 255), (created, changed, nothing)
    assert f"Successfully created/updated stack - {name}" in changed.stdout
    assert f"No changes to deploy. Stack {name} is up to date" in nothing.stderr
    assert world.delay_of(name) == "9"


def test_a_packaged_serverless_template_is_deployed_from_a_bucket(
    laptop: LaptopServer, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "functions").mkdir()
    code = "def handler(event, context):\n    return 'hello ' + event['who']\n"
    (tmp_path / "functions" / "greet.py").write_text(code)
    (tmp_path / "template.yaml").write_text(SERVERLESS)
    bucket, output = f"{name}-packages", tmp_path / "out" / "packaged.yaml"
    client("s3").create_bucket(Bucket=bucket)
    for key, value in environment_of(laptop).items():
        monkeypatch.setenv(key, value)
    arguments = ["--template-file", str(tmp_path / "template.yaml"), "--s3-bucket", bucket]
    arguments += ["--s3-prefix", "packages/a", "--output-template-file", str(output)]

    assert package.main([*arguments, "--region", "us-east-1"]) == 0
    assert package.main(arguments) == 0  # what is there is not sent again

    stored = client("s3").list_object_versions(Bucket=bucket)["Versions"]
    packaged = yaml.safe_load(output.read_text())
    uri = packaged["Resources"]["Greeter"]["Properties"]["CodeUri"]
    assert [uri] == [f"s3://{bucket}/{item['Key']}" for item in stored]
    assert uri.startswith(f"s3://{bucket}/packages/a/")
    assert packaged["Transform"] == "AWS::Serverless-2016-10-31"
    proposal = propose(name, output.read_text(), ChangeSetType="CREATE")
    client("cloudformation").execute_change_set(ChangeSetName=proposal["ChangeSetId"])
    assert world.status(name) == "CREATE_COMPLETE"
    found = client("lambda").get_function_configuration(FunctionName=f"{name}-greeter")
    assert found["Handler"] == "greet.handler"
    processed = client("cloudformation").get_template(StackName=name, TemplateStage="Processed")
    assert processed["TemplateBody"]["Resources"]["Greeter"]["Type"] == "AWS::Lambda::Function"


def test_code_is_taken_in_the_version_that_is_named(laptop: LaptopServer, name: str) -> None:
    bucket = f"{name}-versions"
    s3 = client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    older, newer = (
        s3.put_object(Bucket=bucket, Key="a.zip", Body=zipped(text))["VersionId"]
        for text in ("older", "newer")
    )
    for version, text in ((older, "older"), (newer, "newer")):
        uri = json.dumps({"Bucket": bucket, "Key": "a.zip", "Version": version})
        kind = "CREATE" if text == "older" else "UPDATE"
        template = SERVERLESS.replace("functions/", uri)
        proposal = propose(name, template, ChangeSetType=kind)
        client("cloudformation").execute_change_set(ChangeSetName=proposal["ChangeSetId"])

        assert world.status(name) == f"{kind}_COMPLETE", world.told(name)
        found = client("lambda").get_function_configuration(FunctionName=f"{name}-greeter")
        digest = base64.b64encode(hashlib.sha256(zipped(text)).digest()).decode()
        assert found["CodeSha256"] == digest


def zipped(text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("greet.py"), f"handler = {text!r}")
    return content.getvalue()


def test_a_template_that_was_not_packaged_is_refused(name: str) -> None:
    with pytest.raises(ClientError, match="'CodeUri' is not a valid S3 Uri"):
        propose(name, SERVERLESS, ChangeSetType="CREATE")


def test_what_was_planted_under_a_digest_is_not_taken_for_the_package(
    laptop: LaptopServer,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "greet.py").write_text("def handler(event, context): ...\n")
    (tmp_path / "template.yaml").write_text(SERVERLESS)
    bucket, output = f"{name}-packages", tmp_path / "packaged.yaml"
    client("s3").create_bucket(Bucket=bucket)
    for key, value in environment_of(laptop).items():
        monkeypatch.setenv(key, value)
    arguments = ["--template-file", str(tmp_path / "template.yaml"), "--s3-bucket", bucket]
    arguments += ["--output-template-file", str(output), "--region", "us-east-1"]
    assert package.main(arguments) == 0
    (item,) = client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    output.unlink()
    client("s3").put_object(Bucket=bucket, Key=item["Key"], Body=b"planted before")

    assert package.main(arguments) == 1

    assert f"{item['Key']} (version ?) is not what its name says" in capsys.readouterr().err
    assert not output.exists()


def test_packaging_says_what_is_missing(
    laptop: LaptopServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for key, value in environment_of(laptop).items():
        monkeypatch.setenv(key, value)
    (tmp_path / "template.yaml").write_text(SERVERLESS)
    output = str(tmp_path / "packaged.yaml")
    arguments = ["--template-file", str(tmp_path / "template.yaml"), "--s3-bucket", "none"]

    assert package.main([*arguments, "--output-template-file", output]) == 1
    assert "CodeUri names" in capsys.readouterr().err
    (tmp_path / "functions").mkdir()
    assert package.main([*arguments, "--output-template-file", output]) == 1
    assert "NoSuchBucket" in capsys.readouterr().err
    assert not Path(output).exists()
