"""AWS::CodePipeline::Pipeline."""

from typing import Any

from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    changed,
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
    MapOf,
    Record,
    Text,
    texts,
)

_ARTIFACTS = ListOf(Record(texts("Name"), ("Name",)))
_ACTION = Record(
    {
        **texts("Name", "Namespace", "Region", "RoleArn"),
        "ActionTypeId": Record(
            {
                **texts("Provider", "Version"),
                "Category": Text(
                    ("Source", "Build", "Deploy", "Test", "Invoke", "Approval", "Compute")
                ),
                "Owner": Text(("AWS", "ThirdParty", "Custom")),
            },
            ("Category", "Owner", "Provider", "Version"),
        ),
        "Configuration": MapOf(TEXT),
        "InputArtifacts": _ARTIFACTS,
        "OutputArtifacts": _ARTIFACTS,
        "RunOrder": INT,
        "TimeoutInMinutes": INT,
    },
    ("Name", "ActionTypeId"),
)
_STAGE = Record({"Name": TEXT, "Actions": ListOf(_ACTION)}, ("Name", "Actions"))
_FILTER = Record({"Includes": TEXTS, "Excludes": TEXTS})
_PUSH = Record({"Branches": _FILTER, "Tags": _FILTER, "FilePaths": _FILTER})
_TRIGGER = Record(
    {
        "ProviderType": TEXT,
        "GitConfiguration": Record({"SourceActionName": TEXT, "Push": ListOf(_PUSH)}),
    },
    ("ProviderType",),
)
_STORE = Record(
    {**texts("Location", "Type"), "EncryptionKey": Record(texts("Id", "Type"))}, ("Type",)
)
_PIPELINE = Record(
    {
        "Name": TEXT,
        "RoleArn": TEXT,
        "PipelineType": Text(("V1", "V2")),
        "ExecutionMode": Text(("QUEUED", "SUPERSEDED", "PARALLEL")),
        "ArtifactStore": _STORE,
        "ArtifactStores": ListOf(
            Record({"Region": TEXT, "ArtifactStore": _STORE}, ("Region", "ArtifactStore"))
        ),
        "Stages": ListOf(_STAGE),
        "Triggers": ListOf(_TRIGGER),
        "Variables": ListOf(Record(texts("Name", "DefaultValue", "Description"), ("Name",))),
        "RestartExecutionOnUpdate": FLAG,
        "Tags": TAGS,
    },
    ("RoleArn", "Stages"),
)


def _create(site: Site, logical_id: str, properties: Properties) -> Made:
    name = properties.get("Name") or generated_name(site, logical_id, longest=100)
    created = site.client("codepipeline").create_pipeline(
        pipeline=declaration_of(name, properties), tags=lower_tags(site, properties)
    )["pipeline"]
    return Made(name, {"Version": str(created.get("version", 1))})


def declaration_of(name: str, properties: Properties) -> dict[str, Any]:
    """The pipeline as the API takes it; an action's configuration keeps its keys."""
    stated = {
        key: value
        for key, value in properties.items()
        if key not in ("Tags", "RestartExecutionOnUpdate")
    }
    lowered: dict[str, Any] = lower_first(stated, verbatim=frozenset({"Configuration"}))
    if "artifactStores" in lowered:
        stores = lowered["artifactStores"]
        lowered["artifactStores"] = {each["region"]: each["artifactStore"] for each in stores}
    return {**lowered, "name": name}


def _update(site: Site, existing: Existing, new: Properties) -> Made:
    client, name = site.client("codepipeline"), existing.physical_id
    attributes = existing.attributes
    keys = (set(existing.properties) | set(new)) - {"Tags", "RestartExecutionOnUpdate"}
    if changed(existing, new, *sorted(keys)):
        updated = client.update_pipeline(pipeline=declaration_of(name, new))["pipeline"]
        attributes = {"Version": str(updated.get("version", 1))}
        if new.get("RestartExecutionOnUpdate"):
            client.start_pipeline_execution(name=name)
    if changed(existing, new, "Tags"):
        client.tag_resource(resourceArn=site.arn("codepipeline", name), tags=lower_tags(site, new))
    return Made(name, attributes)


def _delete(site: Site, existing: Existing) -> None:
    site.client("codepipeline").delete_pipeline(name=existing.physical_id)


TYPES = (
    ResourceType(
        "AWS::CodePipeline::Pipeline",
        _PIPELINE,
        _create,
        _delete,
        _update,
        frozenset({"Name"}),
        "Name",
    ),
)
