"""The operations on builds, and the threads that run them."""

import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from localaws.codebuild import settings as codebuild_settings
from localaws.codebuild import views as codebuild_views
from localaws.codebuild.model import Build, Handover, Project
from localaws.codebuild.run import Run, Site
from localaws.codebuild.settings import invalid
from localaws.codebuild.shell import Interruption
from localaws.jobs.folder import own_place
from localaws.sagemaker.store import Document, Place
from localaws.wire import AwsError

PAGE = 100


@dataclass
class Limits:
    """How long a minute of a build's limit is; for tests. Limits on real work are not scaled."""

    minute_s: float = 60.0


LIMITS = Limits()


@dataclass(frozen=True)
class Caller:
    """Who asks, and where."""

    name: str
    """As CodeBuild writes initiators: a user's name, or `role/session`."""
    place: Place


@dataclass
class Store:
    """Everything of CodeBuild in this process."""

    site: Site
    closing: Event = field(default_factory=Event)
    lock: threading.RLock = field(default_factory=threading.RLock)
    projects: dict[tuple[Place, str], Project] = field(default_factory=dict)
    builds: "OrderedDict[str, Build]" = field(default_factory=OrderedDict)
    """By ARN, oldest first."""
    tokens: dict[tuple[Place, str, str], tuple[Document, Build]] = field(default_factory=dict)
    handovers: dict[str, Handover] = field(default_factory=dict)
    """By idempotency token, from CodePipeline's actions."""
    threads: list[threading.Thread] = field(default_factory=list)

    def project(self, place: Place, name: str) -> Project:
        """A project; raises ResourceNotFoundException."""
        found = self.projects.get((place, name.rpartition("/")[2]))
        if found is None:
            arn = f"arn:aws:codebuild:{place.region}:{place.account}:project/{name}"
            raise AwsError("ResourceNotFoundException", f"Project cannot be found: {arn}")
        return found

    def build(self, place: Place, given: str) -> Build | None:
        """A build by its id or ARN."""
        prefix = f"arn:aws:codebuild:{place.region}:{place.account}:build/"
        return self.builds.get(given if given.startswith("arn:") else prefix + given)

    def running(self, project: Project) -> int:
        """How many builds of a project are under way."""
        return sum(
            build.place == project.place and build.project == project.name and build.ended is None
            for build in self.builds.values()
        )

    def stop(self) -> None:
        """Abandon what runs; every process of it ends."""
        self.closing.set()
        for thread in self.threads:
            thread.join(timeout=10)


def start_build(store: Store, caller: Caller, request: Document) -> Document:
    """StartBuild; the same idempotencyToken gives the same build."""
    token = request.get("idempotencyToken") or ""
    with store.lock:
        project = store.project(caller.place, request["projectName"])
        known = store.tokens.get((caller.place, project.name, token)) if token else None
        if known is not None:
            if known[0] != request:
                raise invalid("The same idempotency token was used with other parameters")
            return {"build": codebuild_views.build(known[1])}
        build = _made(store, caller, project, request)
        if token:
            store.tokens[caller.place, project.name, token] = (request, build)
    _begin(store, build)
    return {"build": codebuild_views.build(build)}


def _made(store: Store, caller: Caller, project: Project, request: Document) -> Build:
    settings = codebuild_settings.started(project.document, request)
    handover = store.handovers.pop(request.get("idempotencyToken") or "", None)
    if handover is None:
        codebuild_settings.check(settings, project.place)
        if settings["source"]["type"] == "CODEPIPELINE":
            raise invalid(
                f"Project {project.name} has source type CODEPIPELINE: release a pipeline with it, "
                "or give sourceTypeOverride and artifactsOverride"
            )
    most = settings.get("concurrentBuildLimit")
    if most and store.running(project) >= most:
        message = f"Cannot have more than {most} builds in progress for project {project.name}"
        raise AwsError("AccountLimitExceededException", message)
    project.builds += 1
    limit_s = settings["timeoutInMinutes"] * LIMITS.minute_s
    initiator = handover.initiator if handover else caller.name
    interruption = Interruption(limit_s, store.closing)
    build = Build(
        project.place, project.name, project.builds, initiator, settings, handover, interruption
    )
    _name_log(build)
    store.builds[build.arn] = build
    return build


def _name_log(build: Build) -> None:
    logs = (build.settings.get("logsConfig") or {}).get("cloudWatchLogs") or {}
    if logs.get("status") == "DISABLED":
        return
    build.log_group = logs.get("groupName") or f"/aws/codebuild/{build.project}"
    stream = logs.get("streamName")
    build.log_stream = f"{stream}/{build.uuid}" if stream else build.uuid


def _begin(store: Store, build: Build) -> None:
    run = Run(build, store.site)
    thread = threading.Thread(target=run.run, name=f"codebuild-{build.id}", daemon=True)
    with store.lock:
        store.threads = [each for each in store.threads if each.is_alive()] + [thread]
    thread.start()


def batch_get_builds(store: Store, caller: Caller, request: Document) -> Document:
    """BatchGetBuilds."""
    found, missing = [], []
    with store.lock:
        for given in dict.fromkeys(request["ids"]):
            build = store.build(caller.place, given)
            if build is None:
                missing.append(given)
            else:
                found.append(codebuild_views.build(build))
    return {"builds": found} | ({"buildsNotFound": missing} if missing else {})


def stop_build(store: Store, caller: Caller, request: Document) -> Document:
    """StopBuild; one that has ended stays as it is."""
    build = store.build(caller.place, request["id"])
    if build is None:
        raise AwsError("ResourceNotFoundException", f"Build {request['id']} cannot be found")
    build.interruption.stop.set()
    return {"build": codebuild_views.build(build)}


def batch_delete_builds(store: Store, caller: Caller, request: Document) -> Document:
    """BatchDeleteBuilds; one that runs is not deleted."""
    deleted, kept = [], []
    with store.lock:
        for given in request["ids"]:
            build = store.build(caller.place, given)
            if build is None or build.ended is None:
                code = "BUILD_IN_PROGRESS" if build else "RESOURCE_NOT_FOUND"
                kept.append({"id": given, "statusCode": code})
            else:
                del store.builds[build.arn]
                deleted.append(build.arn)
    return {"buildsDeleted": deleted} | ({"buildsNotDeleted": kept} if kept else {})


def list_builds(store: Store, caller: Caller, request: Document) -> Document:
    """ListBuilds."""
    with store.lock:
        ids = [build.id for build in store.builds.values() if build.place == caller.place]
    return page("ids", _sorted(ids, request), request)


def list_builds_for_project(store: Store, caller: Caller, request: Document) -> Document:
    """ListBuildsForProject."""
    with store.lock:
        project = store.project(caller.place, request["projectName"])
        ids = [build.id for build in _builds_of(store, project)]
    return page("ids", _sorted(ids, request), request)


def _builds_of(store: Store, project: Project) -> Iterator[Build]:
    for build in store.builds.values():
        if (build.place, build.project) == (project.place, project.name):
            yield build


def _sorted(oldest_first: list[str], request: Document) -> list[str]:
    ascending = request.get("sortOrder") == "ASCENDING"
    return oldest_first if ascending else oldest_first[::-1]


def page(name: str, items: list[str], request: Document) -> Document:
    """One page of `items`; tokens are offsets."""
    token = request.get("nextToken") or "0"
    if not token.isdigit():
        raise invalid(f"Invalid next token: {token}")
    first = int(token)
    answer: Document = {name: items[first : first + PAGE]}
    if first + PAGE < len(items):
        answer["nextToken"] = str(first + PAGE)
    return answer


def site_of(url: str, state_dir: Path) -> Site:
    """Where the builds of a laptop work; what earlier ones left there is removed.

    Two laptops may share a state folder: a demo, say, while `signalbox up` serves.
    """
    folder = state_dir.resolve() / "codebuild"
    builds = own_place(folder / "builds")
    shutil.rmtree(builds, ignore_errors=True)
    packages = state_dir.resolve() / "build"
    return Site(url, builds, folder / "caches", packages)
