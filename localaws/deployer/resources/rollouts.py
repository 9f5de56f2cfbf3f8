"""AWS::CodeDeploy::Application and DeploymentGroup, and how an alias gets a version through them.

CloudFormation makes a deployment of its own for each alias whose version changes, under the stack's
role, and waits for it (Template Reference, "UpdatePolicy attribute", read 2026-11-21).
"""

import json
import uuid
from typing import Any

from botocore.exceptions import ClientError

from localaws import clock
from localaws.deployer.errors import RolloutFailed
from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    changed,
    dropped_tags,
    generated_name,
    lower_first,
    picked,
    tags,
)
from localaws.deployer.schema import FLAG, TAGS, TEXT, TEXTS, ListOf, Record, Text, texts

_APPLICATION = Record(
    {"ApplicationName": TEXT, "ComputePlatform": Text(("Lambda",)), "Tags": TAGS},
    ("ComputePlatform",),
)
_GROUP = Record(
    {
        **texts("ApplicationName", "DeploymentGroupName", "DeploymentConfigName"),
        "ServiceRoleArn": TEXT,
        "AlarmConfiguration": Record(
            {
                "Alarms": ListOf(Record({"Name": TEXT})),
                "Enabled": FLAG,
                "IgnorePollAlarmFailure": FLAG,
            }
        ),
        "AutoRollbackConfiguration": Record({"Enabled": FLAG, "Events": TEXTS}),
        "DeploymentStyle": Record(
            {
                "DeploymentType": Text(("BLUE_GREEN",)),
                "DeploymentOption": Text(("WITH_TRAFFIC_CONTROL",)),
            }
        ),
        "Tags": TAGS,
    },
    ("ApplicationName", "ServiceRoleArn"),
)
ALIAS_POLICY = Record(
    {
        "CodeDeployLambdaAliasUpdate": Record(
            texts("ApplicationName", "DeploymentGroupName"),
            ("ApplicationName", "DeploymentGroupName"),
        )
    }
)
"""The UpdatePolicy of an alias; functions that CodeDeploy calls as hooks are not supported."""
_CLEARED: dict[str, Any] = {
    "deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce",
    "alarmConfiguration": {"enabled": False, "alarms": []},
    "autoRollbackConfiguration": {"enabled": False, "events": []},
}
"""What a property that a template no longer has goes back to."""
_LOOK_EVERY_S = 10.0
"""AWS's seconds between two looks at a deployment; real ones are kept within bounds."""
_LEAST_LOOK_S, _MOST_LOOK_S = 0.05, 0.5
_OVER = ("Succeeded", "Failed", "Stopped")


def _create_application(site: Site, logical_id: str, properties: Properties) -> Made:
    name = properties.get("ApplicationName") or generated_name(site, logical_id, longest=100)
    site.client("codedeploy").create_application(
        applicationName=name,
        computePlatform=properties["ComputePlatform"],
        tags=tags(site, properties),
    )
    return Made(name)


def _update_application(site: Site, existing: Existing, new: Properties) -> Made:
    _change_tags(site, existing, new, f"application:{existing.physical_id}")
    return existing.made()


def _delete_application(site: Site, existing: Existing) -> None:
    site.client("codedeploy").delete_application(applicationName=existing.physical_id)


def _create_group(site: Site, logical_id: str, properties: Properties) -> Made:
    name = properties.get("DeploymentGroupName") or generated_name(site, logical_id, longest=100)
    site.client("codedeploy").create_deployment_group(
        deploymentGroupName=name, tags=tags(site, properties), **_settings(properties)
    )
    return Made(name)


def _settings(properties: Properties) -> dict[str, Any]:
    names = ("ApplicationName", "DeploymentConfigName", "ServiceRoleArn", "AlarmConfiguration")
    stated = picked(properties, *names, "AutoRollbackConfiguration", "DeploymentStyle")
    request: dict[str, Any] = lower_first(stated)
    return request


def _update_group(site: Site, existing: Existing, new: Properties) -> Made:
    name, application = existing.physical_id, new["ApplicationName"]
    site.client("codedeploy").update_deployment_group(
        currentDeploymentGroupName=name, **{**_CLEARED, **_settings(new)}
    )
    _change_tags(site, existing, new, f"deploymentgroup:{application}/{name}")
    return existing.made()


def _delete_group(site: Site, existing: Existing) -> None:
    site.client("codedeploy").delete_deployment_group(
        applicationName=existing.properties["ApplicationName"],
        deploymentGroupName=existing.physical_id,
    )


def _change_tags(site: Site, existing: Existing, new: Properties, resource: str) -> None:
    client, arn = site.client("codedeploy"), site.arn("codedeploy", resource)
    gone = dropped_tags(existing, new)
    if gone:
        client.untag_resource(ResourceArn=arn, TagKeys=gone)
    if changed(existing, new, "Tags") and new.get("Tags"):
        client.tag_resource(ResourceArn=arn, Tags=tags(site, new))


def shift(site: Site, before: Properties, after: Properties, group: Properties) -> None:
    """Move an alias to its new version by a deployment, and wait; raises RolloutFailed.

    Once another resource has failed, the deployment is stopped.
    """
    client = site.client("codedeploy")
    deployment = client.create_deployment(
        applicationName=group["ApplicationName"],
        deploymentGroupName=group["DeploymentGroupName"],
        revision={
            "revisionType": "AppSpecContent",
            "appSpecContent": {"content": _appspec(before, after)},
        },
    )["deploymentId"]
    info = _outcome(site, client, deployment)
    if info["status"] == "Succeeded":
        return
    way_back = info.get("rollbackInfo", {}).get("rollbackDeploymentId")
    if way_back:
        _wait(client, way_back)
    error = info.get("errorInformation", {})
    if error.get("code") == "MANUAL_STOP" and site.cancelled.is_set():
        raise RolloutFailed("Resource update cancelled")
    raise RolloutFailed(
        f'Resource handler returned message: "{deployment} failed. {error.get("message", "")}" '
        f"(RequestToken: {uuid.uuid4()}, HandlerErrorCode: InternalFailure)"
    )


def _appspec(before: Properties, after: Properties) -> str:
    function = after["FunctionName"].rpartition(":function:")[2]
    target = {
        "Name": function,
        "Alias": after["Name"],
        "CurrentVersion": before["FunctionVersion"],
        "TargetVersion": after["FunctionVersion"],
    }
    resource = {function: {"Type": "AWS::Lambda::Function", "Properties": target}}
    return json.dumps({"version": 0.0, "Resources": [resource]})


def _outcome(site: Site, client: Any, deployment: str) -> dict[str, Any]:
    """The deployment when it is over, which a failure elsewhere in the stack brings about."""
    while True:
        info: dict[str, Any] = client.get_deployment(deploymentId=deployment)["deploymentInfo"]
        if info["status"] in _OVER:
            return info
        if site.cancelled.wait(_look_s()):
            _stop(client, deployment)
            return _wait(client, deployment)


def _stop(client: Any, deployment: str) -> None:
    """Ask for the end; one that is over, or that may not be stopped, ends by itself."""
    try:
        client.stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if not code.startswith(("AccessDenied", "DeploymentAlreadyCompleted")):
            raise


def _wait(client: Any, deployment: str) -> dict[str, Any]:
    while True:
        info: dict[str, Any] = client.get_deployment(deploymentId=deployment)["deploymentInfo"]
        if info["status"] in _OVER:
            return info
        clock.wait(_look_s() * clock.time_scale())


def _look_s() -> float:
    return min(max(clock.scaled_s(_LOOK_EVERY_S), _LEAST_LOOK_S), _MOST_LOOK_S)


TYPES = (
    ResourceType(
        "AWS::CodeDeploy::Application",
        _APPLICATION,
        _create_application,
        _delete_application,
        _update_application,
        frozenset({"ApplicationName", "ComputePlatform"}),
        "ApplicationName",
    ),
    ResourceType(
        "AWS::CodeDeploy::DeploymentGroup",
        _GROUP,
        _create_group,
        _delete_group,
        _update_group,
        frozenset({"ApplicationName", "DeploymentGroupName"}),
    ),
)
