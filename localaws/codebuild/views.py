"""Projects and builds as the API shows them; times in seconds since 1970. Pure."""

from typing import Any

from localaws.codebuild.model import Build, Phase, Project, Stored
from localaws.sagemaker.store import Document

_SHOWN = (
    "source",
    "sourceVersion",
    "cache",
    "environment",
    "serviceRole",
    "timeoutInMinutes",
    "queuedTimeoutInMinutes",
    "encryptionKey",
)


def project(given: Project) -> Document:
    """A project."""
    return {
        **given.document,
        "arn": given.arn,
        "created": given.created.timestamp(),
        "lastModified": given.modified.timestamp(),
        "badge": {"badgeEnabled": False},
        "projectVisibility": "PRIVATE",
    }


def build(given: Build) -> Document:
    """A build."""
    told: Document = {
        "id": given.id,
        "arn": given.arn,
        "buildNumber": given.number,
        "startTime": given.started.timestamp(),
        "currentPhase": given.current_phase,
        "buildStatus": given.status.value,
        "projectName": given.project,
        "phases": [_phase(phase) for phase in given.phases],
        "buildComplete": given.ended is not None,
        "initiator": given.initiator,
        "exportedEnvironmentVariables": [
            {"name": name, "value": value} for name, value in given.exported.items()
        ],
        "artifacts": _artifacts(given),
        "logs": _logs(given),
        **{name: given.settings[name] for name in _SHOWN if given.settings.get(name)},
    }
    if len(given.stored) > 1:
        told["secondaryArtifacts"] = [_stored(each) for each in given.stored]
    optional = {
        "endTime": given.ended.timestamp() if given.ended else None,
        "sourceVersion": given.source_version,
        "resolvedSourceVersion": given.resolved_version,
    }
    return told | {name: value for name, value in optional.items() if value}


def _artifacts(given: Build) -> Document:
    return _stored(given.stored[0]) if len(given.stored) == 1 else {"location": ""}


def _stored(stored: Stored) -> Document:
    sums = {"sha256sum": stored.sha256, "md5sum": stored.md5} if stored.sha256 else {}
    identifier = {"artifactIdentifier": stored.identifier} if stored.identifier else {}
    return {"location": stored.location.arn, **sums, **identifier}


def _logs(given: Build) -> Document:
    if not given.log_group:
        return {}
    place = given.place
    console = f"https://console.aws.amazon.com/cloudwatch/home?region={place.region}"
    arn = f"arn:aws:logs:{place.region}:{place.account}:log-group:{given.log_group}"
    return {
        "groupName": given.log_group,
        "streamName": given.log_stream,
        "deepLink": f"{console}#logsV2:log-groups/log-group/{given.log_group}",
        "cloudWatchLogsArn": f"{arn}:log-stream:{given.log_stream}",
    }


def _phase(phase: Phase) -> Document:
    told: dict[str, Any] = {"phaseType": phase.kind, "startTime": phase.started.timestamp()}
    if phase.ended is None or phase.status is None:
        return told
    return told | {
        "endTime": phase.ended.timestamp(),
        "durationInSeconds": phase.seconds,
        "phaseStatus": phase.status.value,
        "contexts": [{"statusCode": phase.code, "message": phase.message}],
    }
