"""Lifecycle rules of a bucket: CloudFormation's shape and the API's."""

from typing import Any

from localaws.deployer.resources.base import Properties, picked
from localaws.deployer.schema import FLAG, INT, TAGS, TEXT, ListOf, Record, Text

_TRANSITION = Record({"StorageClass": TEXT, "TransitionInDays": INT}, ("StorageClass",))
LIFECYCLE_RULE = Record(
    {
        "Id": TEXT,
        "Status": Text(("Enabled", "Disabled")),
        "Prefix": TEXT,
        "TagFilters": TAGS,
        "ObjectSizeGreaterThan": INT,
        "ObjectSizeLessThan": INT,
        "ExpirationInDays": INT,
        "ExpiredObjectDeleteMarker": FLAG,
        "NoncurrentVersionExpiration": Record(
            {"NoncurrentDays": INT, "NewerNoncurrentVersions": INT}
        ),
        "NoncurrentVersionExpirationInDays": INT,
        "AbortIncompleteMultipartUpload": Record({"DaysAfterInitiation": INT}),
        "Transitions": ListOf(_TRANSITION),
    },
    ("Status",),
)


def lifecycle_rule(number: int, rule: Properties) -> dict[str, Any]:
    """One rule of a template as the API takes it; `number` names it when it has no id."""
    parts: dict[str, Any] = {
        "ID": rule.get("Id", f"rule-{number + 1}"),
        "Status": rule["Status"],
        "Filter": _lifecycle_filter(rule),
        "Expiration": _expiration(rule),
        "NoncurrentVersionExpiration": _noncurrent(rule),
        "AbortIncompleteMultipartUpload": rule.get("AbortIncompleteMultipartUpload"),
        "Transitions": [
            {"Days": item.get("TransitionInDays", 0), "StorageClass": item["StorageClass"]}
            for item in rule.get("Transitions", [])
        ],
    }
    return {key: value for key, value in parts.items() if value or key == "Filter"}


def _lifecycle_filter(rule: Properties) -> dict[str, Any]:
    """One criterion stands alone, several go under And (S3 API, LifecycleRuleFilter)."""
    parts = picked(rule, "Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
    tag_filters = rule.get("TagFilters", [])
    if len(parts) + len(tag_filters) > 1:
        return {"And": {**parts, **({"Tags": tag_filters} if tag_filters else {})}}
    return {"Tag": tag_filters[0]} if tag_filters else parts or {"Prefix": ""}


def _expiration(rule: Properties) -> dict[str, Any]:
    if "ExpirationInDays" in rule:
        return {"Days": rule["ExpirationInDays"]}
    return picked(rule, "ExpiredObjectDeleteMarker")


def _noncurrent(rule: Properties) -> dict[str, Any]:
    if "NoncurrentVersionExpirationInDays" in rule:
        return {"NoncurrentDays": rule["NoncurrentVersionExpirationInDays"]}
    return dict(rule.get("NoncurrentVersionExpiration", {}))
