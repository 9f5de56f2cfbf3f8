"""The operations on applications, their revisions, and tags."""

from localaws.codedeploy import appspec as codedeploy_appspec
from localaws.codedeploy import configs as codedeploy_configs
from localaws.codedeploy.store import STORE, Application, Group
from localaws.errors import UnsupportedByLocalAws
from localaws.sagemaker.store import Document, Place
from localaws.wire import AwsError


def create_application(place: Place, request: Document) -> Document:
    """CreateApplication."""
    platform, name = request.get("computePlatform") or "Server", request["applicationName"]
    if platform != "Lambda":
        raise UnsupportedByLocalAws("codedeploy", "CreateApplication", f"platform {platform}")
    with STORE.lock:
        if (place, name) in STORE.applications:
            raise AwsError("ApplicationAlreadyExistsException", f"Application: {name}")
        made = STORE.applications[place, name] = Application(place, name, tags_of(request))
    return {"applicationId": made.id}


def get_application(place: Place, request: Document) -> Document:
    """GetApplication."""
    return {"application": _shown(STORE.application(place, request["applicationName"]))}


def batch_get_applications(place: Place, request: Document) -> Document:
    """BatchGetApplications."""
    names = request["applicationNames"]
    return {"applicationsInfo": [_shown(STORE.application(place, name)) for name in names]}


def list_applications(place: Place, request: Document) -> Document:
    """ListApplications."""
    del request
    return {"applications": sorted(name for where, name in STORE.applications if where == place)}


def update_application(place: Place, request: Document) -> Document:
    """UpdateApplication: another name, under which its groups and deployments go on."""
    name, new = request["applicationName"], request.get("newApplicationName")
    with STORE.lock:
        application = STORE.application(place, name)
        if not new or new == name:
            return {}
        if (place, new) in STORE.applications:
            raise AwsError("ApplicationAlreadyExistsException", f"Application: {new}")
        for group in STORE.groups_of(application):
            del STORE.groups[place, name, group.name]
            group.document = {**group.document, "applicationName": new}
            STORE.groups[place, new, group.name] = group
        del STORE.applications[place, name]
        application.name = new
        STORE.applications[place, new] = application
    return {}


def delete_application(place: Place, request: Document) -> Document:
    """DeleteApplication: its groups go too; one that is not there is no error."""
    with STORE.lock:
        gone = STORE.applications.pop((place, request["applicationName"]), None)
        for group in STORE.groups_of(gone) if gone else ():
            del STORE.groups[place, group.application, group.name]
    return {}


def register_application_revision(place: Place, request: Document) -> Document:
    """RegisterApplicationRevision; the same revision once more changes nothing."""
    application = STORE.application(place, request["applicationName"])
    register(application, request["revision"])
    return {}


def register(application: Application, given: Document) -> Document:
    """Keep a revision with its application; the revision with its digest."""
    content = codedeploy_appspec.content_of(given)
    codedeploy_appspec.parsed(content)
    revision = codedeploy_appspec.revision_of(content)
    with STORE.lock:
        application.revisions[revision["appSpecContent"]["sha256"]] = revision
    return revision


def get_application_revision(place: Place, request: Document) -> Document:
    """GetApplicationRevision."""
    application = STORE.application(place, request["applicationName"])
    content = codedeploy_appspec.content_of(request["revision"])
    digest = codedeploy_appspec.revision_of(content)["appSpecContent"]["sha256"]
    if digest not in application.revisions:
        raise AwsError("RevisionDoesNotExistException", f"No revision with sha256 {digest}")
    return {"applicationName": application.name, "revision": application.revisions[digest]}


def get_deployment_config(place: Place, request: Document) -> Document:
    """GetDeploymentConfig, of the configurations that AWS has made for Lambda."""
    del place
    found = codedeploy_configs.config(request["deploymentConfigName"])
    return {"deploymentConfigInfo": found.document()}


def list_deployment_configs(place: Place, request: Document) -> Document:
    """ListDeploymentConfigs."""
    del place, request
    return {"deploymentConfigsList": list(codedeploy_configs.NAMES)}


def tag_resource(place: Place, request: Document) -> Document:
    """TagResource."""
    with STORE.lock:
        _tagged(place, request["ResourceArn"]).tags.update(tags_of({"tags": request["Tags"]}))
    return {}


def untag_resource(place: Place, request: Document) -> Document:
    """UntagResource; a key that is not there is no error."""
    with STORE.lock:
        tags = _tagged(place, request["ResourceArn"]).tags
        for key in request["TagKeys"]:
            tags.pop(key, None)
    return {}


def list_tags_for_resource(place: Place, request: Document) -> Document:
    """ListTagsForResource."""
    tags = _tagged(place, request["ResourceArn"]).tags
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def tags_of(request: Document) -> dict[str, str]:
    """The tags of a request as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in request.get("tags") or ()}


def _tagged(place: Place, arn: str) -> Application | Group:
    kind, _, name = arn.rpartition(f":codedeploy:{place.region}:{place.account}:")[2].partition(":")
    if kind == "application":
        return STORE.application(place, name)
    if kind == "deploymentgroup":
        application, _, group = name.partition("/")
        return STORE.group(place, application, group)
    raise AwsError("InvalidArnException", f"{arn} is no ARN of an application or deployment group")


def _shown(application: Application) -> Document:
    return {
        "applicationId": application.id,
        "applicationName": application.name,
        "createTime": application.created,
        "linkedToGitHub": False,
        "computePlatform": "Lambda",
    }
