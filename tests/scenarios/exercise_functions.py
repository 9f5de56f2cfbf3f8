"""A function's new version comes to serve by CodeDeploy, under the role of the template."""

import json

from signalbox.naming import LIVE
from tests.scenarios import stories
from tests.scenarios.conftest import Laptop


def walk(served: Laptop) -> None:
    """One shift of one alias, as CloudFormation asks for it when it updates a stack."""
    functions, codedeploy = served.target.client("lambda"), served.target.client("codedeploy")
    name = f"{served.target.prefix}-reconciler"
    functions.update_function_configuration(FunctionName=name, Description="a newer version")
    newer = functions.publish_version(FunctionName=name)["Version"]
    before = functions.get_alias(FunctionName=name, Name=LIVE)["FunctionVersion"]
    (application,) = codedeploy.list_applications()["applications"]
    groups = codedeploy.list_deployment_groups(applicationName=application)["deploymentGroups"]
    (group,) = (one for one in groups if "ReconcilerFunction" in one)
    deployment = codedeploy.create_deployment(
        applicationName=application,
        deploymentGroupName=group,
        revision=_revision(name, before, newer),
    )["deploymentId"]

    def is_over() -> bool:
        found = codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]
        assert "errorInformation" not in found, found
        return bool(found["status"] == "Succeeded")

    stories.await_true(is_over, f"{name} is served by version {newer}", 60)
    assert functions.get_alias(FunctionName=name, Name=LIVE)["FunctionVersion"] == newer


def _revision(function: str, before: str, newer: str) -> dict[str, object]:
    properties = {
        "Name": function,
        "Alias": LIVE,
        "CurrentVersion": before,
        "TargetVersion": newer,
    }
    resource = {function: {"Type": "AWS::Lambda::Function", "Properties": properties}}
    content = json.dumps({"version": 0.0, "Resources": [resource]})
    return {"revisionType": "AppSpecContent", "appSpecContent": {"content": content}}
