"""What the services that are nothing but a table of operations share: reading, checking, answering.

A service is a mapping from operation to function; requests arrive authenticated and allowed.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from localaws import wire, wire_answers
from localaws.context import WsgiApplication
from localaws.errors import UnsupportedByLocalAws
from localaws.sagemaker import shapes as sagemaker_shapes
from localaws.sagemaker.api import place_of
from localaws.sagemaker.store import Document, Place

Operation = Callable[[Place, Document], Document]


def application(service: str, operations: Mapping[str, Operation]) -> WsgiApplication:
    """WSGI for one service, by the name that boto3 has for it; each request fits botocore's model.

    What an operation raises as AwsError is written out by the gateway.
    """

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        request = wire.read(environ)
        wire.identify(request)
        operation = operations.get(request.operation)
        if operation is None:
            raise UnsupportedByLocalAws(service, request.operation)
        sagemaker_shapes.validate(request.operation, request.parameters, service)
        found = operation(place_of(request), request.parameters)
        return wire_answers.in_json(start, found)

    return answer
