"""InvokeEndpoint: a request's body to the endpoint's containers, their answer back."""

import json
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from localaws import endpoints, wire
from localaws.context import Context
from localaws.endpoint_fleet import Busy, Retired
from localaws.endpoints import Endpoint, Status
from localaws.errors import UnsupportedByLocalAws
from localaws.model_handlers import Answer
from localaws.sagemaker_api import mount, place_of
from localaws.wire import AwsError, WireRequest

# botocore's model of sagemaker-runtime, shape BodyBlob.
MAX_BODY_BYTES = 6_291_456
_HEADER = "x-amzn-sagemaker-"
_UNSUPPORTED = ("target-model", "target-container-hostname", "inference-component", "session-id")

_StartResponse = Callable[..., Any]


def install(context: Context) -> None:
    """Answer sagemaker-runtime from here."""
    mount(context, "sagemakerruntime", application)


def application(environ: dict[str, Any], start: _StartResponse) -> Iterable[bytes]:
    """WSGI: one invocation; raises AwsError, which the gateway writes out."""
    request = wire.read(environ)
    wire.identify(request)
    if request.operation != "InvokeEndpoint":
        raise UnsupportedByLocalAws("sagemaker-runtime", request.operation)
    endpoint = _endpoint(request)
    answer, container = _invoke(request, endpoint)
    if answer.status != 200:
        return _model_error(endpoint, answer, container, start)
    headers = [
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        ("x-Amzn-Invoked-Production-Variant", endpoint.variant["VariantName"]),
        ("x-amzn-RequestId", str(uuid.uuid4())),
    ]
    start("200 OK", headers)
    return [answer.body]


def _endpoint(request: WireRequest) -> Endpoint:
    place = place_of(request)
    name = request.parameters["EndpointName"]
    endpoint = endpoints.find(place, name)
    if endpoint is None or endpoint.status is Status.DELETING:
        raise AwsError("ValidationError", f"Endpoint {name} of account {place.account} not found.")
    if endpoint.fleet is None:
        raise AwsError("ValidationError", f"Endpoint {name} is {endpoint.status.value}.")
    return endpoint


def _invoke(request: WireRequest, endpoint: Endpoint) -> tuple[Answer, int]:
    if len(request.body) > MAX_BODY_BYTES:
        raise AwsError(
            "ValidationError",
            f"the body has {len(request.body)} bytes, an invocation takes at most {MAX_BODY_BYTES}",
        )
    for name in _UNSUPPORTED:
        if _HEADER + name in request.headers:
            raise UnsupportedByLocalAws("sagemaker-runtime", "InvokeEndpoint", name)
    _check_variant(request, endpoint)
    content_type = request.headers.get("content-type", "application/octet-stream")
    return _ask(endpoint, request.body, content_type, request.headers.get("accept", ""))


def _ask(endpoint: Endpoint, body: bytes, content_type: str, accept: str) -> tuple[Answer, int]:
    """Ask the fleet that serves now; one that is replaced meanwhile hands on to the next."""
    while (fleet := endpoint.fleet) is not None:
        try:
            return fleet.invoke(body, content_type, accept)
        except Retired:
            if endpoint.fleet is fleet:
                break
        except Busy as error:
            raise AwsError("ServiceUnavailable", "every container is busy", 503) from error
    raise AwsError("ValidationError", f"Endpoint {endpoint.name} is {endpoint.status.value}.")


def _check_variant(request: WireRequest, endpoint: Endpoint) -> None:
    wanted = request.headers.get(f"{_HEADER}target-variant")
    if wanted is not None and wanted != endpoint.variant["VariantName"]:
        raise AwsError(
            "ValidationError", f"Variant {wanted} not found on endpoint {endpoint.name}."
        )


def _model_error(
    endpoint: Endpoint, answer: Answer, container: int, start: _StartResponse
) -> Iterable[bytes]:
    """ModelError, with what the container said."""
    said = answer.body.decode("utf-8", "replace")[:1024]
    side = "client" if answer.status < 500 else "server"
    serial = endpoint.fleet is not None and len(endpoint.fleet.plan.model.containers) > 1
    which = f"container-{container}" if serial else "primary"
    group = f"/aws/sagemaker/Endpoints/{endpoint.name}"
    place = endpoint.place
    body = json.dumps(
        {
            "Message": (
                f'Received {side} error ({answer.status}) from {which} with message "{said}". '
                f"See the log group {group} in account {place.account} for more information."
            ),
            "OriginalStatusCode": answer.status,
            "OriginalMessage": said,
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
