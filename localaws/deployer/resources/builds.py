"""AWS::CodeBuild::Project."""

from typing import Any

from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    generated_name,
    lower_first,
    lower_tags,
)
from localaws.deployer.schema import (
    FLAG,
    INT,
    TAGS,
    TEXT,
    TEXTS,
    ListOf,
    Record,
    Text,
    texts,
)

_VARIABLE = Record(
    {
        **texts("Name", "Value"),
        "Type": Text(("PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER")),
    },
    ("Name", "Value"),
)
_PROJECT = Record(
    {
        **texts("Name", "Description", "EncryptionKey", "ServiceRole", "SourceVersion"),
        "Source": Record(
            {**texts("BuildSpec", "Location", "SourceIdentifier"), "Type": TEXT}, ("Type",)
        ),
        "Artifacts": Record(
            {
                **texts("Location", "Name", "Path"),
                "Type": Text(("CODEPIPELINE", "S3", "NO_ARTIFACTS")),
                "NamespaceType": Text(("NONE", "BUILD_ID")),
                "Packaging": Text(("NONE", "ZIP")),
                "EncryptionDisabled": FLAG,
                "OverrideArtifactName": FLAG,
            },
            ("Type",),
        ),
        "Environment": Record(
            {
                **texts("Type", "Image", "ComputeType", "ImagePullCredentialsType"),
                "EnvironmentVariables": ListOf(_VARIABLE),
                "PrivilegedMode": FLAG,
            },
            ("Type", "Image", "ComputeType"),
        ),
        "Cache": Record(
            {**texts("Location"), "Type": Text(("NO_CACHE", "S3", "LOCAL")), "Modes": TEXTS},
            ("Type",),
        ),
        "LogsConfig": Record(
            {
                "CloudWatchLogs": Record(
                    {**texts("GroupName", "StreamName"), "Status": TEXT}, ("Status",)
                ),
                "S3Logs": Record({"Status": TEXT, "Location": TEXT}, ("Status",)),
            }
        ),
        "TimeoutInMinutes": INT,
        "QueuedTimeoutInMinutes": INT,
        "ConcurrentBuildLimit": INT,
        "Visibility": Text(("PRIVATE",)),
        "Tags": TAGS,
    },
    ("Source", "Artifacts", "Environment", "ServiceRole"),
)
_CLEARED: dict[str, Any] = {
    "description": "",
    "cache": {"type": "NO_CACHE"},
    "logsConfig": {},
    "timeoutInMinutes": 60,
    "queuedTimeoutInMinutes": 480,
    "sourceVersion": "",
}
"""What a property that a template no longer has goes back to."""


def _create(site: Site, logical_id: str, properties: Properties) -> Made:
    name = properties.get("Name") or generated_name(site, logical_id, longest=150)
    project = site.client("codebuild").create_project(**_request(site, name, properties))
    return Made(name, {"Arn": project["project"]["arn"]})


def _request(site: Site, name: str, properties: Properties) -> dict[str, Any]:
    """The project as the API takes it; CloudFormation spells some names otherwise."""
    stated = {key: value for key, value in properties.items() if key not in ("Tags", "Visibility")}
    request: dict[str, Any] = lower_first(stated)
    source = request["source"]
    if "buildSpec" in source:
        source["buildspec"] = source.pop("buildSpec")
    return {**request, "name": name, "tags": lower_tags(site, properties)}


def _update(site: Site, existing: Existing, new: Properties) -> Made:
    request = _request(site, existing.physical_id, new)
    site.client("codebuild").update_project(**{**_CLEARED, **request})
    return existing.made()


def _delete(site: Site, existing: Existing) -> None:
    site.client("codebuild").delete_project(name=existing.physical_id)


TYPES = (
    ResourceType(
        "AWS::CodeBuild::Project",
        _PROJECT,
        _create,
        _delete,
        _update,
        frozenset({"Name"}),
        "Name",
    ),
)
