"""What requests to SQS, EventBridge and its scheduler are decided on.

Sources: Service Authorization Reference (read 2026-11).
"""

from collections.abc import Mapping
from typing import Any

from localaws.iam.requirement import Place, Requirement
from localaws.moto_seams import iam as moto_seams_iam
from localaws.moto_seams import queues as moto_seams_queues

Parameters = Mapping[str, Any]


def sqs(operation: str, parameters: Parameters, place: Place) -> list[str]:
    url, name = str(parameters.get("QueueUrl", "")), parameters.get("QueueName")
    if operation in ("ListQueues", "ListMessageMoveTasks", "StartMessageMoveTask"):
        return ["*"]
    if name:
        account = str(parameters.get("QueueOwnerAWSAccountId") or place.account)
        return [f"arn:aws:sqs:{place.region}:{account}:{name}"]
    *_, account, queue = url.rstrip("/").split("/") if url.count("/") > 1 else ("", "", url)
    return [f"arn:aws:sqs:{place.region}:{account or place.account}:{queue}"]


def events(operation: str, parameters: Parameters, place: Place) -> list[str]:
    if operation == "PutEvents":
        entries = parameters.get("Entries") or [{}]
        buses = [str(entry.get("EventBusName") or "default") for entry in entries]
        return [_bus(bus, place) for bus in dict.fromkeys(buses)]
    rule = parameters.get("Rule") or ("Rule" in operation and parameters.get("Name"))
    if operation in _RULE_OPERATIONS and rule:
        bus = str(parameters.get("EventBusName") or "default").rpartition("/")[2]
        middle = "" if bus == "default" else f"{bus}/"
        return [place.arn("events", f"rule/{middle}{rule}")]
    if operation in _BUS_OPERATIONS:
        name = parameters.get("Name") or parameters.get("EventBusName") or "default"
        return [_bus(str(name), place)]
    return [str(parameters["ResourceARN"])] if "ResourceARN" in parameters else []


_BUS_OPERATIONS = frozenset(
    ["CreateEventBus", "DeleteEventBus", "DescribeEventBus", "PutPermission", "RemovePermission"]
)
_RULE_OPERATIONS = frozenset(
    [
        "PutRule",
        "DescribeRule",
        "DeleteRule",
        "EnableRule",
        "DisableRule",
        "PutTargets",
        "RemoveTargets",
        "ListTargetsByRule",
    ]
)


def scheduler(operation: str, parameters: Parameters, place: Place) -> list[str]:
    """A schedule without a group is in the group `default`."""
    if not operation.endswith("Schedule"):
        return []
    group = parameters.get("GroupName") or parameters.get("groupName") or "default"
    return [place.arn("scheduler", f"schedule/{group}/{parameters['Name']}")]


def _bus(name: str, place: Place) -> str:
    return name if name.startswith("arn:") else place.arn("events", f"event-bus/{name}")


_SEND = ("kms:GenerateDataKey", "kms:Decrypt")
_KEY_ACTIONS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("sns", "Publish"): _SEND,
    ("sns", "PublishBatch"): _SEND,
    ("sqs", "SendMessage"): _SEND,
    ("sqs", "SendMessageBatch"): _SEND,
    ("sqs", "ReceiveMessage"): ("kms:Decrypt",),
    ("secretsmanager", "GetSecretValue"): ("kms:Decrypt",),
    ("secretsmanager", "PutSecretValue"): _SEND,
}


def is_keyed(service: str, operation: str) -> bool:
    """Whether an operation uses the key of what it acts on."""
    return (service, operation) in _KEY_ACTIONS


def keys(service: str, operation: str, resource: str, place: Place) -> list[Requirement]:
    """What an encrypted topic, queue or secret asks of those who write to it or read from it."""
    key = _key_of(service, resource)
    arn = moto_seams_iam.kms_key_arn(place.account, place.region, key) if key else None
    if arn is None or key.startswith("alias/aws/"):
        return []
    via = {
        "aws:viaawsservice": ("true",),
        "kms:viaservice": (f"{service}.{place.region}.amazonaws.com",),
    }
    return [Requirement(action, arn, via) for action in _KEY_ACTIONS[service, operation]]


def _key_of(service: str, resource: str) -> str:
    if service != "secretsmanager":
        return moto_seams_iam.message_key(service, resource)
    if not resource.startswith("arn:"):
        return ""
    _, _, _, region, account, *_ = resource.split(":")
    return moto_seams_queues.secret(account, region, resource)[1]
