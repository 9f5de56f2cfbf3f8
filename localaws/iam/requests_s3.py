"""What requests to S3 need permission for, including keys that encrypt the objects.

Sources: Service Authorization Reference for Amazon S3; S3 User Guide, "Required permissions for
Amazon S3 API operations" and "Using server-side encryption with AWS KMS keys" (read 2026-11).
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from localaws.iam.requirement import Place, Requirement
from localaws.moto_seams import iam as moto_seams_iam
from localaws.wire import WireRequest

_KEYS = Mapping[str, tuple[str, ...]]

_BUCKET_ACTIONS: Mapping[str, str] = {
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
    "PutBucketInventoryConfiguration": "PutInventoryConfiguration",
    "DeleteBucketInventoryConfiguration": "PutInventoryConfiguration",
}
_OBJECT_ACTIONS: Mapping[str, str] = {
    "HeadObject": "GetObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
}
_VERSIONED: Mapping[str, str] = {
    "GetObject": "GetObjectVersion",
    "DeleteObject": "DeleteObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "PutObjectAcl": "PutObjectVersionAcl",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectTagging": "PutObjectVersionTagging",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "GetObjectAttributes": "GetObjectVersionAttributes",
}
_HEADER_KEYS: Mapping[str, str] = {
    "x-amz-server-side-encryption": "s3:x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id": (
        "s3:x-amz-server-side-encryption-aws-kms-key-id"
    ),
    "x-amz-acl": "s3:x-amz-acl",
    "x-amz-copy-source": "s3:x-amz-copy-source",
    "x-amz-content-sha256": "s3:x-amz-content-sha256",
    "x-amz-metadata-directive": "s3:x-amz-metadata-directive",
    "x-amz-storage-class": "s3:x-amz-storage-class",
    "if-match": "s3:if-match",
    "if-none-match": "s3:if-none-match",
}
_QUERY_KEYS: Mapping[str, str] = {
    "prefix": "s3:prefix",
    "delimiter": "s3:delimiter",
    "max-keys": "s3:max-keys",
    "versionId": "s3:versionid",
}


def requirements(request: WireRequest, place: Place) -> list[Requirement]:
    """All that the caller must be allowed to do, in the order it is checked."""
    bucket, key = request.parameters["Bucket"], request.parameters["Key"]
    if not request.operation or not bucket:
        action = "ListAllMyBuckets" if not bucket else "Unknown"
        return [Requirement(f"s3:{action}", "*")]
    context = _context(request)
    if request.operation == "CreateBucket":  # a name that is taken is told so, whoever has it
        return [Requirement("s3:CreateBucket", _bucket_arn(bucket), context)]
    owner = moto_seams_iam.bucket_owner(bucket)
    if request.operation == "DeleteObjects":
        return [_delete(bucket, owner, *target) for target in _targets(request)]
    if not key:
        action = _BUCKET_ACTIONS.get(request.operation, request.operation)
        return [Requirement(f"s3:{action}", _bucket_arn(bucket), context, owner)]
    action, version = _object_action(request), request.query.get("versionId")
    context |= _existing_tags(action, bucket, key, version)
    found = [Requirement(action, _object_arn(bucket, key), context, owner)]
    found += _from_headers(request, bucket, key, owner)
    found += _source(request, place)
    found += _absence(request, bucket, key, owner)
    return found + _encryption(request, bucket, key, place)


def _bucket_arn(bucket: str) -> str:
    return f"arn:aws:s3:::{bucket}"


def _object_arn(bucket: str, key: str) -> str:
    return f"arn:aws:s3:::{bucket}/{key}"


def _context(request: WireRequest) -> dict[str, tuple[str, ...]]:
    headers = {
        key: (request.headers[name],)
        for name, key in _HEADER_KEYS.items()
        if name in request.headers
    }
    query = {
        key: (request.query[name],) for name, key in _QUERY_KEYS.items() if name in request.query
    }
    return headers | query | _operation_keys(request)


def _operation_keys(request: WireRequest) -> dict[str, tuple[str, ...]]:
    if request.operation in ("PutObject", "CopyObject", "CompleteMultipartUpload"):
        return {"s3:objectcreationoperation": ("true",)}
    if request.operation in ("UploadPart", "UploadPartCopy", "CreateMultipartUpload"):
        return {"s3:objectcreationoperation": ("false",)}
    return {}


def _object_action(request: WireRequest) -> str:
    action = _OBJECT_ACTIONS.get(request.operation, request.operation)
    if "versionId" in request.query:
        action = _VERSIONED.get(action, action)
    return f"s3:{action}"


_TAGS_ARE_ASKED_FOR = frozenset(
    f"s3:{verb}Object{version}{part}"
    for version in ("", "Version")
    for verb, part in (
        *(("Get", part) for part in ("", "Acl", "Tagging")),
        *(("Put", part) for part in ("Acl", "Tagging")),
        ("Delete", "Tagging"),
    )
)
"""Actions with the condition key s3:ExistingObjectTag (S3 User Guide, "Tagging and access control
policies", read 2026-11)."""


def _existing_tags(
    action: str, bucket: str, key: str, version: str | None
) -> dict[str, tuple[str, ...]]:
    if action not in _TAGS_ARE_ASKED_FOR:
        return {}
    tags = moto_seams_iam.object_tags(bucket, key, version)
    return {f"s3:existingobjecttag/{name.lower()}": (value,) for name, value in tags.items()}


def _from_headers(request: WireRequest, bucket: str, key: str, owner: str) -> list[Requirement]:
    extra = []
    if request.operation in ("PutObject", "CopyObject", "CreateMultipartUpload"):
        if "x-amz-tagging" in request.headers:
            extra.append("s3:PutObjectTagging")
        if "x-amz-acl" in request.headers:
            extra.append("s3:PutObjectAcl")
    if request.operation == "GetObjectAttributes":
        extra.append("s3:GetObject")
    return [Requirement(action, _object_arn(bucket, key), {}, owner) for action in extra]


def _source(request: WireRequest, place: Place) -> list[Requirement]:
    """Copying reads the source as GetObject would."""
    header = request.headers.get("x-amz-copy-source")
    if not header or request.operation not in ("CopyObject", "UploadPartCopy"):
        return []
    path, _, version = header.partition("?versionId=")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    action = "s3:GetObjectVersion" if version else "s3:GetObject"
    owner = moto_seams_iam.bucket_owner(bucket)
    context = _existing_tags(action, bucket, key, version or None)
    found = [Requirement(action, _object_arn(bucket, key), context, owner)]
    encrypted_with = moto_seams_iam.object_key(bucket, key, version or None)
    if encrypted_with:
        found += _key_use("kms:Decrypt", encrypted_with, bucket, key, place)
    return found


def _absence(request: WireRequest, bucket: str, key: str, owner: str) -> list[Requirement]:
    """Only who may list a bucket is told that an object is not there; others get 403."""
    if request.operation not in ("GetObject", "HeadObject") or not moto_seams_iam.bucket_owner(
        bucket
    ):
        return []
    if moto_seams_iam.object_exists(bucket, key, request.query.get("versionId")):
        return []
    return [Requirement("s3:ListBucket", _bucket_arn(bucket), {"s3:prefix": (key,)}, owner)]


_TARGET = re.compile(r"<Object>(.*?)</Object>", re.DOTALL)
_MEMBER = re.compile(r"<(Key|VersionId)>(.*?)</\1>", re.DOTALL)
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))


def _targets(request: WireRequest) -> list[tuple[str, str]]:
    found = []
    for entry in _TARGET.findall(request.body.decode()):
        members = {name: _unescape(value) for name, value in _MEMBER.findall(entry)}
        found.append((members.get("Key", ""), members.get("VersionId", "")))
    return found


def _unescape(text: str) -> str:
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text


def _delete(bucket: str, owner: str, key: str, version: str) -> Requirement:
    if version:
        context = {"s3:versionid": (version,)}
        return Requirement("s3:DeleteObjectVersion", _object_arn(bucket, key), context, owner)
    return Requirement("s3:DeleteObject", _object_arn(bucket, key), {}, owner)


def _encryption(request: WireRequest, bucket: str, key: str, place: Place) -> list[Requirement]:
    if request.operation in ("GetObject", "HeadObject"):
        used = moto_seams_iam.object_key(bucket, key, request.query.get("versionId"))
        return _key_use("kms:Decrypt", used, bucket, key, place) if used else []
    if request.operation in _OF_PARTS:
        used = moto_seams_iam.upload_key(bucket, request.query.get("uploadId", ""))
        return _key_use("kms:Decrypt", used, bucket, key, place) if used else []
    if request.operation not in ("PutObject", "CopyObject", "CreateMultipartUpload"):
        return []
    wanted = _wanted_key(request, bucket)
    if not wanted:
        return []
    found = _key_use("kms:GenerateDataKey", wanted, bucket, key, place)
    if request.operation == "CreateMultipartUpload":
        found += _key_use("kms:Decrypt", wanted, bucket, key, place)
    return found


_OF_PARTS = ("UploadPart", "UploadPartCopy", "CompleteMultipartUpload")
"""They take kms:Decrypt on the key of the upload: S3 reads the parts before it completes them."""


def _wanted_key(request: WireRequest, bucket: str) -> str:
    """The customer key that a new object will be encrypted with, "" for none."""
    stated = request.headers.get("x-amz-server-side-encryption")
    if stated == "aws:kms":
        return request.headers.get("x-amz-server-side-encryption-aws-kms-key-id", "")
    return "" if stated else moto_seams_iam.bucket_default_key(bucket)


def _key_use(action: str, key_id: str, bucket: str, key: str, place: Place) -> list[Requirement]:
    """The use of a key by S3 where the bucket is: a copy reads in one region, writes in another.

    A key given without its account is the caller's, as S3 takes it, or else the bucket owner's.
    """
    region = moto_seams_iam.bucket_region(bucket) or place.region
    owners = (place.account, moto_seams_iam.bucket_owner(bucket))
    found = (moto_seams_iam.kms_key_arn(account, region, key_id) for account in owners if account)
    arn = next((each for each in found if each), None)
    if arn is None:
        return []
    whole = moto_seams_iam.bucket_uses_bucket_key(bucket)
    context: dict[str, tuple[str, ...]] = {
        "aws:viaawsservice": ("true",),
        "kms:viaservice": (f"s3.{region}.amazonaws.com",),
        "kms:encryptioncontext:aws:s3:arn": (
            _bucket_arn(bucket) if whole else _object_arn(bucket, key),
        ),
    }
    return [Requirement(action, arn, context)]
