"""AWS::KMS::Key and AWS::KMS::Alias."""

from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    as_json,
    changed,
    completing,
    dropped_tags,
    picked,
    tags,
)
from localaws.deployer.schema import DOCUMENT, FLAG, INT, TAGS, TEXT, Record, texts

_KEY = Record(
    {
        **texts("Description", "KeySpec", "KeyUsage"),
        "KeyPolicy": DOCUMENT,
        "EnableKeyRotation": FLAG,
        "RotationPeriodInDays": INT,
        "Enabled": FLAG,
        "MultiRegion": FLAG,
        "PendingWindowInDays": INT,
        "Tags": TAGS,
    }
)
_LONGEST_PENDING_WINDOW_DAYS = 30


def _create_key(site: Site, _logical_id: str, properties: Properties) -> Made:
    kms = site.client("kms")
    policy = {"Policy": as_json(properties["KeyPolicy"])} if "KeyPolicy" in properties else {}
    own_tags = [{"TagKey": t["Key"], "TagValue": t["Value"]} for t in tags(site, properties)]
    key = kms.create_key(
        Tags=own_tags,
        **policy,
        **picked(properties, "Description", "KeySpec", "KeyUsage", "MultiRegion"),
    )["KeyMetadata"]
    made = Made(key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]})
    with completing(made):
        _set_rotation(site, key["KeyId"], properties)
        if not properties.get("Enabled", True):
            kms.disable_key(KeyId=key["KeyId"])
    return made


def _set_rotation(site: Site, key_id: str, properties: Properties) -> None:
    if properties.get("EnableKeyRotation"):
        period = picked(properties, "RotationPeriodInDays")
        site.client("kms").enable_key_rotation(KeyId=key_id, **period)


def _update_key(site: Site, existing: Existing, new: Properties) -> Made:
    kms, key = site.client("kms"), existing.physical_id
    if changed(existing, new, "KeyPolicy") and "KeyPolicy" in new:
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=as_json(new["KeyPolicy"]))
    if changed(existing, new, "Description"):
        kms.update_key_description(KeyId=key, Description=new.get("Description", ""))
    if changed(existing, new, "EnableKeyRotation", "RotationPeriodInDays"):
        if not new.get("EnableKeyRotation"):
            kms.disable_key_rotation(KeyId=key)
        _set_rotation(site, key, new)
    if changed(existing, new, "Enabled"):
        (kms.enable_key if new.get("Enabled", True) else kms.disable_key)(KeyId=key)
    _change_tags(site, existing, new)
    return existing.made()


def _change_tags(site: Site, existing: Existing, new: Properties) -> None:
    kms, gone = site.client("kms"), dropped_tags(existing, new)
    if gone:
        kms.untag_resource(KeyId=existing.physical_id, TagKeys=gone)
    if changed(existing, new, "Tags") and new.get("Tags"):
        own_tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in tags(site, new)]
        kms.tag_resource(KeyId=existing.physical_id, Tags=own_tags)


def _delete_key(site: Site, existing: Existing) -> None:
    window = existing.properties.get("PendingWindowInDays", _LONGEST_PENDING_WINDOW_DAYS)
    site.client("kms").schedule_key_deletion(KeyId=existing.physical_id, PendingWindowInDays=window)


def _create_alias(site: Site, _logical_id: str, properties: Properties) -> Made:
    site.client("kms").create_alias(**picked(properties, "AliasName", "TargetKeyId"))
    return Made(properties["AliasName"])


def _update_alias(site: Site, existing: Existing, new: Properties) -> Made:
    site.client("kms").update_alias(**picked(new, "AliasName", "TargetKeyId"))
    return existing.made()


def _delete_alias(site: Site, existing: Existing) -> None:
    site.client("kms").delete_alias(AliasName=existing.physical_id)


TYPES = (
    ResourceType(
        "AWS::KMS::Key",
        _KEY,
        _create_key,
        _delete_key,
        _update_key,
        frozenset({"KeySpec", "KeyUsage", "MultiRegion"}),
    ),
    ResourceType(
        "AWS::KMS::Alias",
        Record({"AliasName": TEXT, "TargetKeyId": TEXT}, ("AliasName", "TargetKeyId")),
        _create_alias,
        _delete_alias,
        _update_alias,
        frozenset({"AliasName"}),
        "AliasName",
    ),
)
