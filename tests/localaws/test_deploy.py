"""A stack is made, changed, taken back and deleted; the AWS below is plain moto."""

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.s3.models import s3_backends

from localaws.deploy import (
    Action,
    DeploymentFailed,
    DeployRequest,
    DeployResult,
    ResourceEvent,
    StackInUse,
    TemplateInvalid,
    deploy,
    destroy,
    plan,
)

READING = ("Get", "List", "Describe", "Head")


class RecordedClients:
    """boto3 clients of moto that remember the calls made through them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._clients: dict[str, Any] = {}
        self._session = boto3.Session(
            aws_access_key_id="AKIATEST", aws_secret_access_key="secret", region_name="us-east-1"
        )

    def __call__(self, service: str) -> Any:
        if service not in self._clients:
            client = self._session.client(service)
            client.meta.events.register("before-call", self._record)
            self._clients[service] = client
        return self._clients[service]

    def _record(self, model: Any, **_: Any) -> None:
        self.calls.append(f"{model.service_model.service_name}:{model.name}")

    def changing(self) -> list[str]:
        """Calls since the last look that were not mere reading."""
        found = [call for call in self.calls if not call.split(":")[1].startswith(READING)]
        self.calls.clear()
        return found


@pytest.fixture(scope="module")
def made_once() -> RecordedClients:
    """Clients cost more than all else here; moto takes their calls while its mock is on."""
    return RecordedClients()


@pytest.fixture
def clients(made_once: RecordedClients) -> Iterator[RecordedClients]:
    with mock_aws():
        made_once.calls.clear()
        yield made_once


def request(folder: Path, text: str, **parameters: str) -> DeployRequest:
    path = folder / "template.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return DeployRequest(path, "stack-1", parameters, build_dir=folder / "build")


def deployed(folder: Path, clients: RecordedClients, text: str, **parameters: str) -> DeployResult:
    return deploy(request(folder, text, **parameters), clients)


def actions(result: DeployResult) -> dict[str, str]:
    return {change.logical_id: change.action.value for change in result.changes}


SMALL = """
    Parameters: {Delay: {Type: Number, Default: 5}, Name: {Type: String, Default: one}}
    Resources:
      Queue:
        Type: AWS::SQS::Queue
        Properties: {QueueName: !Sub "${Name}-queue", DelaySeconds: !Ref Delay}
      Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: news}}
      Address:
        Type: AWS::SSM::Parameter
        Properties: {Type: String, Name: /app/queue, Value: !GetAtt Queue.Arn}
    Outputs:
      QueueArn: {Value: !GetAtt Queue.Arn}
      Place: {Value: !Sub "${Address} in ${AWS::Region}"}
"""


def test_a_new_stack_is_made_in_order_and_gives_its_outputs(
    tmp_path: Path, clients: RecordedClients
) -> None:
    result = deployed(tmp_path, clients, SMALL)

    arn = "arn:aws:sqs:us-east-1:123456789012:one-queue"
    assert result.outputs == {"QueueArn": arn, "Place": "/app/queue in us-east-1"}
    assert clients("ssm").get_parameter(Name="/app/queue")["Parameter"]["Value"] == arn
    assert actions(result) == {"Queue": "create", "Topic": "create", "Address": "create"}


def test_a_second_deployment_changes_nothing(tmp_path: Path, clients: RecordedClients) -> None:
    first = deployed(tmp_path, clients, SMALL)
    clients.calls.clear()

    second = deployed(tmp_path, clients, SMALL)

    assert clients.changing() == []
    assert second.changes == ()
    assert second.outputs == first.outputs


def test_a_changed_property_is_updated_in_place(tmp_path: Path, clients: RecordedClients) -> None:
    deployed(tmp_path, clients, SMALL)
    clients.calls.clear()

    result = deployed(tmp_path, clients, SMALL, Delay="9")

    assert actions(result) == {"Queue": "update"}
    assert result.changes[0].properties == ("DelaySeconds",)
    assert clients.changing() == ["sqs:SetQueueAttributes", "s3:PutObject"]
    url = clients("sqs").get_queue_url(QueueName="one-queue")["QueueUrl"]
    attributes = clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert attributes["Attributes"]["DelaySeconds"] == "9"


def test_a_changed_name_makes_a_new_resource_and_what_refers_to_it_follows(
    tmp_path: Path, clients: RecordedClients
) -> None:
    deployed(tmp_path, clients, SMALL)

    result = deployed(tmp_path, clients, SMALL, Name="two")

    assert [(change.logical_id, change.action.value) for change in result.changes] == [
        ("Queue", "replace"),
        ("Address", "update"),
        ("Queue", "delete"),
    ]
    assert (
        clients("ssm").get_parameter(Name="/app/queue")["Parameter"]["Value"].endswith("two-queue")
    )
    assert [url.split("/")[-1] for url in clients("sqs").list_queues()["QueueUrls"]] == [
        "two-queue"
    ]


def test_a_resource_that_left_the_template_is_deleted_last(
    tmp_path: Path, clients: RecordedClients
) -> None:
    deployed(tmp_path, clients, SMALL)
    fewer = SMALL.replace("Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: news}}", "")

    result = deployed(tmp_path, clients, fewer)

    assert actions(result) == {"Topic": "delete"}
    assert clients("sns").list_topics()["Topics"] == []


def test_the_plan_tells_what_a_deployment_does_and_does_nothing(
    tmp_path: Path, clients: RecordedClients
) -> None:
    fresh = plan(request(tmp_path, SMALL), clients)
    assert [change.action for change in fresh.effective] == [Action.CREATE] * 3
    assert clients.changing() == []
    deployed(tmp_path, clients, SMALL)
    clients.calls.clear()

    drawn = plan(request(tmp_path, SMALL, Name="two"), clients)

    assert [(change.logical_id, change.action.value) for change in drawn.effective] == [
        ("Queue", "replace"),
        ("Address", "update"),
    ]
    assert clients.changing() == []
    assert plan(request(tmp_path, SMALL), clients).effective == ()


BROKEN = """
    Parameters: {Target: {Type: String, Default: "no-such-role"}, Note: {Type: String, Default: a}}
    Resources:
      Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: news, DisplayName: !Ref Note}}
      Role:
        Type: AWS::IAM::Role
        DependsOn: Topic
        Properties:
          RoleName: half-made
          ManagedPolicyArns: ["arn:aws:iam::123456789012:policy/absent"]
          AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: []}
      After: {Type: AWS::SQS::Queue, DependsOn: Role}
"""


def test_a_failure_takes_everything_back_and_tells_its_first_cause(
    tmp_path: Path, clients: RecordedClients
) -> None:
    with pytest.raises(DeploymentFailed) as caught:
        deployed(tmp_path, clients, BROKEN)

    assert (caught.value.logical_id, caught.value.type_name) == ("Role", "AWS::IAM::Role")
    assert "absent" in str(caught.value)
    assert caught.value.left_behind == ()
    assert clients("sns").list_topics()["Topics"] == []
    assert clients("iam").list_roles()["Roles"] == []
    assert "QueueUrls" not in clients("sqs").list_queues()


def test_a_failed_update_restores_what_it_changed(tmp_path: Path, clients: RecordedClients) -> None:
    fine = BROKEN.replace('["arn:aws:iam::123456789012:policy/absent"]', "[]")
    deployed(tmp_path, clients, fine)

    with pytest.raises(DeploymentFailed):
        deployed(tmp_path, clients, BROKEN, Note="b")

    topic = clients("sns").list_topics()["Topics"][0]["TopicArn"]
    attributes = clients("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    assert attributes["DisplayName"] == "a"
    assert plan(request(tmp_path, fine), clients).effective == ()


def test_a_resource_that_existed_before_is_not_taken_back(
    tmp_path: Path, clients: RecordedClients
) -> None:
    clients("iam").create_role(RoleName="half-made", AssumeRolePolicyDocument="{}")

    with pytest.raises(DeploymentFailed, match="half-made"):
        deployed(tmp_path, clients, BROKEN)

    assert [role["RoleName"] for role in clients("iam").list_roles()["Roles"]] == ["half-made"]


def test_an_invalid_template_makes_nothing(tmp_path: Path, clients: RecordedClients) -> None:
    with pytest.raises(TemplateInvalid):
        deployed(tmp_path, clients, SMALL.replace("DelaySeconds", "DelaySecs"))

    assert clients.changing() == []


def test_a_replacement_that_keeps_its_name_is_refused_before_anything_happens(
    tmp_path: Path, clients: RecordedClients
) -> None:
    text = (
        "Resources: {Q: {Type: AWS::SQS::Queue, Properties: {QueueName: q.fifo, FifoQueue: true}}}"
    )
    deployed(tmp_path, clients, text)
    clients.calls.clear()

    with pytest.raises(TemplateInvalid, match="change QueueName too"):
        deployed(tmp_path, clients, text.replace("true", "false"))

    assert clients.changing() == []


def test_progress_is_told_per_resource(tmp_path: Path, clients: RecordedClients) -> None:
    events: list[ResourceEvent] = []

    deploy(request(tmp_path, SMALL), clients, events.append)

    told = [(event.logical_id, event.status) for event in events if event.logical_id != "Topic"]
    assert told == [
        ("Queue", "started"),
        ("Queue", "done"),
        ("Address", "started"),
        ("Address", "done"),
        ("stack-1", "cleaning up"),
    ]


STORE = """
    Parameters: {Versioned: {Type: String, Default: Enabled}}
    Resources:
      Key: {Type: AWS::KMS::Key, DeletionPolicy: Retain, Properties: {EnableKeyRotation: true}}
      Store:
        Type: AWS::S3::Bucket
        Properties:
          BucketName: store-1
          BucketEncryption:
            ServerSideEncryptionConfiguration:
              - BucketKeyEnabled: true
                ServerSideEncryptionByDefault:
                  SSEAlgorithm: aws:kms
                  KMSMasterKeyID: !GetAtt Key.Arn
          VersioningConfiguration: {Status: !Ref Versioned}
          NotificationConfiguration: {EventBridgeConfiguration: {EventBridgeEnabled: true}}
          PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: true}
          OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced}]}
          LifecycleConfiguration:
            Rules:
              - {Id: tidy, Status: Enabled, Prefix: runs/, ExpirationInDays: 30}
      Policy:
        Type: AWS::S3::BucketPolicy
        Properties:
          Bucket: !Ref Store
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {Effect: Deny, Principal: "*", Action: s3:*, Resource: !GetAtt Store.Arn}
"""


def test_a_bucket_gets_all_its_settings(tmp_path: Path, clients: RecordedClients) -> None:
    deployed(tmp_path, clients, STORE)

    s3 = clients("s3")
    key = clients("kms").list_keys()["Keys"][0]
    encryption = s3.get_bucket_encryption(Bucket="store-1")["ServerSideEncryptionConfiguration"]
    default = encryption["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    assert default == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["KeyArn"]}
    assert s3.get_bucket_versioning(Bucket="store-1")["Status"] == "Enabled"
    # moto does not give this setting back, so its store is asked
    stored = s3_backends["123456789012"]["aws"].buckets["store-1"]
    assert stored.notification_configuration.event_bridge is not None
    block = s3.get_public_access_block(Bucket="store-1")["PublicAccessBlockConfiguration"]
    assert block["BlockPublicAcls"] is True
    rule = s3.get_bucket_lifecycle_configuration(Bucket="store-1")["Rules"][0]
    assert (rule["ID"], rule["Filter"], rule["Expiration"]["Days"]) == (
        "tidy",
        {"Prefix": "runs/"},
        30,
    )
    statement = json.loads(s3.get_bucket_policy(Bucket="store-1")["Policy"])["Statement"][0]
    assert statement["Resource"] == "arn:aws:s3:::store-1"
    assert clients("kms").get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True


def test_destroying_refuses_full_buckets_until_asked_to_empty_them(
    tmp_path: Path, clients: RecordedClients
) -> None:
    deployed(tmp_path, clients, STORE.replace("Effect: Deny", "Effect: Allow"))
    clients("s3").put_object(Bucket="store-1", Key="a", Body=b"1")
    clients("s3").delete_object(Bucket="store-1", Key="a")

    with pytest.raises(StackInUse, match="store-1"):
        destroy("stack-1", clients)
    assert clients("s3").head_bucket(Bucket="store-1")

    assert destroy("stack-1", clients, empty_buckets=True)
    with pytest.raises(ClientError):
        clients("s3").head_bucket(Bucket="store-1")
    assert not destroy("stack-1", clients)


def test_what_the_template_retains_stays_unless_asked_otherwise(
    tmp_path: Path, clients: RecordedClients
) -> None:
    deployed(tmp_path, clients, STORE)
    destroy("stack-1", clients)
    kms = clients("kms")
    key = kms.list_keys()["Keys"][0]["KeyId"]
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"

    deployed(tmp_path, clients, STORE)
    destroy("stack-1", clients, retained=True)

    states = [
        kms.describe_key(KeyId=item["KeyId"])["KeyMetadata"]["KeyState"]
        for item in kms.list_keys()["Keys"]
    ]
    assert sorted(states) == ["Enabled", "PendingDeletion"]


ROLE = """
    Parameters: {Action: {Type: String, Default: "s3:GetObject"}}
    Resources:
      Shared:
        Type: AWS::IAM::ManagedPolicy
        Properties:
          PolicyDocument: &policy
            Version: "2012-10-17"
            Statement: [{Effect: Allow, Action: !Ref Action, Resource: "*"}]
      Boundary: {Type: AWS::IAM::ManagedPolicy, Properties: {PolicyDocument: *policy}}
      Role:
        Type: AWS::IAM::Role
        Properties:
          PermissionsBoundary: !Ref Boundary
          ManagedPolicyArns: [!Ref Shared]
          AssumeRolePolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
          Policies: [{PolicyName: own, PolicyDocument: *policy}]
      Extra:
        Type: AWS::IAM::Policy
        Properties: {PolicyName: extra, PolicyDocument: *policy, Roles: [!Ref Role]}
    Outputs: {Role: {Value: !Ref Role}, Arn: {Value: !GetAtt Role.Arn}}
"""


def test_a_role_gets_its_policies_and_boundary_and_follows_their_changes(
    tmp_path: Path, clients: RecordedClients
) -> None:
    name = deployed(tmp_path, clients, ROLE).outputs["Role"]
    deployed(tmp_path, clients, ROLE, Action="s3:PutObject")

    iam = clients("iam")
    role = iam.get_role(RoleName=name)["Role"]
    assert (
        role["PermissionsBoundary"]["PermissionsBoundaryArn"].split("/")[-1].startswith("stack-1-B")
    )
    assert sorted(iam.list_role_policies(RoleName=name)["PolicyNames"]) == ["extra", "own"]
    for policy in ("extra", "own"):
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        assert document["Statement"][0]["Action"] == "s3:PutObject"
    shared = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"][0]["PolicyArn"]
    version = iam.get_policy(PolicyArn=shared)["Policy"]["DefaultVersionId"]
    assert version == "v2"


def test_a_destroyed_role_leaves_no_policy(tmp_path: Path, clients: RecordedClients) -> None:
    deployed(tmp_path, clients, ROLE)

    destroy("stack-1", clients)

    assert clients("iam").list_roles()["Roles"] == []
    assert clients("iam").list_policies(Scope="Local")["Policies"] == []


MACHINE = """
    Resources:
      Role:
        Type: AWS::IAM::Role
        Properties:
          AssumeRolePolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Principal: {Service: states.amazonaws.com}, Action: sts:AssumeRole}
      Machine:
        Type: AWS::StepFunctions::StateMachine
        Properties:
          StateMachineName: m
          RoleArn: !GetAtt Role.Arn
          DefinitionS3Location: machine.asl.json
          DefinitionSubstitutions: {Text: 'a "quoted" word'}
"""


def test_a_machine_gets_its_definition_with_substitutions(
    tmp_path: Path, clients: RecordedClients
) -> None:
    definition = (
        '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "${Text}", "End": true}}}'
    )
    (tmp_path / "machine.asl.json").write_text(definition)

    deployed(tmp_path, clients, MACHINE)

    sfn = clients("stepfunctions")
    arn = sfn.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    found = json.loads(sfn.describe_state_machine(stateMachineArn=arn)["definition"])
    assert found["States"]["A"]["Result"] == 'a "quoted" word'


def test_a_definition_with_an_unknown_substitution_is_an_error(
    tmp_path: Path, clients: RecordedClients
) -> None:
    (tmp_path / "machine.asl.json").write_text('{"Comment": "${Unknown}"}')

    with pytest.raises(DeploymentFailed, match="Unknown"):
        deployed(tmp_path, clients, MACHINE)


TIMED = """
    Parameters: {Rate: {Type: String, Default: rate(1 hour)}}
    Resources:
      Timer:
        Type: AWS::Scheduler::Schedule
        Properties:
          Name: timer
          ScheduleExpression: !Ref Rate
          FlexibleTimeWindow: {Mode: "OFF"}
          Target:
            Arn: !Sub arn:aws:lambda:us-east-1:${AWS::AccountId}:function:one
            RoleArn: !Sub arn:aws:iam::${AWS::AccountId}:role/timer
            RetryPolicy: {MaximumRetryAttempts: 3, MaximumEventAgeInSeconds: 900}
"""


def test_a_schedule_is_made_and_changed_in_place(tmp_path: Path, clients: RecordedClients) -> None:
    deployed(tmp_path, clients, TIMED)

    result = deployed(tmp_path, clients, TIMED, Rate="rate(2 hours)")

    found = clients("scheduler").get_schedule(Name="timer", GroupName="default")
    assert actions(result) == {"Timer": "update"}
    assert found["ScheduleExpression"] == "rate(2 hours)"
    assert found["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 3
