"""CodeBuild on the laptop: projects, and builds that run their buildspec's commands for real.

`install` serves the API. The parts: `_settings` checks projects, `_builds` starts builds, `_run`
takes one through its phases with the service role's credentials, `_shell` runs the commands.
"""

from collections.abc import Callable, Iterable
from typing import Any

from localaws import wire, wire_answers
from localaws.codebuild import builds, projects
from localaws.codebuild import settings as codebuild_settings
from localaws.codebuild.builds import Caller, Store
from localaws.codebuild.model import Handover
from localaws.context import Context
from localaws.errors import UnsupportedByLocalAws
from localaws.iam import identity as iam_identity
from localaws.sagemaker.api import mount, place_of
from localaws.sagemaker.store import Document

Operation = Callable[[Store, Caller, Document], Document]
OPERATIONS: dict[str, Operation] = {
    "CreateProject": projects.create_project,
    "UpdateProject": projects.update_project,
    "DeleteProject": projects.delete_project,
    "BatchGetProjects": projects.batch_get_projects,
    "ListProjects": projects.list_projects,
    "StartBuild": builds.start_build,
    "StopBuild": builds.stop_build,
    "BatchGetBuilds": builds.batch_get_builds,
    "BatchDeleteBuilds": builds.batch_delete_builds,
    "ListBuilds": builds.list_builds,
    "ListBuildsForProject": builds.list_builds_for_project,
}

_store: Store | None = None


def install(context: Context) -> None:
    """Serve CodeBuild's API from here, starting with nothing in it."""
    global _store  # noqa: PLW0603 - one laptop per process
    shutdown()
    _store = Store(builds.site_of(context.url, context.config.state_dir))
    mount(context, "codebuild", application)


def shutdown() -> None:
    """Abandon every build."""
    global _store  # noqa: PLW0603 - see install
    if _store is not None:
        _store.stop()
    _store = None


def running() -> Store:
    """The projects and builds of the laptop of this process."""
    if _store is None:
        raise RuntimeError("the laptop's AWS is not running: start a LaptopServer first")
    return _store


def hand_over(token: str, handover: Handover) -> None:
    """Give the build that will be started with this idempotency token its artifacts."""
    running().handovers[token] = handover


def take_back(token: str) -> None:
    """Forget a hand-over of which no build was made."""
    running().handovers.pop(token, None)


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI: answer one request; raises AwsError, which the gateway writes out."""
    request = wire.read(environ)
    wire.identify(request)
    operation = OPERATIONS.get(request.operation)
    if operation is None:
        raise UnsupportedByLocalAws("codebuild", request.operation)
    codebuild_settings.check_shape(request.operation, request.parameters)
    caller = Caller(_name(request.scope.key_id), place_of(request))
    return wire_answers.in_json(start, operation(running(), caller, request.parameters))


def _name(key_id: str) -> str:
    """Who starts a build, as `CODEBUILD_INITIATOR` says it: `user` or `role/session`."""
    arn = iam_identity.arn_of(key_id)
    return arn.partition("/")[2] or arn
