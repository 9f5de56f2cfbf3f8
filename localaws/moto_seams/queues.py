"""The part of `moto_seams` for queues that wake functions, and for mail and secrets.

moto runs a function inside SendMessage when a queue is mapped to it; on the laptop its own poller
does, so moto's mapping is kept for the API and taken off the queue. Every private name used here
has a smoke test in tests/localaws/test_queue_seams.py.
"""

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localaws.moto_seams import patches as moto_patches
from localaws.moto_seams.function_names import Named
from localaws.moto_seams.function_versions import routed


@dataclass(frozen=True)
class QueueMapping:
    """An event source mapping from a queue to a function."""

    uuid: str
    queue_arn: str
    function_arn: str
    batch_size: int
    reports_failures: bool
    """Whether the function answers with `batchItemFailures`."""


@dataclass(frozen=True)
class QueueHooks:
    """What the laptop does instead of moto."""

    mapped: Callable[[QueueMapping], None]
    unmapped: Callable[[str], None]
    """Told the UUID of a mapping that is gone, disabled or changed."""
    arrived: Callable[[str], None]
    """Told the ARN of a queue that a message has come to."""
    mailed: Callable[["Mail"], None]
    """Told of each notification to an e-mail subscription."""
    may_deliver: Callable[[str, str], bool]
    """Asked, with the ARNs of a topic and of a queue or function that subscribes to it."""


@dataclass(frozen=True)
class Mail:
    """What SNS sends to one e-mail subscription."""

    topic_arn: str
    address: str
    message_id: str
    subject: str
    text: str


_hooks: QueueHooks | None = None


def install_queues(hooks: QueueHooks) -> None:
    """Tell `hooks`, until `forget_hooks`; moto is its own again after `moto_patches.restore`."""
    global _hooks  # noqa: PLW0603 - one laptop per process, as everywhere in localaws
    _hooks = hooks
    _patch_mappings()
    _patch_queues()
    _patch_subscriptions()


def forget_hooks() -> None:
    """Tell nobody from now on."""
    global _hooks  # noqa: PLW0603 - see install_queues
    _hooks = None


def _patch_mappings() -> None:
    from moto.awslambda.models import LambdaBackend

    created = LambdaBackend.create_event_source_mapping
    updated = LambdaBackend.update_event_source_mapping
    deleted = LambdaBackend.delete_event_source_mapping

    def create_event_source_mapping(self: Any, spec: dict[str, Any]) -> Any:
        mapping = created(self, spec)
        _take_off_queue(mapping)
        _name_as_asked(mapping, spec)
        _tell_mapped(mapping)
        return mapping

    def update_event_source_mapping(self: Any, uuid: str, spec: dict[str, Any]) -> Any:
        mapping = updated(self, uuid, spec)
        if mapping is not None and _hooks is not None:
            _name_as_asked(mapping, spec)
            _hooks.unmapped(uuid)
            _tell_mapped(mapping)
        return mapping

    def delete_event_source_mapping(self: Any, uuid: str) -> Any:
        mapping = deleted(self, uuid)
        if mapping is not None and _hooks is not None:
            _hooks.unmapped(uuid)
        return mapping

    for function in (
        create_event_source_mapping,
        update_event_source_mapping,
        delete_event_source_mapping,
    ):
        moto_patches.replace(LambdaBackend, function.__name__, function)


def _take_off_queue(mapping: Any) -> None:
    from moto.sqs.models import sqs_backends

    name = mapping.event_source_arn.rpartition(":")[2]
    queue = sqs_backends[mapping.account_id][mapping.region].queues.get(name)
    if queue is not None:
        queue.lambda_event_source_mappings.pop(mapping.function_arn, None)


def _name_as_asked(mapping: Any, spec: dict[str, Any]) -> None:
    """Keep the alias that was asked for, where moto puts the version that it leads to now."""
    if "FunctionName" in spec:
        plain = ":".join(mapping.function_arn.split(":")[:7])
        qualifier = Named.of(spec["FunctionName"]).qualifier
        mapping.function_arn = f"{plain}:{qualifier}" if qualifier else plain


def _tell_mapped(mapping: Any) -> None:
    if _hooks is None or not mapping.enabled:
        return
    _hooks.mapped(
        QueueMapping(
            uuid=mapping.uuid,
            queue_arn=mapping.event_source_arn,
            function_arn=mapping.function_arn,
            batch_size=mapping.batch_size,
            reports_failures="ReportBatchItemFailures" in (mapping.function_response_types or []),
        )
    )


def _patch_queues() -> None:
    from moto.sqs.models import Queue

    added = Queue.add_message

    def add_message(self: Any, message: Any) -> None:
        added(self, message)
        if _hooks is not None:
            _hooks.arrived(self.queue_arn)

    moto_patches.replace(Queue, "add_message", add_message)


def _patch_subscriptions() -> None:
    """Deliver to e-mail subscriptions, which moto only lists; ask before delivering to others.

    moto looks for queues and functions in the account of the topic.
    """
    from moto.sns.models import Subscription

    published = Subscription.publish

    def publish(self: Any, message: str, message_id: str, **given: Any) -> None:
        if self.protocol in ("sqs", "lambda") and _hooks is not None:
            if not _hooks.may_deliver(self.topic.arn, self.endpoint):
                return
            self = copy.copy(self)  # the stored one keeps the account of its topic
            self.account_id = self.endpoint.split(":")[4]
        published(self, message, message_id, **given)
        if self.protocol == "email" and _hooks is not None:
            _mail(self, message, message_id, given)

    moto_patches.replace(Subscription, "publish", publish)


def _mail(subscription: Any, message: str, message_id: str, given: dict[str, Any]) -> None:
    matcher = subscription._filter_policy_matcher
    if matcher is not None and not matcher.matches(given.get("message_attributes"), message):
        return
    is_structured = given.get("message_structure") == "json"
    text = subscription._parse_message_structure(message, "email") if is_structured else message
    subject = given.get("subject") or "AWS Notification Message"
    assert _hooks is not None  # noqa: S101 - asked by the caller
    _hooks.mailed(Mail(subscription.topic.arn, subscription.endpoint, message_id, subject, text))


def run_function(function_arn: str, payload: bytes) -> tuple[bytes, bool]:
    """Invoke a function, version or alias by ARN as Lambda itself does; answer, failed or not."""
    answer, failed, _ = _function(function_arn)._invoke_lambda(event=payload)
    return answer.encode(), failed


def role_of(function_arn: str) -> str:
    """The execution role of a function, version or alias."""
    return str(_function(function_arn).role)


def _function(arn: str) -> Any:
    """moto's function behind an ARN; of an alias with weights either version."""
    from moto.awslambda.models import lambda_backends

    region, account = arn.split(":")[3:5]
    draw = random.random()  # noqa: S311 - shares calls out, keeps no secret
    return routed(lambda_backends[account][region], arn, None, draw)


def secret(account: str, region: str, name: str) -> tuple[str, str]:
    """ARN and key of a secret by name or ARN, "" for what it has not."""
    from moto.secretsmanager.models import secretsmanager_backends

    for found in secretsmanager_backends[account][region].secrets.values():
        if name in (found.arn, found.name):
            return str(found.arn), str(found.kms_key_id or "")
    return "", ""
