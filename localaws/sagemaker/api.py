"""SageMaker's API on the laptop: takes each request, checks its shape, hands it to its operation.

SageMaker's state is held here and not in moto, whose jobs are finished at birth and whose models
lack half of the operations (see docs/parity.md). Requests arrive authenticated and allowed: the
gateway has decided them before.
"""

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from localaws import image_digests, wire, wire_answers
from localaws.context import Context
from localaws.errors import UnsupportedByLocalAws
from localaws.sagemaker import shapes as sagemaker_shapes
from localaws.sagemaker.store import STORE, Document, Place

_MODULES = (
    "localaws.sagemaker.jobs",
    "localaws.sagemaker.models",
    "localaws.sagemaker.endpoints",
    "localaws.sagemaker.registry",
    "localaws.sagemaker.group_policies",
    "localaws.sagemaker.tags",
)


@dataclass(frozen=True)
class Call:
    """One accepted request."""

    operation: str
    place: Place
    parameters: Document
    caller: str
    """The key id that signed the request."""


Operation = Callable[[Call], Document]
_operations: dict[str, Operation] = {}


def operation(name: str) -> Callable[[Operation], Operation]:
    """Register the function that carries out one API operation."""

    def register(function: Operation) -> Operation:
        _operations[name] = function
        return function

    return register


def install(context: Context) -> None:
    """Serve SageMaker's API from here, starting with nothing in it."""
    from localaws.jobs import service as jobs

    for module in _MODULES:
        importlib.import_module(module)
    STORE.clear()
    image_digests.forget()
    sagemaker_shapes.service_model.cache_clear()
    mount(context, "sagemaker", application)
    jobs.install(context)


def shutdown() -> None:
    """Stop every job."""
    from localaws.jobs import service as jobs

    jobs.shutdown()


def mount(context: Context, backend: str, served: Any) -> None:
    """Put `served` where the gateway would put moto's application for `backend`."""
    applications: dict[str, Any] = vars(context.application)["_applications"]
    applications[backend] = served


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI: answer one SageMaker request; raises AwsError, which the gateway writes out."""
    result = answer(call_of(environ))
    return wire_answers.in_json(start, result)


def call_of(environ: dict[str, Any]) -> Call:
    """The call that a WSGI environment carries."""
    request = wire.read(environ)
    wire.identify(request)
    return Call(request.operation, place_of(request), request.parameters, request.scope.key_id)


def place_of(request: wire.WireRequest) -> Place:
    """Account (as the gateway decided it) and region of a request."""
    return Place(request.environ["HTTP_X_MOTO_ACCOUNT_ID"], request.scope.region)


def answer(call: Call) -> Document:
    """Carry out one call."""
    function = _operations.get(call.operation)
    if function is None:
        raise UnsupportedByLocalAws("sagemaker", call.operation)
    sagemaker_shapes.validate(call.operation, call.parameters)
    return {key: value for key, value in function(call).items() if value is not None}
