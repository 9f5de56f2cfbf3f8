"""Stacks through CloudFormation's API: made, changed, taken back, deleted, looked at.

Expected answers: CloudFormation API Reference and User Guide, "Stack status codes" (read 2026-11).
"""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.events import service as events
from tests.localaws import stack_world as world
from tests.localaws.account_world import unused
from tests.localaws.sagemaker_world import comes_true
from tests.localaws.stack_world import BROKEN, OPERATIONS, SMALL, client, described, given

ABSENT = '["arn:aws:iam::567890123456:policy/absent"]'
pytestmark = pytest.mark.usefixtures("laptop")


@pytest.fixture
def name() -> str:
    return unused("stack")


def refused(code: str, message: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\).*{message}")


def test_a_stack_is_created_and_described(name: str) -> None:
    assert world.create(name, Tags=[{"Key": "team", "Value": "a"}]) == "CREATE_COMPLETE"

    stack = described(name)
    queue = f"arn:aws:sqs:us-east-1:{OPERATIONS}:{name}-queue"
    assert stack["StackId"].startswith(
        f"arn:aws:cloudformation:us-east-1:{OPERATIONS}:stack/{name}/"
    )
    assert stack["Description"] == "A queue and where to find it"
    assert stack["Outputs"] == [
        {"OutputKey": "QueueArn", "OutputValue": queue, "Description": "The queue"}
    ]
    assert {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]} == {
        "Delay": "5",
        "Name": name,
        "Word": "****",
    }
    assert stack["Tags"] == [{"Key": "team", "Value": "a"}]
    assert client("ssm").get_parameter(Name=f"/{name}/queue")["Parameter"]["Value"] == queue


def test_its_events_tell_the_order(name: str) -> None:
    world.create(name)

    assert world.told(name) == [
        (name, "CREATE_IN_PROGRESS"),
        ("Queue", "CREATE_IN_PROGRESS"),
        ("Queue", "CREATE_COMPLETE"),
        ("Address", "CREATE_IN_PROGRESS"),
        ("Address", "CREATE_COMPLETE"),
        (name, "CREATE_COMPLETE"),
    ]


def test_its_resources_are_listed_and_found_by_their_names(name: str) -> None:
    world.create(name)
    cloudformation = client("cloudformation")

    listed = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    one = cloudformation.describe_stack_resource(StackName=name, LogicalResourceId="Address")
    owner = cloudformation.describe_stack_resources(PhysicalResourceId=f"/{name}/queue")

    assert [item["LogicalResourceId"] for item in listed] == ["Address", "Queue"]
    assert one["StackResourceDetail"]["PhysicalResourceId"] == f"/{name}/queue"
    assert json.loads(one["StackResourceDetail"]["Metadata"]) == {"Why": "to find the queue"}
    assert owner["StackResources"][0]["StackName"] == name


def test_stacks_of_accounts_are_apart(name: str) -> None:
    world.create(name)

    with refused("ValidationError", f"Stack with id {name} does not exist"):
        described(name, client("cloudformation", "123456789012"))


def test_the_waiters_of_boto3_return_at_once(name: str) -> None:
    """The waiters look every 30 s: the test's own time limit is far below that of one more look."""
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=SMALL, Parameters=given(Name=name))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name)
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name)

    with refused("ValidationError", "does not exist"):
        described(name)


def test_an_update_changes_in_place(name: str) -> None:
    world.create(name)
    identifier = described(name)["StackId"]

    assert world.update(name, Parameters=given(Name=name, Delay="9")) == "UPDATE_COMPLETE"

    assert described(name)["StackId"] == identifier
    assert world.delay_of(name) == "9"
    assert world.statuses(name)[2:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
    ]


def test_an_update_that_changes_nothing_is_refused(name: str) -> None:
    world.create(name)

    with refused("ValidationError", "No updates are to be performed"):
        world.update(name)


@pytest.mark.parametrize(
    "more",
    [
        {"Tags": [{"Key": "team", "Value": "b"}]},
        {
            "TemplateBody": SMALL.replace(
                "Description: The queue}", "Export: {Name: only-an-output}}"
            )
        },
        {
            "TemplateBody": SMALL.replace(
                "Type: AWS::SQS", "DeletionPolicy: Retain\n    Type: AWS::SQS"
            )
        },
    ],
    ids=["tags", "outputs", "deletion policy"],
)
def test_what_changes_no_property_is_an_update_too(name: str, more: dict[str, Any]) -> None:
    world.create(name)
    template = more.pop("TemplateBody", SMALL)

    assert world.update(name, template, **more) == "UPDATE_COMPLETE"


def test_tags_of_a_stack_reach_what_is_made_with_them(name: str) -> None:
    """A later change of them is a change of every resource that has tags, as on AWS."""
    world.create(name, Tags=[{"Key": "team", "Value": "a"}])
    url = client("sqs").get_queue_url(QueueName=f"{name}-queue")["QueueUrl"]
    assert client("sqs").list_queue_tags(QueueUrl=url)["Tags"] == {"team": "a"}

    world.update(name, Tags=[{"Key": "team", "Value": "b"}])

    assert described(name)["Tags"] == [{"Key": "team", "Value": "b"}]
    assert client("sqs").list_queue_tags(QueueUrl=url)["Tags"] == {"team": "b"}


def test_a_tag_of_a_stack_is_proposed_as_a_change_of_its_resources(name: str) -> None:
    world.create(name, Tags=[{"Key": "team", "Value": "a"}])

    client("cloudformation").create_change_set(
        StackName=name,
        ChangeSetName="proposed",
        TemplateBody=SMALL,
        Parameters=given(Name=name),
        Tags=[{"Key": "team", "Value": "b"}],
    )

    made = client("cloudformation").describe_change_set(StackName=name, ChangeSetName="proposed")
    (change,) = (one["ResourceChange"] for one in made["Changes"])
    assert (change["Action"], change["Replacement"], change["Scope"]) == (
        "Modify",
        "False",
        ["Tags"],
    )


def test_previous_template_and_values_are_kept_where_asked(name: str) -> None:
    world.create(name, Parameters=given(Name=name, Delay="7"))
    kept = [{"ParameterKey": key, "UsePreviousValue": True} for key in ("Name", "Delay")]

    client("cloudformation").update_stack(
        StackName=name,
        UsePreviousTemplate=True,
        Parameters=[*kept, *given(Word="other")],
        Tags=[{"Key": "again", "Value": "yes"}],
    )

    assert world.status(name) == "UPDATE_COMPLETE"
    assert world.delay_of(name) == "7"


def test_a_failing_creation_is_rolled_back_and_can_only_be_deleted(name: str) -> None:
    assert world.create(name, BROKEN) == "ROLLBACK_COMPLETE"

    assert "absent" in described(name)["StackStatusReason"]
    assert ("Role", "CREATE_FAILED") in world.told(name)
    assert "QueueUrls" not in client("sqs").list_queues(QueueNamePrefix=name)
    with refused("ValidationError", "is in ROLLBACK_COMPLETE state and can not be updated"):
        world.update(name)
    assert world.delete(name) == "DELETE_COMPLETE"


def test_a_failing_update_rolls_back_to_what_was(name: str) -> None:
    world.create(name)

    assert world.update(name, BROKEN, Parameters=given(Name=name, Delay="9")) == (
        "UPDATE_ROLLBACK_COMPLETE"
    )

    assert world.delay_of(name) == "5"
    assert world.statuses(name)[-3:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
    shown = {p["ParameterKey"]: p["ParameterValue"] for p in described(name)["Parameters"]}
    assert shown["Delay"] == "5"
    with refused("ValidationError", "No updates are to be performed"):
        world.update(name)


def test_the_resource_whose_update_failed_is_changed_back_as_well(name: str) -> None:
    """Its first call went through before the second one failed."""
    described_role = BROKEN.replace("RoleName:", "Description: second\n      RoleName:")
    first = described_role.replace("second", "first").replace(ABSENT, "[]")
    world.create(name, first)

    assert world.update(name, described_role) == "UPDATE_ROLLBACK_COMPLETE"

    assert client("iam").get_role(RoleName=f"{name}-role")["Role"]["Description"] == "first"


def test_a_creation_may_be_left_as_it_failed(name: str) -> None:
    assert world.create(name, BROKEN, DisableRollback=True) == "CREATE_FAILED"

    assert world.delay_of(name) == "5"
    assert world.update(name, SMALL) == "UPDATE_COMPLETE"
    assert world.delete(name) == "DELETE_COMPLETE"
    assert "QueueUrls" not in client("sqs").list_queues(QueueNamePrefix=name)


def test_a_creation_may_leave_no_stack_when_it_fails(name: str) -> None:
    client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=BROKEN,
        Parameters=given(Name=name),
        Capabilities=world.NAMED_IAM,
        OnFailure="DELETE",
    )
    found = client("cloudformation").list_stacks()["StackSummaries"]

    identifier = next(item["StackId"] for item in found if item["StackName"] == name)
    assert world.status(identifier) == "DELETE_COMPLETE"


def test_a_deleted_stack_stays_known_by_its_id_and_its_name_is_free(name: str) -> None:
    world.create(name)
    first = described(name)["StackId"]

    assert world.delete(name) == "DELETE_COMPLETE"

    assert "QueueUrls" not in client("sqs").list_queues(QueueNamePrefix=name)
    assert world.create(name) == "CREATE_COMPLETE"
    assert described(name)["StackId"] != first
    client("cloudformation").delete_stack(StackName=first)  # again: nothing happens
    assert world.status(name) == "CREATE_COMPLETE"


BUCKET = """
Parameters: {Name: {Type: String}}
Resources:
  Store: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub "${Name}-store"}}
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Store
      PolicyDocument: {Version: "2012-10-17", Statement: []}
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref Name}}
"""


def test_a_bucket_that_holds_something_stops_a_deletion(name: str) -> None:
    world.create(name, BUCKET)
    client("s3").put_object(Bucket=f"{name}-store", Key="a", Body=b"1")

    assert world.delete(name) == "DELETE_FAILED"
    left = client("cloudformation").list_stack_resources(StackName=name)["StackResourceSummaries"]
    failed = [item for item in left if item["ResourceStatus"] == "DELETE_FAILED"]
    assert [item["LogicalResourceId"] for item in failed] == ["Store"]
    assert "not empty" in failed[0]["ResourceStatusReason"]

    assert world.delete(name, RetainResources=["Store"]) == "DELETE_COMPLETE"
    assert client("s3").get_object(Bucket=f"{name}-store", Key="a")["Body"].read() == b"1"


def test_a_protected_stack_is_not_deleted(name: str) -> None:
    world.create(name, EnableTerminationProtection=True)

    with refused("ValidationError", "TerminationProtection is enabled"):
        client("cloudformation").delete_stack(StackName=name)

    client("cloudformation").update_termination_protection(
        StackName=name, EnableTerminationProtection=False
    )
    assert world.delete(name) == "DELETE_COMPLETE"


def test_a_new_logical_id_for_the_same_bucket_is_refused_and_nothing_is_lost(name: str) -> None:
    """S3 takes the creation of one's own bucket for granted; the clean-up would delete it."""
    world.create(name, BUCKET)
    renamed = BUCKET.replace("Store", "Storage")

    with refused("ValidationError", "already exists in the stack, as Store"):
        world.update(name, renamed)

    assert client("s3").head_bucket(Bucket=f"{name}-store")


def test_two_stacks_cannot_own_one_resource(name: str) -> None:
    world.create(name)
    other = unused("stack")

    with refused("ValidationError", f"{name}-queue already exists in stack arn:aws:cloudformation"):
        world.create(other, Parameters=given(Name=name))


def test_one_operation_goes_on_at_a_time(name: str) -> None:
    """Of several that begin together, one is carried out and the others are refused."""
    world.create(name)
    outcomes: list[str] = []
    refusals: list[str] = []

    def update(delay: int) -> None:
        try:
            client("cloudformation").update_stack(
                StackName=name,
                UsePreviousTemplate=True,
                Parameters=given(Name=name, Delay=str(delay)),
            )
            outcomes.append(str(delay))
        except ClientError as error:
            refusals.append(error.response["Error"]["Message"])

    threads = [threading.Thread(target=update, args=(delay,)) for delay in range(10, 16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert world.status(name) == "UPDATE_COMPLETE"
    assert world.delay_of(name) in outcomes
    assert world.statuses(name).count("UPDATE_IN_PROGRESS") == len(outcomes)
    assert all("state and can not be updated" in refusal for refusal in refusals)


SECRET = """
Parameters: {Name: {Type: String}, Words: {Type: String, Default: a}}
Resources:
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties: {Name: !Ref Name, Description: !Ref Words, SecretString: to be filled in}
"""


def test_an_update_leaves_a_secret_as_people_have_set_it(name: str) -> None:
    world.create(name, SECRET)
    client("secretsmanager").put_secret_value(SecretId=name, SecretString="the real one")

    world.update(name, SECRET, Parameters=given(Name=name, Words="b"))

    assert client("secretsmanager").describe_secret(SecretId=name)["Description"] == "b"
    kept = client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
    assert kept == "the real one"


EXPORTING = """
Resources: {Topic: {Type: AWS::SNS::Topic}}
Outputs: {Arn: {Value: !Ref Topic, Export: {Name: !Sub "${AWS::StackName}-topic"}}}
"""
IMPORTING = """
Parameters: {From: {Type: String}}
Resources:
  Address:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: {"Fn::ImportValue": !Sub "${From}-topic"}}
"""


def test_an_export_is_found_by_others_and_held_by_them(name: str) -> None:
    world.create(name, EXPORTING, Parameters=[])
    user = unused("stack")
    world.create(user, IMPORTING, Parameters=given(From=name))
    exported = {"Name": f"{name}-topic"}

    listed = client("cloudformation").list_exports()["Exports"]
    value = next(item["Value"] for item in listed if item["Name"] == exported["Name"])
    used = client("cloudformation").list_imports(ExportName=exported["Name"])["Imports"]
    address = client("cloudformation").list_stack_resources(StackName=user)

    stored = address["StackResourceSummaries"][0]["PhysicalResourceId"]
    assert client("ssm").get_parameter(Name=stored)["Parameter"]["Value"] == value
    assert used == [user]
    assert world.delete(name) == "DELETE_FAILED"
    assert f"in use by {user}" in described(name)["StackStatusReason"]
    world.delete(user)
    assert world.delete(name) == "DELETE_COMPLETE"


def test_an_export_that_nobody_has_is_refused(name: str) -> None:
    with refused("ValidationError", "No export named nobody-topic found"):
        world.create(name, IMPORTING, Parameters=given(From="nobody"))


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    end = events.subscribe(told.append)
    yield told
    end()


def test_the_event_bus_hears_of_a_stack(name: str, heard: list[dict[str, Any]]) -> None:
    """Shape: CloudFormation User Guide, "Stack Status Change event detail"."""
    ended = {"status": "CREATE_COMPLETE", "status-reason": ""}

    world.create(name, ClientRequestToken="run-7")

    def of_stack() -> list[dict[str, Any]]:
        return [e for e in heard if e["detail-type"] == "CloudFormation Stack Status Change"]

    # The bus may hear of the end a moment after DescribeStacks tells it.
    assert comes_true(lambda: of_stack()[-1]["detail"]["status-details"] == ended)
    last = of_stack()[-1]
    assert last["source"] == "aws.cloudformation"
    assert last["account"] == OPERATIONS
    assert last["resources"] == [described(name)["StackId"]]
    assert last["detail"] == {
        "stack-id": described(name)["StackId"],
        "status-details": ended,
        "client-request-token": "run-7",
    }
    resources = [e for e in heard if e["detail-type"] == "CloudFormation Resource Status Change"]
    assert {e["detail"]["logical-resource-id"] for e in resources} == {"Queue", "Address"}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (
            SMALL.replace("AWS::SQS::Queue", "AWS::Mars::Rover"),
            "type AWS::Mars::Rover is not supported",
        ),
        (SMALL.replace("DelaySeconds", "DelaySecs"), "did you mean DelaySeconds"),
        (SMALL.replace("!GetAtt Queue.Arn", "!Ref Nobody"), "Ref to 'Nobody'"),
        ("Resources: [", "is not YAML"),
        ("{}", "has no Resources"),
        ("Transform: Own-Macro\n" + SMALL, "transform Own-Macro is not supported"),
    ],
)
def test_a_template_that_cannot_be_deployed_makes_no_stack(
    name: str, template: str, said: str
) -> None:
    with refused("ValidationError", said):
        world.create(name, template)

    with refused("ValidationError", "does not exist"):
        described(name)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ([], r"Parameters: \[Name\] must have values"),
        (given(Name="a", Nmae="b"), r"Parameters: \[Nmae\] do not exist in the template"),
        (given(Name="a", Delay="soon"), "'soon', not a number"),
    ],
)
def test_parameters_that_do_not_fit_are_named(
    name: str, parameters: list[dict[str, str]], said: str
) -> None:
    with refused("ValidationError", said):
        world.create(name, Parameters=parameters)


def test_a_template_longer_than_the_limit_needs_a_bucket(name: str, remote: Any) -> None:
    """CloudFormation's quota for TemplateBody is 51,200 bytes, for an object 1 MB."""
    keys = world.BY_ENVIRONMENT["operations"]
    outside = remote("cloudformation", key_id=keys.access_key_id, secret=keys.secret_access_key)
    long = SMALL + "#" * 52_000
    s3 = client("s3")
    s3.create_bucket(Bucket=f"{name}-templates")
    s3.put_object(Bucket=f"{name}-templates", Key="a b/t.yaml", Body=long.encode())

    with refused("ValidationError", "less than or equal to 51200"):
        world.create(name, long, cloudformation=outside)
    for address in (
        f"https://{name}-templates.s3.us-east-1.amazonaws.com/a%20b/t.yaml",
        f"https://s3.amazonaws.com/{name}-templates/a%20b/t.yaml",
        f"http://localhost:4700/{name}-templates/a%20b/t.yaml",
    ):
        shown = outside.get_template_summary(TemplateURL=address)
        assert shown["ResourceTypes"] == ["AWS::SQS::Queue", "AWS::SSM::Parameter"]
    with refused("ValidationError", "S3 error: .*key does not exist"):
        outside.validate_template(TemplateURL=f"https://s3.amazonaws.com/{name}-templates/no")


def test_a_template_is_summed_up(name: str) -> None:
    shown = client("cloudformation").get_template_summary(TemplateBody=BROKEN)

    assert shown["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    assert "AWS::IAM::Role" in shown["CapabilitiesReason"]
    declared = {item["ParameterKey"]: item for item in shown["Parameters"]}
    assert declared["Delay"]["DefaultValue"] == "5"
    assert "DefaultValue" not in declared["Name"]
    assert declared["Word"]["NoEcho"] is True


def test_the_template_of_a_stack_comes_back(name: str) -> None:
    world.create(name)

    shown = client("cloudformation").get_template(StackName=name)

    assert shown["TemplateBody"] == SMALL


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("create_stack", {"NotificationARNs": ["arn:aws:sns:us-east-1:567890123456:t"]}),
        ("create_stack", {"TimeoutInMinutes": 5}),
        ("create_stack", {"StackPolicyBody": "{}"}),
        ("set_stack_policy", {}),
        ("detect_stack_drift", {}),
    ],
)
def test_what_the_laptop_does_not_do_is_refused_aloud(
    name: str, operation: str, request_: dict[str, Any]
) -> None:
    with refused("UnsupportedByLocalAws", "not supported by the laptop's AWS"):
        getattr(client("cloudformation"), operation)(StackName=name, **request_)
