"""What is kept: keys and who may use them, buckets, and how long logs and old versions stay."""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from localaws.deployer.intrinsics import is_pending
from signalbox_cli.doctor import policies
from signalbox_cli.doctor.findings import REDEPLOY, Finding, differing, error_code
from signalbox_cli.doctor.patients import Patient, Resource

_KEY, _BUCKET = "AWS::KMS::Key", "AWS::S3::Bucket"
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def keys(patient: Patient) -> Iterator[Finding]:
    """Each key can be used, turns every year, and lets in whom the template says."""
    for key in patient.of_type(_KEY):
        yield from differing(key.physical_id, _key(patient, key), REDEPLOY)


def _key(patient: Patient, key: Resource) -> Iterator[str]:
    kms = patient.client("kms")
    state = kms.describe_key(KeyId=key.physical_id)["KeyMetadata"]["KeyState"]
    if state != "Enabled":
        yield f"the key is {state}: nothing that it encrypted can be read"
        return
    if key.properties.get("EnableKeyRotation") is not None:
        rotation = kms.get_key_rotation_status(KeyId=key.physical_id)["KeyRotationEnabled"]
        if not rotation:
            yield "the key does not rotate"
    wanted = key.properties["KeyPolicy"]
    if not is_pending(wanted):
        found = kms.get_key_policy(KeyId=key.physical_id, PolicyName="default")["Policy"]
        yield from (f"key policy: {one}" for one in policies.differences(wanted, found))


def grants(patient: Patient) -> Iterator[Finding]:
    """Nobody of another account uses a key by a grant, which no policy shows."""
    account = patient.client("sts").get_caller_identity()["Account"]
    for key in patient.of_type(_KEY):
        pages = patient.client("kms").get_paginator("list_grants").paginate(KeyId=key.physical_id)
        for grant in (one for page in pages for one in page["Grants"]):
            who = str(grant.get("GranteePrincipal", ""))
            if who.startswith("arn:") and f":{account}:" not in who:
                yield Finding(
                    key.physical_id,
                    f"a grant lets {who} use the key: {', '.join(grant.get('Operations', []))}",
                    f"aws kms revoke-grant --key-id {key.physical_id} --grant-id "
                    f"{grant['GrantId']}, unless it is wanted",
                )


def buckets(patient: Patient) -> Iterator[Finding]:
    """Each bucket is there, keeps versions, encrypts, stays private, tells EventBridge."""
    for bucket in patient.of_type(_BUCKET):
        try:
            found = list(_bucket(patient, bucket))
        except ClientError as fault:
            if error_code(fault) != "NoSuchBucket":
                raise
            found = ["the bucket does not exist"]
        yield from differing(bucket.physical_id, found, REDEPLOY)


def _bucket(patient: Patient, bucket: Resource) -> Iterator[str]:
    s3, name, wanted = patient.client("s3"), bucket.physical_id, bucket.properties
    status = s3.get_bucket_versioning(Bucket=name).get("Status", "never enabled")
    if wanted.get("VersioningConfiguration", {}).get("Status", status) != status:
        yield f"versioning is {status}: what is overwritten is lost"
    yield from _encryption(s3, bucket)
    if "PublicAccessBlockConfiguration" in wanted and not _is_private(s3, name):
        yield "public access is not blocked"
    if wanted.get("NotificationConfiguration", {}).get("EventBridgeConfiguration"):
        told = s3.get_bucket_notification_configuration(Bucket=name)
        if "EventBridgeConfiguration" not in told:
            yield "it does not tell EventBridge what arrives: no upload opens a gate"


def _encryption(s3: Any, bucket: Resource) -> Iterator[str]:
    rules = bucket.properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration")
    if not rules:
        return
    wanted = rules[0]["ServerSideEncryptionByDefault"].get("KMSMasterKeyID", "")
    try:
        found = s3.get_bucket_encryption(Bucket=bucket.physical_id)
    except ClientError as fault:
        if error_code(fault) != "ServerSideEncryptionConfigurationNotFoundError":
            raise
        yield "it does not encrypt with a key of yours"
        return
    rule = found["ServerSideEncryptionConfiguration"]["Rules"][0]
    used = rule["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID", "")
    if wanted and not is_pending(wanted) and used != wanted:
        yield f"it encrypts with {used or 'a key of AWS'}, not with {wanted}"


def _is_private(s3: Any, name: str) -> bool:
    try:
        found = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    except ClientError as fault:
        if error_code(fault) != "NoSuchPublicAccessBlockConfiguration":
            raise
        return False
    return all(found.get(one) for one in _BLOCKS)


def bucket_policies(patient: Patient) -> Iterator[Finding]:
    """Each bucket's policy denies what is not TLS, and lets in whom the template says."""
    for policy in patient.of_type("AWS::S3::BucketPolicy"):
        bucket = policy.text("Bucket")
        wanted = policy.properties["PolicyDocument"]
        if bucket and not is_pending(wanted):
            yield from differing(bucket, _bucket_policy(patient, bucket, wanted), REDEPLOY)


def _bucket_policy(patient: Patient, bucket: str, wanted: policies.Document) -> Iterator[str]:
    try:
        found = patient.client("s3").get_bucket_policy(Bucket=bucket)["Policy"]
    except ClientError as fault:
        if error_code(fault) == "NoSuchBucket":
            return
        if error_code(fault) != "NoSuchBucketPolicy":
            raise
        found = None
    yield from policies.differences(wanted, found)


def retention(patient: Patient) -> Iterator[Finding]:
    """Logs and old versions go away when they should: neither early nor never."""
    for group in patient.of_type("AWS::Logs::LogGroup"):
        yield from differing(group.physical_id, _log_group(patient, group), REDEPLOY)
    for bucket in patient.of_type(_BUCKET):
        yield from differing(bucket.physical_id, _lifecycle(patient, bucket), REDEPLOY)


def _log_group(patient: Patient, group: Resource) -> Iterator[str]:
    found = patient.client("logs").describe_log_groups(logGroupNamePrefix=group.physical_id)
    live: Mapping[str, Any] | None = next(
        (one for one in found["logGroups"] if one["logGroupName"] == group.physical_id), None
    )
    if live is None:
        yield "the log group does not exist: nothing is logged"
        return
    wanted = group.text("RetentionInDays")
    kept = live.get("retentionInDays")
    if wanted and str(kept) != wanted:
        yield f"logs are kept {'for ever' if kept is None else f'{kept} days'}, not {wanted} days"
    key = group.text("KmsKeyId")
    if key and live.get("kmsKeyId") != key:
        yield "logs are not encrypted with the environment's key"


def _lifecycle(patient: Patient, bucket: Resource) -> Iterator[str]:
    wanted = bucket.properties.get("LifecycleConfiguration", {}).get("Rules", [])
    if not wanted:
        return
    try:
        found = patient.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket.physical_id)
    except ClientError as fault:
        if error_code(fault) == "NoSuchBucket":
            return
        if error_code(fault) != "NoSuchLifecycleConfiguration":
            raise
        found = {"Rules": []}
    enabled = {rule.get("ID") for rule in found["Rules"] if rule["Status"] == "Enabled"}
    for rule in wanted:
        if rule.get("Status") == "Enabled" and rule.get("Id") not in enabled:
            yield f"lifecycle rule {rule.get('Id')} is gone or disabled"
