"""What the tests of CloudFormation share: a small stack, and words to make and look at it."""

import json
from typing import Any

from localaws.accounts import BY_ENVIRONMENT
from localaws.clients import developer_client

OPERATIONS = BY_ENVIRONMENT["operations"].id
NAMED_IAM = ["CAPABILITY_NAMED_IAM"]

SMALL = """
Description: A queue and where to find it
Parameters:
  Delay: {Type: Number, Default: 5}
  Name: {Type: String, Description: First part of names}
  Word: {Type: String, Default: hidden, NoEcho: true}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub "${Name}-queue", DelaySeconds: !Ref Delay}
  Address:
    Type: AWS::SSM::Parameter
    Metadata: {Why: to find the queue}
    Properties: {Type: String, Name: !Sub "/${Name}/queue", Value: !GetAtt Queue.Arn}
Outputs:
  QueueArn: {Value: !GetAtt Queue.Arn, Description: The queue}
"""

BROKEN = SMALL.replace(
    "Outputs:",
    """  Role:
    Type: AWS::IAM::Role
    DependsOn: Address
    Properties:
      RoleName: !Sub "${Name}-role"
      ManagedPolicyArns: ["arn:aws:iam::567890123456:policy/absent"]
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: []}
Outputs:""",
)
"""The same, and a role that fails when a policy that does not exist is attached to it."""


def client(service: str, account: str = OPERATIONS) -> Any:
    """A client of the developer of an account, operations unless named."""
    return developer_client(service, account=account)


def given(**values: str) -> list[dict[str, str]]:
    """Parameters as the API takes them."""
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def create(name: str, template: str = SMALL, *, cloudformation: Any = None, **more: Any) -> str:
    """Create a stack with parameter Name set to its own name; its status when that is done."""
    cloudformation = cloudformation or client("cloudformation")
    request = {"Parameters": given(Name=name), "Capabilities": NAMED_IAM} | more
    cloudformation.create_stack(StackName=name, TemplateBody=template, **request)
    return status(name, cloudformation)


def update(name: str, template: str = SMALL, *, cloudformation: Any = None, **more: Any) -> str:
    """Update it likewise."""
    cloudformation = cloudformation or client("cloudformation")
    request = {"Parameters": given(Name=name), "Capabilities": NAMED_IAM} | more
    cloudformation.update_stack(StackName=name, TemplateBody=template, **request)
    return status(name, cloudformation)


def delete(name: str, **more: Any) -> str:
    """Delete it; its status afterwards, by its id."""
    cloudformation = client("cloudformation")
    identifier = described(name)["StackId"]
    cloudformation.delete_stack(StackName=name, **more)
    return status(identifier)


def described(name: str, cloudformation: Any = None) -> Any:
    """A stack as DescribeStacks shows it once no operation goes on."""
    return (cloudformation or client("cloudformation")).describe_stacks(StackName=name)["Stacks"][0]


def status(name: str, cloudformation: Any = None) -> str:
    """Where a stack stands once no operation goes on."""
    return str(described(name, cloudformation)["StackStatus"])


def statuses(name: str) -> list[str]:
    """What the stack itself went through, the oldest first."""
    return [state for who, state in told(name) if who == name]


def told(name: str) -> list[tuple[str, str]]:
    """Logical ids and statuses of all events of a stack, the oldest first."""
    events = client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)]


def delay_of(name: str) -> str:
    """DelaySeconds of a small stack's queue, asked of SQS."""
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=f"{name}-queue")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
    return str(found["Attributes"]["DelaySeconds"])


def statement(actions: Any, resources: Any = "*", **more: Any) -> dict[str, Any]:
    """An Allow statement of a policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def policy(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
