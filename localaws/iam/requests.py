"""From a request to what it needs permission for: actions, resources, condition keys.

The rows of iam_tables cover most operations; what a row cannot say is in a function per service
here. S3 has its own module. Sources: Service Authorization Reference (read 2026-11).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from localaws.iam import requests_builds as iam_requests_builds
from localaws.iam import requests_deployments as iam_requests_deployments
from localaws.iam import requests_endpoints as iam_requests_endpoints
from localaws.iam import requests_functions as iam_requests_functions
from localaws.iam import requests_images as iam_requests_images
from localaws.iam import requests_messages as iam_requests_messages
from localaws.iam import requests_networks as iam_requests_networks
from localaws.iam import requests_s3 as iam_requests_s3
from localaws.iam import requests_stacks as iam_requests_stacks
from localaws.iam import tables as iam_tables
from localaws.iam.requirement import Place, Requirement, fill, reach, tag_context, tags_of
from localaws.moto_seams import iam as moto_seams_iam
from localaws.moto_seams import queues as moto_seams_queues
from localaws.wire import WireRequest

Parameters = Mapping[str, Any]
Special = Callable[[str, Parameters, Place], list[str]]
"""(operation, parameters, place) -> resources of an operation that no row can describe."""


def requirements(request: WireRequest, place: Place) -> list[Requirement]:
    """All that the caller of `request` must be allowed to do, in the order it is checked."""
    if request.service.name == "s3":
        return iam_requests_s3.requirements(request, place)
    if request.operation == "InvokeEndpoint":
        return list(iam_requests_endpoints.invocation(request.parameters["EndpointName"], place))
    found = list(_direct(request, place))
    found += _tagging(request, found)
    found += _passed_roles(request, found, place)
    found += _layers(request)
    found += _versions(request)
    found += _keys(request, place)
    found += iam_requests_endpoints.further(request, place)
    found += iam_requests_deployments.further(request, place)
    return found


def _direct(request: WireRequest, place: Place) -> Iterator[Requirement]:
    service, operation = request.service.name, request.operation
    action = f"{service}:{operation}"
    action = iam_tables.ACTION_NAMES.get(action, action)
    context = tag_context(tags_of(request.parameters)) | _own_keys(action, request)
    context |= _kept_boundary(action, request.parameters, place)
    for resource in _resources(service, operation, request.parameters, place):
        yield Requirement(action, resource, context)


def _resources(service: str, operation: str, parameters: Parameters, place: Place) -> list[str]:
    special = _SPECIAL.get(service)
    resources = special(operation, parameters, place) if special else []
    return resources or _from_rows(service, operation, parameters, place) or ["*"]


def _from_rows(service: str, operation: str, parameters: Parameters, place: Place) -> list[str]:
    found = []
    for template in _ROWS.get((service, operation), ()):
        text = fill(template.replace("{account}", place.account), parameters)
        if text.startswith("arn:"):
            found.append(text)
        elif text:
            found.append(place.arn(service, text.replace("//", "/")))
    return found


def _rows() -> dict[tuple[str, str], tuple[str, ...]]:
    rows: dict[tuple[str, str], tuple[str, ...]] = {}
    for service, table in iam_tables.TABLES.items():
        for template, operations in table.items():
            for operation in operations.split():
                rows[service, operation] = (*rows.get((service, operation), ()), template)
    return rows


_ROWS = _rows()


def _ssm(operation: str, parameters: Parameters, place: Place) -> list[str]:
    names = parameters.get("Names")
    if operation in ("GetParameters", "DeleteParameters") and names:
        return [_parameter(str(name), place) for name in names]
    name = str(parameters.get("Name") or parameters.get("Path") or "")
    if ("ssm", operation) in _ROWS and name:
        return [_parameter(name, place)]
    return []


def _parameter(name: str, place: Place) -> str:
    return name if name.startswith("arn:") else place.arn("ssm", f"parameter/{name.lstrip('/')}")


def _kms(operation: str, parameters: Parameters, place: Place) -> list[str]:
    key = str(parameters.get("KeyId") or parameters.get("TargetKeyId") or "")
    arns = [moto_seams_iam.kms_key_arn(place.account, place.region, key) or key] if key else []
    alias = parameters.get("AliasName")
    if alias and operation in ("CreateAlias", "DeleteAlias", "UpdateAlias"):
        arns.append(place.arn("kms", str(alias)))
    return [arn if arn.startswith("arn:") else place.arn("kms", f"key/{arn}") for arn in arns]


def _iam(operation: str, parameters: Parameters, place: Place) -> list[str]:
    prefix = f"arn:aws:iam::{place.account}:"
    if "PolicySourceArn" in parameters:
        return [str(parameters["PolicySourceArn"])]
    if "RoleName" in parameters and "InstanceProfileName" not in parameters:
        return [_role_arn(str(parameters["RoleName"]), parameters, place)]
    if "PolicyArn" in parameters and "UserName" not in parameters:
        return [str(parameters["PolicyArn"])]
    provider = str(parameters.get("OpenIDConnectProviderArn", ""))
    if provider or operation == "CreateOpenIDConnectProvider":
        host = str(parameters.get("Url", "")).removeprefix("https://")
        return [provider or f"{prefix}oidc-provider/{host}"]
    path = str(parameters.get("Path", "/"))
    for name, kind in (("PolicyName", "policy"), ("UserName", "user"), ("GroupName", "group")):
        if name in parameters and (kind != "policy" or operation == "CreatePolicy"):
            return [f"{prefix}{kind}{path}{parameters[name]}"]
    profile = parameters.get("InstanceProfileName")
    return [f"{prefix}instance-profile/{profile}"] if profile else []


def _role_arn(name: str, parameters: Parameters, place: Place) -> str:
    role = moto_seams_iam.find_role(place.account, name)
    if role is not None:
        return role.arn
    return f"arn:aws:iam::{place.account}:role{parameters.get('Path', '/')}{name}"


def _logs(operation: str, parameters: Parameters, place: Place) -> list[str]:
    group = str(parameters.get("logGroupIdentifier", ""))
    if group.startswith("arn:") and ("logs", operation) in _ROWS:
        stream = parameters.get("logStreamName", "")
        return [f"{group.removesuffix(':*')}:log-stream:{stream}"]
    return []


def _secrets(operation: str, parameters: Parameters, place: Place) -> list[str]:
    """A secret may be named instead of given by its ARN, which ends in six random characters."""
    name = str(parameters.get("SecretId", ""))
    if not name:
        return []
    return [moto_seams_queues.secret(place.account, place.region, name)[0] or name]


def _sagemaker(operation: str, parameters: Parameters, _place: Place) -> list[str]:
    """A group given by its ARN also says which versions are meant, maybe of another account."""
    group = str(parameters.get("ModelPackageGroupName", ""))
    if not group.startswith("arn:") or operation not in ("CreateModelPackage", "ListModelPackages"):
        return []
    return [group, group.replace(":model-package-group/", ":model-package/") + "/*"]


_SPECIAL: Mapping[str, Special] = {
    "cloudformation": iam_requests_stacks.resources,
    "codebuild": iam_requests_builds.resources,
    "codedeploy": iam_requests_deployments.resources,
    "ecr": iam_requests_images.resources,
    "sagemaker": _sagemaker,
    "lambda": iam_requests_functions.resources,
    "sqs": iam_requests_messages.sqs,
    "ssm": _ssm,
    "secretsmanager": _secrets,
    "kms": _kms,
    "events": iam_requests_messages.events,
    "scheduler": iam_requests_messages.scheduler,
    "iam": _iam,
    "logs": _logs,
    "cloudwatch": iam_requests_endpoints.cloudwatch,
    "application-autoscaling": iam_requests_endpoints.scaling,
}


def _own_keys(action: str, request: WireRequest) -> dict[str, tuple[str, ...]]:
    """Condition keys of one service that its callers' policies may ask for."""
    names = _CONDITION_KEYS.get(action, {})
    found = {key: tuple(reach(request.parameters, path)) for key, path in names.items()}
    return {key: iam_requests_stacks.named(key, values) for key, values in found.items() if values}


_CONDITION_KEYS: Mapping[str, Mapping[str, str]] = {
    **iam_requests_stacks.CONDITION_KEYS,
    **iam_requests_networks.CONDITION_KEYS,
    "sns:Subscribe": {"sns:protocol": "Protocol", "sns:endpoint": "Endpoint"},
    "events:PutTargets": {"events:targetarn": "Targets.Arn"},
    "events:PutEvents": {
        "events:source": "Entries.Source",
        "events:detail-type": "Entries.DetailType",
    },
    "lambda:AddPermission": {"lambda:principal": "Principal"},
    "lambda:CreateFunction": {"lambda:layer": "Layers"},
    "lambda:UpdateFunctionConfiguration": {"lambda:layer": "Layers"},
    "iam:AttachRolePolicy": {"iam:policyarn": "PolicyArn"},
    "iam:DetachRolePolicy": {"iam:policyarn": "PolicyArn"},
    "iam:CreateRole": {"iam:permissionsboundary": "PermissionsBoundary"},
    "iam:PutRolePermissionsBoundary": {"iam:permissionsboundary": "PermissionsBoundary"},
    "sagemaker:CreateModelPackage": {
        "sagemaker:modelapprovalstatus": "ModelApprovalStatus",
    },
    "sagemaker:UpdateModelPackage": {
        "sagemaker:modelapprovalstatus": "ModelApprovalStatus",
    },
    "cloudwatch:PutMetricData": {"cloudwatch:namespace": "Namespace"},
    "application-autoscaling:RegisterScalableTarget": {
        "application-autoscaling:service-namespace": "ServiceNamespace"
    },
    "application-autoscaling:DeregisterScalableTarget": {
        "application-autoscaling:service-namespace": "ServiceNamespace"
    },
    "application-autoscaling:PutScalingPolicy": {
        "application-autoscaling:service-namespace": "ServiceNamespace"
    },
}


_OF_A_ROLE_WITH_BOUNDARY = frozenset(
    {
        "iam:PutRolePolicy",
        "iam:DeleteRolePolicy",
        "iam:AttachRolePolicy",
        "iam:DetachRolePolicy",
        "iam:DeleteRolePermissionsBoundary",
    }
)


def _kept_boundary(action: str, parameters: Parameters, place: Place) -> dict[str, tuple[str, ...]]:
    """iam:PermissionsBoundary of a change to a role is the boundary that the role has."""
    if action not in _OF_A_ROLE_WITH_BOUNDARY:
        return {}
    role = moto_seams_iam.find_role(place.account, str(parameters.get("RoleName", "")))
    boundary = role.permissions_boundary_arn if role is not None else None
    return {"iam:permissionsboundary": (boundary,)} if boundary else {}


def _tagging(request: WireRequest, direct: list[Requirement]) -> list[Requirement]:
    """SageMaker asks for AddTags as well when something is created with tags."""
    if request.service.name != "sagemaker" or not request.operation.startswith("Create"):
        return []
    if not request.parameters.get("Tags"):
        return []
    context = tag_context(tags_of(request.parameters))
    return [Requirement("sagemaker:AddTags", direct[-1].resource, context)]


def _layers(request: WireRequest) -> list[Requirement]:
    """A function's layers are read with the permissions of whoever configures it."""
    if request.operation not in ("CreateFunction", "UpdateFunctionConfiguration"):
        return []
    layers = reach(request.parameters, "Layers")
    return [Requirement("lambda:GetLayerVersion", layer) for layer in layers]


_PASSING = ("Create", "Update", "Put")


def _versions(request: WireRequest) -> list[Requirement]:
    """A model made from a registered version is decided on the version, too.

    parity: the Service Authorization Reference names the model only, SageMaker's guide for
    deployment from another account both; a policy that passes here passes there.
    """
    if (request.service.name, request.operation) != ("sagemaker", "CreateModel"):
        return []
    paths = ("PrimaryContainer.ModelPackageName", "Containers.ModelPackageName")
    versions = [version for path in paths for version in reach(request.parameters, path)]
    return [Requirement("sagemaker:CreateModel", version) for version in versions]


def _passed_roles(
    request: WireRequest, direct: list[Requirement], place: Place
) -> list[Requirement]:
    service = request.service.name
    if not request.operation.startswith(_PASSING) and service != "cloudformation":
        return []
    paths = iam_tables.PASSED_ROLES.get(service, ())
    roles = [
        role
        for path in paths
        for role in reach(request.parameters, path)
        # A role of another account cannot be passed: the pipeline's own role assumes it.
        if path not in iam_tables.ASSUMED_ROLES or f"::{place.account}:" in role
    ]
    context = {
        "iam:passedtoservice": (f"{service}.amazonaws.com",),
        "iam:associatedresourcearn": tuple(r.resource for r in direct[:1]),
    }
    return [Requirement("iam:PassRole", role, context) for role in dict.fromkeys(roles)]


def _keys(request: WireRequest, place: Place) -> list[Requirement]:
    """What an encrypted topic, queue or secret asks of those who write to it or read from it."""
    service, operation = request.service.name, request.operation
    if not iam_requests_messages.is_keyed(service, operation):
        return []
    resource = _resources(service, operation, request.parameters, place)[0]
    return iam_requests_messages.keys(service, operation, resource, place)
