"""AWS::StepFunctions::StateMachine, with the definition read from S3 and its substitutions made."""

import json
import re
from collections.abc import Mapping
from typing import Any

from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    as_json,
    changed,
    dropped_tags,
    generated_name,
    lower_first,
    lower_tags,
)
from localaws.deployer.schema import (
    DOCUMENT,
    FLAG,
    INT,
    TAGS,
    TEXT,
    ListOf,
    MapOf,
    Record,
    Text,
    texts,
)
from localaws.errors import LocalAwsError

_DESTINATION = Record({"CloudWatchLogsLogGroup": Record(texts("LogGroupArn"))})
_MACHINE = Record(
    {
        **texts("StateMachineName", "DefinitionString", "RoleArn"),
        "StateMachineType": Text(("STANDARD", "EXPRESS")),
        "Definition": DOCUMENT,
        "DefinitionS3Location": Record(texts("Bucket", "Key", "Version"), ("Bucket", "Key")),
        "DefinitionSubstitutions": MapOf(TEXT),
        "LoggingConfiguration": Record(
            {
                "Level": Text(("ALL", "ERROR", "FATAL", "OFF")),
                "IncludeExecutionData": FLAG,
                "Destinations": ListOf(_DESTINATION),
            }
        ),
        "TracingConfiguration": Record({"Enabled": FLAG}),
        "EncryptionConfiguration": Record(
            {**texts("KmsKeyId", "Type"), "KmsDataKeyReusePeriodSeconds": INT}
        ),
        "Tags": TAGS,
    },
    ("RoleArn",),
)
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9_-]+)\}")
_DEFINITION = ("Definition", "DefinitionString", "DefinitionS3Location", "DefinitionSubstitutions")


def _create(site: Site, logical_id: str, properties: Properties) -> Made:
    name = properties.get("StateMachineName") or generated_name(site, logical_id, longest=80)
    arn = site.client("stepfunctions").create_state_machine(
        name=name,
        type=properties.get("StateMachineType", "STANDARD"),
        tags=lower_tags(site, properties),
        **_contents(site, properties),
    )["stateMachineArn"]
    return Made(arn, {"Arn": arn, "Name": name})


def _update(site: Site, existing: Existing, new: Properties) -> Made:
    client, arn = site.client("stepfunctions"), existing.physical_id
    settings = (
        "RoleArn",
        "LoggingConfiguration",
        "TracingConfiguration",
        "EncryptionConfiguration",
    )
    if changed(existing, new, *_DEFINITION, *settings):
        client.update_state_machine(stateMachineArn=arn, **_contents(site, new))
    gone = dropped_tags(existing, new)
    if gone:
        client.untag_resource(resourceArn=arn, tagKeys=gone)
    if changed(existing, new, "Tags") and new.get("Tags"):
        client.tag_resource(resourceArn=arn, tags=lower_tags(site, new))
    return existing.made()


def _delete(site: Site, existing: Existing) -> None:
    site.client("stepfunctions").delete_state_machine(stateMachineArn=existing.physical_id)


def _contents(site: Site, properties: Properties) -> dict[str, Any]:
    optional = ("LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration")
    return {
        "definition": definition(site, properties),
        "roleArn": properties["RoleArn"],
        **_lowered(properties, optional),
    }


def _lowered(properties: Properties, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        name[0].lower() + name[1:]: lower_first(properties[name])
        for name in names
        if name in properties
    }


def definition(site: Site, properties: Properties) -> str:
    """The definition with its substitutions; one left over or one unused is an error, as on AWS."""
    text = _definition_text(site, properties)
    values: Mapping[str, str] = properties.get("DefinitionSubstitutions", {})
    missing = sorted({name for name in _PLACEHOLDER.findall(text) if name not in values})
    if missing:
        raise LocalAwsError(f"the definition uses ${{{missing[0]}}}, which nothing substitutes")
    return _PLACEHOLDER.sub(lambda match: _json_text(values[match.group(1)]), text)


def _json_text(value: str) -> str:
    """`value` as it stands inside a JSON text."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def _definition_text(site: Site, properties: Properties) -> str:
    if "Definition" in properties:
        return as_json(properties["Definition"])
    if "DefinitionString" in properties:
        return str(properties["DefinitionString"])
    location = properties["DefinitionS3Location"]
    version = {"VersionId": location["Version"]} if "Version" in location else {}
    found = site.client("s3").get_object(Bucket=location["Bucket"], Key=location["Key"], **version)
    text: str = found["Body"].read().decode("utf-8")
    return text


TYPES = (
    ResourceType(
        "AWS::StepFunctions::StateMachine",
        _MACHINE,
        _create,
        _delete,
        _update,
        frozenset({"StateMachineName", "StateMachineType"}),
        "StateMachineName",
    ),
)
