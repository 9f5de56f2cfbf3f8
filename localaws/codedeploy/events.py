"""Tells EventBridge what happens in deployments: the events of source `aws.codedeploy`.

Shape from the EventBridge user guide's "CodeDeploy events" (read 2026-11-21).
"""

from localaws.codedeploy.store import Deployment, Status, arn_of
from localaws.events import service as events

_STATES = {
    Status.IN_PROGRESS: "START",
    Status.SUCCEEDED: "SUCCESS",
    Status.FAILED: "FAILURE",
    Status.STOPPED: "STOP",
}


def state_changed(deployment: Deployment) -> None:
    """`CodeDeploy Deployment State-change Notification`."""
    group = deployment.group
    events.emit(
        "aws.codedeploy",
        "CodeDeploy Deployment State-change Notification",
        {
            "region": group.place.region,
            "deploymentId": deployment.id,
            "instanceGroupId": group.id,
            "deploymentGroup": group.name,
            "application": group.application,
            "state": _STATES[deployment.status],
        },
        resources=[arn_of(group.place, f"application:{group.application}"), group.arn],
        account=group.place.account,
        region=group.place.region,
    )
