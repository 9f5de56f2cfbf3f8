"""Application Auto Scaling for the variants of endpoints: targets, policies, bounds.

moto's own would bring all of EC2 and ECS with it. Targets and policies are kept and their bounds
are enforced; a policy does not scale by itself (see docs/parity.md).
"""

import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from localaws import clock, wire, wire_answers
from localaws.context import Context
from localaws.endpoints import service as endpoints
from localaws.endpoints.service import Endpoint, Status
from localaws.errors import UnsupportedByLocalAws
from localaws.sagemaker import shapes as sagemaker_shapes
from localaws.sagemaker.api import mount, place_of
from localaws.sagemaker.shapes import validation_error
from localaws.sagemaker.store import Document, Place
from localaws.wire import AwsError

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_BACKEND = "applicationautoscaling"


@dataclass
class Target:
    """One variant that may be scaled."""

    place: Place
    resource_id: str
    least: int
    most: int
    role_arn: str
    suspended: Document
    number: str = field(default_factory=lambda: uuid.uuid4().hex[:26])
    created: float = field(default_factory=lambda: clock.now().timestamp())
    policies: dict[str, Document] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The target's ARN."""
        place = self.place
        prefix = f"arn:aws:application-autoscaling:{place.region}:{place.account}"
        return f"{prefix}:scalable-target/{self.number}"

    @property
    def names(self) -> tuple[str, str]:
        """Endpoint and variant."""
        _, endpoint, _, variant = self.resource_id.split("/")
        return endpoint, variant


class _Targets:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.known: dict[tuple[Place, str], Target] = {}


_targets = _Targets()


def install(context: Context) -> None:
    """Serve the API from here, starting with nothing in it."""
    with _targets.lock:
        _targets.known.clear()
    mount(context, _BACKEND, application)


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI: answer one request; raises AwsError, which the gateway writes out."""
    request = wire.read(environ)
    wire.identify(request)
    operation = _OPERATIONS.get(request.operation)
    if operation is None:
        raise UnsupportedByLocalAws("application-autoscaling", request.operation)
    sagemaker_shapes.validate(request.operation, request.parameters, "application-autoscaling")
    with _targets.lock:
        answer = operation(place_of(request), request.parameters)
    return wire_answers.in_json(start, answer)


def check_update(endpoint: Endpoint, old: Document, new: Document) -> None:
    """Refuse to take a registered variant away or to give it other instances, as AWS does."""
    types = {v["VariantName"]: v.get("InstanceType") for v in new["ProductionVariants"]}
    with _targets.lock:
        registered = {
            target.names[1]
            for target in _targets.known.values()
            if target.place == endpoint.place and target.names[0] == endpoint.name
        }
    lost = [
        variant["VariantName"]
        for variant in old["ProductionVariants"]
        if variant["VariantName"] in registered
        and types.get(variant["VariantName"]) != variant.get("InstanceType")
    ]
    if lost:
        raise validation_error(
            f"The variant(s) {', '.join(lost)} must be deregistered as scalable targets before "
            "they can be removed or get another instance type."
        )


def _register(place: Place, request: Document) -> Document:
    resource = _resource(request)
    target = _targets.known.get((place, resource))
    _check_variant(place, resource)
    if target is None:
        if "MinCapacity" not in request or "MaxCapacity" not in request:
            raise validation_error("MinCapacity and MaxCapacity are required for a new target")
        role = f"arn:aws:iam::{place.account}:role/{SERVICE_ROLE}"
        target = Target(place, resource, 0, 0, role, {})
    least = request.get("MinCapacity", target.least)
    most = request.get("MaxCapacity", target.most)
    if least > most:
        raise validation_error(f"MinCapacity {least} is above MaxCapacity {most}")
    target.least, target.most = least, most
    target.suspended = request.get("SuspendedState", target.suspended)
    _targets.known[place, resource] = target
    _keep_within(target)
    return {"ScalableTargetARN": target.arn}


SERVICE_ROLE = (
    "aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)


def _resource(request: Document) -> str:
    if request["ServiceNamespace"] != "sagemaker":
        raise UnsupportedByLocalAws(
            "application-autoscaling", "namespace", request["ServiceNamespace"]
        )
    if request.get("ScalableDimension") != DIMENSION:
        raise UnsupportedByLocalAws(
            "application-autoscaling", "dimension", str(request.get("ScalableDimension"))
        )
    resource = str(request["ResourceId"])
    parts = resource.split("/")
    if len(parts) != 4 or (parts[0], parts[2]) != ("endpoint", "variant"):
        raise validation_error(f"ResourceId {resource} is not endpoint/NAME/variant/VARIANT")
    return resource


def _check_variant(place: Place, resource: str) -> None:
    _, name, _, variant_name = resource.split("/")
    endpoint = endpoints.find(place, name)
    variant = endpoint.blue.variant(variant_name) if endpoint and endpoint.blue else None
    if variant is None:
        raise validation_error(f"SageMaker has no variant in service for {resource}")
    if variant.is_serverless:
        raise validation_error(f"the variant of {resource} is serverless and has no instances")


def _keep_within(target: Target) -> None:
    """Bring a variant whose instances are outside of the bounds back inside."""
    from localaws.endpoints import rollout as endpoint_rollout

    name, variant_name = target.names
    endpoint = endpoints.find(target.place, name)
    if endpoint is None or endpoint.blue is None or endpoint.status is not Status.IN_SERVICE:
        return
    variant = endpoint.blue.variant(variant_name)
    wanted = max(target.least, min(target.most, variant.instances)) if variant else 0
    if variant is not None and wanted != variant.instances and wanted > 0:
        change = {"VariantName": variant_name, "DesiredInstanceCount": wanted}
        endpoint_rollout.rescale(endpoint, [change])


def _target(place: Place, request: Document) -> Target:
    resource = _resource(request)
    target = _targets.known.get((place, resource))
    if target is None:
        raise AwsError(
            "ObjectNotFoundException",
            f"No scalable target found for service namespace: sagemaker, resource ID: {resource}, "
            f"scalable dimension: {DIMENSION}",
        )
    return target


def _deregister(place: Place, request: Document) -> Document:
    target = _target(place, request)
    del _targets.known[place, target.resource_id]
    return {}


def _describe_targets(place: Place, request: Document) -> Document:
    wanted = request.get("ResourceIds")
    return {
        "ScalableTargets": [
            {
                "ServiceNamespace": "sagemaker",
                "ResourceId": target.resource_id,
                "ScalableDimension": DIMENSION,
                "MinCapacity": target.least,
                "MaxCapacity": target.most,
                "RoleARN": target.role_arn,
                "CreationTime": target.created,
                "ScalableTargetARN": target.arn,
            }
            for target in _here(place)
            if wanted is None or target.resource_id in wanted
        ]
    }


def _here(place: Place) -> list[Target]:
    return [target for target in _targets.known.values() if target.place == place]


def _put_policy(place: Place, request: Document) -> Document:
    target, name = _target(place, request), request["PolicyName"]
    if request.get("PolicyType") == "TargetTrackingScaling" and not request.get(
        "TargetTrackingScalingPolicyConfiguration"
    ):
        raise validation_error("TargetTrackingScalingPolicyConfiguration is missing")
    prefix = f"arn:aws:autoscaling:{place.region}:{place.account}:scalingPolicy"
    arn = f"{prefix}:{target.number}:resource/sagemaker/{target.resource_id}:policyName/{name}"
    made = {"PolicyARN": arn, "CreationTime": clock.now().timestamp(), "Alarms": []}
    target.policies[name] = {**request, **made}
    return {"PolicyARN": arn, "Alarms": []}


def _describe_policies(place: Place, request: Document) -> Document:
    names, resource = request.get("PolicyNames"), request.get("ResourceId")
    return {
        "ScalingPolicies": [
            policy
            for target in _here(place)
            if resource in (None, target.resource_id)
            for name, policy in target.policies.items()
            if names is None or name in names
        ]
    }


def _delete_policy(place: Place, request: Document) -> Document:
    target = _target(place, request)
    if target.policies.pop(request["PolicyName"], None) is None:
        raise AwsError("ObjectNotFoundException", f"No policy {request['PolicyName']} is there")
    return {}


def _describe_activities(place: Place, request: Document) -> Document:
    del place, request
    return {"ScalingActivities": []}


_OPERATIONS: dict[str, Callable[[Place, Document], Document]] = {
    "RegisterScalableTarget": _register,
    "DeregisterScalableTarget": _deregister,
    "DescribeScalableTargets": _describe_targets,
    "PutScalingPolicy": _put_policy,
    "DescribeScalingPolicies": _describe_policies,
    "DeleteScalingPolicy": _delete_policy,
    "DescribeScalingActivities": _describe_activities,
}
