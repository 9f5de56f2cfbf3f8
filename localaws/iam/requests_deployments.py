"""What requests to CodeDeploy need permission for.

Source: Service Authorization Reference, the page of AWS CodeDeploy, and CodeDeploy's user guide,
"CodeDeploy permissions reference" (read 2026-11-21).
"""

from collections.abc import Mapping
from typing import Any

from localaws.codedeploy.store import STORE
from localaws.iam.requirement import Place, Requirement
from localaws.sagemaker import store as sagemaker_store
from localaws.wire import AwsError, WireRequest


def resources(operation: str, parameters: Mapping[str, Any], place: Place) -> list[str]:
    """A deployment is read on its group; several groups are decided one by one."""
    if operation == "GetDeployment":
        return _group_of(str(parameters.get("deploymentId", "")), place)
    application = parameters.get("applicationName", "")
    if operation == "BatchGetDeploymentGroups":
        names = parameters.get("deploymentGroupNames") or ()
        return [place.arn("codedeploy", f"deploymentgroup:{application}/{name}") for name in names]
    if operation == "BatchGetApplications":
        names = parameters.get("applicationNames") or ()
        return [place.arn("codedeploy", f"application:{name}") for name in names]
    return []


def _group_of(deployment_id: str, place: Place) -> list[str]:
    where = sagemaker_store.Place(place.account, place.region)
    try:
        return [STORE.deployment(where, deployment_id).group.arn]
    except AwsError:
        return []


def further(request: WireRequest, place: Place) -> list[Requirement]:
    """Who deploys a revision registers it, and reads how traffic shifts."""
    if (request.service.name, request.operation) != ("codedeploy", "CreateDeployment"):
        return []
    given = request.parameters
    application = str(given.get("applicationName", ""))
    on_application = place.arn("codedeploy", f"application:{application}")
    config = given.get("deploymentConfigName") or _config_of(given, place)
    return [
        Requirement("codedeploy:RegisterApplicationRevision", on_application),
        Requirement("codedeploy:GetApplicationRevision", on_application),
        Requirement(
            "codedeploy:GetDeploymentConfig", place.arn("codedeploy", f"deploymentconfig:{config}")
        ),
    ]


def _config_of(given: Mapping[str, Any], place: Place) -> str:
    where = sagemaker_store.Place(place.account, place.region)
    application = str(given.get("applicationName", ""))
    try:
        group = STORE.group(where, application, str(given.get("deploymentGroupName", "")))
    except AwsError:
        return "*"
    return str(group.document["deploymentConfigName"])
