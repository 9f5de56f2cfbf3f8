"""SageMaker's runtime API: a request's body to the endpoint's containers, their answer back."""

import json
import random
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from localaws import wire
from localaws.context import Context
from localaws.endpoints import asynchronous as endpoint_async
from localaws.endpoints import invocation as endpoint_invocation
from localaws.endpoints import service as endpoints
from localaws.endpoints.invocation import Invocation, Outcome
from localaws.endpoints.service import Endpoint, Status
from localaws.errors import UnsupportedByLocalAws
from localaws.sagemaker.api import mount, place_of
from localaws.wire import AwsError, WireRequest

# botocore's model of sagemaker-runtime, shape BodyBlob.
MAX_BODY_BYTES = 6_291_456
_HEADER = "x-amzn-sagemaker-"
_UNSUPPORTED = ("target-model", "target-container-hostname", "inference-component", "session-id")
_UNSUPPORTED_ASYNC = ("s3outputpathextension", "filename")

_StartResponse = Callable[..., Any]


def install(context: Context) -> None:
    """Answer sagemaker-runtime from here."""
    mount(context, "sagemakerruntime", application)
    endpoint_async.install()
    endpoint_invocation.install()


def shutdown() -> None:
    """Drop what waits."""
    endpoint_async.shutdown()
    endpoint_invocation.shutdown()


def application(environ: dict[str, Any], start: _StartResponse) -> Iterable[bytes]:
    """WSGI: one invocation; raises AwsError, which the gateway writes out."""
    request: WireRequest | None = environ.get(wire.READ_ALREADY)
    if request is None:
        request = wire.read(environ)
        wire.identify(request)
    endpoint = _endpoint(request)
    if request.operation == "InvokeEndpoint":
        return _invoke(request, endpoint, start)
    if request.operation == "InvokeEndpointAsync":
        return _invoke_async(request, endpoint, start)
    raise UnsupportedByLocalAws("sagemaker-runtime", request.operation)


def _endpoint(request: WireRequest) -> Endpoint:
    place = place_of(request)
    name = request.parameters["EndpointName"]
    endpoint = endpoints.find(place, name)
    if endpoint is None or endpoint.status is Status.DELETING:
        raise AwsError("ValidationError", f"Endpoint {name} of account {place.account} not found.")
    if endpoint.blue is None:
        raise AwsError("ValidationError", f"Endpoint {name} is {endpoint.status.value}.")
    return endpoint


def _invoke(request: WireRequest, endpoint: Endpoint, start: _StartResponse) -> Iterable[bytes]:
    if endpoint.blue is not None and endpoint.blue.async_config:
        raise AwsError(
            "ValidationError",
            f"Endpoint {endpoint.name} is asynchronous; call InvokeEndpointAsync.",
        )
    outcome = endpoint_invocation.invoke(endpoint, _invocation(request))
    answer = outcome.answer
    if answer.status != 200:
        return _model_error(endpoint, outcome, start)
    headers = [
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        ("x-Amzn-Invoked-Production-Variant", outcome.variant),
        ("x-amzn-RequestId", f"{random.getrandbits(128):032x}"),
    ]
    start("200 OK", headers)
    return [answer.body]


def _invocation(request: WireRequest) -> Invocation:
    body, headers = request.body, request.headers
    if len(body) > MAX_BODY_BYTES:
        raise AwsError(
            "ValidationError",
            f"the body has {len(body)} bytes, an invocation takes at most {MAX_BODY_BYTES}",
        )
    for name in _UNSUPPORTED:
        if _HEADER + name in headers:
            raise UnsupportedByLocalAws("sagemaker-runtime", "InvokeEndpoint", name)
    return Invocation(
        body=body,
        content_type=headers.get("content-type", "application/octet-stream"),
        accept=headers.get("accept", ""),
        target=headers.get(f"{_HEADER}target-variant"),
        inference_id=headers.get(f"{_HEADER}inference-id", ""),
        custom_attributes=headers.get(f"{_HEADER}custom-attributes", ""),
        received_s=request.environ.get(wire.RECEIVED_S, 0.0),
    )


def _invoke_async(
    request: WireRequest, endpoint: Endpoint, start: _StartResponse
) -> Iterable[bytes]:
    for name in _UNSUPPORTED_ASYNC:
        if _HEADER + name in request.headers:
            raise UnsupportedByLocalAws("sagemaker-runtime", "InvokeEndpointAsync", name)

    def stated(name: str, default: str = "") -> str:
        return request.headers.get(_HEADER + name, default)

    accepted = endpoint_async.accept(
        endpoint,
        endpoint_async.AsyncRequest(
            input_location=stated("inputlocation"),
            content_type=stated("content-type", "application/octet-stream"),
            accept=stated("accept"),
            inference_id=stated("inference-id") or str(uuid.uuid4()),
            time_to_live_s=float(stated("requestttlseconds", "21600")),
        ),
    )
    body = json.dumps({"InferenceId": accepted.inference_id}).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", str(uuid.uuid4())),
    ]
    if accepted.output_location:
        headers.append(("X-Amzn-SageMaker-OutputLocation", accepted.output_location))
    if accepted.failure_location:
        headers.append(("X-Amzn-SageMaker-FailureLocation", accepted.failure_location))
    start("202 Accepted", headers)
    return [body]


def _model_error(endpoint: Endpoint, outcome: Outcome, start: _StartResponse) -> Iterable[bytes]:
    """ModelError, with what the container said."""
    group = f"/aws/sagemaker/Endpoints/{endpoint.name}"
    place = endpoint.place
    body = json.dumps(
        {
            "Message": (
                f"{outcome.complaint()}. "
                f"See the log group {group} in account {place.account} for more information."
            ),
            "OriginalStatusCode": outcome.answer.status,
            "OriginalMessage": outcome.said(),
            "LogStreamArn": f"arn:aws:logs:{place.region}:{place.account}:log-group:{group}",
        }
    ).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("x-amzn-ErrorType", "ModelError"),
        ("x-amzn-RequestId", str(uuid.uuid4())),
    ]
    start("424 Failed Dependency", headers)
    return [body]
