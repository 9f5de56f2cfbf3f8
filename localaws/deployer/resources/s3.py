"""AWS::S3::Bucket and AWS::S3::BucketPolicy."""

from collections.abc import Callable
from typing import Any

from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    as_json,
    changed,
    completing,
    generated_name,
    picked,
    tags,
)
from localaws.deployer.resources.s3_lifecycle import LIFECYCLE_RULE, lifecycle_rule
from localaws.deployer.schema import (
    DOCUMENT,
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

_ENABLED = Text(("Enabled", "Disabled", "Suspended"))
_ENCRYPTION = Record(
    {
        "ServerSideEncryptionConfiguration": ListOf(
            Record(
                {
                    "ServerSideEncryptionByDefault": Record(
                        texts("SSEAlgorithm", "KMSMasterKeyID"), ("SSEAlgorithm",)
                    ),
                    "BucketKeyEnabled": FLAG,
                }
            )
        )
    },
    ("ServerSideEncryptionConfiguration",),
)
_CORS_RULE = Record(
    {
        "Id": TEXT,
        "AllowedHeaders": TEXTS,
        "AllowedMethods": TEXTS,
        "AllowedOrigins": TEXTS,
        "ExposedHeaders": TEXTS,
        "MaxAge": INT,
    },
    ("AllowedMethods", "AllowedOrigins"),
)
_BUCKET = Record(
    {
        "BucketName": TEXT,
        "BucketEncryption": _ENCRYPTION,
        "VersioningConfiguration": Record({"Status": _ENABLED}, ("Status",)),
        "PublicAccessBlockConfiguration": Record(
            dict.fromkeys(
                (
                    "BlockPublicAcls",
                    "BlockPublicPolicy",
                    "IgnorePublicAcls",
                    "RestrictPublicBuckets",
                ),
                FLAG,
            )
        ),
        "OwnershipControls": Record(
            {"Rules": ListOf(Record(texts("ObjectOwnership")))}, ("Rules",)
        ),
        "NotificationConfiguration": Record(
            {"EventBridgeConfiguration": Record({"EventBridgeEnabled": FLAG})}
        ),
        "LifecycleConfiguration": Record({"Rules": ListOf(LIFECYCLE_RULE)}, ("Rules",)),
        "CorsConfiguration": Record({"CorsRules": ListOf(_CORS_RULE)}, ("CorsRules",)),
        "LoggingConfiguration": Record(texts("DestinationBucketName", "LogFilePrefix")),
        "Tags": TAGS,
    }
)


def _create_bucket(site: Site, logical_id: str, properties: Properties) -> Made:
    name = properties.get("BucketName") or generated_name(site, logical_id, longest=63, lower=True)
    region = site.surroundings.region
    place = {} if region == "us-east-1" else {"LocationConstraint": region}
    arguments = {"CreateBucketConfiguration": place} if place else {}
    site.client("s3").create_bucket(Bucket=name, **arguments)
    made = Made(name, _bucket_attributes(site, name))
    with completing(made):
        for apply in _SETTINGS.values():
            apply(site, name, properties)
    return made


def _bucket_attributes(site: Site, name: str) -> dict[str, str]:
    region, partition = site.surroundings.region, site.surroundings.partition
    return {
        "Arn": f"arn:{partition}:s3:::{name}",
        "DomainName": f"{name}.s3.amazonaws.com",
        "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
    }


def _update_bucket(site: Site, existing: Existing, new: Properties) -> Made:
    for name, apply in _SETTINGS.items():
        if changed(existing, new, name):
            apply(site, existing.physical_id, new)
            if name not in new and name in _REMOVALS:
                getattr(site.client("s3"), _REMOVALS[name])(Bucket=existing.physical_id)
    return existing.made()


def _delete_bucket(site: Site, existing: Existing) -> None:
    site.client("s3").delete_bucket(Bucket=existing.physical_id)


def _encryption(site: Site, bucket: str, properties: Properties) -> None:
    stated = properties.get("BucketEncryption")
    if stated:
        rules = [
            {
                **picked(rule, "BucketKeyEnabled"),
                "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
            }
            for rule in stated["ServerSideEncryptionConfiguration"]
        ]
        site.client("s3").put_bucket_encryption(
            Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules}
        )


def _versioning(site: Site, bucket: str, properties: Properties) -> None:
    stated = properties.get("VersioningConfiguration")
    if stated:
        site.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration=stated)


def _public_access(site: Site, bucket: str, properties: Properties) -> None:
    stated = properties.get("PublicAccessBlockConfiguration")
    if stated:
        site.client("s3").put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=stated
        )


def _ownership(site: Site, bucket: str, properties: Properties) -> None:
    stated = properties.get("OwnershipControls")
    if stated:
        site.client("s3").put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=stated)


def _notifications(site: Site, bucket: str, properties: Properties) -> None:
    """EventBridge needs an empty object in the API; in a template it is on unless set to false."""
    stated = properties.get("NotificationConfiguration")
    if stated is None:
        return
    bridge = stated.get("EventBridgeConfiguration", {"EventBridgeEnabled": False})
    wanted: dict[str, Any] = {}
    if bridge.get("EventBridgeEnabled", True):
        wanted = {"EventBridgeConfiguration": {}}
    site.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration=wanted
    )


def _lifecycle(site: Site, bucket: str, properties: Properties) -> None:
    stated = properties.get("LifecycleConfiguration")
    if stated:
        rules = [lifecycle_rule(number, rule) for number, rule in enumerate(stated["Rules"])]
        site.client("s3").put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration={"Rules": rules}
        )


def _cors(site: Site, bucket: str, properties: Properties) -> None:
    stated = properties.get("CorsConfiguration")
    if stated:
        names = {"Id": "ID", "ExposedHeaders": "ExposeHeaders", "MaxAge": "MaxAgeSeconds"}
        rules = [
            {names.get(key, key): value for key, value in rule.items()}
            for rule in stated["CorsRules"]
        ]
        site.client("s3").put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})


def _logging(site: Site, bucket: str, properties: Properties) -> None:
    stated = properties.get("LoggingConfiguration")
    if stated:
        target = {
            "TargetBucket": stated.get("DestinationBucketName", bucket),
            "TargetPrefix": stated.get("LogFilePrefix", ""),
        }
        site.client("s3").put_bucket_logging(
            Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": target}
        )


def _bucket_tags(site: Site, bucket: str, properties: Properties) -> None:
    wanted = tags(site, properties)
    if wanted:
        site.client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": wanted})


_SETTINGS: dict[str, Callable[[Site, str, Properties], None]] = {
    "BucketEncryption": _encryption,
    "VersioningConfiguration": _versioning,
    "PublicAccessBlockConfiguration": _public_access,
    "OwnershipControls": _ownership,
    "NotificationConfiguration": _notifications,
    "LifecycleConfiguration": _lifecycle,
    "CorsConfiguration": _cors,
    "LoggingConfiguration": _logging,
    "Tags": _bucket_tags,
}
_REMOVALS = {
    "BucketEncryption": "delete_bucket_encryption",
    "PublicAccessBlockConfiguration": "delete_public_access_block",
    "OwnershipControls": "delete_bucket_ownership_controls",
    "LifecycleConfiguration": "delete_bucket_lifecycle",
    "CorsConfiguration": "delete_bucket_cors",
    "Tags": "delete_bucket_tagging",
}


def _create_policy(site: Site, _logical_id: str, properties: Properties) -> Made:
    _put_policy(site, properties)
    return Made(properties["Bucket"])


def _update_policy(site: Site, existing: Existing, new: Properties) -> Made:
    _put_policy(site, new)
    return existing.made()


def _put_policy(site: Site, properties: Properties) -> None:
    policy = as_json(properties["PolicyDocument"])
    site.client("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=policy)


def _delete_policy(site: Site, existing: Existing) -> None:
    site.client("s3").delete_bucket_policy(Bucket=existing.physical_id)


TYPES = (
    ResourceType(
        "AWS::S3::Bucket",
        _BUCKET,
        _create_bucket,
        _delete_bucket,
        _update_bucket,
        frozenset({"BucketName"}),
        "BucketName",
    ),
    ResourceType(
        "AWS::S3::BucketPolicy",
        Record({"Bucket": TEXT, "PolicyDocument": DOCUMENT}, ("Bucket", "PolicyDocument")),
        _create_policy,
        _delete_policy,
        _update_policy,
        frozenset({"Bucket"}),
    ),
)
