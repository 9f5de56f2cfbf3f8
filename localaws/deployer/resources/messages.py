"""AWS::SNS::Topic, TopicPolicy, Subscription; AWS::SQS::Queue, QueuePolicy."""

from typing import Any

from localaws.deployer.intrinsics import as_text
from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    as_json,
    changed,
    completing,
    generated_name,
    picked,
    tag_map,
    tags,
)
from localaws.deployer.schema import (
    DOCUMENT,
    FLAG,
    INT,
    TAGS,
    TEXTS,
    ListOf,
    Record,
    texts,
)

_TOPIC_SETTINGS = ("DisplayName", "KmsMasterKeyId", "TracingConfig")
_SUBSCRIPTION_DOCUMENTS = ("FilterPolicy", "RedrivePolicy", "DeliveryPolicy")
_QUEUE_NUMBERS = (
    "DelaySeconds",
    "KmsDataKeyReusePeriodSeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
)
_QUEUE_FLAGS = ("ContentBasedDeduplication", "FifoQueue", "SqsManagedSseEnabled")


def _create_topic(site: Site, logical_id: str, properties: Properties) -> Made:
    sns = site.client("sns")
    name = properties.get("TopicName") or generated_name(site, logical_id, longest=256)
    settings = {key: as_text(value) for key, value in picked(properties, *_TOPIC_SETTINGS).items()}
    if properties.get("FifoTopic"):
        settings["FifoTopic"] = "true"
    arn = sns.create_topic(Name=name, Attributes=settings, Tags=tags(site, properties))["TopicArn"]
    made = Made(arn, {"TopicArn": arn, "TopicName": name})
    with completing(made):
        for subscription in properties.get("Subscription", []):
            sns.subscribe(TopicArn=arn, **subscription)
    return made


def _update_topic(site: Site, existing: Existing, new: Properties) -> Made:
    for setting in _TOPIC_SETTINGS:
        if changed(existing, new, setting):
            site.client("sns").set_topic_attributes(
                TopicArn=existing.physical_id,
                AttributeName=setting,
                AttributeValue=as_text(new.get(setting, "")),
            )
    if changed(existing, new, "Tags"):
        site.client("sns").tag_resource(ResourceArn=existing.physical_id, Tags=tags(site, new))
    return existing.made()


def _delete_topic(site: Site, existing: Existing) -> None:
    site.client("sns").delete_topic(TopicArn=existing.physical_id)


def _create_topic_policy(site: Site, logical_id: str, properties: Properties) -> Made:
    _put_topic_policy(site, properties)
    return Made(generated_name(site, logical_id))


def _update_topic_policy(site: Site, existing: Existing, new: Properties) -> Made:
    _put_topic_policy(site, new)
    return existing.made()


def _put_topic_policy(site: Site, properties: Properties) -> None:
    for topic in properties["Topics"]:
        _set_topic_policy(site, topic, properties["PolicyDocument"])


def _delete_topic_policy(site: Site, existing: Existing) -> None:
    """AWS puts the policy back that every new topic has: its owner may do everything with it."""
    for topic in existing.properties["Topics"]:
        _set_topic_policy(site, topic, _owner_policy(site, topic))


def _owner_policy(site: Site, topic: str) -> dict[str, Any]:
    owner = {"StringEquals": {"AWS:SourceOwner": site.surroundings.account}}
    actions = ["Publish", "GetTopicAttributes", "SetTopicAttributes", "Subscribe", "DeleteTopic"]
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in actions],
        "Resource": topic,
        "Condition": owner,
    }
    return {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}


def _set_topic_policy(site: Site, topic: str, document: Properties) -> None:
    site.client("sns").set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=as_json(document)
    )


def _subscription_attributes(properties: Properties) -> dict[str, str]:
    documents = {
        name: as_json(properties[name]) for name in _SUBSCRIPTION_DOCUMENTS if name in properties
    }
    plain = picked(properties, "FilterPolicyScope", "RawMessageDelivery", "SubscriptionRoleArn")
    return {**documents, **{name: as_text(value) for name, value in plain.items()}}


def _create_subscription(site: Site, _logical_id: str, properties: Properties) -> Made:
    arn = site.client("sns").subscribe(
        Attributes=_subscription_attributes(properties),
        ReturnSubscriptionArn=True,
        **picked(properties, "TopicArn", "Protocol", "Endpoint"),
    )["SubscriptionArn"]
    return Made(arn, {"Arn": arn})


def _update_subscription(site: Site, existing: Existing, new: Properties) -> Made:
    for name, value in _subscription_attributes(new).items():
        site.client("sns").set_subscription_attributes(
            SubscriptionArn=existing.physical_id, AttributeName=name, AttributeValue=value
        )
    return existing.made()


def _delete_subscription(site: Site, existing: Existing) -> None:
    site.client("sns").unsubscribe(SubscriptionArn=existing.physical_id)


def _queue_attributes(properties: Properties) -> dict[str, str]:
    names = ("KmsMasterKeyId", *_QUEUE_NUMBERS, *_QUEUE_FLAGS)
    plain = {name: as_text(value) for name, value in picked(properties, *names).items()}
    documents = ("RedrivePolicy", "RedriveAllowPolicy")
    return {
        **plain,
        **{name: as_json(properties[name]) for name in documents if name in properties},
    }


def _create_queue(site: Site, logical_id: str, properties: Properties) -> Made:
    name = properties.get("QueueName") or generated_name(site, logical_id, longest=80)
    url = site.client("sqs").create_queue(
        QueueName=name, Attributes=_queue_attributes(properties), tags=tag_map(site, properties)
    )["QueueUrl"]
    return Made(url, {"Arn": site.arn("sqs", name), "QueueName": name, "QueueUrl": url})


# What an attribute goes back to when it leaves the template (SQS API, SetQueueAttributes).
_QUEUE_DEFAULTS = {
    "DelaySeconds": "0",
    "KmsDataKeyReusePeriodSeconds": "300",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedrivePolicy": "",
    "VisibilityTimeout": "30",
}


def _update_queue(site: Site, existing: Existing, new: Properties) -> Made:
    before, after = _queue_attributes(existing.properties), _queue_attributes(new)
    gone = {name: _QUEUE_DEFAULTS[name] for name in before if name not in after}
    different = {name: value for name, value in after.items() if before.get(name) != value}
    if gone or different:
        site.client("sqs").set_queue_attributes(
            QueueUrl=existing.physical_id, Attributes={**gone, **different}
        )
    if changed(existing, new, "Tags"):
        site.client("sqs").tag_queue(QueueUrl=existing.physical_id, Tags=tag_map(site, new))
    return existing.made()


def _delete_queue(site: Site, existing: Existing) -> None:
    site.client("sqs").delete_queue(QueueUrl=existing.physical_id)


def _create_queue_policy(site: Site, logical_id: str, properties: Properties) -> Made:
    _put_queue_policy(site, properties)
    return Made(generated_name(site, logical_id))


def _update_queue_policy(site: Site, existing: Existing, new: Properties) -> Made:
    _put_queue_policy(site, new)
    return existing.made()


def _put_queue_policy(site: Site, properties: Properties) -> None:
    for url in properties["Queues"]:
        site.client("sqs").set_queue_attributes(
            QueueUrl=url, Attributes={"Policy": as_json(properties["PolicyDocument"])}
        )


def _delete_queue_policy(site: Site, existing: Existing) -> None:
    for url in existing.properties["Queues"]:
        site.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})


_TOPIC = Record(
    {
        **texts("TopicName", "DisplayName", "KmsMasterKeyId", "TracingConfig"),
        "FifoTopic": FLAG,
        "Subscription": ListOf(Record(texts("Endpoint", "Protocol"), ("Endpoint", "Protocol"))),
        "Tags": TAGS,
    }
)
_SUBSCRIPTION = Record(
    {
        **texts("TopicArn", "Protocol", "Endpoint", "FilterPolicyScope", "SubscriptionRoleArn"),
        **dict.fromkeys(_SUBSCRIPTION_DOCUMENTS, DOCUMENT),
        "RawMessageDelivery": FLAG,
    },
    ("TopicArn", "Protocol"),
)
_QUEUE = Record(
    {
        **texts("QueueName", "KmsMasterKeyId"),
        **dict.fromkeys(_QUEUE_NUMBERS, INT),
        **dict.fromkeys(_QUEUE_FLAGS, FLAG),
        "RedrivePolicy": DOCUMENT,
        "RedriveAllowPolicy": DOCUMENT,
        "Tags": TAGS,
    }
)

TYPES = (
    ResourceType(
        "AWS::SNS::Topic",
        _TOPIC,
        _create_topic,
        _delete_topic,
        _update_topic,
        frozenset({"TopicName", "FifoTopic", "Subscription"}),
        "TopicName",
    ),
    ResourceType(
        "AWS::SNS::TopicPolicy",
        Record({"Topics": TEXTS, "PolicyDocument": DOCUMENT}, ("Topics", "PolicyDocument")),
        _create_topic_policy,
        _delete_topic_policy,
        _update_topic_policy,
        frozenset({"Topics"}),
    ),
    ResourceType(
        "AWS::SNS::Subscription",
        _SUBSCRIPTION,
        _create_subscription,
        _delete_subscription,
        _update_subscription,
        frozenset({"TopicArn", "Protocol", "Endpoint"}),
    ),
    ResourceType(
        "AWS::SQS::Queue",
        _QUEUE,
        _create_queue,
        _delete_queue,
        _update_queue,
        frozenset({"QueueName", "FifoQueue"}),
        "QueueName",
    ),
    ResourceType(
        "AWS::SQS::QueuePolicy",
        Record({"Queues": TEXTS, "PolicyDocument": DOCUMENT}, ("Queues", "PolicyDocument")),
        _create_queue_policy,
        _delete_queue_policy,
        _update_queue_policy,
        frozenset({"Queues"}),
    ),
)
