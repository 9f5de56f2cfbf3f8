"""Messages across accounts: a topic delivers where the subscriber's policy lets it.

Rules: SNS Developer Guide, "Fanout to Amazon SQS queues: step 2" and "Sending Amazon SNS messages
to an Amazon SQS queue in a different account" (read 2026-11).
"""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws import account_world as world
from tests.localaws.account_world import DEV, STAGING, owner, unused
from tests.localaws.iam_roles import allow, document

pytestmark = pytest.mark.usefixtures("laptop")

SNS = {"Service": "sns.amazonaws.com"}


def make_topic() -> str:
    """A topic of dev."""
    return str(owner("sns", DEV).create_topic(Name=unused("topic"))["TopicArn"])


def make_queue(account: str, **attributes: str) -> tuple[str, str]:
    """A queue that lets nobody in; its address and ARN."""
    name = unused("queue")
    made = owner("sqs", account).create_queue(QueueName=name, Attributes=attributes)
    return made["QueueUrl"], f"arn:aws:sqs:us-east-1:{account}:{name}"


def open_queue(url: str, arn: str, topic: str) -> None:
    """Let the topic in, in the words of the guide."""
    condition = {"ArnEquals": {"aws:SourceArn": topic}}
    policy = document(allow("sqs:SendMessage", arn, Principal=SNS, Condition=condition))
    owner("sqs", arn.split(":")[4]).set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": policy}
    )


def publish(topic: str, text: str) -> None:
    """Publish as the owner of the topic."""
    owner("sns", DEV).publish(TopicArn=topic, Message=text)


def received(account: str, url: str) -> list[str]:
    """The texts of all messages that wait."""
    answer = owner("sqs", account).receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(message["Body"])["Message"] for message in answer.get("Messages", [])]


@pytest.mark.parametrize("account", [DEV, STAGING])
def test_a_queue_gets_the_messages_of_a_topic_that_its_policy_lets_in(account: str) -> None:
    topic, (url, arn) = make_topic(), make_queue(account)
    owner("sns", DEV).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    publish(topic, "too early")
    open_queue(url, arn, make_topic())
    publish(topic, "from another topic than allowed")
    open_queue(url, arn, topic)
    publish(topic, "now")

    assert received(account, url) == ["now"]


def test_the_key_of_a_queue_must_let_the_topic_in_as_well() -> None:
    kms = owner("kms", STAGING)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    topic, (url, arn) = make_topic(), make_queue(STAGING, KmsMasterKeyId=key)
    owner("sns", DEV).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    open_queue(url, arn, topic)

    publish(topic, "under a key that is shut")
    own = allow("kms:*", "*", Principal=world.root(STAGING))
    service = allow(
        ["kms:GenerateDataKey", "kms:Decrypt"],
        "*",
        Principal=SNS,
        Condition={"StringEquals": {"aws:SourceAccount": DEV}},
    )
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=document(own, service))
    publish(topic, "under a key that is open")

    assert received(STAGING, url) == ["under a key that is open"]


def test_a_queue_s_address_is_told_to_who_may_ask_across_accounts() -> None:
    url, arn = make_queue(DEV)
    role = world.make_role(STAGING, allow("sqs:GetQueueUrl", arn))
    sqs = world.session_of(role).client("sqs")
    asked: dict[str, Any] = {
        "QueueName": arn.rpartition(":")[2],
        "QueueOwnerAWSAccountId": DEV,
    }

    with pytest.raises(ClientError, match="no resource-based policy allows the sqs:GetQueueUrl"):
        sqs.get_queue_url(**asked)
    policy = document(allow("sqs:GetQueueUrl", arn, Principal={"AWS": role}))
    owner("sqs", DEV).set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    assert sqs.get_queue_url(**asked)["QueueUrl"] == url
