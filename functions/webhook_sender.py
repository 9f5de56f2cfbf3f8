"""SQS, messages for the webhook: each is posted, signed; those that fail stay in the queue.

The queue tries again and gives up into the dead-letter queue, whose alarm tells people. Nothing
here can hold back the e-mail, which SNS has sent on its own.
"""

import time
from functools import cache
from typing import Any

from signalbox import observability, settings, webhooks
from signalbox.aws import webhook_posts
from signalbox.errors import WebhookError, WebhookSecretError
from signalbox.events import QueueBatch, QueueRecord, read
from signalbox.messages import Message
from signalbox.messages_json import WebhookKind

logger = observability.logger("webhook-sender")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Post a batch; answers which records are to come again."""
    batch = read(QueueBatch, event)
    failed = [record.message_id for record in batch.records if not _is_posted(record)]
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _is_posted(record: QueueRecord) -> bool:
    try:
        _post(record)
    except (WebhookError, WebhookSecretError, ValueError) as error:
        logger.warning(
            "not posted", extra={"message_id": record.message_id, "reason": _reason(error)}
        )
        return False
    return True


def _reason(error: Exception) -> str:
    """A message that cannot be read is not repeated in the log."""
    return str(error) if isinstance(error, WebhookError | WebhookSecretError) else "not a message"


def _post(record: QueueRecord) -> None:
    message = Message.model_validate_json(record.body)
    secret = webhook_posts.secret(_settings().webhook_secret_arn)
    request = webhooks.plan_request(
        message, WebhookKind(_settings().webhook_kind), secret, timestamp=int(time.time())
    )
    webhook_posts.post(request)
    logger.info("posted", extra={"run_id": message.run_id, "key": message.key})


@cache
def _settings() -> settings.WebhookSettings:
    return settings.load(settings.WebhookSettings)
