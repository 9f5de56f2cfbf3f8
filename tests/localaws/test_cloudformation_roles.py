"""Whose permissions a stack is made with: its role's or the caller's; boundaries of roles.

Rules: CloudFormation User Guide, "CloudFormation service role"; IAM User Guide, "Permissions
boundaries" and "Forward access sessions" (read 2026-11).
"""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.iam import service as iam
from tests.localaws import account_world
from tests.localaws import stack_world as world
from tests.localaws.account_world import session_of, unused
from tests.localaws.iam_roles import Role, trust
from tests.localaws.stack_world import OPERATIONS, SMALL, client, given, policy, statement

pytestmark = pytest.mark.usefixtures("laptop")

CLOUDFORMATION = {"Service": "cloudformation.amazonaws.com"}
QUEUES = statement(["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes"])
PARAMETERS = statement(["ssm:PutParameter", "ssm:DeleteParameter"])
PLAIN_TRUST = trust({"AWS": f"arn:aws:iam::{OPERATIONS}:root"})


@pytest.fixture
def name() -> str:
    return unused("stack")


def execution_role(*statements: dict[str, Any], **conditions: Any) -> str:
    """A role for CloudFormation in the operations account."""
    trusted = trust(CLOUDFORMATION, **conditions)
    return account_world.make_role(OPERATIONS, *statements, trusted=trusted)


def deployer(*statements: dict[str, Any]) -> Role:
    """Somebody of the operations account who may do no more than this."""
    return session_of(account_world.make_role(OPERATIONS, *statements))


def reason(name: str) -> str:
    return str(world.described(name)["StackStatusReason"])


def test_a_stack_is_made_with_its_roles_permissions_alone(name: str) -> None:
    """The developer may do everything; the role may not write parameters."""
    role = execution_role(QUEUES)

    assert world.create(name, RoleARN=role) == "ROLLBACK_COMPLETE"

    assert "not authorized to perform: ssm:PutParameter" in reason(name)
    assert role.rpartition("/")[2] in reason(name)
    assert "QueueUrls" not in client("sqs").list_queues(QueueNamePrefix=name)


def test_the_role_is_kept_for_later_operations(name: str) -> None:
    role = execution_role(QUEUES, PARAMETERS)
    world.create(name, RoleARN=role)
    account_world.put_policy(role, QUEUES)

    assert world.update(name, Parameters=given(Name=name, Delay="9")) == "UPDATE_COMPLETE"
    assert world.delete(name) == "DELETE_FAILED"  # the parameter needs what the role lost
    assert world.delay_of(name) == "9"  # and the queue is needed by the parameter

    account_world.put_policy(role, QUEUES, PARAMETERS)
    assert world.delete(name) == "DELETE_COMPLETE"


def test_the_caller_needs_to_pass_the_role_to_cloudformation(name: str) -> None:
    role = execution_role(QUEUES, PARAMETERS)
    stack = f"arn:aws:cloudformation:us-east-1:{OPERATIONS}:stack/{name}/*"
    actions = ["cloudformation:CreateStack", "cloudformation:DescribeStacks"]
    may_create = statement(actions, stack)
    elsewhere = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    right = {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}

    for condition in (None, elsewhere):
        more = [statement("iam:PassRole", role, Condition=condition)] if condition else []
        with pytest.raises(ClientError, match="not authorized to perform: iam:PassRole"):
            world.create(
                name,
                RoleARN=role,
                cloudformation=deployer(may_create, *more).client("cloudformation"),
            )
    passing = deployer(may_create, statement("iam:PassRole", role, Condition=right))
    made = world.create(name, RoleARN=role, cloudformation=passing.client("cloudformation"))

    assert made == "CREATE_COMPLETE"


def test_a_role_that_does_not_trust_cloudformation_is_refused_at_once(name: str) -> None:
    role = account_world.make_role(OPERATIONS, QUEUES, PARAMETERS)

    with pytest.raises(ClientError, match="is invalid or cannot be assumed"):
        world.create(name, RoleARN=role)


def test_a_role_may_trust_cloudformation_for_one_stack_only(name: str) -> None:
    own = f"arn:aws:cloudformation:us-east-1:{OPERATIONS}:stack/{name}/*"
    condition = {"ArnLike": {"aws:SourceArn": own}}
    role = execution_role(QUEUES, PARAMETERS, Condition=condition)

    assert world.create(name, RoleARN=role) == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="cannot be assumed"):
        world.create(unused("other"), RoleARN=role)


def test_without_a_role_the_caller_s_permissions_count(name: str) -> None:
    """They see that CloudFormation asks: queues are allowed only by way of it."""
    by_way = {"StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}}
    everything = statement("cloudformation:*")
    person = deployer(everything, {**QUEUES, "Condition": by_way})

    assert world.create(name, cloudformation=person.client("cloudformation")) == "ROLLBACK_COMPLETE"

    assert ("Queue", "CREATE_COMPLETE") in world.told(name)
    assert "not authorized to perform: ssm:PutParameter" in reason(name)
    with pytest.raises(ClientError, match="not authorized"):
        person.client("sqs").create_queue(QueueName=f"{name}-by-hand")


def test_requests_are_decided_on_their_stack(name: str) -> None:
    own = f"arn:aws:cloudformation:us-east-1:{OPERATIONS}:stack/{name}/*"
    person = deployer(statement("cloudformation:*", own)).client("cloudformation")

    request = {"Parameters": given(Name=name), "TemplateBody": SMALL, "ChangeSetType": "CREATE"}
    made = person.create_change_set(StackName=name, ChangeSetName="first", **request)
    assert person.describe_change_set(ChangeSetName=made["Id"])["Status"] == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match=f"on resource: .*:stack/{name}-2/"):
        person.create_change_set(StackName=f"{name}-2", ChangeSetName="first", **request)
    with pytest.raises(ClientError, match="cloudformation:ListStacks"):
        person.list_stacks()


def test_a_change_set_may_be_allowed_by_its_name(name: str) -> None:
    world.create(name)
    previews = {"StringLike": {"cloudformation:ChangeSetName": "preview-*"}}
    person = deployer(
        statement(
            ["cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet"],
            Condition=previews,
        )
    ).client("cloudformation")
    request = {"TemplateBody": SMALL, "Parameters": given(Name=name, Delay="9")}

    made = person.create_change_set(StackName=name, ChangeSetName="preview-1", **request)

    assert person.describe_change_set(ChangeSetName=made["Id"])["Changes"]
    with pytest.raises(ClientError, match="cloudformation:CreateChangeSet"):
        person.create_change_set(StackName=name, ChangeSetName="real-1", **request)


BOUNDED = """
Parameters: {Name: {Type: String}, Boundary: {Type: String, Default: ""}}
Conditions: {HasBoundary: !Not [!Equals [!Ref Boundary, ""]]}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub "${Name}-bounded"
      PermissionsBoundary: !If [HasBoundary, !Ref Boundary, !Ref AWS::NoValue]
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          Effect: Allow
          Principal: {AWS: !Sub "arn:aws:iam::${AWS::AccountId}:root"}
          Action: sts:AssumeRole
      Policies:
        - PolicyName: everything
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{Effect: Allow, Action: ["sqs:*", "sns:*"], Resource: "*"}]
"""
CEILING = """
Parameters: {Name: {Type: String}}
Resources:
  Ceiling:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: !Sub "${Name}-ceiling"
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Action: "sqs:*", Resource: "*"}]
Outputs: {Arn: {Value: !Ref Ceiling}}
"""


def ceiling() -> str:
    """The ARN of a boundary that a stack of its own made."""
    name = unused("ceiling")
    world.create(name, CEILING)
    return str(world.described(name)["Outputs"][0]["OutputValue"])


def test_a_boundary_limits_what_a_role_may_do(name: str) -> None:
    world.create(name, BOUNDED, Parameters=given(Name=name, Boundary=ceiling()))
    role = session_of(f"arn:aws:iam::{OPERATIONS}:role/{name}-bounded")

    role.client("sqs").list_queues()
    with pytest.raises(ClientError, match="no permissions boundary allows the sns:ListTopics"):
        role.client("sns").list_topics()

    assert world.update(name, BOUNDED, Parameters=given(Name=name)) == "UPDATE_COMPLETE"
    role.client("sns").list_topics()


def may_make_roles(boundary: str) -> dict[str, Any]:
    actions = ["iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy"]
    condition = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    return statement(actions, Condition=condition)


ROLES = statement(["iam:DeleteRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"])


def test_an_execution_role_makes_roles_with_the_boundary_only(name: str) -> None:
    """As delivery does it: whoever deploys cannot make a role that may do more than the boundary.

    PutRolePolicy and DeleteRolePolicy are decided by the boundary that the role has.
    """
    boundary = ceiling()
    role = execution_role(may_make_roles(boundary), ROLES)

    refused = world.create(name, BOUNDED, RoleARN=role)

    assert refused == "ROLLBACK_COMPLETE"
    assert "not authorized to perform: iam:CreateRole" in reason(name)
    world.delete(name)
    parameters = given(Name=name, Boundary=boundary)
    assert world.create(name, BOUNDED, RoleARN=role, Parameters=parameters) == "CREATE_COMPLETE"
    assert world.delete(name) == "DELETE_COMPLETE"


def test_a_role_without_the_boundary_gets_no_policy(name: str) -> None:
    boundary = ceiling()
    account_world.owner("iam", OPERATIONS).create_role(
        RoleName=f"{name}-free", AssumeRolePolicyDocument=PLAIN_TRUST
    )
    person = deployer(may_make_roles(boundary)).client("iam")

    with pytest.raises(ClientError, match="iam:PutRolePolicy"):
        person.put_role_policy(
            RoleName=f"{name}-free", PolicyName="p", PolicyDocument=policy(QUEUES)
        )


def test_a_failed_roll_back_goes_on_once_the_cause_is_gone(name: str) -> None:
    """The role loses, in the midst of an update, what the way back needs."""
    role = execution_role(QUEUES, PARAMETERS)
    world.create(name, RoleARN=role)
    denial = {
        "Effect": "Deny",
        "Action": "sqs:SetQueueAttributes",
        "Resource": "*",
    }
    broken = world.BROKEN.replace("DependsOn: Address", "DependsOn: [Address, Denial]").replace(
        "Outputs:",
        f"""  Denial:
    Type: AWS::IAM::RolePolicy
    DependsOn: Queue
    DeletionPolicy: Retain
    Properties:
      RoleName: {role.rpartition("/")[2]}
      PolicyName: denial
      PolicyDocument: {policy(denial)}
Outputs:""",
    )
    own = statement(
        ["iam:PutRolePolicy", "iam:CreateRole", "iam:AttachRolePolicy", "iam:DeleteRole"]
    )
    account_world.put_policy(role, QUEUES, PARAMETERS, own, ROLES)

    stopped = world.update(name, broken, Parameters=given(Name=name, Delay="9"))

    assert stopped == "UPDATE_ROLLBACK_FAILED"
    assert "sqs:SetQueueAttributes" in reason(name)
    assert world.delay_of(name) == "9"
    account_world.owner("iam", OPERATIONS).delete_role_policy(
        RoleName=role.rpartition("/")[2], PolicyName="denial"
    )
    client("cloudformation").continue_update_rollback(StackName=name)
    assert world.status(name) == "UPDATE_ROLLBACK_COMPLETE"
    assert world.delay_of(name) == "5"


def test_an_identity_provider_is_made_changed_and_deleted(name: str) -> None:
    template = """
Parameters: {Name: {Type: String}, Audience: {Type: String, Default: sts.amazonaws.com}}
Resources:
  Provider:
    Type: AWS::IAM::OIDCProvider
    Properties:
      Url: !Sub "https://${Name}.example.com"
      ClientIdList: [!Ref Audience]
Outputs: {Arn: {Value: !GetAtt Provider.Arn}}
"""
    arn = f"arn:aws:iam::{OPERATIONS}:oidc-provider/{name}.example.com"
    iam_client = client("iam")

    assert world.create(name, template) == "CREATE_COMPLETE"
    assert world.described(name)["Outputs"][0]["OutputValue"] == arn
    changed = world.update(name, template, Parameters=given(Name=name, Audience="other"))

    assert changed == "UPDATE_COMPLETE"
    found = iam_client.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert found["ClientIDList"] == ["other"]
    assert world.delete(name) == "DELETE_COMPLETE"
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam_client.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)


def test_the_decisions_name_the_role_and_not_the_person(name: str) -> None:
    role = execution_role(QUEUES, PARAMETERS)
    iam.forget_decisions()

    world.create(name, RoleARN=role)

    made = [record for record in iam.decisions() if record.action == "sqs:CreateQueue"]
    assert [record.role for record in made] == [role]
    assert made[0].principal.endswith("/AWSCloudFormation")
