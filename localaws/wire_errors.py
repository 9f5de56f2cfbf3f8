"""AWS's errors, written in the protocol that a request's client speaks. Imports wire only."""

import json
import uuid
from xml.sax.saxutils import escape

from localaws.wire import JSON, QUERY, REST_JSON, REST_XML, AwsError, WireRequest


def protocol_of(request: WireRequest) -> str:
    """The protocol the client speaks, which decides how it reads an error."""
    if "x-amz-target" in request.headers:
        return JSON
    if request.service.protocol in (REST_XML, REST_JSON):
        return request.service.protocol
    if request.headers.get("content-type", "").startswith("application/x-www-form"):
        return QUERY
    return request.service.protocol or REST_JSON


def error_response(
    request: WireRequest, error: AwsError
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of `error` as the client of `request` expects it."""
    request_id = str(uuid.uuid4())
    protocol = protocol_of(request)
    headers = [("x-amzn-RequestId", request_id)]
    if protocol in (JSON, REST_JSON):
        body = json.dumps({"__type": error.code, "message": error.message}).encode()
        headers += [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("x-amzn-ErrorType", error.code),
        ]
    else:
        body = _xml_error(protocol, error, request_id)
        headers += [("Content-Type", "text/xml")]
    if request.method == "HEAD":
        body = b""
    return error.status, [*headers, ("Content-Length", str(len(body)))], body


def _xml_error(protocol: str, error: AwsError, request_id: str) -> bytes:
    inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    if protocol == REST_XML:
        text = f"<Error>{inner}<RequestId>{request_id}</RequestId></Error>"
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
