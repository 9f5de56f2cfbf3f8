"""Across accounts a request needs both sides: the caller's policy and that of the resource.

Rule: IAM User Guide, "Cross-account policy evaluation logic" (read 2026-11): "the request is
allowed only if both evaluations return a decision of Allow". Each door is opened with both, and
found shut when either is taken away again.
"""

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import client_as_service
from localaws.iam.live import RECORDER
from tests.localaws import account_world as world
from tests.localaws.account_doors import DOORS, Door
from tests.localaws.account_world import DEV, PROD, STAGING, make_role, session_of
from tests.localaws.iam_roles import Role, allow, deny, document, trust

pytestmark = pytest.mark.usefixtures("laptop")


@pytest.fixture(params=sorted(DOORS))
def door(request: pytest.FixtureRequest, laptop: Any) -> Door:
    """Each resource of dev in turn."""
    return DOORS[request.param]()


def guest_with(*statements: dict[str, Any]) -> Role:
    """A session of a new role in staging."""
    return session_of(make_role(STAGING, *statements))


def assert_shut(door: Door, guest: Role, why: str = "") -> None:
    """The use of the door is refused."""
    with pytest.raises(ClientError, match=why or "is not authorized to perform") as caught:
        door.use(guest)
    code = caught.value.response["Error"]["Code"]
    assert code in ("AccessDenied", "AccessDeniedException", "AuthorizationError")


def test_both_sides_open_it_and_either_one_taken_away_shuts_it(door: Door) -> None:
    guest = guest_with(door.identity())
    door.set_policy(document(door.statement(world.root(STAGING))))
    door.use(guest)

    world.put_policy(guest.arn)
    assert_shut(door, guest, "no identity-based policy allows")
    world.put_policy(guest.arn, door.identity())
    door.use(guest)

    door.set_policy(None)
    assert_shut(door, guest, "no resource-based policy allows")


def test_a_policy_for_another_account_lets_this_one_out(door: Door) -> None:
    guest = guest_with(door.identity())
    door.set_policy(document(door.statement(world.root(PROD))))

    assert_shut(door, guest, "no resource-based policy allows")


def test_naming_the_role_itself_does_not_replace_its_own_policy(door: Door) -> None:
    guest = guest_with()
    door.set_policy(document(door.statement({"AWS": guest.arn})))

    assert_shut(door, guest, "no identity-based policy allows")
    world.put_policy(guest.arn, door.identity())
    door.use(guest)


def test_a_denial_of_either_side_wins(door: Door) -> None:
    door.set_policy(document(door.statement(world.root(STAGING))))
    guest = guest_with(door.identity(), deny(door.actions, door.resources))
    assert_shut(door, guest, "explicit deny in an identity-based policy")

    welcome = guest_with(door.identity())
    refusing = {**door.statement(world.root(STAGING)), "Effect": "Deny"}
    door.set_policy(document(door.statement({"AWS": "*"}), refusing))
    assert_shut(door, welcome, "explicit deny in a resource-based policy")


@pytest.mark.parametrize(
    ("condition", "opens"),
    [
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{STAGING}:role/role-*"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{STAGING}:role/deploy-*"}}, False),
        ({"StringEquals": {"aws:PrincipalAccount": STAGING}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": PROD}}, False),
        ({"StringEquals": {"aws:SourceAccount": STAGING}}, False),
    ],
    ids=["arn like", "arn unlike", "account", "another account", "no service calls"],
)
def test_conditions_on_the_caller_are_those_of_its_role(
    door: Door, condition: dict[str, Any], opens: bool
) -> None:
    guest = guest_with(door.identity())
    door.set_policy(document(door.statement(world.root(STAGING), Condition=condition)))

    if opens:
        door.use(guest)
    else:
        assert_shut(door, guest, "no resource-based policy allows")


def test_what_was_decided_is_recorded_as_across_accounts(door: Door) -> None:
    guest = guest_with(door.identity())
    door.set_policy(document(door.statement(world.root(STAGING))))
    door.use(guest)

    record = next(r for r in reversed(RECORDER.all()) if r.action == door.actions[0])
    assert (record.account, record.role, record.same_account) == (STAGING, guest.arn, False)
    assert record.resource_verdict.allows


def test_an_external_id_tells_two_askers_apart() -> None:
    external = {"StringEquals": {"sts:ExternalId": "asker-one"}}
    role = make_role(DEV, trusted=trust(world.root(STAGING), Condition=external))
    guest = guest_with(allow("sts:AssumeRole"))
    sts = guest.client("sts")

    for given in ({}, {"ExternalId": "asker-two"}):
        with pytest.raises(ClientError, match="no resource-based policy allows"):
            sts.assume_role(RoleArn=role, RoleSessionName="chain", **given)

    assumed = sts.assume_role(RoleArn=role, RoleSessionName="chain", ExternalId="asker-one")
    assert assumed["AssumedRoleUser"]["Arn"].startswith(f"arn:aws:sts::{DEV}:assumed-role/")


def test_a_chain_of_roles_ends_with_the_last_one_s_permissions() -> None:
    world.owner("ssm", PROD).put_parameter(Name="/chain/end", Value="1", Type="String")
    last = make_role(PROD, allow("ssm:GetParameter"), trusted=trust(world.root(DEV)))
    middle = make_role(DEV, allow("sts:AssumeRole"), trusted=trust(world.root(STAGING)))
    first = guest_with(allow("sts:AssumeRole"))

    through = Role(middle, "", _assume(first, middle))
    arrived = Role(last, "", _assume(through, last))

    assert arrived.client("ssm").get_parameter(Name="/chain/end")["Parameter"]["Value"] == "1"
    with pytest.raises(ClientError, match="no resource-based policy allows the sts:AssumeRole"):
        _assume(first, last)


def test_a_role_taken_through_a_role_lasts_an_hour_at_most() -> None:
    first = guest_with(allow("sts:AssumeRole"))
    last = make_role(DEV, trusted=trust(world.root(STAGING)))
    long = {"RoleName": last.rpartition("/")[2], "MaxSessionDuration": 7200}
    world.owner("iam", DEV).update_role(**long)

    with pytest.raises(ClientError, match="1 hour session limit"):
        _assume(first, last, DurationSeconds=3601)

    session_of(last, account=STAGING, DurationSeconds=7200)  # by a user, who is no role


def _assume(caller: Role, role_arn: str, **more: Any) -> dict[str, Any]:
    answer = caller.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="chain", **more)
    credentials: dict[str, Any] = answer["Credentials"]
    return credentials


def test_a_service_is_told_apart_by_the_account_it_works_for() -> None:
    """The confused deputy: SNS works for everybody, the queue takes it for one account only."""
    door = DOORS["queue"]()
    condition = {"StringEquals": {"aws:SourceAccount": STAGING}}
    door.set_policy(document(door.statement({"Service": "sns.amazonaws.com"}, Condition=condition)))
    url = f"https://sqs.us-east-1.amazonaws.com/{DEV}/{door.resources[0].rpartition(':')[2]}"

    def send(account: str) -> None:
        topic = f"arn:aws:sns:us-east-1:{account}:news"
        sqs = client_as_service("sns.amazonaws.com", "sqs", source_arn=topic)
        sqs.send_message(QueueUrl=url, MessageBody="x")

    send(STAGING)
    with pytest.raises(ClientError, match="no resource-based policy allows"):
        send(PROD)


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("ssm", "get_parameter", {"Name": f"arn:aws:ssm:us-east-1:{DEV}:parameter/shut"}),
        (
            "stepfunctions",
            "start_execution",
            {"stateMachineArn": f"arn:aws:states:us-east-1:{DEV}:stateMachine:shut"},
        ),
        (
            "lambda",
            "invoke",
            {"FunctionName": f"arn:aws:lambda:us-east-1:{DEV}:function:shut"},
        ),
        (
            "sagemaker",
            "update_model_package",
            {
                "ModelPackageArn": f"arn:aws:sagemaker:us-east-1:{DEV}:model-package/shut/1",
                "ModelApprovalStatus": "Approved",
            },
        ),
        ("sagemaker", "list_tags", {"ResourceArn": f"arn:aws:sagemaker:us-east-1:{DEV}:model/m"}),
        (
            "logs",
            "list_tags_for_resource",
            {"resourceArn": f"arn:aws:logs:us-east-1:{DEV}:log-group:g"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_has_no_policy_is_shut_even_to_an_administrator(
    service: str, operation: str, arguments: dict[str, Any]
) -> None:
    admin = guest_with(allow("*"))

    with pytest.raises(ClientError, match="is not authorized to perform"):
        getattr(admin.client(service), operation)(**arguments)


def test_a_role_can_be_passed_to_a_service_in_its_own_account_only() -> None:
    foreign = make_role(DEV, trusted=trust({"Service": "states.amazonaws.com"}))
    admin = guest_with(allow("*"))

    with pytest.raises(ClientError, match="iam:PassRole"):
        admin.client("stepfunctions").create_state_machine(
            name="m",
            definition='{"StartAt":"a","States":{"a":{"Type":"Succeed"}}}',
            roleArn=foreign,
        )


def test_the_same_name_may_be_in_every_account_but_a_bucket_s_only_in_one() -> None:
    for account, service in itertools.product((DEV, STAGING), ("ssm", "sns", "sqs", "sagemaker")):
        client = world.owner(service, account)
        if service == "ssm":
            client.put_parameter(Name="/twice", Value=account, Type="String")
        elif service == "sagemaker":
            client.create_model_package_group(ModelPackageGroupName="twice")
        else:
            made = client.create_topic if service == "sns" else client.create_queue
            made(**{"Name" if service == "sns" else "QueueName": "twice"})

    values = [
        world.owner("ssm", account).get_parameter(Name="/twice")["Parameter"]["Value"]
        for account in (DEV, STAGING)
    ]
    assert values == [DEV, STAGING]
    world.owner("s3", DEV).create_bucket(Bucket="accounts-once")
    with pytest.raises(ClientError) as caught:
        world.owner("s3", STAGING).create_bucket(Bucket="accounts-once")
    assert caught.value.response["Error"]["Code"] == "BucketAlreadyExists"
