"""What a project may ask for on the laptop, and how a start's overrides change it. Pure.

Shape and limits come from botocore's model; here are the rules between values, and the names of
what the laptop does not do, which are refused.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from localaws.errors import UnsupportedByLocalAws
from localaws.sagemaker import shapes as sagemaker_shapes
from localaws.sagemaker.store import Document, Place
from localaws.wire import AwsError

_SOURCES = ("CODEPIPELINE", "S3", "NO_SOURCE")
_ENVIRONMENTS = ("LINUX_CONTAINER", "ARM_CONTAINER")
_REFUSED: Mapping[str, tuple[str, ...]] = {
    "": (
        "secondarySources",
        "secondarySourceVersions",
        "secondaryArtifacts",
        "vpcConfig",
        "badgeEnabled",
        "fileSystemLocations",
        "buildBatchConfig",
        "autoRetryLimit",
    ),
    "source": ("auth", "gitCloneDepth", "gitSubmodulesConfig", "reportBuildStatus", "insecureSsl"),
    "environment": (
        "certificate",
        "computeConfiguration",
        "dockerServer",
        "fleet",
        "hostKernel",
        "privilegedMode",
        "registryCredential",
    ),
    "artifacts": ("overrideArtifactName", "bucketOwnerAccess", "artifactIdentifier"),
}
_OVERRIDES: Mapping[str, tuple[str, ...]] = {
    "artifactsOverride": ("artifacts",),
    "buildspecOverride": ("source", "buildspec"),
    "cacheOverride": ("cache",),
    "computeTypeOverride": ("environment", "computeType"),
    "encryptionKeyOverride": ("encryptionKey",),
    "environmentTypeOverride": ("environment", "type"),
    "imageOverride": ("environment", "image"),
    "logsConfigOverride": ("logsConfig",),
    "queuedTimeoutInMinutesOverride": ("queuedTimeoutInMinutes",),
    "sourceLocationOverride": ("source", "location"),
    "sourceTypeOverride": ("source", "type"),
    "sourceVersion": ("sourceVersion",),
    "timeoutInMinutesOverride": ("timeoutInMinutes",),
}
_START = {"projectName", "idempotencyToken", "environmentVariablesOverride", *_OVERRIDES}


def invalid(message: str) -> AwsError:
    """CodeBuild's answer to a request it does not accept."""
    return AwsError("InvalidInputException", message)


def check_shape(operation: str, request: Document) -> None:
    """Raise InvalidInputException with everything that breaks the API's model."""
    try:
        sagemaker_shapes.validate(operation, request, "codebuild")
    except AwsError as error:
        raise invalid(error.message) from error


def completed(request: Document, place: Place) -> Document:
    """A project's document with CodeBuild's defaults; raises AwsError, UnsupportedByLocalAws."""
    document = {name: value for name, value in request.items() if value is not None}
    document.setdefault("timeoutInMinutes", 60)
    document.setdefault("queuedTimeoutInMinutes", 480)
    document.setdefault("encryptionKey", f"arn:aws:kms:{place.region}:{place.account}:alias/aws/s3")
    document.setdefault("cache", {"type": "NO_CACHE"})
    document.setdefault("tags", [])
    check(document, place)
    return document


def check(document: Document, place: Place) -> None:
    """Raise for what is wrong in a project or not done here."""
    for where in _unsupported(document):
        raise UnsupportedByLocalAws("codebuild", "CreateProject", where)
    for problem in _problems(document, place):
        raise invalid(problem)


def _unsupported(document: Document) -> Iterator[str]:
    for part, names in _REFUSED.items():
        given = document.get(part, {}) if part else document
        for name in names:
            if given.get(name):
                yield f"{part}.{name}" if part else name
    if document["source"]["type"] not in _SOURCES:
        yield f"source.type {document['source']['type']}"
    if document["environment"]["type"] not in _ENVIRONMENTS:
        yield f"environment.type {document['environment']['type']}"
    cache = document.get("cache") or {}
    if cache.get("type") == "S3" or "LOCAL_DOCKER_LAYER_CACHE" in (cache.get("modes") or ()):
        yield f"cache {cache}"
    if (document.get("logsConfig") or {}).get("s3Logs", {}).get("status") == "ENABLED":
        yield "logsConfig.s3Logs"


def _problems(document: Document, place: Place) -> Iterator[str]:
    source, artifacts = document["source"], document["artifacts"]
    role = str(document["serviceRole"])
    if not role.startswith(f"arn:aws:iam::{place.account}:role/"):
        yield f"Invalid service role: {role} is not the ARN of a role of account {place.account}"
    if (source["type"] == "CODEPIPELINE") != (artifacts["type"] == "CODEPIPELINE"):
        yield "source and artifacts must both be of type CODEPIPELINE, or neither of them"
    if source["type"] == "S3" and not source.get("location"):
        yield "Invalid project source: location must be given for type S3"
    if source["type"] == "NO_SOURCE" and not is_inline(source.get("buildspec", "")):
        yield "A buildspec must be given in the project for source type NO_SOURCE"
    if artifacts["type"] == "S3" and not artifacts.get("location"):
        yield "Invalid artifacts: location must be given for type S3"
    cache = document.get("cache") or {}
    if cache.get("type") == "LOCAL" and not cache.get("modes"):
        yield "Invalid cache: modes must be given for type LOCAL"
    names = [item["name"] for item in document["environment"].get("environmentVariables") or ()]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"The environment variable {name} is given more than once"


def is_inline(buildspec: str) -> bool:
    """Whether the text is a buildspec itself and not the path of one."""
    return "\n" in buildspec or buildspec.lstrip().startswith("{")


def started(project: Document, request: Document) -> Document:
    """The settings of one build: the project's, changed by what its start overrides."""
    for name in sorted(request.keys() - _START):
        if request[name]:
            raise UnsupportedByLocalAws("codebuild", "StartBuild", name)
    settings: Document = {
        **project,
        "source": dict(project["source"]),
        "environment": dict(project["environment"]),
    }
    for name, path in _OVERRIDES.items():
        if request.get(name) is not None:
            owner = settings[path[0]] if len(path) > 1 else settings
            owner[path[-1]] = request[name]
    settings["environment"]["environmentVariables"] = _merged(
        project["environment"].get("environmentVariables") or [],
        request.get("environmentVariablesOverride") or [],
    )
    return settings


def _merged(given: list[Any], overriding: list[Any]) -> list[Any]:
    names = {item["name"] for item in overriding}
    return [item for item in given if item["name"] not in names] + overriding
