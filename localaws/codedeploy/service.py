"""CodeDeploy on the laptop: aliases of Lambda functions shifted from version to version.

`install` serves the API. The parts: `applications` and `groups` keep what is declared,
`deployments` begins and shows deployments, `shifting` carries one out as the group's service role.
"""

from localaws.codedeploy import applications, deployments, groups
from localaws.codedeploy import shifting as codedeploy_shifting
from localaws.codedeploy.store import STORE
from localaws.context import Context
from localaws.sagemaker.api import mount
from localaws.small_services import Operation, application

OPERATIONS: dict[str, Operation] = {
    "CreateApplication": applications.create_application,
    "GetApplication": applications.get_application,
    "BatchGetApplications": applications.batch_get_applications,
    "ListApplications": applications.list_applications,
    "UpdateApplication": applications.update_application,
    "DeleteApplication": applications.delete_application,
    "RegisterApplicationRevision": applications.register_application_revision,
    "GetApplicationRevision": applications.get_application_revision,
    "GetDeploymentConfig": applications.get_deployment_config,
    "ListDeploymentConfigs": applications.list_deployment_configs,
    "TagResource": applications.tag_resource,
    "UntagResource": applications.untag_resource,
    "ListTagsForResource": applications.list_tags_for_resource,
    "CreateDeploymentGroup": groups.create_deployment_group,
    "UpdateDeploymentGroup": groups.update_deployment_group,
    "GetDeploymentGroup": groups.get_deployment_group,
    "BatchGetDeploymentGroups": groups.batch_get_deployment_groups,
    "ListDeploymentGroups": groups.list_deployment_groups,
    "DeleteDeploymentGroup": groups.delete_deployment_group,
    "CreateDeployment": deployments.create_deployment,
    "GetDeployment": deployments.get_deployment,
    "BatchGetDeployments": deployments.batch_get_deployments,
    "ListDeployments": deployments.list_deployments,
    "StopDeployment": deployments.stop_deployment,
    "ListDeploymentTargets": deployments.list_deployment_targets,
    "GetDeploymentTarget": deployments.get_deployment_target,
    "BatchGetDeploymentTargets": deployments.batch_get_deployment_targets,
}


def install(context: Context) -> None:
    """Serve CodeDeploy's API from here, starting with nothing in it."""
    shutdown()
    STORE.clear()
    codedeploy_shifting.start()
    mount(context, "codedeploy", application("codedeploy", OPERATIONS))


def shutdown() -> None:
    """Abandon every deployment; aliases stay as they are."""
    codedeploy_shifting.abandon()
