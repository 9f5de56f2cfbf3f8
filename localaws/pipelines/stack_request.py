"""What a CloudFormation action asks for: template, parameters, tags, out of its input artifacts.

CloudFormation user guide, "Template configuration file" and "Using parameter override functions
with CodePipeline pipelines" (read 2026-11-21).
"""

import json
from typing import Any

from localaws.pipelines.actions import ActionFailed, read_artifact_file
from localaws.pipelines.model import Artifact, Work

MAX_TEMPLATE_BYTES = 1_000_000
"""CloudFormation's limit for a template that comes from S3, as an artifact does."""


def stack_request(work: Work) -> dict[str, Any]:
    """The members that CreateStack, UpdateStack and CreateChangeSet share."""
    configuration = work.configuration
    settings = _template_configuration(work)
    parameters = _parameters(settings.get("Parameters", {}), "TemplateConfiguration")
    parameters |= _overrides(work)
    request: dict[str, Any] = {
        "StackName": configuration["StackName"],
        "TemplateBody": _file(work, configuration["TemplatePath"], MAX_TEMPLATE_BYTES),
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
        "RoleARN": configuration["RoleArn"],
        "Capabilities": [
            each.strip() for each in configuration.get("Capabilities", "").split(",") if each
        ],
    }
    tags = _parameters(settings.get("Tags", {}), "TemplateConfiguration")
    if tags:
        request["Tags"] = [{"Key": name, "Value": value} for name, value in tags.items()]
    return request


def _template_configuration(work: Work) -> dict[str, Any]:
    place = work.configuration.get("TemplateConfiguration")
    if not place:
        return {}
    settings = _json(_file(work, place), place)
    if settings.get("StackPolicy"):
        raise _wrong(f"{place}: StackPolicy is not supported by the laptop's AWS")
    unknown = sorted(settings.keys() - {"Parameters", "Tags", "StackPolicy"})
    if unknown:
        raise _wrong(f"{place}: unknown key {unknown[0]}; Parameters, Tags and StackPolicy may be")
    return settings


def _overrides(work: Work) -> dict[str, str]:
    text = work.configuration.get("ParameterOverrides")
    if not text:
        return {}
    given = _json(text, "ParameterOverrides")
    return _parameters(
        {name: _computed(work, value) for name, value in given.items()}, "ParameterOverrides"
    )


def _computed(work: Work, value: Any) -> Any:
    """`Fn::GetArtifactAtt: [artifact, attribute]`, `Fn::GetParam: [artifact, file, key]`."""
    if not isinstance(value, dict):
        return value
    match value:
        case {"Fn::GetArtifactAtt": [str(name), str(attribute)]} if len(value) == 1:
            return _attribute(_artifact(work, name), attribute)
        case {"Fn::GetParam": [str(name), str(path), str(key)]} if len(value) == 1:
            content = _json(_file(work, f"{name}::{path}"), path)
            if key not in content:
                raise _wrong(f"Fn::GetParam: {path} in {name} has no key {key}")
            return content[key]
    raise _wrong(f"ParameterOverrides: {value} is neither a value nor a known function")


def _attribute(artifact: Artifact, name: str) -> str:
    url = f"https://s3.amazonaws.com/{artifact.bucket}/{artifact.key}"
    found = {"BucketName": artifact.bucket, "ObjectKey": artifact.key, "URL": url}
    if name not in found:
        raise _wrong(f"Fn::GetArtifactAtt: {name} is none of {', '.join(found)}")
    return found[name]


def _parameters(given: Any, place: str) -> dict[str, str]:
    if not isinstance(given, dict):
        raise _wrong(f"{place}: must be an object of names and values")
    return {name: _value(name, value, place) for name, value in given.items()}


def _value(name: str, value: Any, place: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    raise _wrong(f"{place}: the value of {name} must be a text, not {value!r}")


def _file(work: Work, place: str, limit_bytes: int = 262_144) -> str:
    name, _, path = place.partition("::")
    return read_artifact_file(work, _artifact(work, name), path, limit_bytes=limit_bytes)


def _artifact(work: Work, name: str) -> Artifact:
    for artifact in work.inputs:
        if artifact.name == name:
            return artifact
    raise _wrong(f"{name} is none of the action's input artifacts")


def _json(text: str, place: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise _wrong(f"{place} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise _wrong(f"{place} must be a JSON object")
    return found


def _wrong(message: str) -> ActionFailed:
    return ActionFailed("ConfigurationError", message)
