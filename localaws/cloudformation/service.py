"""CloudFormation of the laptop: its API over the deployer that `signalbox up` uses.

    stack_api, stack_reading, stack_change_sets   the operations, each of a stack_call
    stack_proposals                what a request would change
    stack_runs                     deploying, rolling back and deleting in the background
    stack_store, stack_model       the stacks
    stack_templates, stack_views   templates as the API takes them, answers as it gives them

moto's own CloudFormation is not used: it skips what it does not know (see docs/parity.md). Requests
arrive authenticated and allowed; whatever a stack does is decided again, under its role.
"""

import uuid
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from localaws import wire, wire_query
from localaws.clients import FROM_SERVICE
from localaws.cloudformation import api as stack_api
from localaws.cloudformation import change_sets as stack_change_sets
from localaws.cloudformation import names as stack_names
from localaws.cloudformation import reading as stack_reading
from localaws.cloudformation.call import Call
from localaws.cloudformation.runs import Runs
from localaws.cloudformation.store import StackStore
from localaws.cloudformation.templates import invalid
from localaws.context import Context
from localaws.errors import UnsupportedByLocalAws
from localaws.iam.identity import calling_principal
from localaws.iam.requirement import Place
from localaws.sagemaker.api import mount
from localaws.wire import WireRequest

_OPERATIONS = {
    **stack_api.OPERATIONS,
    **stack_reading.OPERATIONS,
    **stack_change_sets.OPERATIONS,
}
_running: Runs | None = None


def install(context: Context) -> None:
    """Serve CloudFormation's API from here, starting with no stack."""
    global _running  # noqa: PLW0603 - one laptop's AWS per process
    _model.cache_clear()
    _running = Runs(StackStore(), context.config.state_dir / "build" / "templates")
    stack_names.answer_with(_arn)
    mount(context, "cloudformation", application)


def shutdown() -> None:
    """Wait for the operations that go on."""
    global _running  # noqa: PLW0603 - see install
    stack_names.forget()
    if _running is not None:
        _running.stop()
    _running = None


def running() -> Runs:
    """The stacks of the laptop of this process."""
    if _running is None:
        raise RuntimeError("the laptop's AWS is not running: start a LaptopServer first")
    return _running


def _arn(place: Place, name: str) -> str:
    """The ARN of a stack, by its name or by the ARN of one of its change sets."""
    store = running().store
    if not name.startswith("arn:"):
        found = store.find(place, name)
        return found.id if found else ""
    return next((stack.id for stack in store.all(place) if name in stack.change_sets), "")


@cache
def _model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("cloudformation", "service-2"))


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI: answer one request; raises AwsError, which the gateway writes out."""
    request: WireRequest = environ[wire.READ_ALREADY]
    serve = _OPERATIONS.get(request.operation)
    if serve is None:
        raise UnsupportedByLocalAws("cloudformation", request.operation)
    operation = _model().operation_model(request.operation)
    unknown = wire_query.unknown_fields(operation.input_shape, request.parameters)
    if unknown:
        raise invalid(f"{request.operation} has no parameter {', '.join(unknown)}")
    parameters = wire_query.parse(operation.input_shape, request.parameters)
    if operation.input_shape is not None:
        problems = ParamValidator().validate(parameters, operation.input_shape)
        if problems.has_errors():
            raise invalid(problems.generate_report())
    place = Place(environ["HTTP_X_MOTO_ACCOUNT_ID"], request.scope.region)
    inside = FROM_SERVICE in request.headers.get("user-agent", "").split()
    answer = serve(Call(running(), place, calling_principal(), parameters, inside))
    body = wire_query.render(operation, answer, str(uuid.uuid4()))
    start("200 OK", [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
    return [body]
