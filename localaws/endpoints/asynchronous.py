"""Asynchronous inference: a payload in S3, its answer in S3, a message when it is there.

Rules: Amazon SageMaker Developer Guide, "Asynchronous inference", and API Reference,
InvokeEndpointAsync (read 2026-11). Payload, answer and message go with the model's execution role.
"""

import json
import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from localaws import clock
from localaws.endpoints import invocation as endpoint_invocation
from localaws.endpoints.capture import put_object
from localaws.endpoints.invocation import Invocation, Outcome
from localaws.endpoints.service import Endpoint
from localaws.jobs.transfer import Courier, JobFailed, S3Uri
from localaws.sagemaker.store import Document
from localaws.wire import AwsError

_THREADS = 8
_log = logging.getLogger("localaws.endpoints")


@dataclass(frozen=True)
class AsyncRequest:
    """What a caller asks for."""

    input_location: str
    content_type: str
    accept: str
    inference_id: str
    time_to_live_s: float
    received_s: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Accepted:
    """Where the answer will be."""

    inference_id: str
    output_location: str
    failure_location: str


class _Workers:
    pool: ThreadPoolExecutor | None = None


_workers = _Workers()


def install() -> None:
    """Begin with nothing waiting."""
    _workers.pool = ThreadPoolExecutor(_THREADS, "localaws-async-inference")


def shutdown() -> None:
    """Drop what waits."""
    pool, _workers.pool = _workers.pool, None
    if pool is not None:
        pool.shutdown(wait=False, cancel_futures=True)


def accept(endpoint: Endpoint, request: AsyncRequest) -> Accepted:
    """Take a request; its answer follows. Raises AwsError for one that cannot be carried out."""
    config = endpoint.blue.async_config if endpoint.blue is not None else None
    if config is None:
        raise AwsError("ValidationError", f"Endpoint {endpoint.name} is not asynchronous.")
    if not request.input_location.startswith("s3://"):
        raise AwsError("ValidationError", "InputLocation must be given as s3://bucket/key.")
    output = config["OutputConfig"]
    number = uuid.uuid4()
    accepted = Accepted(
        request.inference_id,
        _below(output.get("S3OutputPath"), f"{number}.out"),
        _below(output.get("S3FailurePath"), f"{number}-error.out"),
    )
    if _workers.pool is None:
        raise AwsError("ServiceUnavailable", "the laptop's AWS is stopping", 503)
    _workers.pool.submit(_Work(endpoint, request, accepted, output).carry_out)
    return accepted


def _below(folder: str | None, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if folder else ""


@dataclass(frozen=True)
class _Work:
    """One accepted request on its way."""

    endpoint: Endpoint
    request: AsyncRequest
    accepted: Accepted
    output: Document
    """The OutputConfig it was accepted under."""

    def carry_out(self) -> None:
        """Answer it, or say why not."""
        serving = self.endpoint.blue
        if serving is None:
            return
        courier = serving.variants[0].fleet.plan.model.courier
        try:
            outcome = self._ask(courier)
            self._store(courier, self.accepted.output_location, outcome.answer.body)
        except (JobFailed, AwsError) as failure:
            self._fail(courier, str(failure))
            return
        response = {
            "contentType": outcome.answer.content_type,
            "outputLocation": self.accepted.output_location,
        }
        message = _message(self.endpoint, self.request, "Completed")
        _tell(courier, self.output, "SuccessTopic", {**message, "responseParameters": response})

    def _ask(self, courier: Courier) -> Outcome:
        request = self.request
        if time.time() - request.received_s > request.time_to_live_s:
            raise JobFailed("the request expired before it was processed")
        source = S3Uri.parse(request.input_location)
        try:
            found = courier.client("s3").get_object(Bucket=source.bucket, Key=source.key)
            body = found["Body"].read()
        except ClientError as error:
            told = error.response["Error"]
            raise JobFailed(
                f"ClientError: Data download failed: {source}: {told['Code']}: {told['Message']}"
            ) from error
        invocation = Invocation(body, request.content_type, request.accept)
        outcome = endpoint_invocation.invoke(self.endpoint, invocation)
        if outcome.answer.status != 200:
            raise JobFailed(f"ClientError: {outcome.complaint()}")
        return outcome

    def _store(self, courier: Courier, location: str, body: str | bytes) -> None:
        if not location:
            return
        key = self.output.get("KmsKeyId")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        put_object(courier, S3Uri.parse(location), body, **encryption)

    def _fail(self, courier: Courier, reason: str) -> None:
        location = self.accepted.failure_location
        try:
            self._store(courier, location, reason)
        except JobFailed as failure:
            _log.warning("asynchronous inference of %s: %s", self.endpoint.name, failure)
        message = {**_message(self.endpoint, self.request, "Failed"), "failureReason": reason}
        if location:
            message["responseParameters"] = {"failureLocation": location}
        _tell(courier, self.output, "ErrorTopic", message)


def _message(endpoint: Endpoint, request: AsyncRequest, status: str) -> dict[str, Any]:
    received = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(request.received_s))
    return {
        "awsRegion": endpoint.place.region,
        "eventTime": clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "receivedTime": f"{received}.{int(request.received_s * 1000) % 1000:03d}Z",
        "invocationStatus": status,
        "requestParameters": {
            "contentType": request.content_type,
            "accept": request.accept,
            "endpointName": endpoint.name,
            "inputLocation": request.input_location,
        },
        "inferenceId": request.inference_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }


def _tell(courier: Courier, output: Document, which: str, message: dict[str, Any]) -> None:
    topic = (output.get("NotificationConfig") or {}).get(which)
    if not topic:
        return
    try:
        courier.client("sns").publish(TopicArn=topic, Message=json.dumps(message))
    except (ClientError, JobFailed) as error:
        _log.warning("asynchronous inference could not tell %s: %s", topic, error)
