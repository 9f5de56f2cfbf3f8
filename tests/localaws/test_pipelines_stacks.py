"""The CloudFormation actions of pipelines: every mode, every right, and another account."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import developer_client
from localaws.server import LaptopServer
from tests.localaws.account_world import STAGING, make_role, owner, root, unused
from tests.localaws.iam_roles import allow, document, trust
from tests.localaws.pipeline_bench import (
    ACCOUNT,
    REGION,
    PipelineBench,
    action,
    approval,
    client,
    stage,
)

TEMPLATE = """
Parameters: {Name: {Type: String}, Value: {Type: String, Default: one}}
Resources:
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Name: !Ref Name, Type: String, Value: !Ref Value}
Outputs:
  Setting: {Value: !Ref Setting}
  Value: {Value: !GetAtt Setting.Value}
"""
FORBIDDEN = """
  Forbidden:
    Type: AWS::SSM::Parameter
    DependsOn: Setting
    Properties: {Name: /of/others, Type: String, Value: x}
Outputs:"""
BROKEN = TEMPLATE.replace("Default: one", "Default: two").replace("\nOutputs:", FORBIDDEN)
CHANGE_SETS = ["DescribeStacks", "DescribeChangeSet", "CreateChangeSet", "DeleteChangeSet"]
MODES = {
    "change sets": [*CHANGE_SETS, "ExecuteChangeSet"],
    "stacks": ["DescribeStacks", "CreateStack", "UpdateStack", "DeleteStack"],
}


class StackBench(PipelineBench):
    """A pipeline that deploys one stack."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.stack = unused("delivered")
        self.setting = f"/{self.stack}/setting"
        self.service_role = executes(self.setting, ACCOUNT)

    def may(self, *operations: str, passes: bool = True) -> None:
        """Let the pipeline's role call CloudFormation on the stack."""
        arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{self.stack}/*"
        for operation in operations:
            self.grant(f"cloudformation:{operation}", arn)
        if passes:
            self.grant("iam:PassRole", self.service_role)

    def deploys(self, mode: str, name: str = "Deploy", **more: Any) -> dict[str, Any]:
        """An action on the stack; configuration by keyword, artifacts as `outputs`."""
        configuration = {
            "ActionMode": mode,
            "StackName": self.stack,
            "RoleArn": self.service_role,
            "TemplatePath": "Zip::t.yaml",
            "ParameterOverrides": json.dumps({"Name": self.setting}),
            **more.pop("configuration", {}),
        }
        return action(
            name,
            "Deploy",
            "CloudFormation",
            configuration=configuration,
            inputArtifacts=["Zip"],
            **more,
        )

    def value(self) -> str:
        """What the stack has set."""
        return str(client("ssm").get_parameter(Name=self.setting)["Parameter"]["Value"])

    def released(self, **files: str) -> str:
        """Upload a source, release it, and wait for the end."""
        self.upload(**{"t__yaml": TEMPLATE, **files})
        return self.ends(self.start())

    def cause(self, name: str = "Deploy") -> str:
        """Why an action failed."""
        return str(self.action_state(name)["errorDetails"]["message"])

    def summary(self, name: str = "Deploy") -> str:
        """What an action said of its success."""
        return str(self.action_state(name)["summary"])


def executes(setting: str, account: str, *more: dict[str, Any]) -> str:
    """A role with which CloudFormation may keep one parameter."""
    arn = f"arn:aws:ssm:{REGION}:{account}:parameter{setting}"
    trusted = trust({"Service": "cloudformation.amazonaws.com"})
    return make_role(account, allow("ssm:*", arn), *more, trusted=trusted)


@pytest.fixture
def bench(laptop: LaptopServer, request: pytest.FixtureRequest) -> Iterator[StackBench]:
    name = str(request.node.name).removeprefix("test_").partition("[")[0]
    made = StackBench(unused(name[:36].strip("_")))
    yield made
    made.heard.stop()


def opened(artifact: dict[str, Any]) -> dict[str, Any]:
    """The JSON file in an artifact."""
    place = artifact["s3location"]
    body = client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        (name,) = archive.namelist()
        return {name: json.loads(archive.read(name))}


def test_a_change_set_is_made_executed_and_its_outputs_handed_on(bench: StackBench):
    bench.may(*MODES["change sets"])
    named = {"ChangeSetName": "next", "TemplateConfiguration": "Zip::staging.json"}
    execute = bench.deploys(
        "CHANGE_SET_EXECUTE",
        "Execute",
        runOrder=2,
        namespace="Stack",
        outputArtifacts=["Outputs"],
        configuration={"ChangeSetName": "next", "OutputFileName": "outputs.json"},
    )
    prepare = bench.deploys("CHANGE_SET_REPLACE", "Prepare", configuration=named)
    gate = approval("Gate", configuration={"CustomData": "deployed #{Stack.Setting}"})
    bench.create(stage("Deploy", prepare, execute), stage("Gate", gate))
    bench.upload(
        t__yaml=TEMPLATE,
        staging__json='{"Parameters": {"Value": "two", "Name": "overridden"}, "Tags": {"a": "b"}}',
    )

    execution = bench.start()
    bench.begins("Gate", execution)

    done = bench.actions(execution)
    (stack,) = client("cloudformation").describe_stacks(StackName=bench.stack)["Stacks"]
    (outputs,) = done["Execute"]["output"]["outputArtifacts"]
    assert bench.value() == "two"
    assert (stack["RoleARN"], stack["Tags"]) == (bench.service_role, [{"Key": "a", "Value": "b"}])
    assert opened(outputs) == {"outputs.json": {"Setting": bench.setting, "Value": "two"}}
    custom = done["Gate"]["input"]["resolvedConfiguration"]["CustomData"]
    assert custom == f"deployed {bench.setting}"
    assert bench.summary("Prepare") == "Change set next was created with 1 changes"


def test_a_release_that_changes_nothing_passes_and_does_nothing(bench: StackBench):
    bench.may(*MODES["change sets"])
    named = {"ChangeSetName": "next"}
    prepare = bench.deploys("CHANGE_SET_REPLACE", "Prepare", configuration=named)
    execute = bench.deploys("CHANGE_SET_EXECUTE", "Execute", runOrder=2, configuration=named)
    bench.create(stage("Deploy", prepare, execute))

    assert [bench.released(), bench.released()] == ["SUCCEEDED", "SUCCEEDED"]

    assert bench.summary("Prepare") == "Change set next contains no changes"
    assert bench.summary("Execute").endswith("is up to date, nothing was done")


def test_parameters_come_from_artifacts_and_variables(bench: StackBench):
    bench.may(*MODES["stacks"])
    overrides = {
        "Name": bench.setting,
        "Value": {"Fn::GetParam": ["Zip", "built.json", "Version"]},
    }
    key = {"Name": bench.setting, "Value": {"Fn::GetArtifactAtt": ["Zip", "ObjectKey"]}}
    asked = {"ParameterOverrides": json.dumps(overrides)}
    bench.create(stage("Deploy", bench.deploys("CREATE_UPDATE", configuration=asked)))

    assert bench.released(built__json='{"Version": "7"}') == "SUCCEEDED"
    assert bench.value() == "7"

    again = bench.deploys("CREATE_UPDATE", configuration={"ParameterOverrides": json.dumps(key)})
    pipeline = bench.declare(stage("Deploy", again))
    client("codepipeline").update_pipeline(pipeline=pipeline)
    assert bench.released() == "SUCCEEDED"
    (source,) = bench.actions(bench_last(bench))["Source"]["output"]["outputArtifacts"]
    assert bench.value() == source["s3location"]["key"]


def bench_last(bench: PipelineBench) -> str:
    """The newest execution."""
    told = client("codepipeline").list_pipeline_executions(pipelineName=bench.name)
    return str(told["pipelineExecutionSummaries"][0]["pipelineExecutionId"])


def test_a_stack_is_created_updated_left_alone_and_deleted(bench: StackBench):
    bench.may(*MODES["stacks"])
    deploy = bench.deploys("CREATE_UPDATE")
    delete = bench.deploys("DELETE_ONLY", "Delete")
    bench.create(stage("Deploy", deploy))

    first, value = bench.released(), bench.value()
    assert (first, value) == ("SUCCEEDED", "one")
    changed = TEMPLATE.replace("Default: one", "Default: two")
    assert (bench.released(t__yaml=changed), bench.value()) == ("SUCCEEDED", "two")
    assert bench.released(t__yaml=changed) == "SUCCEEDED"
    assert bench.summary() == "The stack is up to date, nothing was done"

    client("codepipeline").update_pipeline(pipeline=bench.declare(stage("Deploy", delete)))
    assert bench.released() == "SUCCEEDED"
    with pytest.raises(ClientError, match="ParameterNotFound"):
        bench.value()
    assert bench.released() == "SUCCEEDED"
    assert "There is no stack" in bench.summary("Delete")


def test_a_failed_stack_rolls_back_and_the_action_says_why(bench: StackBench):
    bench.may(*MODES["stacks"])
    bench.create(stage("Deploy", bench.deploys("CREATE_UPDATE")))
    assert bench.released() == "SUCCEEDED"

    assert bench.released(t__yaml=BROKEN) == "FAILED"
    assert "DescribeStackEvents" in bench.cause()
    bench.may("DescribeStackEvents")
    assert bench.released(t__yaml=BROKEN) == "FAILED"

    assert f"Stack {bench.stack} ended as UPDATE_ROLLBACK_COMPLETE." in bench.cause()
    assert "Forbidden (AWS::SSM::Parameter): " in bench.cause()
    assert "ssm:PutParameter" in bench.cause()
    assert bench.value() == "one"


def test_a_stack_that_could_not_be_made_can_be_replaced(bench: StackBench):
    bench.may(*MODES["stacks"])
    bench.create(stage("Deploy", bench.deploys("REPLACE_ON_FAILURE")))
    assert bench.released(t__yaml=BROKEN) == "FAILED"

    assert bench.released() == "SUCCEEDED"
    assert bench.value() == "one"


@pytest.mark.parametrize("missing", [*MODES["change sets"], "iam:PassRole"])
def test_every_right_of_a_change_set_is_asked_for(bench: StackBench, missing: str):
    given = [name for name in MODES["change sets"] if name != missing]
    bench.may(*given, passes=missing != "iam:PassRole")
    named = {"ChangeSetName": "next"}
    prepare = bench.deploys("CHANGE_SET_REPLACE", "Prepare", configuration=named)
    execute = bench.deploys("CHANGE_SET_EXECUTE", "Execute", runOrder=2, configuration=named)
    bench.create(stage("Deploy", prepare, execute))

    ended = bench.released()
    if missing == "DeleteChangeSet":  # nothing to delete the first time
        ended = bench.released()

    failed = "Execute" if missing == "ExecuteChangeSet" else "Prepare"
    assert ended == "FAILED"
    assert missing in bench.cause(failed)
    assert bench.action_state(failed)["errorDetails"]["code"] == "PermissionError"


def test_an_artifact_of_the_template_s_own_size_is_no_obstacle(bench: StackBench):
    """Signalbox's own template is larger than what CreateStack takes as text."""
    bench.may(*MODES["stacks"])
    bench.create(stage("Deploy", bench.deploys("CREATE_UPDATE")))

    assert bench.released(t__yaml=TEMPLATE + "# " + "long " * 30_000) == "SUCCEEDED"


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "The file staging.json is not in the input artifact Zip"),
        ({"staging__json": "{"}, "is not JSON"),
        ({"staging__json": '{"StackPolicy": {"a": 1}}'}, "StackPolicy is not supported"),
        ({"staging__json": '{"Parameter": {}}'}, "unknown key Parameter"),
        ({"staging__json": '{"Parameters": {"Value": {"a": 1}}}'}, "the value of Value must be"),
    ],
)
def test_a_template_configuration_that_cannot_be_used_is_explained(
    bench: StackBench, files: dict[str, str], reason: str
):
    bench.may(*MODES["stacks"])
    settings = {"TemplateConfiguration": "Zip::staging.json"}
    bench.create(stage("Deploy", bench.deploys("CREATE_UPDATE", configuration=settings)))

    assert bench.released(**files) == "FAILED"
    assert reason in bench.cause()


def test_deploys_into_another_account_with_a_key_of_this_one(bench: StackBench):
    """Artifact, key and stack: each is decided on both sides."""
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    bench.grant("kms:*", key)
    service_role = executes(bench.setting, STAGING)
    stack = f"arn:aws:cloudformation:{REGION}:{STAGING}:stack/{bench.stack}/*"
    rights = [
        allow([f"cloudformation:{name}" for name in MODES["stacks"]], stack),
        allow("iam:PassRole", service_role),
        allow("s3:GetObject", f"arn:aws:s3:::{bench.bucket}/*"),
        allow("kms:Decrypt", key),
    ]
    role = make_role(STAGING, *rights, trusted=trust({"AWS": bench.role}))
    bench.grant("sts:AssumeRole", role)
    deploy = bench.deploys("CREATE_UPDATE", configuration={"RoleArn": service_role}, roleArn=role)
    store = {"type": "S3", "location": bench.bucket, "encryptionKey": {"id": key, "type": "KMS"}}
    bench.create(stage("Deploy", deploy), artifactStores={REGION: store}, artifactStore=None)

    assert bench.released() == "FAILED"
    assert "s3:GetObject" in bench.cause()
    share = allow("s3:GetObject", f"arn:aws:s3:::{bench.bucket}/*", Principal=root(STAGING))
    client("s3").put_bucket_policy(Bucket=bench.bucket, Policy=document(share))
    assert bench.released() == "FAILED"
    assert "kms:Decrypt" in bench.cause()
    both = [allow("kms:*", "*", Principal=root(each)) for each in (ACCOUNT, STAGING)]
    client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=document(*both))

    assert bench.released() == "SUCCEEDED"

    there = owner("ssm", STAGING).get_parameter(Name=bench.setting)["Parameter"]
    assert there["Value"] == "one"
    with pytest.raises(ClientError, match="does not exist"):
        developer_client("cloudformation").describe_stacks(StackName=bench.stack)
