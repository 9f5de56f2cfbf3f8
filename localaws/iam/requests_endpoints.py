"""What endpoints, their alarms and their scaling need permission for, beyond a row of a table.

Sources: Service Authorization Reference; SageMaker Developer Guide, "Auto-Rollback Configuration
and Monitoring"; Application Auto Scaling User Guide, "Permissions validation for API calls against
target resources" (read 2026-11).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from localaws.iam.requirement import Place, Requirement, reach
from localaws.wire import WireRequest

_SCALING = "application-autoscaling"
_SERVICE_ROLE = (
    "role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)
_VALIDATED = frozenset({"RegisterScalableTarget", "DeregisterScalableTarget", "PutScalingPolicy"})
_POLICY_ALARMS = ("PutMetricAlarm", "DescribeAlarms", "DeleteAlarms")


@lru_cache(maxsize=256)
def invocation(endpoint: str, place: Place) -> tuple[Requirement, ...]:
    """What InvokeEndpoint needs; kept, as it depends on nothing else and is asked for most."""
    return (
        Requirement("sagemaker:InvokeEndpoint", place.arn("sagemaker", f"endpoint/{endpoint}")),
    )


def cloudwatch(operation: str, parameters: Mapping[str, Any], place: Place) -> list[str]:
    """Resources of the operations on several alarms."""
    if operation not in ("DescribeAlarms", "DeleteAlarms", "EnableAlarmActions"):
        return []
    names = [str(name) for name in parameters.get("AlarmNames") or ["*"]]
    return [place.arn("cloudwatch", f"alarm:{name}") for name in names]


def scaling(operation: str, parameters: Mapping[str, Any], place: Place) -> list[str]:
    """Resources of Application Auto Scaling; a target's id is not known to its callers."""
    del parameters
    if operation.startswith("Describe"):
        return ["*"]
    return [place.arn(_SCALING, "scalable-target/*")]


def further(request: WireRequest, place: Place) -> list[Requirement]:
    """What a request needs besides its own action."""
    if (request.service.name, request.operation) == ("sagemaker", "UpdateEndpoint"):
        path = "DeploymentConfig.AutoRollbackConfiguration.Alarms.AlarmName"
        alarms = reach(request.parameters, path)
        return [
            Requirement("cloudwatch:DescribeAlarms", place.arn("cloudwatch", f"alarm:{name}"))
            for name in alarms
        ]
    if request.service.name == _SCALING and request.operation in _VALIDATED:
        return _of_target(request, place)
    return []


def _of_target(request: WireRequest, place: Place) -> list[Requirement]:
    parts = str(request.parameters.get("ResourceId", "")).split("/")
    name = parts[1] if len(parts) > 1 else "*"
    endpoint = place.arn("sagemaker", f"endpoint/{name}")
    needed = [
        Requirement("sagemaker:DescribeEndpoint", endpoint),
        Requirement("sagemaker:UpdateEndpointWeightsAndCapacities", endpoint),
    ]
    if request.operation == "RegisterScalableTarget":
        role = f"arn:aws:iam::{place.account}:{_SERVICE_ROLE}"
        context = {"iam:awsservicename": ("sagemaker.application-autoscaling.amazonaws.com",)}
        needed.append(Requirement("iam:CreateServiceLinkedRole", role, context))
    if request.operation == "PutScalingPolicy":
        alarm = place.arn("cloudwatch", f"alarm:TargetTracking-endpoint/{name}/*")
        needed += [Requirement(f"cloudwatch:{action}", alarm) for action in _POLICY_ALARMS]
    return needed
