"""Whether a topic's message may go to a subscriber: the subscriber's own policy decides.

SNS delivers as a service, on behalf of the topic, into whatever account the subscriber is in.
Rules: SNS Developer Guide, "Fanout to Amazon SQS queues", "Sending messages to a queue in a
different account" (read 2026-11).

parity: what may not be delivered is dropped with a line in the log; AWS keeps it for the
dead-letter queue of the subscription.
"""

import logging

from localaws.errors import AccessDeniedByLocalAws
from localaws.iam import service as iam
from localaws.moto_seams import iam as moto_seams_iam

SNS = "sns.amazonaws.com"
_log = logging.getLogger("localaws.messages")
_KEY_ACTIONS = ("kms:GenerateDataKey", "kms:Decrypt")


def may_deliver(topic_arn: str, endpoint_arn: str) -> bool:
    """Decide about a delivery to a queue or function, and about the key of a queue that has one."""
    try:
        for action, resource in _needed(endpoint_arn):
            iam.authorize_service(SNS, action, resource, source_arn=topic_arn)
    except AccessDeniedByLocalAws as error:
        _log.warning("a message of %s was not delivered: %s", topic_arn, error)
        return False
    return True


def _needed(endpoint_arn: str) -> list[tuple[str, str]]:
    service, region, account = endpoint_arn.split(":")[2:5]
    if service == "lambda":
        return [("lambda:InvokeFunction", endpoint_arn)]
    key = moto_seams_iam.message_key("sqs", endpoint_arn)
    arn = moto_seams_iam.kms_key_arn(account, region, key) if key else None
    return [
        ("sqs:SendMessage", endpoint_arn),
        *((action, arn) for action in _KEY_ACTIONS if arn is not None),
    ]
