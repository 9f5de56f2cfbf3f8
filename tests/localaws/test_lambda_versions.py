"""Versions of functions: what they keep, how they are named, what a stack makes of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import clients
from tests.localaws import stack_world as stacks
from tests.localaws.lambda_world import TRUST, Laptop, laptop_for_functions, zipped

SAYS = """
import os

def handler(event, context):
    return [{word!r}, os.environ.get("MODE", ""), os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
            context.function_version, context.invoked_function_arn.split(":function:")[1]]
"""


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    yield from laptop_for_functions(tmp_path_factory.mktemp("state"))


def says(laptop: Laptop, name: str, word: str = "old", mode: str = "first") -> str:
    return laptop.make(name, SAYS.format(word=word), Environment={"Variables": {"MODE": mode}})


def publish(laptop: Laptop, name: str, **more: Any) -> str:
    return str(laptop.client.publish_version(FunctionName=name, **more)["Version"])


def change(laptop: Laptop, name: str, word: str, mode: str) -> None:
    code = zipped({"app.py": SAYS.format(word=word)})
    laptop.client.update_function_code(FunctionName=name, ZipFile=code)
    laptop.client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"MODE": mode}}
    )


def said(laptop: Laptop, function: str, **qualifier: str) -> tuple[list[str], str]:
    answer = laptop.client.invoke(FunctionName=function, Payload=b"{}", **qualifier)
    return json.loads(answer["Payload"].read()), answer["ExecutedVersion"]


def refusal(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_a_version_keeps_the_code_and_the_settings_of_its_moment(laptop: Laptop) -> None:
    name = says(laptop, "keeps")
    version = publish(laptop, name)

    change(laptop, name, "new", "second")

    assert said(laptop, name) == (["new", "second", "$LATEST", "$LATEST", name], "$LATEST")
    assert said(laptop, name, Qualifier=version) == (
        ["old", "first", "1", "1", f"{name}:1"],
        "1",
    )


def test_publishing_what_did_not_change_gives_the_last_version_again(laptop: Laptop) -> None:
    # Lambda Developer Guide, "Manage Lambda function versions": no version is published if code
    # and configuration have not changed since the last one.
    name = says(laptop, "unchanged")
    first = publish(laptop, name)

    again = publish(laptop, name)
    change(laptop, name, "new", "second")
    other = publish(laptop, name)

    assert (first, again, other) == ("1", "1", "2")


def test_the_number_of_a_deleted_version_is_not_given_again(laptop: Laptop) -> None:
    name = says(laptop, "numbers")
    publish(laptop, name)
    change(laptop, name, "new", "second")
    publish(laptop, name)
    laptop.client.delete_function(FunctionName=name, Qualifier="2")

    change(laptop, name, "newer", "third")

    assert publish(laptop, name) == "3"
    listed = laptop.client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [version["Version"] for version in listed] == ["$LATEST", "1", "3"]


def test_only_the_code_that_was_meant_is_published(laptop: Laptop) -> None:
    name = says(laptop, "meant")
    sha = laptop.client.get_function_configuration(FunctionName=name)["CodeSha256"]

    with pytest.raises(ClientError, match="different from current CodeSHA256") as caught:
        publish(laptop, name, CodeSha256="another")

    assert refusal(caught) == "InvalidParameterValueException"
    assert publish(laptop, name, CodeSha256=sha) == "1"


def test_a_version_cannot_be_changed(laptop: Laptop) -> None:
    name = says(laptop, "fixed")
    publish(laptop, name)

    with pytest.raises(ClientError) as caught:
        laptop.client.update_function_configuration(FunctionName=f"{name}:1", Timeout=9)

    assert refusal(caught) == "InvalidParameterValueException"


def test_a_version_that_an_alias_needs_cannot_be_deleted(laptop: Laptop) -> None:
    name = says(laptop, "needed")
    publish(laptop, name)
    laptop.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    with pytest.raises(ClientError, match="live") as caught:
        laptop.client.delete_function(FunctionName=name, Qualifier="1")

    assert refusal(caught) == "ResourceConflictException"
    laptop.client.delete_alias(FunctionName=name, Name="live")
    laptop.client.delete_function(FunctionName=name, Qualifier="1")


def test_deleting_a_function_deletes_its_versions_and_aliases(laptop: Laptop) -> None:
    name = says(laptop, "gone")
    publish(laptop, name)
    laptop.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    laptop.client.delete_function(FunctionName=name)
    says(laptop, name)

    assert laptop.client.list_aliases(FunctionName=name)["Aliases"] == []
    assert len(laptop.client.list_versions_by_function(FunctionName=name)["Versions"]) == 1


TEMPLATE = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: NAME-role
      AssumeRolePolicyDocument: TRUST
  F:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: NAME
      Handler: index.handler
      Runtime: python3.13
      Timeout: 20
      Role: !GetAtt Role.Arn
      Code:
        ZipFile: |
          def handler(event, context):
              return "WORD"
  VersionWORD:
    Type: AWS::Lambda::Version
    DeletionPolicy: POLICY
    Properties: {FunctionName: !Ref F}
  Live:
    Type: AWS::Lambda::Alias
    Properties: {FunctionName: !Ref F, FunctionVersion: !GetAtt VersionWORD.Version, Name: live}
  Handling:
    Type: AWS::Lambda::EventInvokeConfig
    DependsOn: Live
    Properties: {FunctionName: !Ref F, Qualifier: live, MaximumRetryAttempts: 1}
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Live
      Principal: events.amazonaws.com
Outputs:
  Version: {Value: !Ref VersionWORD}
  Alias: {Value: !Ref Live}
"""
BROKEN = """  Wrong:
    Type: AWS::Lambda::Alias
    DependsOn: Live
    Properties: {FunctionName: !Ref F, FunctionVersion: "77", Name: wrong}
Outputs:"""


def template(name: str, word: str, policy: str = "Retain") -> str:
    filled = TEMPLATE.replace("NAME", name).replace("TRUST", json.dumps(TRUST))
    return filled.replace("WORD", word).replace("POLICY", policy)


def word_of(alias: str) -> tuple[str, str]:
    answer = stacks.client("lambda").invoke(FunctionName=alias, Payload=b"{}")
    return json.loads(answer["Payload"].read()), answer["ExecutedVersion"]


def outputs(name: str) -> dict[str, str]:
    return {o["OutputKey"]: o["OutputValue"] for o in stacks.described(name)["Outputs"]}


def numbers(name: str) -> list[str]:
    listed = stacks.client("lambda").list_versions_by_function(FunctionName=name)["Versions"]
    return [version["Version"] for version in listed]


def test_a_stack_moves_its_alias_to_the_version_it_makes(laptop: Laptop) -> None:
    name = "moved"
    assert stacks.create(name, template(name, "one"), Parameters=[]) == "CREATE_COMPLETE"
    before = outputs(name)

    assert stacks.update(name, template(name, "two"), Parameters=[]) == "UPDATE_COMPLETE"

    account = stacks.OPERATIONS
    assert before == {
        "Version": f"arn:aws:lambda:us-east-1:{account}:function:moved:1",
        "Alias": f"arn:aws:lambda:us-east-1:{account}:function:moved:live",
    }
    assert outputs(name) == before | {"Version": before["Version"][:-1] + "2"}
    assert word_of(before["Alias"]) == ("two", "2")
    assert word_of(before["Version"]) == ("one", "1")
    assert numbers(name) == ["$LATEST", "1", "2"]
    policy = stacks.client("lambda").get_policy(FunctionName=name, Qualifier="live")["Policy"]
    assert json.loads(policy)["Statement"][0]["Resource"] == before["Alias"]
    handling = stacks.client("lambda").get_function_event_invoke_config(
        FunctionName=name, Qualifier="live"
    )
    assert (handling["FunctionArn"], handling["MaximumRetryAttempts"]) == (before["Alias"], 1)
    assert stacks.delete(name) == "DELETE_COMPLETE"


@pytest.mark.parametrize(
    ("policy", "left"), [("Delete", ["$LATEST", "1"]), ("Retain", ["$LATEST", "1", "2"])]
)
def test_a_rolled_back_update_leads_the_alias_back_and_deletes_the_new_version_unless_retained(
    laptop: Laptop, policy: str, left: list[str]
) -> None:
    name = f"back-{policy.lower()}"
    stacks.create(name, template(name, "one", policy), Parameters=[])
    broken = template(name, "two", policy).replace("Outputs:", BROKEN)

    assert stacks.update(name, broken, Parameters=[]) == "UPDATE_ROLLBACK_COMPLETE"

    assert word_of(f"{name}:live") == ("one", "1")
    assert numbers(name) == left


def test_a_stack_that_publishes_what_is_published_fails_as_on_aws(laptop: Laptop) -> None:
    # CloudFormation's handler refuses to own a version twice (its message: aws-cdk issue 28252)
    name = "twice"
    stacks.create(name, template(name, "one"), Parameters=[])
    again = template(name, "one").replace("Versionone", "Versionagain")

    assert stacks.update(name, again, Parameters=[]) == "UPDATE_ROLLBACK_COMPLETE"

    events = stacks.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert any("Version already exists" in reason for reason in reasons)


def test_a_developer_of_another_role_needs_the_right_on_the_version_it_calls(
    laptop: Laptop,
) -> None:
    name = says(laptop, "guarded")
    publish(laptop, name)
    laptop.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    caller = role_that_may("caller", f"arn:aws:lambda:us-east-1:123456789012:function:{name}:live")

    assert said_as(caller, f"{name}:live") == "1"
    assert said_as(caller, name, Qualifier="live") == "1"
    for function in (name, f"{name}:1"):
        with pytest.raises(ClientError) as caught:
            said_as(caller, function)
        assert refusal(caught) == "AccessDeniedException"


def role_that_may(name: str, resource: str) -> str:
    iam = clients.developer_client("iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    document = stacks.policy(stacks.statement("lambda:InvokeFunction", resource))
    iam.put_role_policy(RoleName=name, PolicyName="invoke", PolicyDocument=document)
    return str(arn)


def said_as(role: str, function: str, **qualifier: str) -> str:
    lambda_ = clients.client_as(
        role, "lambda.amazonaws.com", "lambda", region="us-east-1", session_name="caller"
    )
    answer = lambda_.invoke(FunctionName=function, Payload=b"{}", **qualifier)
    return str(answer["ExecutedVersion"])
