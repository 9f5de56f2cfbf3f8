"""Checks of a state machine's definition that AWS makes when the machine is created.

Pure: a definition in, findings out, each with a code, a message and the JSON pointer of the place.
moto's parser checks the grammar; this checks what the grammar cannot see: where states lead, what
can be reached, and that each integration exists and takes the parameters it is given.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_TERMINAL = {"Succeed", "Fail"}
_TYPES = {"Task", "Pass", "Choice", "Wait", "Parallel", "Map", *_TERMINAL}
_LIST_FIELDS = (("Choice", "Choices"), ("Parallel", "Branches"))
# Step Functions Developer Guide, "Manage SageMaker with Step Functions", supported parameters (of
# 2023; today's page has no such lists). AWS takes more than it listed: members that public machines
# were deployed with are in `_TAKEN_UNLISTED`, each with where that is told.
_LISTED = {
    "sagemaker:createModel": {
        "Containers",
        "EnableNetworkIsolation",
        "ExecutionRoleArn",
        "ModelName",
        "PrimaryContainer",
        "Tags",
        "VpcConfig",
    },
    "sagemaker:createProcessingJob": {
        "AppSpecification",
        "Environment",
        "ExperimentConfig",
        "NetworkConfig",
        "ProcessingInputs",
        "ProcessingJobName",
        "ProcessingOutputConfig",
        "ProcessingResources",
        "RoleArn",
        "StoppingCondition",
        "Tags",
    },
    "sagemaker:createTrainingJob": {
        "AlgorithmSpecification",
        "HyperParameters",
        "InputDataConfig",
        "OutputDataConfig",
        "ResourceConfig",
        "RoleArn",
        "StoppingCondition",
        "Tags",
        "TrainingJobName",
        "VpcConfig",
    },
    "sagemaker:createTransformJob": {
        "BatchStrategy",
        "Environment",
        "MaxConcurrentTransforms",
        "MaxPayloadInMB",
        "ModelName",
        "Tags",
        "TransformInput",
        "TransformJobName",
        "TransformOutput",
        "TransformResources",
    },
    "sagemaker:createEndpoint": {"EndpointConfigName", "EndpointName", "Tags"},
    "sagemaker:createEndpointConfig": {
        "EndpointConfigName",
        "KmsKeyId",
        "ProductionVariants",
        "Tags",
    },
    "sagemaker:updateEndpoint": {"EndpointConfigName", "EndpointName"},
}
_TAKEN_UNLISTED = {
    "sagemaker:createTrainingJob": {
        "CheckpointConfig",  # aws/aws-step-functions-data-science-sdk-python#86
        "EnableManagedSpotTraining",  # the same, #42
        "EnableNetworkIsolation",  # CDK's SageMakerCreateTrainingJob
        "Environment",  # CDK's SageMakerCreateTrainingJob, aws/aws-cdk#18976
    },
    "sagemaker:createTransformJob": {
        "ModelClientConfig",  # CDK's SageMakerCreateTransformJob
    },
}

ShapeOf = Callable[[str, str], Any]
"""(service, action) → botocore's shape of the request; None if the service has no such action.
Raises LookupError if there is no such service."""


@dataclass(frozen=True)
class Finding:
    """One defect of a definition."""

    code: str
    message: str
    location: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message} at {self.location}"


def check(definition: str, *, shape_of: ShapeOf | None = None) -> list[Finding]:
    """Every defect found; an empty list for a definition that AWS would accept."""
    try:
        document = json.loads(definition)
    except ValueError as error:
        return [Finding("INVALID_JSON_DESCRIPTION", str(error), "/")]
    if not isinstance(document, dict):
        return [Finding("INVALID_JSON_DESCRIPTION", "not a JSON object", "/")]
    return list(_check_machine(document, "", shape_of))


def _check_machine(machine: dict[str, Any], at: str, shape_of: ShapeOf | None) -> Iterator[Finding]:
    states = machine.get("States")
    if not isinstance(states, dict) or not states:
        yield Finding("SCHEMA_VALIDATION_FAILED", "The field 'States' is required", at or "/")
        return
    start = machine.get("StartAt")
    if start not in states:
        yield _missing("StartAt", start, f"{at}/StartAt")
    for name, state in states.items():
        yield from _check_state(name, state, states, f"{at}/States/{name}", shape_of)
    yield from _check_reach(start, states, at)


def _check_state(
    name: str, state: Any, states: dict[str, Any], at: str, shape_of: ShapeOf | None
) -> Iterator[Finding]:
    if not isinstance(state, dict) or state.get("Type") not in _TYPES:
        known = ", ".join(sorted(_TYPES))
        yield Finding("SCHEMA_VALIDATION_FAILED", f"State Type must be one of {known}", at)
        return
    yield from _check_continuation(state, at)
    for target, place in _targets(state):
        if target not in states:
            yield _missing(place.rpartition("/")[2], target, f"{at}/{place}")
    yield from _check_handlers(state, at)
    if state["Type"] == "Task":
        yield from _check_task(state, at, shape_of)
    for place, inner in _inner_machines(state):
        yield from _check_machine(inner, f"{at}/{place}", shape_of)


def _check_continuation(state: dict[str, Any], at: str) -> Iterator[Finding]:
    kind, ways = state["Type"], [way for way in ("Next", "End") if way in state]
    if kind in _TERMINAL or kind == "Choice":
        for way in ways:
            message = f"The field '{way}' is not supported in a {kind} state"
            yield Finding("SCHEMA_VALIDATION_FAILED", message, f"{at}/{way}")
    elif len(ways) != 1:
        message = "A state must have exactly one of 'Next' and 'End'"
        yield Finding("SCHEMA_VALIDATION_FAILED", message, at)
    for kind_with_list, field in _LIST_FIELDS:
        if kind == kind_with_list and not state.get(field):
            message = f"The field '{field}' is required and must not be empty"
            yield Finding("SCHEMA_VALIDATION_FAILED", message, at)


def _targets(state: dict[str, Any]) -> Iterator[tuple[Any, str]]:
    for field in ("Next", "Default"):
        if field in state:
            yield state[field], field
    for field in ("Choices", "Catch"):
        for index, branch in enumerate(state.get(field) or ()):
            if isinstance(branch, dict):
                yield branch.get("Next"), f"{field}[{index}]/Next"


def _check_handlers(state: dict[str, Any], at: str) -> Iterator[Finding]:
    for field in ("Retry", "Catch"):
        handlers = state.get(field) or []
        for index, handler in enumerate(handlers):
            names = handler.get("ErrorEquals") or []
            place = f"{at}/{field}[{index}]/ErrorEquals"
            if not names:
                yield Finding("SCHEMA_VALIDATION_FAILED", "ErrorEquals is required", place)
            alone = len(names) == 1 and index == len(handlers) - 1
            if "States.ALL" in names and not alone:
                message = f"States.ALL must stand alone and in the last of {field}"
                yield Finding("SCHEMA_VALIDATION_FAILED", message, place)


def _inner_machines(state: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, branch in enumerate(state.get("Branches") or ()):
        yield f"Branches[{index}]", branch
    for field in ("ItemProcessor", "Iterator"):
        if isinstance(state.get(field), dict):
            yield field, state[field]


def _check_reach(start: Any, states: dict[str, Any], at: str) -> Iterator[Finding]:
    reached: set[str] = set()
    open_names = [start] if start in states else []
    while open_names:
        name = open_names.pop()
        reached.add(name)
        if isinstance(states[name], dict):
            named = {target for target, _ in _targets(states[name])}
            open_names += [t for t in named if t in states and t not in reached]
    for name in states if reached else ():
        if name not in reached:
            message = f'State "{name}" is not reachable.'
            yield Finding("MISSING_TRANSITION_TARGET", message, f"{at}/States/{name}")


def _missing(field: str, target: Any, at: str) -> Finding:
    return Finding("MISSING_TRANSITION_TARGET", f"Missing '{field}' target: {target}", at)


def _check_task(state: dict[str, Any], at: str, shape_of: ShapeOf | None) -> Iterator[Finding]:
    resource = state.get("Resource")
    if not isinstance(resource, str) or not resource.startswith("arn:"):
        message = "The value is not a valid resource ARN, or the resource is not available"
        yield Finding("SCHEMA_VALIDATION_FAILED", f"{message}: {resource}", f"{at}/Resource")
        return
    call = integration(resource)
    if call is None or shape_of is None:
        return
    try:
        shape = shape_of(*call)
    except LookupError:
        shape = None
    if shape is None:
        message = f"The resource provided {resource} is not recognized"
        yield Finding("SCHEMA_VALIDATION_FAILED", message, f"{at}/Resource")
        return
    field = "Arguments" if "Arguments" in state else "Parameters"
    given = state.get(field) or {}
    yield from _check_parameters(given, shape, f"{at}/{field}")
    yield from _check_optimised(given, resource, shape, f"{at}/{field}")


def _check_optimised(given: Any, resource: str, shape: Any, at: str) -> Iterator[Finding]:
    """What the API takes and its optimised integration does not."""
    taken = optimised_members(resource)
    if taken is None or not isinstance(given, dict):
        return
    for name in sorted({key.removesuffix(".$") for key in given} & set(shape.members) - taken):
        message = f'The field "{name}" is not supported by Step Functions'
        yield Finding("SCHEMA_VALIDATION_FAILED", message, at)


def optimised_members(resource: str) -> set[str] | None:
    """The members that an optimised integration takes; None where the API's own hold."""
    call = resource.partition(":states:::")[2].removesuffix(".sync")
    listed = _LISTED.get(call)
    return None if listed is None else listed | _TAKEN_UNLISTED.get(call, set())


def integration(resource: str) -> tuple[str, str] | None:
    """(service, action) of a service integration's Resource, None for a function or activity."""
    head, _, tail = resource.partition(":states:::")
    if not tail or not head.startswith("arn:"):
        return None
    service, _, action = tail.removeprefix("aws-sdk:").partition(":")
    return service, action.partition(".")[0]


def _check_parameters(value: Any, shape: Any, at: str) -> Iterator[Finding]:
    kind = getattr(shape, "type_name", None)
    if kind == "list" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check_parameters(item, shape.member, f"{at}[{index}]")
    if kind == "structure" and isinstance(value, dict):
        yield from _check_members(value, shape, at)


def _check_members(value: dict[str, Any], shape: Any, at: str) -> Iterator[Finding]:
    # Step Functions spells every member in PascalCase, whatever the service does.
    members = {_pascal(name): member for name, member in shape.members.items()}
    given = {key.removesuffix(".$") for key in value}
    for key, item in value.items():
        member = members.get(key.removesuffix(".$"))
        if member is None:
            message = f'The field "{key}" is not supported by Step Functions'
            yield Finding("SCHEMA_VALIDATION_FAILED", message, at)
        elif not key.endswith(".$"):
            yield from _check_parameters(item, member, f"{at}/{key}")
    for name in shape.required_members:
        if _pascal(name) not in given:
            message = f'The field "{_pascal(name)}" is required but was missing'
            yield Finding("SCHEMA_VALIDATION_FAILED", message, at)


def _pascal(name: str) -> str:
    return name[:1].upper() + name[1:]
