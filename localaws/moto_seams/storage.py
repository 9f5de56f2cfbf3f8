"""The part of `moto_seams` that belongs to S3's answers: what moto keeps and does not tell."""

from typing import Any

from localaws.moto_seams import patches as moto_patches

_ROOT = "NotificationConfiguration"


def tell_whether_eventbridge_hears() -> None:
    """moto keeps a bucket's EventBridge setting, acts on it, and leaves it out of its answer."""
    from moto.s3.responses import S3Response

    original = S3Response.get_bucket_notification

    def get_bucket_notification(self: Any) -> Any:
        kept = self.backend.get_bucket_notification_configuration(self.bucket_name)
        status, headers, body = original(self)
        if kept is None or kept.event_bridge is None:
            return status, headers, body
        return status, headers, _with_eventbridge(body)

    moto_patches.replace(S3Response, "get_bucket_notification", get_bucket_notification)


def _with_eventbridge(body: str | bytes) -> str:
    """The answer with the empty element that stands for "on"."""
    text = body.decode() if isinstance(body, bytes) else body
    start, closing, _ = text.rpartition(f"</{_ROOT}>")
    inner = start if closing else text.rpartition("/>")[0] + ">"
    return f"{inner}<EventBridgeConfiguration/></{_ROOT}>"
