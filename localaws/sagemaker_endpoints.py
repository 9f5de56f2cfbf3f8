"""Create, Update, Delete, Describe and List of endpoints."""

from localaws import endpoints
from localaws.endpoints import Endpoint, Status
from localaws.errors import UnsupportedByLocalAws
from localaws.sagemaker_api import Call, operation
from localaws.sagemaker_models import find_config
from localaws.sagemaker_shapes import validation_error
from localaws.sagemaker_store import STORE, Document, Kind, Listing, Record
from localaws.sagemaker_tags import tags_of

_IN_PROGRESS = frozenset({Status.CREATING, Status.UPDATING, Status.DELETING})


@operation("CreateEndpoint")
def create_endpoint(call: Call) -> Document:
    """Begin to serve a configuration."""
    request = call.parameters
    name, config = request["EndpointName"], request["EndpointConfigName"]
    _check_deployment(request, "CreateEndpoint")
    find_config(call.place, config)
    with STORE.lock:
        if STORE.find(call.place, Kind.ENDPOINT, name) is not None:
            arn = call.place.arn(Kind.ENDPOINT, name)
            raise validation_error(f'Cannot create already existing endpoint "{arn}".')
        endpoint = Endpoint(call.place, name, config)
        tags = tags_of(request)
        STORE.add(Record(Kind.ENDPOINT, call.place, name, request, tags, state=endpoint))
    endpoints.create(endpoint)
    return {"EndpointArn": endpoint.arn}


@operation("UpdateEndpoint")
def update_endpoint(call: Call) -> Document:
    """Begin to move an endpoint that is in service to another configuration."""
    request = call.parameters
    _check_deployment(request, "UpdateEndpoint")
    for name in ("RetainAllVariantProperties", "ExcludeRetainedVariantProperties"):
        if request.get(name):
            raise UnsupportedByLocalAws("sagemaker", "UpdateEndpoint", name)
    endpoint = _endpoint(call)
    find_config(call.place, request["EndpointConfigName"])
    with endpoint.lock:
        if endpoint.status is not Status.IN_SERVICE:
            raise validation_error(
                f'Cannot update endpoint "{endpoint.arn}" while it is {endpoint.status.value}.'
            )
        endpoint.deployment = request.get("DeploymentConfig")
        endpoints.update(endpoint, request["EndpointConfigName"])
    return {"EndpointArn": endpoint.arn}


def _check_deployment(request: Document, where: str) -> None:
    """Only a plain replacement, all at once and without alarms, is supported so far."""
    deployment = request.get("DeploymentConfig") or {}
    for name in ("RollingUpdatePolicy", "AutoRollbackConfiguration"):
        if deployment.get(name):
            raise UnsupportedByLocalAws("sagemaker", where, name)
    policy = deployment.get("BlueGreenUpdatePolicy") or {}
    routing = (policy.get("TrafficRoutingConfiguration") or {}).get("Type", "ALL_AT_ONCE")
    if routing != "ALL_AT_ONCE":
        raise UnsupportedByLocalAws("sagemaker", where, f"traffic routing {routing}")


@operation("DeleteEndpoint")
def delete_endpoint(call: Call) -> Document:
    """Begin to end an endpoint that is not being changed."""
    endpoint = _endpoint(call)
    record = STORE.find(call.place, Kind.ENDPOINT, endpoint.name)
    with endpoint.lock:
        if endpoint.status in _IN_PROGRESS:
            raise validation_error(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        endpoints.delete(endpoint, lambda: STORE.remove(record) if record else None)
    return {}


@operation("DescribeEndpoint")
def describe_endpoint(call: Call) -> Document:
    """An endpoint as it is now."""
    endpoint = _endpoint(call)
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.config_name,
        "EndpointStatus": endpoint.status.value,
        "FailureReason": endpoint.failure_reason,
        "CreationTime": endpoint.created,
        "LastModifiedTime": endpoint.modified,
        "ProductionVariants": [_variant(endpoint)] if endpoint.variant else None,
        "LastDeploymentConfig": endpoint.deployment,
    }


def _variant(endpoint: Endpoint) -> Document:
    variant = endpoint.variant
    weight = variant.get("InitialVariantWeight", 1.0)
    images = [
        {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": endpoint.modified}
        for image in variant["_images"]
    ]
    summary: Document = {
        "VariantName": variant["VariantName"],
        "DeployedImages": images,
        "CurrentWeight": weight,
        "DesiredWeight": weight,
    }
    if "ServerlessConfig" in variant:
        summary["CurrentServerlessConfig"] = variant["ServerlessConfig"]
    else:
        summary["CurrentInstanceCount"] = variant["InitialInstanceCount"]
        summary["DesiredInstanceCount"] = variant["InitialInstanceCount"]
    return summary


@operation("ListEndpoints")
def list_endpoints(call: Call) -> Document:
    """Endpoints, newest first."""
    found = STORE.all(call.place, Kind.ENDPOINT)
    page, token = Listing(call.parameters).page(found, lambda r: str(r.state.status.value))
    summaries = [
        {
            "EndpointName": record.name,
            "EndpointArn": record.arn,
            "CreationTime": record.state.created,
            "LastModifiedTime": record.state.modified,
            "EndpointStatus": record.state.status.value,
        }
        for record in page
    ]
    return {"Endpoints": summaries, "NextToken": token}


def _endpoint(call: Call) -> Endpoint:
    name = call.parameters["EndpointName"]
    endpoint = endpoints.find(call.place, name)
    if endpoint is None:
        arn = call.place.arn(Kind.ENDPOINT, name)
        raise validation_error(f'Could not find endpoint "{arn}".')
    return endpoint
