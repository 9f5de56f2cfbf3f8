"""Models and endpoint configurations: kept as asked for, checked for what they refer to."""

from typing import Any

from localaws.endpoints import configs as endpoint_configs
from localaws.errors import UnsupportedByLocalAws
from localaws.jobs import network as job_network
from localaws.jobs.requests import check_image
from localaws.models.containers import Container, ResolvedModel
from localaws.sagemaker.api import Call, operation
from localaws.sagemaker.shapes import validation_error
from localaws.sagemaker.store import STORE, Document, Kind, Listing, Place, Record
from localaws.sagemaker.tags import tags_of

_UNSUPPORTED_IN_CONTAINERS = (
    "ImageConfig",
    "ModelDataSource",
    "AdditionalModelDataSources",
    "MultiModelConfig",
    "InferenceSpecificationName",
)


@operation("CreateModel")
def create_model(call: Call) -> Document:
    """Remember a model; its containers are resolved when it is used."""
    request = call.parameters
    containers = _containers(request)
    if not request.get("ExecutionRoleArn"):
        raise validation_error("ExecutionRoleArn is required for a model that is to be hosted")
    if (request.get("InferenceExecutionConfig") or {}).get("Mode", "Serial") != "Serial":
        raise UnsupportedByLocalAws("sagemaker", "CreateModel", "InferenceExecutionConfig Direct")
    for container in containers:
        _resolve_container(call.place, container)
    record = _add_new(call, Kind.MODEL, request["ModelName"])
    return {"ModelArn": record.arn}


def _containers(request: Document) -> list[Document]:
    primary, several = request.get("PrimaryContainer"), request.get("Containers")
    if bool(primary) == bool(several):
        raise validation_error("give either PrimaryContainer or Containers, and not both")
    containers: list[Document] = several or [primary]
    for container in containers:
        for name in _UNSUPPORTED_IN_CONTAINERS:
            if container.get(name):
                raise UnsupportedByLocalAws("sagemaker", "CreateModel", name)
        if container.get("Mode", "SingleModel") != "SingleModel":
            raise UnsupportedByLocalAws("sagemaker", "CreateModel", f"Mode {container['Mode']}")
    return containers


def _resolve_container(place: Place, container: Document) -> list[Container]:
    """The containers behind one definition: itself, or those of its model package."""
    if not container.get("ModelPackageName"):
        if not container.get("Image"):
            raise validation_error("a container needs an Image or a ModelPackageName")
        check_image(container["Image"], "CreateModel")
        environment = dict(container.get("Environment") or {})
        return [Container(container["Image"], container.get("ModelDataUrl"), environment)]
    return _from_package(place, container)


def _from_package(place: Place, container: Document) -> list[Container]:
    from localaws.sagemaker.registry import find_package

    name = container["ModelPackageName"]
    package = find_package(place, name)
    if package.document.get("ModelPackageStatus") != "Completed":
        raise validation_error(f"model package {name} is not Completed and cannot be deployed")
    if package.document.get("ModelApprovalStatus", "Approved") != "Approved":
        raise validation_error(
            f"model package {name} is {package.document['ModelApprovalStatus']}, only an Approved "
            "model package can be deployed"
        )
    specification = package.document.get("InferenceSpecification")
    if not specification:
        raise validation_error(f"model package {name} has no InferenceSpecification")
    added = container.get("Environment") or {}
    return [_packaged(part, added) for part in specification["Containers"]]


def _packaged(part: Document, added: dict[str, str]) -> Container:
    check_image(part["Image"], "CreateModel")
    return Container(
        part["Image"], part.get("ModelDataUrl"), {**(part.get("Environment") or {}), **added}
    )


def resolve_model(place: Place, name: str) -> ResolvedModel:
    """A model with the containers it has now; raises ValidationException if it cannot be used."""
    record = _found(place, Kind.MODEL, name)
    definitions = _containers(record.document)
    containers = [part for d in definitions for part in _resolve_container(place, d)]
    role_arn, network = record.document["ExecutionRoleArn"], job_network.of(record.document)
    return ResolvedModel(name, place, role_arn, tuple(containers), network)


@operation("DescribeModel")
def describe_model(call: Call) -> Document:
    """The model as it was created."""
    record = _found(call.place, Kind.MODEL, call.parameters["ModelName"])
    defaults = {"EnableNetworkIsolation": False}
    return {
        **defaults,
        **record.document,
        "CreationTime": record.created,
        "ModelArn": record.arn,
    }


@operation("DeleteModel")
def delete_model(call: Call) -> Document:
    """Forget a model; endpoints that serve it go on, as on AWS."""
    STORE.remove(_found(call.place, Kind.MODEL, call.parameters["ModelName"]))
    return {}


@operation("ListModels")
def list_models(call: Call) -> Document:
    """Models, newest first."""
    page, token = _page(call, Kind.MODEL)
    models = [{"ModelName": r.name, "ModelArn": r.arn, "CreationTime": r.created} for r in page]
    return {"Models": models, "NextToken": token}


@operation("CreateEndpointConfig")
def create_endpoint_config(call: Call) -> Document:
    """Remember a configuration."""
    request = call.parameters
    endpoint_configs.check(request)
    shadows = request.get("ShadowProductionVariants") or []
    for variant in [*request["ProductionVariants"], *shadows]:
        _found(call.place, Kind.MODEL, variant["ModelName"])
        if "ServerlessConfig" in variant:
            _check_serverless(call.place, variant)
    record = _add_new(call, Kind.ENDPOINT_CONFIG, request["EndpointConfigName"])
    return {"EndpointConfigArn": record.arn}


def _check_serverless(place: Place, variant: Document) -> None:
    model = resolve_model(place, variant["ModelName"])
    if len(model.containers) > 1:
        raise validation_error("a serverless endpoint cannot host a serial inference pipeline")
    # Developer Guide, "Deploy models with Serverless Inference", feature exclusions.
    if model.network.subnets or model.network.is_isolated:
        raise validation_error(
            f"a serverless endpoint cannot host {model.name}, a model with a VpcConfig or with "
            "network isolation"
        )


@operation("DescribeEndpointConfig")
def describe_endpoint_config(call: Call) -> Document:
    """The configuration as it was created."""
    record = find_config(call.place, call.parameters["EndpointConfigName"])
    return {**record.document, "EndpointConfigArn": record.arn, "CreationTime": record.created}


@operation("DeleteEndpointConfig")
def delete_endpoint_config(call: Call) -> Document:
    """Forget a configuration; an endpoint that serves it cannot be updated any more on AWS."""
    STORE.remove(find_config(call.place, call.parameters["EndpointConfigName"]))
    return {}


@operation("ListEndpointConfigs")
def list_endpoint_configs(call: Call) -> Document:
    """Configurations, newest first."""
    page, token = _page(call, Kind.ENDPOINT_CONFIG)
    configs = [
        {"EndpointConfigName": r.name, "EndpointConfigArn": r.arn, "CreationTime": r.created}
        for r in page
    ]
    return {"EndpointConfigs": configs, "NextToken": token}


def find_config(place: Place, name: str) -> Record:
    """An endpoint configuration; raises ValidationException if there is none."""
    return _found(place, Kind.ENDPOINT_CONFIG, name)


def _page(call: Call, kind: Kind) -> tuple[list[Record], str | None]:
    return Listing(call.parameters).page(STORE.all(call.place, kind), lambda _: "")


def _found(place: Place, kind: Kind, name: str) -> Record:
    record = STORE.find(place, kind, name)
    if record is None:
        noun = kind.value.replace("-", " ")
        raise validation_error(f'Could not find {noun} "{place.arn(kind, name)}".')
    return record


def _add_new(call: Call, kind: Kind, name: str) -> Record:
    document: dict[str, Any] = {k: v for k, v in call.parameters.items() if k != "Tags"}
    with STORE.lock:
        if STORE.find(call.place, kind, name) is not None:
            noun = kind.value.replace("-", " ")
            arn = call.place.arn(kind, name)
            raise validation_error(f'Cannot create already existing {noun} "{arn}".')
        record = Record(kind, call.place, name, document, tags_of(call.parameters))
        return STORE.add(record)
