"""Create, Update, Delete, Describe and List of endpoints, and their weights and capacities."""

from localaws.endpoints import plan as endpoint_plan
from localaws.endpoints import rollout as endpoint_rollout
from localaws.endpoints import scaling
from localaws.endpoints import service as endpoints
from localaws.endpoints import views as endpoint_views
from localaws.endpoints.service import Endpoint, Status
from localaws.endpoints.serving import Retained, Serving
from localaws.sagemaker.api import Call, operation
from localaws.sagemaker.models import find_config
from localaws.sagemaker.shapes import validation_error
from localaws.sagemaker.store import STORE, Document, Kind, Listing, Record
from localaws.sagemaker.tags import tags_of

_IN_PROGRESS = frozenset(
    {
        Status.CREATING,
        Status.UPDATING,
        Status.SYSTEM_UPDATING,
        Status.ROLLING_BACK,
        Status.DELETING,
    }
)
# From UpdateRollbackFailed another update is the way out (SageMaker API Reference,
# DescribeEndpoint, EndpointStatus; read 2026-11).
_CAN_UPDATE = frozenset({Status.IN_SERVICE, Status.UPDATE_ROLLBACK_FAILED})


@operation("CreateEndpoint")
def create_endpoint(call: Call) -> Document:
    """Begin to serve a configuration."""
    request = call.parameters
    name, config = request["EndpointName"], request["EndpointConfigName"]
    found = find_config(call.place, config)
    deployment = request.get("DeploymentConfig")
    endpoint_plan.check_deployment(deployment, _instances(found.document))
    with STORE.lock:
        if STORE.find(call.place, Kind.ENDPOINT, name) is not None:
            arn = call.place.arn(Kind.ENDPOINT, name)
            raise validation_error(f'Cannot create already existing endpoint "{arn}".')
        endpoint = Endpoint(call.place, name, config, deployment=deployment)
        tags = tags_of(request)
        STORE.add(Record(Kind.ENDPOINT, call.place, name, request, tags, state=endpoint))
    endpoint_rollout.create(endpoint)
    return {"EndpointArn": endpoint.arn}


@operation("UpdateEndpoint")
def update_endpoint(call: Call) -> Document:
    """Begin to move an endpoint that is in service to another configuration."""
    request = call.parameters
    endpoint = _endpoint(call)
    config = find_config(call.place, request["EndpointConfigName"])
    with endpoint.lock:
        blue = _updatable(endpoint)
        deployment = request.get("DeploymentConfig")
        if deployment is None and request.get("RetainDeploymentConfig"):
            deployment = endpoint.deployment
        retained = _retained(request, blue)
        instances = _instances(config.document, retained)
        endpoint_plan.check_deployment(deployment, instances)
        endpoint_plan.check_change(blue.document, config.document, deployment)
        scaling.check_update(endpoint, blue.document, config.document)
        endpoint.deployment = deployment
        plan = endpoint_plan.plan_deployment(deployment, instances)
        endpoint_rollout.update(endpoint, config.name, plan, retained)
    return {"EndpointArn": endpoint.arn}


def _updatable(endpoint: Endpoint) -> Serving:
    """What serves; raises ValidationException when the endpoint cannot be updated now."""
    if endpoint.status not in _CAN_UPDATE or endpoint.blue is None:
        raise validation_error(
            f'Cannot update endpoint "{endpoint.arn}" while it is {endpoint.status.value}.'
        )
    return endpoint.blue


def _instances(config: Document, retained: Retained | None = None) -> int:
    """Instances of the smallest variant: sizes are checked against each one."""
    kept = retained.instances if retained is not None else {}
    counts: list[int] = [
        kept.get(variant["VariantName"], variant.get("InitialInstanceCount", 1))
        for variant in config["ProductionVariants"]
    ]
    return min(counts)


def _retained(request: Document, blue: Serving) -> Retained:
    """What RetainAllVariantProperties takes over, but for what is excluded."""
    if not request.get("RetainAllVariantProperties"):
        return Retained()
    excluded = {
        entry["VariantPropertyType"]
        for entry in request.get("ExcludeRetainedVariantProperties") or []
    }
    kept = Retained(
        weights={v.name: v.weight for v in blue.variants},
        instances={v.name: v.instances for v in blue.variants if not v.is_serverless},
        capture=blue.document.get("DataCaptureConfig"),
    )
    return Retained(
        {} if "DesiredWeight" in excluded else kept.weights,
        {} if "DesiredInstanceCount" in excluded else kept.instances,
        None if "DataCaptureConfig" in excluded else kept.capture,
    )


@operation("UpdateEndpointWeightsAndCapacities")
def update_weights_and_capacities(call: Call) -> Document:
    """Begin to change how much traffic and how many instances variants have."""
    endpoint = _endpoint(call)
    changes = call.parameters["DesiredWeightsAndCapacities"]
    with endpoint.lock:
        if endpoint.status is not Status.IN_SERVICE or endpoint.blue is None:
            raise validation_error(
                f'Cannot update endpoint "{endpoint.arn}" while it is {endpoint.status.value}.'
            )
        for change in changes:
            _check_change(endpoint.blue, change)
        endpoint_rollout.rescale(endpoint, changes)
    return {"EndpointArn": endpoint.arn}


def _check_change(blue: Serving, change: Document) -> None:
    variant = blue.variant(change["VariantName"])
    if variant is None:
        known = ", ".join(v.name for v in blue.variants)
        raise validation_error(
            f"The variant {change['VariantName']} is not one of the endpoint's: {known}"
        )
    if variant.is_serverless and "DesiredInstanceCount" in change:
        raise validation_error(f"The serverless variant {variant.name} has no instances")
    if not variant.is_serverless and change.get("ServerlessUpdateConfig"):
        raise validation_error(f"The variant {variant.name} is not serverless")
    if not variant.is_serverless and change.get("DesiredInstanceCount") == 0:
        raise validation_error("DesiredInstanceCount must be at least 1")


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
    return endpoint_views.described(_endpoint(call))


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
