"""The operations on deployments."""

from localaws.codedeploy import appspec as codedeploy_appspec
from localaws.codedeploy import configs as codedeploy_configs
from localaws.codedeploy import shifting as codedeploy_shifting
from localaws.codedeploy.applications import register
from localaws.codedeploy.groups import check_alarms, check_rollback
from localaws.codedeploy.store import STORE, Deployment, Group, Plan
from localaws.codedeploy.views import deployment as view
from localaws.codedeploy.views import target as target_view
from localaws.codedeploy.views import target_id
from localaws.errors import UnsupportedByLocalAws
from localaws.sagemaker.store import Document, Place
from localaws.wire import AwsError

_KNOWN = {
    *("applicationName", "deploymentGroupName", "revision", "deploymentConfigName"),
    *("description", "autoRollbackConfiguration", "overrideAlarmConfiguration"),
    *("fileExistsBehavior", "ignoreApplicationStopFailures", "updateOutdatedInstancesOnly"),
}


def create_deployment(place: Place, request: Document) -> Document:
    """CreateDeployment; a group has one deployment at a time."""
    for name in sorted(request.keys() - _KNOWN):
        if request[name]:
            raise UnsupportedByLocalAws("codedeploy", "CreateDeployment", name)
    for name in ("deploymentGroupName", "revision"):
        if not request.get(name):
            code = "DeploymentGroupNameRequiredException" if "Group" in name else ""
            raise AwsError(code or "RevisionRequiredException", f"{name} must be given")
    with STORE.lock:
        group = STORE.group(place, request["applicationName"], request["deploymentGroupName"])
        plan = _planned(group, request)
        active = STORE.active(group)
        if active is not None:
            raise AwsError(
                "DeploymentLimitExceededException",
                f"The Deployment Group '{group.name}' already has an active Deployment "
                f"'{active.id}'",
            )
        made = Deployment(group, plan)
        STORE.deployments[made.id] = made
    codedeploy_shifting.begin(made)
    return {"deploymentId": made.id}


def _planned(group: Group, request: Document) -> Plan:
    config_name = request.get("deploymentConfigName") or group.document["deploymentConfigName"]
    codedeploy_configs.config(config_name)
    alarms = request.get("overrideAlarmConfiguration") or group.document["alarmConfiguration"]
    check_alarms(alarms)
    stated = request.get("autoRollbackConfiguration")
    rollback = stated or group.document["autoRollbackConfiguration"]
    check_rollback(rollback)
    application = STORE.application(group.place, group.application)
    revision = register(application, request["revision"])
    appspec = codedeploy_appspec.parsed(revision["appSpecContent"]["content"])
    description = request.get("description") or ""
    return Plan(appspec, revision, config_name, alarms, rollback, description)


def get_deployment(place: Place, request: Document) -> Document:
    """GetDeployment."""
    with STORE.lock:
        return {"deploymentInfo": view(STORE.deployment(place, request["deploymentId"]))}


def batch_get_deployments(place: Place, request: Document) -> Document:
    """BatchGetDeployments."""
    with STORE.lock:
        found = [STORE.deployment(place, each) for each in request["deploymentIds"]]
        return {"deploymentsInfo": [view(each) for each in found]}


def list_deployments(place: Place, request: Document) -> Document:
    """ListDeployments, the newest first."""
    for name in ("createTimeRange", "externalId"):
        if request.get(name):
            raise UnsupportedByLocalAws("codedeploy", "ListDeployments", name)
    application, group = request.get("applicationName"), request.get("deploymentGroupName")
    if bool(application) != bool(group):
        code = "DeploymentGroupNameRequired" if application else "ApplicationNameRequired"
        raise AwsError(f"{code}Exception", "Application and deployment group go together")
    statuses = request.get("includeOnlyStatuses") or ()
    with STORE.lock:
        if application and group:
            found = STORE.deployments_of(STORE.group(place, application, group))
        else:
            found = [e for e in reversed(STORE.deployments.values()) if e.group.place == place]
    wanted = [each.id for each in found if not statuses or each.status in statuses]
    return {"deployments": wanted}


def stop_deployment(place: Place, request: Document) -> Document:
    """StopDeployment; `autoRollbackEnabled` says whether the alias goes back, else the group."""
    deployment = STORE.deployment(place, request["deploymentId"])
    with STORE.lock:
        if deployment.status.is_over:
            raise AwsError(
                "DeploymentAlreadyCompletedException",
                f"Deployment {deployment.id} has already completed",
            )
        deployment.stop_rolls_back = request.get("autoRollbackEnabled")
        deployment.stop.set()
    return {"status": "Pending", "statusMessage": f"Stopping deployment {deployment.id}"}


def list_deployment_targets(place: Place, request: Document) -> Document:
    """ListDeploymentTargets: the one function."""
    return {"targetIds": [target_id(STORE.deployment(place, request["deploymentId"]))]}


def get_deployment_target(place: Place, request: Document) -> Document:
    """GetDeploymentTarget."""
    deployment = STORE.deployment(place, request["deploymentId"])
    return {"deploymentTarget": _target(deployment, request["targetId"])}


def batch_get_deployment_targets(place: Place, request: Document) -> Document:
    """BatchGetDeploymentTargets."""
    deployment = STORE.deployment(place, request["deploymentId"])
    wanted = request.get("targetIds") or [target_id(deployment)]
    return {"deploymentTargets": [_target(deployment, each) for each in wanted]}


def _target(deployment: Deployment, asked: str) -> Document:
    if asked != target_id(deployment):
        raise AwsError(
            "DeploymentTargetDoesNotExistException",
            f"Deployment {deployment.id} has no target {asked}",
        )
    with STORE.lock:
        return target_view(deployment)
