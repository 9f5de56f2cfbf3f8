"""Previews and deployments of a package, against the laptop's CloudFormation."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery import change_sets, stack_calls
from delivery.stack_calls import Change, Stack, StackError
from localaws import clients
from localaws.context import DEVELOPER_KEY_ID, DEVELOPER_SECRET
from localaws.server import Config, LaptopServer

BUCKET = "artifacts"


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopServer]:
    config = Config(port=0, state_dir=tmp_path_factory.mktemp("laptop"), time_scale=100_000.0)
    with LaptopServer(config) as server:
        clients.developer_client("s3").create_bucket(Bucket=BUCKET)
        yield server


class Folder:
    """A folder with a package, and a stack of its own."""

    def __init__(self, name: str) -> None:
        self.stack = Stack(name, "us-east-1", "", BUCKET, 0.01)

    def package(self, parameters: dict[str, str] | None = None, **resources: Any) -> None:
        template = {
            "Parameters": {name: {"Type": "String"} for name in parameters or {}},
            "Resources": {
                name: {"Type": kind, "Properties": properties}
                for name, (kind, properties) in resources.items()
            },
        }
        Path(".aws-sam").mkdir(exist_ok=True)
        change_sets.PACKAGED.write_text(yaml.safe_dump(template))
        content = {"Parameters": parameters or {}, "Tags": {"app": "signalbox"}}
        change_sets.CONFIGURATION.write_text(json.dumps(content))

    def status(self) -> str:
        found = clients.developer_client("cloudformation").describe_stacks(
            StackName=self.stack.name
        )
        return str(found["Stacks"][0]["StackStatus"])


@pytest.fixture
def folder(
    laptop: LaptopServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Folder:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", laptop.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", DEVELOPER_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", DEVELOPER_SECRET)
    return Folder(f"s{abs(hash(request.node.name)) % 10**8}")


def parameter(value: str, name: str = "/change-sets/a") -> tuple[str, dict[str, Any]]:
    return "AWS::SSM::Parameter", {"Name": name, "Type": "String", "Value": value}


def bucket(name: str) -> tuple[str, dict[str, Any]]:
    return "AWS::S3::Bucket", {"BucketName": name}


def test_a_preview_says_what_would_change_and_changes_nothing(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.package(A=parameter("1", "/change-sets/preview"))

    change_sets.preview(folder.stack, Path("out/preview.txt"))

    line = "Add     AWS::SSM::Parameter                      A\n"
    assert capsys.readouterr().out == Path("out/preview.txt").read_text() == line
    assert folder.status() == "REVIEW_IN_PROGRESS"
    cloudformation = clients.developer_client("cloudformation")
    assert cloudformation.list_change_sets(StackName=folder.stack.name)["Summaries"] == []
    assert clients.developer_client("ssm").describe_parameters()["Parameters"] == []


def test_a_package_is_deployed_once_then_nothing_changes(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.package({"Kind": "k"}, A=parameter("1"))
    change_sets.deploy(folder.stack, replace_data=False)
    created = capsys.readouterr().out

    change_sets.deploy(folder.stack, replace_data=False)
    again = capsys.readouterr().out
    change_sets.preview(folder.stack, None)
    previewed = capsys.readouterr().out
    folder.package({"Kind": "k"}, A=parameter("2"))
    change_sets.deploy(folder.stack, replace_data=False)

    name = folder.stack.name
    assert created.splitlines()[-1] == f"{name}: CREATE_COMPLETE"
    assert again == previewed == f"{name}: nothing changes\n"
    assert capsys.readouterr().out.splitlines()[-1] == f"{name}: UPDATE_COMPLETE"
    found = clients.developer_client("ssm").get_parameter(Name="/change-sets/a")
    assert found["Parameter"]["Value"] == "2"


def test_what_holds_data_is_not_replaced_unless_that_is_asked_for(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.package(Data=bucket("change-sets-first"), A=parameter("1", "/change-sets/data"))
    change_sets.deploy(folder.stack, replace_data=False)
    folder.package(A=parameter("1", "/change-sets/data"))

    with pytest.raises(StackError, match=r"Data would lose what it holds.*--replace-data"):
        change_sets.deploy(folder.stack, replace_data=False)

    assert "AWS::S3::Bucket" in capsys.readouterr().out
    buckets = {b["Name"] for b in clients.developer_client("s3").list_buckets()["Buckets"]}
    assert "change-sets-first" in buckets
    change_sets.deploy(folder.stack, replace_data=True)
    buckets = {b["Name"] for b in clients.developer_client("s3").list_buckets()["Buckets"]}
    assert "change-sets-first" not in buckets


def test_a_preview_that_would_lose_data_fails_after_it_is_written_down(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    """So a build of the delivery pipeline fails, before staging has lost anything."""
    folder.package(Data=bucket("change-sets-second"), A=parameter("1", "/change-sets/guard"))
    change_sets.deploy(folder.stack, replace_data=False)
    folder.package(A=parameter("1", "/change-sets/guard"))

    with pytest.raises(change_sets.DataLoss, match=r"Data would lose what it holds.*may_lose"):
        change_sets.preview(folder.stack, Path("out/preview.txt"))

    assert Path("out/preview.txt").read_text().endswith("LOSES DATA\n")
    change_sets.preview(folder.stack, None, may_lose=["Data"])
    change_sets.deploy(folder.stack, replace_data=False, may_lose=["Data"])
    buckets = {b["Name"] for b in clients.developer_client("s3").list_buckets()["Buckets"]}
    assert "change-sets-second" not in buckets


def test_a_review_looks_at_the_change_set_that_is_to_be_executed_and_leaves_it(
    folder: Folder,
) -> None:
    folder.package(Data=bucket("change-sets-third"), A=parameter("1", "/change-sets/review"))
    package = change_sets.read_package()
    stack_calls.create(folder.stack, "signalbox-delivery", package)

    found = change_sets.review(folder.stack, "signalbox-delivery", Path("out/changes.txt"))

    said = change_sets.summary(folder.stack, found)
    assert said == f"{folder.stack.name} in us-east-1: 2 Add; 0 replaced."
    assert len(Path("out/changes.txt").read_text().splitlines()) == 2
    assert stack_calls.execute(folder.stack, "signalbox-delivery") == "CREATE_COMPLETE"


def test_a_change_set_of_a_stack_that_was_changed_since_is_not_executed(folder: Folder) -> None:
    """What was approved is executed, or nothing is."""
    folder.package({"Kind": "k"}, A=parameter("1", "/change-sets/since"))
    change_sets.deploy(folder.stack, replace_data=False)
    folder.package({"Kind": "k"}, A=parameter("2", "/change-sets/since"))
    stack_calls.create(folder.stack, "approved", change_sets.read_package())
    cloudformation = clients.developer_client("cloudformation")
    folder.package({"Kind": "k"}, A=parameter("3", "/change-sets/since"))
    cloudformation.update_stack(
        StackName=folder.stack.name,
        TemplateBody=change_sets.PACKAGED.read_text(),
        Parameters=[{"ParameterKey": "Kind", "ParameterValue": "k"}],
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName=folder.stack.name)

    with pytest.raises(StackError, match=r"cannot be executed in its current status.*OBSOLETE"):
        stack_calls.execute(folder.stack, "approved")

    found = clients.developer_client("ssm").get_parameter(Name="/change-sets/since")
    assert found["Parameter"]["Value"] == "3"


def test_a_failing_update_says_what_failed_and_leaves_what_was(folder: Folder) -> None:
    ssm, taken = clients.developer_client("ssm"), "/change-sets/taken"
    folder.package(A=parameter("1", "/change-sets/failing"))
    change_sets.deploy(folder.stack, replace_data=False)
    ssm.put_parameter(Name=taken, Value="mine", Type="String")
    folder.package(A=parameter("2", "/change-sets/failing"), B=parameter("3", taken))

    with pytest.raises(StackError, match=r"UPDATE_ROLLBACK_COMPLETE:\n  B \(AWS::SSM::Parameter\)"):
        change_sets.deploy(folder.stack, replace_data=False)

    values = ssm.get_parameters(Names=["/change-sets/failing", taken])["Parameters"]
    assert {one["Value"] for one in values} == {"1", "mine"}


def test_a_stack_that_was_never_whole_is_not_updated(folder: Folder) -> None:
    name = "/change-sets/occupied"
    clients.developer_client("ssm").put_parameter(Name=name, Value="mine", Type="String")
    folder.package(A=parameter("1", name))
    with pytest.raises(StackError, match="ROLLBACK_COMPLETE"):
        change_sets.deploy(folder.stack, replace_data=False)

    with pytest.raises(StackError, match="it was never created whole and cannot be updated"):
        change_sets.deploy(folder.stack, replace_data=False)


def test_a_template_that_cannot_be_read_is_refused(folder: Folder) -> None:
    folder.package(A=("AWS::SSM::Parameter", {"Value": {"Ref": "Nobody"}, "Type": "String"}))

    with pytest.raises(StackError, match="AWS refused CreateChangeSet: ValidationError"):
        change_sets.deploy(folder.stack, replace_data=False)


class Failing:
    """CloudFormation with a change set that fails for a reason that the laptop does not have."""

    def __init__(self, reason: str) -> None:
        self.reason, self.deleted = reason, ""

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE"}]}

    def create_change_set(self, **_: Any) -> dict[str, Any]:
        return {}

    def describe_change_set(self, **_: str) -> dict[str, Any]:
        unavailable = {"Status": "FAILED", "ExecutionStatus": "UNAVAILABLE", "Changes": []}
        return {**unavailable, "StatusReason": self.reason}

    def delete_change_set(self, **given: str) -> None:
        self.deleted = given["ChangeSetName"]


@pytest.mark.parametrize(
    ("reason", "is_fault"),
    [
        ("Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application", True),
        ("Requires capabilities : [CAPABILITY_AUTO_EXPAND]", True),
        ("The submitted information didn't contain changes. Submit different information", False),
        ("No updates are to be performed.", False),
    ],
)
def test_a_change_set_that_fails_is_a_fault_unless_nothing_changes(
    folder: Folder, reason: str, is_fault: bool
) -> None:
    """Both come as the status FAILED, told apart by their reason alone."""
    service = Failing(reason)
    folder.stack._memo["cloudformation"] = service
    folder.package(A=parameter("1"))

    if is_fault:
        with pytest.raises(StackError, match="no change set could be made: "):
            change_sets.deploy(folder.stack, replace_data=False)
    else:
        change_sets.deploy(folder.stack, replace_data=False)

    assert service.deleted.startswith("deploy-")


def test_without_a_package_it_says_how_to_make_one(folder: Folder) -> None:
    with pytest.raises(StackError, match=r"packaged.yaml does not exist; `make package ENV="):
        change_sets.preview(folder.stack, None)


@pytest.mark.parametrize(
    ("change", "loses"),
    [
        (Change("Remove", "AWS::S3::Bucket", "B", ""), True),
        (Change("Remove", "AWS::S3::Bucket", "B", "", "Delete"), True),
        (Change("Remove", "AWS::S3::Bucket", "B", "", "Retain"), False),
        (Change("Modify", "AWS::KMS::Key", "K", "True", "ReplaceAndRetain"), False),
        (Change("Modify", "AWS::KMS::Key", "K", "True"), True),
        (Change("Modify", "AWS::S3::Bucket", "B", "False"), False),
        (Change("Modify", "AWS::S3::Bucket", "B", "Conditional"), False),
        (Change("Add", "AWS::S3::Bucket", "B", ""), False),
        (Change("Modify", "AWS::Lambda::Function", "F", "True"), False),
    ],
)
def test_only_what_takes_data_away_counts_as_a_loss(change: Change, loses: bool) -> None:
    assert bool(change_sets.losing([change])) is loses
    assert ("LOSES DATA" in change_sets.lines([change])[0]) is loses


def test_an_environment_is_deployed_in_its_own_regions_only() -> None:
    found = change_sets.stack_of("staging", "", deploying=True)

    assert (found.name, found.region) == ("signalbox-staging", "us-east-1")
    assert found.role_arn.endswith("role/signalbox-staging-cloudformation-us-east-1")
    assert change_sets.stack_of("staging", "", deploying=False).role_arn == ""
    with pytest.raises(StackError, match="staging is not in eu-west-1, only in us-east-1"):
        change_sets.stack_of("staging", "eu-west-1", deploying=True)


def test_the_larger_templates_go_by_the_bucket_apart_from_previews(folder: Folder) -> None:
    folder.package(A=parameter("1", "/change-sets/where"))
    change_sets.preview(folder.stack, None)

    listed = clients.developer_client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]

    keys = {one["Key"].rsplit("/", 1)[0] for one in listed}
    assert keys == {"packages/123456789012/previews"}
    assert stack_calls.CAPABILITIES == ("CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
