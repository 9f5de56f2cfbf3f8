"""The operations on projects."""

from localaws import clock
from localaws.codebuild import settings as codebuild_settings
from localaws.codebuild import views as codebuild_views
from localaws.codebuild.builds import Caller, Store, page
from localaws.codebuild.model import CODEBUILD, Project, project_arn
from localaws.codebuild.settings import invalid
from localaws.errors import AccessDeniedByLocalAws
from localaws.iam import service as iam
from localaws.sagemaker.store import Document, Place
from localaws.wire import AwsError


def create_project(store: Store, caller: Caller, request: Document) -> Document:
    """CreateProject."""
    place = caller.place
    document = codebuild_settings.completed(request, place)
    _check_role(place, document)
    with store.lock:
        if (place, document["name"]) in store.projects:
            arn = project_arn(place, document["name"])
            raise AwsError("ResourceAlreadyExistsException", f"Project already exists: {arn}")
        project = store.projects[place, document["name"]] = Project(place, document)
    return {"project": codebuild_views.project(project)}


def _check_role(place: Place, document: Document) -> None:
    role = document["serviceRole"]
    arn = project_arn(place, document["name"])
    try:
        iam.assume_service_role(role, CODEBUILD, session_name="AWSCodeBuild", source_arn=arn)
    except AccessDeniedByLocalAws as error:
        raise invalid(
            f"CodeBuild is not authorized to perform: sts:AssumeRole on service role {role}: "
            f"{error}"
        ) from error


def update_project(store: Store, caller: Caller, request: Document) -> Document:
    """UpdateProject: what is given replaces what was."""
    place = caller.place
    with store.lock:
        project = store.project(place, request["name"])
        document = codebuild_settings.completed({**project.document, **request}, place)
        _check_role(place, document)
        project.document, project.modified = document, clock.now()
    return {"project": codebuild_views.project(project)}


def delete_project(store: Store, caller: Caller, request: Document) -> Document:
    """DeleteProject: its builds go too; one that is not there is no error."""
    with store.lock:
        project = store.projects.pop((caller.place, request["name"].rpartition("/")[2]), None)
        gone = [
            build
            for build in store.builds.values()
            if project and (build.place, build.project) == (project.place, project.name)
        ]
        for build in gone:
            build.interruption.stop.set()
            del store.builds[build.arn]
    return {}


def batch_get_projects(store: Store, caller: Caller, request: Document) -> Document:
    """BatchGetProjects."""
    with store.lock:
        named = {
            name: store.projects.get((caller.place, name.rpartition("/")[2]))
            for name in request["names"]
        }
    missing = [name for name, project in named.items() if project is None]
    found = [codebuild_views.project(project) for project in named.values() if project]
    return {"projects": found} | ({"projectsNotFound": missing} if missing else {})


def list_projects(store: Store, caller: Caller, request: Document) -> Document:
    """ListProjects."""
    orders = {
        "CREATED_TIME": lambda project: project.created,
        "LAST_MODIFIED_TIME": lambda project: project.modified,
    }
    with store.lock:
        here = [project for project in store.projects.values() if project.place == caller.place]
    here.sort(key=orders.get(request.get("sortBy") or "", lambda project: project.name))
    names = [project.name for project in here]
    if request.get("sortOrder") == "DESCENDING":
        names.reverse()
    return page("projects", names, request)
