"""AWS::Lambda::Function, LayerVersion, Permission, EventInvokeConfig, Version and Alias."""

import io
import zipfile
from typing import Any

from localaws.deployer.resources import rollouts
from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    changed,
    completing,
    dropped_tags,
    generated_name,
    picked,
    tag_map,
)
from localaws.deployer.schema import (
    FLAG,
    INT,
    TAGS,
    TEXT,
    TEXTS,
    ListOf,
    MapOf,
    Number,
    Record,
    Text,
    texts,
)
from localaws.errors import LocalAwsError

_CODE = Record(texts("S3Bucket", "S3Key", "S3ObjectVersion", "ZipFile"))
_FUNCTION = Record(
    {
        **texts("FunctionName", "Description", "Handler", "Role", "Runtime", "KmsKeyArn"),
        "Code": _CODE,
        "Architectures": TEXTS,
        "DeadLetterConfig": Record(texts("TargetArn")),
        "Environment": Record({"Variables": MapOf(TEXT)}),
        "EphemeralStorage": Record({"Size": INT}, ("Size",)),
        "Layers": TEXTS,
        "LoggingConfig": Record(
            texts("LogFormat", "LogGroup", "ApplicationLogLevel", "SystemLogLevel")
        ),
        "MemorySize": INT,
        "PackageType": Text(("Zip",)),
        "ReservedConcurrentExecutions": INT,
        "Tags": TAGS,
        "Timeout": INT,
        "TracingConfig": Record({"Mode": Text(("Active", "PassThrough"))}),
    },
    ("Code", "Role"),
)
_CONFIGURATION = (
    "Description",
    "Handler",
    "Role",
    "Runtime",
    "DeadLetterConfig",
    "Environment",
    "EphemeralStorage",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "Timeout",
    "TracingConfig",
    "KmsKeyArn",
)
# What a property goes back to when it leaves the template (Lambda API, CreateFunction).
_DEFAULTS: dict[str, Any] = {
    "Description": "",
    "DeadLetterConfig": {"TargetArn": ""},
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "Layers": [],
    "LoggingConfig": {"LogFormat": "Text"},
    "MemorySize": 128,
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
    "KmsKeyArn": "",
}


def _create_function(site: Site, logical_id: str, properties: Properties) -> Made:
    name = properties.get("FunctionName") or generated_name(site, logical_id)
    made = site.client("lambda").create_function(
        FunctionName=name,
        Code=_code(site, properties["Code"]),
        Tags=tag_map(site, properties),
        **_configuration(properties, *_CONFIGURATION),
        **picked(properties, "Architectures", "PackageType"),
    )
    function = Made(name, {"Arn": made["FunctionArn"]})
    with completing(function):
        _set_concurrency(site, name, properties)
    return function


def _configuration(properties: Properties, *names: str) -> dict[str, Any]:
    found = picked(properties, *names)
    if "KmsKeyArn" in found:
        found["KMSKeyArn"] = found.pop("KmsKeyArn")
    return found


def _code(site: Site, code: Properties) -> dict[str, Any]:
    """Inline code becomes a zip with index.py, as CloudFormation does for Python runtimes.

    An object's version is read here, as the caller: moto's Lambda takes the latest one only.
    """
    if "S3ObjectVersion" in code:
        # parity: Lambda reads the object itself, with the same rights.
        found = site.client("s3").get_object(
            Bucket=code["S3Bucket"], Key=code["S3Key"], VersionId=code["S3ObjectVersion"]
        )
        return {"ZipFile": found["Body"].read()}
    if "ZipFile" not in code:
        return dict(code)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), code["ZipFile"])
    return {"ZipFile": buffer.getvalue()}


def _set_concurrency(site: Site, name: str, properties: Properties) -> None:
    if "ReservedConcurrentExecutions" in properties:
        site.client("lambda").put_function_concurrency(
            FunctionName=name, **picked(properties, "ReservedConcurrentExecutions")
        )


def _update_function(site: Site, existing: Existing, new: Properties) -> Made:
    client, name = site.client("lambda"), existing.physical_id
    if changed(existing, new, "Code", "Architectures"):
        code = _code(site, new["Code"])
        client.update_function_code(FunctionName=name, **code, **picked(new, "Architectures"))
    settings = [item for item in _CONFIGURATION if changed(existing, new, item)]
    if settings:
        wanted = {**{item: _DEFAULTS.get(item) for item in settings}, **new}
        client.update_function_configuration(FunctionName=name, **_configuration(wanted, *settings))
    if changed(existing, new, "ReservedConcurrentExecutions"):
        if "ReservedConcurrentExecutions" not in new:
            client.delete_function_concurrency(FunctionName=name)
        _set_concurrency(site, name, new)
    _change_tags(site, existing, new)
    return existing.made()


def _change_tags(site: Site, existing: Existing, new: Properties) -> None:
    client, arn = site.client("lambda"), existing.attributes["Arn"]
    gone = dropped_tags(existing, new)
    if gone:
        client.untag_resource(Resource=arn, TagKeys=gone)
    if changed(existing, new, "Tags") and new.get("Tags"):
        client.tag_resource(Resource=arn, Tags=tag_map(site, new))


def _delete_function(site: Site, existing: Existing) -> None:
    site.client("lambda").delete_function(FunctionName=existing.physical_id)


def _create_layer(site: Site, logical_id: str, properties: Properties) -> Made:
    names = ("Description", "CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo")
    arn = site.client("lambda").publish_layer_version(
        LayerName=properties.get("LayerName") or logical_id,
        Content=_code(site, properties["Content"]),
        **picked(properties, *names),
    )["LayerVersionArn"]
    return Made(arn, {"LayerVersionArn": arn})


def _delete_layer(site: Site, existing: Existing) -> None:
    layer, _, version = existing.physical_id.rpartition(":")
    site.client("lambda").delete_layer_version(
        LayerName=layer.rpartition(":")[2], VersionNumber=int(version)
    )


def _create_permission(site: Site, logical_id: str, properties: Properties) -> Made:
    statement = generated_name(site, logical_id, longest=100)
    site.client("lambda").add_permission(StatementId=statement, **properties)
    return Made(statement)


def _delete_permission(site: Site, existing: Existing) -> None:
    site.client("lambda").remove_permission(
        FunctionName=existing.properties["FunctionName"], StatementId=existing.physical_id
    )


def _put_invoke_config(site: Site, _logical_id: str, properties: Properties) -> Made:
    site.client("lambda").put_function_event_invoke_config(**properties)
    return Made(f"{properties['FunctionName']}|{properties['Qualifier']}")


def _update_invoke_config(site: Site, existing: Existing, new: Properties) -> Made:
    return _put_invoke_config(site, existing.logical_id, new)


def _delete_invoke_config(site: Site, existing: Existing) -> None:
    site.client("lambda").delete_function_event_invoke_config(
        **picked(existing.properties, "FunctionName", "Qualifier")
    )


def _create_version(site: Site, _logical_id: str, properties: Properties) -> Made:
    """Publish; a version that is there already belongs to another resource, or to nobody."""
    client = site.client("lambda")
    listed = client.list_versions_by_function(FunctionName=properties["FunctionName"])["Versions"]
    made = client.publish_version(**properties)
    arn = made["FunctionArn"]
    if made["Version"] in [version["Version"] for version in listed]:
        text = (
            f"Version already exists: [{arn}]. Please modify the function to create a new version."
        )
        raise LocalAwsError(text)
    return Made(arn, {"Version": made["Version"], "FunctionArn": arn})


def _delete_version(site: Site, existing: Existing) -> None:
    site.client("lambda").delete_function(
        FunctionName=existing.properties["FunctionName"], Qualifier=existing.attributes["Version"]
    )


def _create_alias(site: Site, _logical_id: str, properties: Properties) -> Made:
    arn = site.client("lambda").create_alias(**_alias_request(properties))["AliasArn"]
    return Made(arn, {"AliasArn": arn})


def _update_alias(site: Site, existing: Existing, new: Properties) -> Made:
    site.client("lambda").update_alias(**{"Description": "", **_alias_request(new)})
    return existing.made()


def _shift_alias(site: Site, existing: Existing, new: Properties, policy: Properties) -> Made:
    """A new version gets its traffic from CodeDeploy; everything else is changed directly."""
    if not changed(existing, new, "FunctionVersion"):
        return _update_alias(site, existing, new)
    rollouts.shift(site, existing.properties, new, policy["CodeDeployLambdaAliasUpdate"])
    others = (set(existing.properties) | set(new)) - {"FunctionVersion"}
    if changed(existing, new, *others):
        return _update_alias(site, existing, new)
    return existing.made()


def _alias_request(properties: Properties) -> dict[str, Any]:
    """The properties as the API takes them; what shares calls out and is not given is taken off."""
    weights = properties.get("RoutingConfig", {}).get("AdditionalVersionWeights", [])
    shares = {weight["FunctionVersion"]: weight["FunctionWeight"] for weight in weights}
    return {**properties, "RoutingConfig": {"AdditionalVersionWeights": shares}}


def _delete_alias(site: Site, existing: Existing) -> None:
    site.client("lambda").delete_alias(**picked(existing.properties, "FunctionName", "Name"))


_DESTINATION = Record(texts("Destination"), ("Destination",))
_INVOKE_CONFIG = Record(
    {
        **texts("FunctionName", "Qualifier"),
        "MaximumEventAgeInSeconds": INT,
        "MaximumRetryAttempts": INT,
        "DestinationConfig": Record({"OnFailure": _DESTINATION, "OnSuccess": _DESTINATION}),
    },
    ("FunctionName", "Qualifier"),
)
_PERMISSION = Record(
    {
        **texts("Action", "FunctionName", "Principal", "SourceArn", "SourceAccount"),
        **texts("EventSourceToken", "FunctionUrlAuthType", "PrincipalOrgID"),
        "InvokedViaFunctionUrl": FLAG,
    },
    ("Action", "FunctionName", "Principal"),
)
_LAYER = Record(
    {
        **texts("LayerName", "Description", "LicenseInfo"),
        "Content": _CODE,
        "CompatibleRuntimes": TEXTS,
        "CompatibleArchitectures": TEXTS,
    },
    ("Content",),
)
_WEIGHT = Record(
    {**texts("FunctionVersion"), "FunctionWeight": Number(whole=False)},
    ("FunctionVersion", "FunctionWeight"),
)
_ALIAS = Record(
    {
        **texts("FunctionName", "FunctionVersion", "Name", "Description"),
        "RoutingConfig": Record({"AdditionalVersionWeights": ListOf(_WEIGHT)}),
    },
    ("FunctionName", "FunctionVersion", "Name"),
)

TYPES = (
    ResourceType(
        "AWS::Lambda::Function",
        _FUNCTION,
        _create_function,
        _delete_function,
        _update_function,
        frozenset({"FunctionName", "PackageType"}),
        "FunctionName",
    ),
    ResourceType("AWS::Lambda::LayerVersion", _LAYER, _create_layer, _delete_layer),
    ResourceType("AWS::Lambda::Permission", _PERMISSION, _create_permission, _delete_permission),
    ResourceType(
        "AWS::Lambda::EventInvokeConfig",
        _INVOKE_CONFIG,
        _put_invoke_config,
        _delete_invoke_config,
        _update_invoke_config,
        frozenset({"FunctionName", "Qualifier"}),
    ),
    ResourceType(
        "AWS::Lambda::Version",
        Record(texts("FunctionName", "Description", "CodeSha256"), ("FunctionName",)),
        _create_version,
        _delete_version,
    ),
    ResourceType(
        "AWS::Lambda::Alias",
        _ALIAS,
        _create_alias,
        _delete_alias,
        _update_alias,
        frozenset({"FunctionName", "Name"}),
        update_policy=rollouts.ALIAS_POLICY,
        update_under=_shift_alias,
    ),
)
