"""What people are told by: topics, queues, subscriptions, alarms, and what never arrived."""

from collections.abc import Iterator, Mapping
from typing import Any

from localaws.deployer.intrinsics import is_pending
from signalbox_cli.doctor import policies
from signalbox_cli.doctor.findings import REDEPLOY, Finding, differing
from signalbox_cli.doctor.patients import Patient, Resource


def message_policies(patient: Patient) -> Iterator[Finding]:
    """Topics and queues let in whom the template says, and are encrypted."""
    yield from _topic_policies(patient)
    yield from _queue_policies(patient)
    for queue in patient.of_type("AWS::SQS::Queue"):
        if queue.properties.get("KmsMasterKeyId"):
            found = _queue(patient, queue.physical_id, "KmsMasterKeyId")
            if not found.get("KmsMasterKeyId"):
                yield Finding(queue.name, "the queue is not encrypted with your key", REDEPLOY)


def _topic_policies(patient: Patient) -> Iterator[Finding]:
    for policy in patient.of_type("AWS::SNS::TopicPolicy"):
        for topic in policy.properties["Topics"]:
            if not is_pending(topic):
                found = patient.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
                yield from _compared(topic.rpartition(":")[2], policy, found.get("Policy"))


def _queue_policies(patient: Patient) -> Iterator[Finding]:
    for policy in patient.of_type("AWS::SQS::QueuePolicy"):
        for url in policy.properties["Queues"]:
            if not is_pending(url):
                found = _queue(patient, url, "Policy")
                yield from _compared(url.rpartition("/")[2], policy, found.get("Policy"))


def _compared(subject: str, policy: Resource, found: str | None) -> Iterator[Finding]:
    wanted = policy.properties["PolicyDocument"]
    if not is_pending(wanted):
        yield from differing(subject, policies.differences(wanted, found), REDEPLOY)


def _queue(patient: Patient, url: str, *names: str) -> Mapping[str, str]:
    answer = patient.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(names))
    found: Mapping[str, str] = answer.get("Attributes", {})
    return found


def subscriptions(patient: Patient) -> Iterator[Finding]:
    """Whoever is to be told has said yes, and a webhook knows its address."""
    for topic in patient.of_type("AWS::SNS::Topic"):
        pages = patient.client("sns").get_paginator("list_subscriptions_by_topic")
        live = [
            one
            for page in pages.paginate(TopicArn=topic.physical_id)
            for one in page["Subscriptions"]
        ]
        yield from _subscribed(patient, topic, live)
    for secret in patient.of_type("AWS::SecretsManager::Secret"):
        yield from _secret(patient, secret)


def _subscribed(
    patient: Patient, topic: Resource, live: list[Mapping[str, Any]]
) -> Iterator[Finding]:
    by_endpoint = {one["Endpoint"]: one for one in live}
    for wanted in patient.of_type("AWS::SNS::Subscription"):
        endpoint = wanted.text("Endpoint")
        if not endpoint or wanted.text("TopicArn") != topic.physical_id:
            continue
        found = by_endpoint.get(endpoint)
        if found is None:
            yield Finding(topic.name, f"{endpoint} is not subscribed: nobody is told", REDEPLOY)
        elif found["SubscriptionArn"] == "PendingConfirmation":
            yield Finding(
                topic.name,
                f"{endpoint} has not confirmed its subscription: nobody is told",
                f"follow the link in the mail that AWS sent to {endpoint}",
            )


def _secret(patient: Patient, secret: Resource) -> Iterator[Finding]:
    found = patient.client("secretsmanager").describe_secret(SecretId=secret.physical_id)
    stages = [stage for one in found.get("VersionIdsToStages", {}).values() for stage in one]
    if "AWSCURRENT" not in stages:
        name = found["Name"]
        yield Finding(
            name,
            "the secret holds no value: the webhook has no address",
            f"aws secretsmanager put-secret-value --secret-id {name} --secret-string "
            """'{"url": "https://...", "signingSecret": "..."}'""",
        )


def dead_letters(patient: Patient) -> Iterator[Finding]:
    """Nothing lies in a dead-letter queue: every event and message was delivered."""
    dead = set(_dead_letter_arns([resource.properties for resource in patient.every()]))
    for queue in patient.of_type("AWS::SQS::Queue"):
        found = _queue(patient, queue.physical_id, "QueueArn", "ApproximateNumberOfMessages")
        waiting = int(found.get("ApproximateNumberOfMessages", 0))
        if found.get("QueueArn") in dead and waiting:
            yield Finding(
                queue.name,
                f"{waiting} events or messages could not be delivered",
                f"aws sqs receive-message --queue-url {queue.physical_id} "
                "--message-attribute-names All shows them with the reason",
            )


def _dead_letter_arns(value: Any) -> Iterator[str]:
    """Queues that are named where undelivered things go, anywhere in some properties."""
    if isinstance(value, list):
        for one in value:
            yield from _dead_letter_arns(one)
    if not isinstance(value, Mapping):
        return
    for name, one in value.items():
        if name in ("DeadLetterConfig", "OnFailure") and isinstance(one, Mapping):
            yield from (str(arn) for arn in one.values() if not is_pending(arn))
        elif name == "deadLetterTargetArn" and not is_pending(one):
            yield str(one)
        else:
            yield from _dead_letter_arns(one)


def alarms(patient: Patient) -> Iterator[Finding]:
    """Each alarm is there, may act, tells somebody, and is quiet."""
    wanted = {one.physical_id: one for one in patient.of_type("AWS::CloudWatch::Alarm")}
    client, found = patient.client("cloudwatch"), {}
    for start in range(0, len(wanted), 100):  # DescribeAlarms takes at most 100 names
        names = list(wanted)[start : start + 100]
        for one in client.describe_alarms(AlarmNames=names)["MetricAlarms"]:
            found[one["AlarmName"]] = one
    for name, alarm in wanted.items():
        yield from _alarm(name, alarm, found.get(name))


def _alarm(name: str, wanted: Resource, found: Mapping[str, Any] | None) -> Iterator[Finding]:
    if found is None:
        yield Finding(name, "the alarm does not exist", REDEPLOY)
        return
    if not found["ActionsEnabled"]:
        yield Finding(
            name,
            "the alarm may not act: nobody would be told",
            f"aws cloudwatch enable-alarm-actions --alarm-names {name}",
        )
    actions = wanted.properties.get("AlarmActions", [])
    if not is_pending(actions) and not set(actions) <= set(found.get("AlarmActions", [])):
        yield Finding(name, "the alarm does not tell whom the template names", REDEPLOY)
    if found["StateValue"] == "ALARM" and not _watches_dead_letters(found):
        yield Finding(name, f"the alarm rings: {found.get('StateReason', '')}", "see its cause")


def _watches_dead_letters(found: Mapping[str, Any]) -> bool:
    """Whether the check of the dead-letter queues tells the same, and better."""
    return str(found.get("MetricName", "")).startswith("ApproximateNumberOfMessages")
