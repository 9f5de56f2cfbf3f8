"""Deployments as the API shows them. Values in, values out."""

from localaws.codedeploy.store import Deployment, Status
from localaws.sagemaker.store import Document

_NO_TARGETS = dict.fromkeys(("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready"), 0)
_OVERVIEW = {
    Status.CREATED: "Pending",
    Status.IN_PROGRESS: "InProgress",
    Status.SUCCEEDED: "Succeeded",
    Status.FAILED: "Failed",
    Status.STOPPED: "Failed",
}


def deployment(shown: Deployment) -> Document:
    """A DeploymentInfo."""
    plan, group = shown.plan, shown.group
    told: Document = {
        "applicationName": group.application,
        "deploymentGroupName": group.name,
        "deploymentConfigName": plan.config_name,
        "deploymentId": shown.id,
        "revision": plan.revision,
        "status": shown.status.value,
        "createTime": shown.created,
        "deploymentOverview": {**_NO_TARGETS, _OVERVIEW[shown.status]: 1},
        "creator": plan.creator,
        "ignoreApplicationStopFailures": False,
        "autoRollbackConfiguration": plan.rollback,
        "updateOutdatedInstancesOnly": False,
        "rollbackInfo": shown.rollback_info,
        "deploymentStyle": group.document["deploymentStyle"],
        "instanceTerminationWaitTimeStarted": False,
        "fileExistsBehavior": "DISALLOW",
        "deploymentStatusMessages": [],
        "computePlatform": "Lambda",
        "overrideAlarmConfiguration": plan.alarms,
    }
    optional = {
        "description": plan.description,
        "startTime": shown.started,
        "completeTime": shown.ended,
        "errorInformation": shown.error,
    }
    return told | {name: value for name, value in optional.items() if value}


def target_id(shown: Deployment) -> str:
    """What names the one target of a deployment for Lambda."""
    return f"{shown.plan.appspec.function}:{shown.plan.appspec.alias}"


def target(shown: Deployment) -> Document:
    """A DeploymentTarget."""
    appspec, place = shown.plan.appspec, shown.group.place
    function = f"arn:aws:lambda:{place.region}:{place.account}:function:{appspec.function}"
    status = {Status.CREATED: "Pending", Status.STOPPED: "Failed"}.get(shown.status)
    events = [{"lifecycleEventName": k, "status": v} for k, v in shown.events.items()]
    info = {
        "functionName": appspec.function,
        "functionAlias": appspec.alias,
        "currentVersion": appspec.current,
        "targetVersion": appspec.target,
        "targetVersionWeight": shown.weight,
    }
    return {
        "deploymentTargetType": "LambdaTarget",
        "lambdaTarget": {
            "deploymentId": shown.id,
            "targetId": target_id(shown),
            "targetArn": f"{function}:{appspec.alias}",
            "status": status or shown.status.value,
            "lastUpdatedAt": shown.ended or shown.started or shown.created,
            "lifecycleEvents": events,
            "lambdaFunctionInfo": info,
        },
    }
