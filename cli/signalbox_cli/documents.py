"""Documents in the workflow bucket that the control plane keeps, read and changed as it does.

The rules for them are the control plane's own (signalbox.serving); writes are conditional, so that
no change of another writer is lost.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from signalbox_cli.errors import CommandError
from signalbox_cli.target import Target

if TYPE_CHECKING:
    from signalbox.serving import ServingRecord

_ATTEMPTS = 25  # each one that fails means that another writer was faster


def serving_record(target: Target, endpoint: str) -> "ServingRecord":
    """The record of what an endpoint serves and served; empty when there is none."""
    from signalbox import serving

    key = serving.record_key(endpoint)
    content, _ = _read(target, key)
    if content is None:
        return serving.ServingRecord(endpoint=endpoint)
    return serving.from_json(content, source=key)


def change_record(
    target: Target, endpoint: str, rule: "Callable[[ServingRecord], ServingRecord]"
) -> "ServingRecord":
    """Apply a rule to the record; it may run several times, each time on what is stored then."""
    from signalbox import serving

    key = serving.record_key(endpoint)
    for _ in range(_ATTEMPTS):
        content, etag = _read(target, key)
        before = (
            serving.ServingRecord(endpoint=endpoint)
            if content is None
            else serving.from_json(content, source=key)
        )
        after = rule(before)
        if after == before or _replace(target, key, serving.to_json(after), etag):
            return after
    raise CommandError(f"{key} kept changing; run the same command again")


def promotion_record(target: Target, arn: str) -> dict[str, Any] | None:
    """What is known of the promotion of a version; None when nobody has decided on it."""
    group, version = arn.split(":", 5)[5].split("/")[1:3]
    content, _ = _read(target, f"promotions/{group}/{version}.json")
    found: Any = None if content is None else json.loads(content)
    return found if isinstance(found, dict) else None


def _read(target: Target, key: str) -> tuple[bytes | None, str]:
    from botocore.exceptions import ClientError

    try:
        answer = target.client("s3").get_object(Bucket=target.wiring().workflow_bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None, ""
        raise
    return answer["Body"].read(), answer["ETag"]


def _replace(target: Target, key: str, content: bytes, etag: str) -> bool:
    from botocore.exceptions import ClientError

    condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
    try:
        target.client("s3").put_object(
            Bucket=target.wiring().workflow_bucket,
            Key=key,
            Body=content,
            ContentType="application/json",
            **condition,
        )
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status in (409, 412):
            return False
        raise
    return True
