"""The operations on deployment groups."""

from localaws.codedeploy import configs as codedeploy_configs
from localaws.codedeploy.applications import tags_of
from localaws.codedeploy.store import CODEDEPLOY, STORE, Deployment, Group, Status
from localaws.errors import AccessDeniedByLocalAws, UnsupportedByLocalAws
from localaws.iam import service as iam
from localaws.sagemaker.store import Document, Place
from localaws.wire import AwsError

SESSION = "AWSCodeDeploy"
"""The name of the service role's sessions."""
_STYLE = {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}
_NO_ALARMS: Document = {"enabled": False, "ignorePollAlarmFailure": False, "alarms": []}
_NO_ROLLBACK: Document = {"enabled": False, "events": []}
_KNOWN = {
    *("applicationName", "deploymentGroupName", "deploymentConfigName", "serviceRoleArn"),
    *("alarmConfiguration", "autoRollbackConfiguration", "deploymentStyle", "tags"),
    *("currentDeploymentGroupName", "newDeploymentGroupName"),
}
_MOST_ALARMS = 10


def create_deployment_group(place: Place, request: Document) -> Document:
    """CreateDeploymentGroup."""
    _refuse_others("CreateDeploymentGroup", request)
    document = {name: request[name] for name in request if name != "tags"}
    group = Group(place, _completed(document), tags_of(request))
    _check_role(group)
    key = (place, group.application, group.name)
    with STORE.lock:
        STORE.application(place, group.application)
        if key in STORE.groups:
            raise AwsError(
                "DeploymentGroupAlreadyExistsException", f"Deployment Group: {group.name}"
            )
        STORE.groups[key] = group
    return {"deploymentGroupId": group.id}


def update_deployment_group(place: Place, request: Document) -> Document:
    """UpdateDeploymentGroup: what is given replaces what was; deployments go on as they began."""
    _refuse_others("UpdateDeploymentGroup", request)
    application, current = request["applicationName"], request["currentDeploymentGroupName"]
    name = request.get("newDeploymentGroupName") or current
    given = {key: request[key] for key in request if not key.endswith("DeploymentGroupName")}
    with STORE.lock:
        group = STORE.group(place, application, current)
        if name != current and (place, application, name) in STORE.groups:
            raise AwsError("DeploymentGroupAlreadyExistsException", f"Deployment Group: {name}")
        document = _completed({**group.document, **given, "deploymentGroupName": name})
        _check_role(Group(place, document))
        del STORE.groups[place, application, current]
        group.document = document
        STORE.groups[place, application, name] = group
    return {"hooksNotCleanedUp": []}


def _refuse_others(operation: str, request: Document) -> None:
    for name in sorted(request.keys() - _KNOWN):
        if request[name]:
            raise UnsupportedByLocalAws("codedeploy", operation, name)


def _completed(document: Document) -> Document:
    """A group's document with CodeDeploy's defaults; raises AwsError."""
    whole = {
        "deploymentConfigName": codedeploy_configs.DEFAULT,
        "alarmConfiguration": _NO_ALARMS,
        "autoRollbackConfiguration": _NO_ROLLBACK,
        **document,
    }
    codedeploy_configs.config(whole["deploymentConfigName"])
    if whole.get("deploymentStyle") != _STYLE:
        raise AwsError(
            "InvalidDeploymentStyleException",
            "For the Lambda compute platform the deployment style must be BLUE_GREEN and "
            f"WITH_TRAFFIC_CONTROL, not {whole.get('deploymentStyle')}",
        )
    check_alarms(whole["alarmConfiguration"])
    check_rollback(whole["autoRollbackConfiguration"])
    return whole


def check_alarms(configuration: Document) -> None:
    """Raise AwsError for an AlarmConfiguration that CodeDeploy does not take."""
    alarms = configuration.get("alarms") or []
    if len(alarms) > _MOST_ALARMS:
        raise AwsError(
            "AlarmsLimitExceededException", f"{len(alarms)} alarms; at most {_MOST_ALARMS}"
        )
    if configuration.get("enabled") and not alarms:
        raise AwsError("InvalidAlarmConfigException", "Alarms are enabled, but none is given")


def check_rollback(configuration: Document) -> None:
    """Raise AwsError for an AutoRollbackConfiguration that CodeDeploy does not take."""
    if configuration.get("enabled") and not configuration.get("events"):
        raise AwsError(
            "InvalidAutoRollbackConfigException", "Roll-back is enabled, but for no event"
        )


def _check_role(group: Group) -> None:
    role = group.document["serviceRoleArn"]
    try:
        iam.assume_service_role(role, CODEDEPLOY, session_name=SESSION, source_arn=group.arn)
    except AccessDeniedByLocalAws as error:
        raise AwsError(
            "InvalidRoleException",
            "AWS CodeDeploy does not have the permissions required to assume the role "
            f"{role}: {error}",
        ) from error


def get_deployment_group(place: Place, request: Document) -> Document:
    """GetDeploymentGroup."""
    group = STORE.group(place, request["applicationName"], request["deploymentGroupName"])
    return {"deploymentGroupInfo": _shown(group)}


def batch_get_deployment_groups(place: Place, request: Document) -> Document:
    """BatchGetDeploymentGroups."""
    application = request["applicationName"]
    found = [STORE.group(place, application, name) for name in request["deploymentGroupNames"]]
    return {"deploymentGroupsInfo": [_shown(group) for group in found]}


def list_deployment_groups(place: Place, request: Document) -> Document:
    """ListDeploymentGroups."""
    application = STORE.application(place, request["applicationName"])
    names = sorted(group.name for group in STORE.groups_of(application))
    return {"applicationName": application.name, "deploymentGroups": names}


def delete_deployment_group(place: Place, request: Document) -> Document:
    """DeleteDeploymentGroup; one that is not there is no error."""
    key = (place, request["applicationName"], request["deploymentGroupName"])
    with STORE.lock:
        STORE.groups.pop(key, None)
    return {"hooksNotCleanedUp": []}


def _shown(group: Group) -> Document:
    told = {**group.document, "deploymentGroupId": group.id, "computePlatform": "Lambda"}
    with STORE.lock:
        deployments = STORE.deployments_of(group)
    succeeded = [each for each in deployments if each.status is Status.SUCCEEDED]
    if deployments:
        told["lastAttemptedDeployment"] = _last(deployments[0])
    if succeeded:
        told["lastSuccessfulDeployment"] = _last(succeeded[0])
        told["targetRevision"] = succeeded[0].plan.revision
    return told


def _last(deployment: Deployment) -> Document:
    told: Document = {
        "deploymentId": deployment.id,
        "status": deployment.status.value,
        "createTime": deployment.created,
    }
    return told | ({"endTime": deployment.ended} if deployment.ended else {})
