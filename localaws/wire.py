"""Reads an AWS request off the wire.

Knows protocols, not services' meaning: which service and operation a request names, its parameters
as plain values. How errors are written is in wire_errors. Imports no moto.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

from localaws import wire_routes
from localaws.errors import UnsupportedByLocalAws

READ_ALREADY = "localaws.request"
"""Where a WSGI environment keeps the request that the gateway has read, for those who serve it."""
RECEIVED_S = "localaws.received"
"""Where it keeps `time.perf_counter()` of the request's arrival."""

JSON, QUERY, REST_JSON, REST_XML = "json", "query", "rest-json", "rest-xml"


@dataclass(frozen=True)
class Service:
    """One AWS service as the laptop serves it."""

    name: str
    """The IAM prefix of its actions."""
    backend: str
    """The name of moto's package for it."""
    protocol: str


SERVICES: Mapping[str, Service] = {
    scope: Service(name, backend, protocol)
    for scope, name, backend, protocol in (
        ("s3", "s3", "s3", REST_XML),
        ("sts", "sts", "sts", QUERY),
        ("iam", "iam", "iam", QUERY),
        ("sns", "sns", "sns", QUERY),
        ("sqs", "sqs", "sqs", JSON),
        ("ssm", "ssm", "ssm", JSON),
        ("kms", "kms", "kms", JSON),
        ("secretsmanager", "secretsmanager", "secretsmanager", JSON),
        ("logs", "logs", "logs", JSON),
        ("events", "events", "events", JSON),
        ("scheduler", "scheduler", "scheduler", REST_JSON),
        ("states", "states", "stepfunctions", JSON),
        ("lambda", "lambda", "awslambda", REST_JSON),
        ("sagemaker", "sagemaker", "sagemaker", JSON),
        ("codepipeline", "codepipeline", "codepipeline", JSON),
        ("codebuild", "codebuild", "codebuild", JSON),
        ("codedeploy", "codedeploy", "codedeploy", JSON),
        ("monitoring", "cloudwatch", "cloudwatch", JSON),
        ("cloudformation", "cloudformation", "cloudformation", QUERY),
        ("application-autoscaling", "application-autoscaling", "applicationautoscaling", JSON),
        ("servicequotas", "servicequotas", "servicequotas", JSON),
        ("codestar-connections", "codestar-connections", "codestarconnections", JSON),
        ("ecr", "ecr", "ecr", JSON),
    )
}
"""Key: the service name in the signature's credential scope."""

SAGEMAKER_RUNTIME = Service("sagemaker", "sagemakerruntime", REST_JSON)


class AwsError(Exception):
    """An answer to refuse a request with; written in the protocol of the request."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code = code
        self.message = message
        self.status = status
        super().__init__(f"{code}: {message}")


@dataclass(frozen=True)
class Scope:
    """Who signed, for which day, region and service; of a request that is not signed, guesses."""

    key_id: str
    date: str
    region: str
    service: str


@dataclass
class WireRequest:
    """One request, before anything has been decided about it."""

    method: str
    raw_path: str
    """The path as sent, still percent-encoded, without the query string."""
    raw_query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    environ: dict[str, Any]
    scope: Scope
    service: Service
    operation: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def query(self) -> dict[str, str]:
        """The query string, decoded; a repeated name keeps its last value."""
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    @cached_property
    def body(self) -> bytes:
        """The whole body; reading it here leaves it readable for moto."""
        source = self.environ["wsgi.input"]
        length = self.environ.get("CONTENT_LENGTH")
        if length:
            read: bytes = source.read(int(length))
        else:
            read = source.read() if self.environ.get("wsgi.input_terminated") else b""
        self.environ["wsgi.input"] = io.BytesIO(read)
        return read


def headers_of(environ: Mapping[str, Any]) -> dict[str, str]:
    """Request headers of a WSGI environment, lower-case names."""
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return headers


def scope_of(headers: Mapping[str, str], query: str) -> Scope | None:
    """The credential scope of a signed request or a presigned address; None if it has none."""
    credential = headers.get("authorization", "").partition("Credential=")[2].partition(",")[0]
    if not credential and "X-Amz-Credential=" in query:
        credential = dict(parse_qsl(query)).get("X-Amz-Credential", "")
    parts = credential.strip().rsplit("/", 4)
    return Scope(parts[0], parts[1], parts[2], parts[3].lower()) if len(parts) == 5 else None


def read(environ: dict[str, Any]) -> WireRequest:
    """The request of a WSGI environment; raises UnsupportedByLocalAws for a service not served."""
    uri = str(environ.get("RAW_URI") or environ.get("REQUEST_URI") or environ["PATH_INFO"])
    if uri.startswith(("http://", "https://")):
        uri = "/" + uri.split("/", 3)[3] if uri.count("/") > 2 else "/"
    raw_path, _, raw_query = uri.partition("?")
    headers = headers_of(environ)
    scope = scope_of(headers, raw_query) or _unsigned_scope(headers)
    request = WireRequest(
        method=environ["REQUEST_METHOD"],
        raw_path=raw_path or "/",
        raw_query=raw_query,
        headers=headers,
        environ=environ,
        scope=scope,
        service=_service(scope, raw_path),
    )
    _address(environ, request.raw_path, raw_query)
    return request


def _address(environ: dict[str, Any], raw_path: str, raw_query: str) -> None:
    environ["RAW_URI"] = raw_path + (f"?{raw_query}" if raw_query else "")
    environ["PATH_INFO"] = unquote_to_bytes(raw_path).decode("latin-1")
    environ["QUERY_STRING"] = raw_query


def _unsigned_scope(headers: Mapping[str, str]) -> Scope:
    target = headers.get("x-amz-target", "")
    guess = next((s for s, prefix in _TARGETS.items() if target.startswith(prefix)), "s3")
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        guess = "sts"
    return Scope("", "", "us-east-1", guess)


_TARGETS = {
    "states": "AWSStepFunctions",
    "sagemaker": "SageMaker",
    "codepipeline": "CodePipeline",
    "codebuild": "CodeBuild",
    "codedeploy": "CodeDeploy",
    "events": "AWSEvents",
    "sqs": "AmazonSQS",
    "ssm": "AmazonSSM",
    "logs": "Logs_",
    "kms": "TrentService",
    "monitoring": "GraniteService",
    "application-autoscaling": "AnyScaleFrontendService",
}


def _service(scope: Scope, raw_path: str) -> Service:
    if scope.service == "sagemaker" and raw_path.startswith("/endpoints/"):
        return SAGEMAKER_RUNTIME
    known = SERVICES.get(scope.service)
    return known or Service(scope.service, "", "")


def identify(request: WireRequest) -> None:
    """Fill in operation and parameters; raises UnsupportedByLocalAws when nothing matches."""
    if request.service.backend == "":
        raise UnsupportedByLocalAws(request.service.name, _guess_operation(request), "service")
    protocol = request.service.protocol
    if protocol == REST_XML:
        _identify_s3(request)
    elif protocol == REST_JSON:
        _identify_rest_json(request)
    else:
        _identify_rpc(request)


def _guess_operation(request: WireRequest) -> str:
    target = request.headers.get("x-amz-target", "").rpartition(".")[2]
    return target or form(request).get("Action") or f"{request.method} {request.raw_path}"


def _identify_rpc(request: WireRequest) -> None:
    target = request.headers.get("x-amz-target")
    if target:
        request.operation = target.rpartition(".")[2]
        request.parameters = _json_object(request.body)
        return
    fields = form(request)
    request.operation = fields.pop("Action", "")
    fields.pop("Version", None)
    request.parameters = dict(fields)
    if not request.operation:
        raise UnsupportedByLocalAws(request.service.name, _guess_operation(request), "protocol")


def form(request: WireRequest) -> dict[str, str]:
    """Fields of a query-protocol request, from the address and the body."""
    fields = dict(request.query)
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        fields.update(parse_qsl(request.body.decode(), keep_blank_values=True))
    return fields


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body) if body.strip() else {}
    except ValueError as error:
        raise AwsError("SerializationException", f"the request is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise AwsError("SerializationException", "the request is not a JSON object")
    return parsed


def _identify_rest_json(request: WireRequest) -> None:
    backend = request.service.backend
    operation, captured = wire_routes.match(backend, request.method, request.raw_path)
    if not operation:
        where = f"{request.method} {request.raw_path}"
        raise UnsupportedByLocalAws(request.service.name, _guess_operation(request), where)
    request.operation = operation
    if operation not in wire_routes.OPAQUE_BODIES:
        request.parameters.update(_json_object(request.body))
    request.parameters.update(request.query)
    request.parameters.update({name: unquote(value) for name, value in captured.items()})


def _identify_s3(request: WireRequest) -> None:
    bucket = wire_routes.virtual_bucket(request.headers.get("host", ""))
    if bucket:
        # One form of address behind this point: moto guesses buckets from host names otherwise.
        suffix = "" if request.raw_path == "/" else request.raw_path
        _address(request.environ, f"/{bucket}{suffix or '/'}", request.raw_query)
        request.environ["HTTP_HOST"] = "localhost"
    _, _, rest = request.raw_path.partition("/")
    if not bucket:
        bucket, _, rest = rest.partition("/")
    key = unquote(rest)
    request.operation = wire_routes.s3_operation(
        request.method, bucket, key, request.query, request.headers
    )
    request.parameters = {"Bucket": bucket, "Key": key}
