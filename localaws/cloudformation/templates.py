"""Templates as CloudFormation takes them: by text or address, read, summed up, capabilities asked.

Rules: CloudFormation User Guide, "Acknowledging IAM resources in templates", and API Reference,
CreateStack (read 2026-11). Refusals are AwsError in CloudFormation's words.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from botocore.exceptions import ClientError

from localaws.deployer import template as templates
from localaws.deployer import transform
from localaws.deployer.errors import TemplateInvalid
from localaws.wire import AwsError

LONGEST_BODY_BYTES = 51_200
LONGEST_OBJECT_BYTES = 1_048_576
_IAM_NAMES: Mapping[str, str] = {
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": "",
    "AWS::IAM::RolePolicy": "",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
}
_VIRTUAL = re.compile(r"(?P<bucket>.+)\.s3[.-][a-z0-9.-]*amazonaws\.com(\.cn)?")


def invalid(message: str) -> AwsError:
    """A refusal with code ValidationError."""
    return AwsError("ValidationError", message)


def text_of(request: Mapping[str, Any], s3: Callable[[], Any], *, longest_bytes: int) -> str:
    """The template of a request, "" when it has none; `s3` is a client of the caller's.

    An object is read with the caller's permissions, as on AWS; `longest_bytes` bounds a body.
    """
    body, url = request.get("TemplateBody"), request.get("TemplateURL")
    if body and url:
        raise invalid("Only one of TemplateBody and TemplateURL can be given")
    if body and len(body.encode()) > longest_bytes:
        raise invalid(
            f"1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
            f"Member must have length less than or equal to {longest_bytes}"
        )
    return str(body or "") or (_object(str(url), s3()) if url else "")


def _object(url: str, s3: Any) -> str:
    bucket, key, version = _location(url)
    pinned = {"VersionId": version} if version else {}
    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key, **pinned)["Body"].read()
    except ClientError as error:
        raise invalid(f"S3 error: {error.response['Error']['Message']} ({url})") from error
    if len(content) > LONGEST_OBJECT_BYTES:
        raise invalid(f"Template may not exceed {LONGEST_OBJECT_BYTES} bytes in size.")
    return content.decode()


def _location(url: str) -> tuple[str, str, str]:
    """Bucket, key and version that an address of S3 names, in path or virtual-hosted style."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", unquote(parts.path.lstrip("/"))
    version = dict(item.partition("=")[::2] for item in parts.query.split("&")).get("versionId", "")
    virtual = _VIRTUAL.fullmatch(host)
    bucket, key = (virtual["bucket"], path) if virtual else path.partition("/")[::2]
    if parts.scheme not in ("http", "https") or not bucket or not key:
        raise invalid(f"TemplateURL must be a supported URL, not {url}")
    return bucket, key, version


@lru_cache(maxsize=4)
def parsed(text: str) -> Mapping[str, Any]:
    """A template's text as plain data, not to be changed; raises AwsError when it is none."""
    if not text:
        raise invalid("Either Template URL or Template Body must be specified.")
    try:
        return templates.parse(text)
    except TemplateInvalid as error:
        raise refused(error) from error


def refused(error: TemplateInvalid) -> AwsError:
    """What CloudFormation answers to a template that cannot be deployed here."""
    return invalid("Template error: " + "; ".join(str(problem) for problem in error.problems))


def values(
    template: Mapping[str, Any],
    given: list[dict[str, Any]],
    previous: Mapping[str, str] | None,
) -> dict[str, str]:
    """Parameters of a request by name; `previous` are those of the stack, None for a new one."""
    found = {}
    for item in given:
        name = item["ParameterKey"]
        if item.get("UsePreviousValue"):
            if previous is None or name not in previous:
                raise invalid(
                    f"Invalid input for parameter key {name}. Cannot specify use previous"
                    " value: there is none"
                )
            found[name] = previous[name]
        elif "ParameterValue" not in item:
            raise invalid(f"Invalid input for parameter key {name}. ParameterValue is missing")
        else:
            found[name] = item["ParameterValue"]
    declared = template.get("Parameters", {})
    unknown = sorted(set(found) - set(declared))
    if unknown:
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = [
        name for name, rule in declared.items() if name not in found | rule_default(rule, name)
    ]
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    return {name: found.get(name, _text(declared[name].get("Default"))) for name in declared}


def rule_default(rule: Mapping[str, Any], name: str) -> dict[str, str]:
    """The default of a parameter under its name; empty when it has none."""
    return {name: _text(rule["Default"])} if "Default" in rule else {}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def required_capabilities(resources: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The capability that resources ask for, "" for none, and the types that ask."""
    needed, types = "", []
    for resource in resources.values():
        kind = str(resource.get("Type", ""))
        if kind in _IAM_NAMES:
            types.append(kind)
            named = _IAM_NAMES[kind] in resource.get("Properties", {})
            needed = "CAPABILITY_NAMED_IAM" if named else needed or "CAPABILITY_IAM"
    return needed, sorted(set(types))


def check_capabilities(
    template: Mapping[str, Any],
    resources: Mapping[str, Any],
    given: tuple[str, ...],
    *,
    direct: bool,
) -> None:
    """Raise InsufficientCapabilitiesException; `direct` is without a change set to review.

    A macro changes the template, so without a review it must be acknowledged.
    """
    needed, _ = required_capabilities(resources)
    covered = {"CAPABILITY_IAM": ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")}.get(needed, (needed,))
    missing = [needed] if needed and not set(covered) & set(given) else []
    if direct and transform.transforms(template) and "CAPABILITY_AUTO_EXPAND" not in given:
        missing.append("CAPABILITY_AUTO_EXPAND")
    if missing:
        raise AwsError(
            "InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(missing)}]"
        )


def summary(template: Mapping[str, Any]) -> dict[str, Any]:
    """What GetTemplateSummary says of a template."""
    capability, types = required_capabilities(template["Resources"])
    transforms = transform.transforms(template)
    capabilities = [
        name for name in (capability, "CAPABILITY_AUTO_EXPAND" * bool(transforms)) if name
    ]
    reason = f"The following resource(s) require capabilities: [{', '.join(types)}]"
    return {
        "Parameters": list(_declarations(template)),
        "Description": template.get("Description"),
        "Capabilities": capabilities,
        "CapabilitiesReason": reason if types else None,
        "ResourceTypes": sorted({str(item["Type"]) for item in template["Resources"].values()}),
        "Version": str(template.get("AWSTemplateFormatVersion", "2010-09-09")),
        "DeclaredTransforms": transforms,
    }


def _declarations(template: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, rule in template.get("Parameters", {}).items():
        allowed = [_text(item) for item in rule.get("AllowedValues", [])]
        yield {
            "ParameterKey": name,
            "DefaultValue": _text(rule["Default"]) if "Default" in rule else None,
            "ParameterType": rule.get("Type", "String"),
            "NoEcho": is_hidden(rule),
            "Description": rule.get("Description"),
            "ParameterConstraints": {"AllowedValues": allowed} if allowed else {},
        }


def is_hidden(rule: Mapping[str, Any]) -> bool:
    """Whether a parameter's value is shown to nobody."""
    return _text(rule.get("NoEcho", "false")).lower() == "true"
