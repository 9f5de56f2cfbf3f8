"""Ways from one account into another: a resource in dev, its policy, and a call from staging."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.localaws import account_world as world
from tests.localaws.account_world import DEV, REGION, owner, unused
from tests.localaws.iam_roles import Role, allow, document, trust

Policy = dict[str, Any]


@dataclass(frozen=True)
class Door:
    """A resource of dev that somebody of another account may use, with the policies of both."""

    actions: list[str]
    resources: list[str]
    set_policy: Callable[[str | None], Any]
    """Gives the resource a policy; with None it has what it had when it was made."""
    use: Callable[[Role], Any]

    def statement(self, principal: Any, **more: Any) -> Policy:
        """A statement for the resource's policy."""
        return allow(self.actions, self.resources, Principal=principal, **more)

    def identity(self) -> Policy:
        """A statement for the caller's policy."""
        return allow(self.actions, self.resources)


def bucket() -> Door:
    """Reading an object."""
    s3, name = owner("s3", DEV), unused("bucket")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"x")

    def set_policy(text: str | None) -> None:
        if text is None:
            s3.delete_bucket_policy(Bucket=name)
        else:
            s3.put_bucket_policy(Bucket=name, Policy=text)

    return Door(
        ["s3:GetObject"],
        [f"arn:aws:s3:::{name}/*"],
        set_policy,
        lambda guest: guest.client("s3").get_object(Bucket=name, Key="k"),
    )


def key() -> Door:
    """Encrypting with a key, by its ARN."""
    kms = owner("kms", DEV)
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    own = allow("kms:*", "*", Principal=world.root(DEV))

    def set_policy(text: str | None) -> None:
        more = json.loads(text)["Statement"] if text else []
        for statement in more:
            statement["Resource"] = "*"
        kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=document(own, *more))

    return Door(
        ["kms:Encrypt"],
        [arn],
        set_policy,
        lambda guest: guest.client("kms").encrypt(KeyId=arn, Plaintext=b"x"),
    )


def topic() -> Door:
    """Publishing to a topic."""
    sns = owner("sns", DEV)
    arn = sns.create_topic(Name=unused("topic"))["TopicArn"]
    first = sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]

    def set_policy(text: str | None) -> None:
        sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=text or first)

    return Door(
        ["sns:Publish"],
        [arn],
        set_policy,
        lambda guest: guest.client("sns").publish(TopicArn=arn, Message="x"),
    )


def queue() -> Door:
    """Sending to a queue, by its address."""
    sqs = owner("sqs", DEV)
    name = unused("queue")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]

    def set_policy(text: str | None) -> None:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": text or ""})

    return Door(
        ["sqs:SendMessage"],
        [f"arn:aws:sqs:{REGION}:{DEV}:{name}"],
        set_policy,
        lambda guest: guest.client("sqs").send_message(QueueUrl=url, MessageBody="x"),
    )


def group() -> Door:
    """Reading a version of a group, by its ARN."""
    sagemaker, name = owner("sagemaker", DEV), unused("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    arn = sagemaker.create_model_package(ModelPackageGroupName=name)["ModelPackageArn"]

    def set_policy(text: str | None) -> None:
        if text is None:
            sagemaker.delete_model_package_group_policy(ModelPackageGroupName=name)
        else:
            sagemaker.put_model_package_group_policy(
                ModelPackageGroupName=name, ResourcePolicy=text
            )

    return Door(
        ["sagemaker:DescribeModelPackage"],
        [f"arn:aws:sagemaker:{REGION}:{DEV}:model-package/{name}/*"],
        set_policy,
        lambda guest: guest.client("sagemaker").describe_model_package(ModelPackageName=arn),
    )


def bus() -> Door:
    """Putting an event on a bus, by its ARN."""
    events, name = owner("events", DEV), unused("bus")
    arn = events.create_event_bus(Name=name)["EventBusArn"]

    def set_policy(text: str | None) -> None:
        if text is None:
            events.remove_permission(EventBusName=name, RemoveAllPermissions=True)
        else:
            statements = json.loads(text)["Statement"]
            named = [{"Sid": f"s{n}", **statement} for n, statement in enumerate(statements)]
            for statement in named:
                statement["Action"], statement["Resource"] = "events:PutEvents", arn
            events.put_permission(EventBusName=name, Policy=document(*named))

    entry = {"Source": "test", "DetailType": "t", "Detail": "{}", "EventBusName": arn}
    return Door(
        ["events:PutEvents"],
        [arn],
        set_policy,
        lambda guest: guest.client("events").put_events(Entries=[entry]),
    )


def role() -> Door:
    """Taking a role of the other account."""
    arn = world.make_role(DEV, allow("s3:ListAllMyBuckets"))

    def set_policy(text: str | None) -> None:
        statements = json.loads(text)["Statement"] if text else []
        for statement in statements:
            del statement["Resource"]
        owner("iam", DEV).update_assume_role_policy(
            RoleName=arn.rpartition("/")[2],
            PolicyDocument=document(*statements) if text else trust(world.root(DEV)),
        )

    def use(guest: Role) -> Any:
        return guest.client("sts").assume_role(RoleArn=arn, RoleSessionName="guest")

    return Door(["sts:AssumeRole"], [arn], set_policy, use)


DOORS: dict[str, Callable[[], Door]] = {
    "bucket": bucket,
    "key": key,
    "topic": topic,
    "queue": queue,
    "group": group,
    "bus": bus,
    "role": role,
}
