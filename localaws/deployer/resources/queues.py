"""AWS::Lambda::EventSourceMapping (of queues) and AWS::SecretsManager::Secret."""

from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    changed,
    generated_name,
    picked,
    tags,
)
from localaws.deployer.schema import FLAG, INT, TAGS, TEXTS, Record, texts

_MAPPING_SETTINGS = (
    "FunctionName",
    "BatchSize",
    "Enabled",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "ScalingConfig",
)


def _create_mapping(site: Site, _logical_id: str, properties: Properties) -> Made:
    made = site.client("lambda").create_event_source_mapping(
        **picked(properties, "EventSourceArn", *_MAPPING_SETTINGS)
    )
    return Made(made["UUID"], {"Id": made["UUID"]})


def _update_mapping(site: Site, existing: Existing, new: Properties) -> Made:
    site.client("lambda").update_event_source_mapping(
        UUID=existing.physical_id, **picked(new, *_MAPPING_SETTINGS)
    )
    return existing.made()


def _delete_mapping(site: Site, existing: Existing) -> None:
    site.client("lambda").delete_event_source_mapping(UUID=existing.physical_id)


def _create_secret(site: Site, logical_id: str, properties: Properties) -> Made:
    name = properties.get("Name") or generated_name(site, logical_id, longest=512)
    arn = site.client("secretsmanager").create_secret(
        Name=name,
        Tags=tags(site, properties),
        **picked(properties, "Description", "KmsKeyId", "SecretString"),
    )["ARN"]
    return Made(arn, {"Id": arn})


def _update_secret(site: Site, existing: Existing, new: Properties) -> Made:
    # The value is written only when the template changes it: someone may have put another since.
    names = ["Description", "KmsKeyId"]
    if changed(existing, new, "SecretString"):
        names.append("SecretString")
    site.client("secretsmanager").update_secret(
        SecretId=existing.physical_id, **picked(new, *names)
    )
    return existing.made()


def _delete_secret(site: Site, existing: Existing) -> None:
    site.client("secretsmanager").delete_secret(
        SecretId=existing.physical_id, ForceDeleteWithoutRecovery=True
    )


_MAPPING = Record(
    {
        **texts("EventSourceArn", "FunctionName"),
        "BatchSize": INT,
        "Enabled": FLAG,
        "FunctionResponseTypes": TEXTS,
        "MaximumBatchingWindowInSeconds": INT,
        "ScalingConfig": Record({"MaximumConcurrency": INT}),
    },
    ("EventSourceArn", "FunctionName"),
)
_SECRET = Record({**texts("Name", "Description", "KmsKeyId", "SecretString"), "Tags": TAGS})

TYPES = (
    ResourceType(
        "AWS::Lambda::EventSourceMapping",
        _MAPPING,
        _create_mapping,
        _delete_mapping,
        _update_mapping,
        frozenset({"EventSourceArn"}),
    ),
    ResourceType(
        "AWS::SecretsManager::Secret",
        _SECRET,
        _create_secret,
        _delete_secret,
        _update_secret,
        frozenset({"Name"}),
        "Name",
    ),
)
