"""Data capture: a share of an endpoint's requests and answers, as files in S3.

Layout and lines: Amazon SageMaker Developer Guide, "Capture data from real-time endpoint" (read
2026-11). Written with the model's execution role; a role that may not write loses the data and
serves on, as on AWS.
"""

import base64
import json
import logging
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localaws import clock
from localaws.jobs.transfer import Courier, JobFailed, S3Uri
from localaws.sagemaker.store import Document

_EVERY_S = 0.5
"""Real seconds between two files; AWS may take minutes."""
_MOST_LINES = 1_000
_log = logging.getLogger("localaws.endpoints")


@dataclass(frozen=True)
class Exchange:
    """One request and its answer."""

    variant: str
    sent: bytes
    sent_type: str
    answered: bytes
    answered_type: str
    inference_id: str = ""
    custom_attributes: str = ""


@dataclass
class Capture:
    """What one configuration captures, and the lines that wait for their file."""

    endpoint: str
    document: Document
    courier: Courier
    _waiting: dict[str, list[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _timer: threading.Timer | None = None
    _credit: float = 0.0

    @classmethod
    def of(cls, endpoint: str, config: Document, courier: Courier) -> "Capture | None":
        """The capture of a configuration; None when it has none or it is switched off."""
        document = config.get("DataCaptureConfig")
        if not document or document.get("EnableCapture") is False:
            return None
        return cls(endpoint, document, courier)

    def is_chosen(self) -> bool:
        """Whether the next exchange is one of the sampled share."""
        with self._lock:
            self._credit += float(self.document["InitialSamplingPercentage"]) / 100.0
            if self._credit < 1.0:
                return False
            self._credit -= 1.0
            return True

    def take(self, exchange: Exchange) -> None:
        """Keep one exchange for the next file."""
        line = json.dumps(self._line(exchange, clock.now()))
        with self._lock:
            lines = self._waiting.setdefault(exchange.variant, [])
            if len(lines) < _MOST_LINES:
                lines.append(line)
            if self._timer is None:
                self._timer = threading.Timer(_EVERY_S, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        for variant, lines in waiting.items():
            self._write(variant, lines)

    def _write(self, variant: str, lines: list[str]) -> None:
        now = clock.now()
        place = f"{self.endpoint}/{variant}/{now:%Y/%m/%d/%H}"
        name = f"{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        target = S3Uri.parse(self.document["DestinationS3Uri"]).joined(f"{place}/{name}")
        key = self.document.get("KmsKeyId")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        try:
            put_object(self.courier, target, "".join(f"{line}\n" for line in lines), **encryption)
        except JobFailed as failure:
            _log.warning("data capture of %s: %s", self.endpoint, failure)

    def _line(self, exchange: Exchange, now: datetime) -> Document:
        modes = {option["CaptureMode"] for option in self.document["CaptureOptions"]}
        captured: Document = {}
        if modes & {"Input", "InputAndOutput"}:
            captured["endpointInput"] = self._side("INPUT", exchange.sent, exchange.sent_type)
        if modes & {"Output", "InputAndOutput"}:
            captured["endpointOutput"] = self._side(
                "OUTPUT", exchange.answered, exchange.answered_type
            )
        metadata: Document = {
            "eventId": str(uuid.uuid4()),
            "inferenceTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if exchange.inference_id:
            metadata["inferenceId"] = exchange.inference_id
        if exchange.custom_attributes:
            metadata["customAttributes"] = [exchange.custom_attributes]
        return {"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}

    def _side(self, mode: str, body: bytes, content_type: str) -> Document:
        encoding = self._encoding(content_type.partition(";")[0].strip().lower())
        text = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode()
        return {
            "observedContentType": content_type,
            "mode": mode,
            "data": text,
            "encoding": encoding,
        }

    def _encoding(self, content_type: str) -> str:
        headers = self.document.get("CaptureContentTypeHeader") or {}
        if content_type in headers.get("CsvContentTypes", ("text/csv",)):
            return "CSV"
        if content_type in headers.get("JsonContentTypes", ("application/json",)):
            return "JSON"
        return "BASE64"


def put_object(courier: Courier, target: S3Uri, body: str | bytes, **encryption: Any) -> None:
    """Write one object as the model's execution role; raises JobFailed."""
    from botocore.exceptions import ClientError

    try:
        courier.client("s3").put_object(
            Bucket=target.bucket, Key=target.key, Body=body, **encryption
        )
    except ClientError as error:
        raise JobFailed(f"ClientError: {target}: {error.response['Error']['Message']}") from error
