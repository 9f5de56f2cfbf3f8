"""From an HTTP method and path to the name of an operation, for the two REST protocols.

Lambda and SageMaker's runtime come from botocore's own tables; S3, whose sub-resources sit in the
query string, has its table here. Imports nothing of the project.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.loaders import Loader

_BOTO_NAMES = {"awslambda": "lambda", "sagemakerruntime": "sagemaker-runtime"}

OPAQUE_BODIES = frozenset({"Invoke", "InvokeAsync", "InvokeEndpoint", "InvokeEndpointAsync"})
"""Operations whose body is a payload, not parameters."""


@cache
def _routes(backend: str) -> list[tuple[str, re.Pattern[str], str]]:
    model: dict[str, Any] = Loader().load_service_model(
        _BOTO_NAMES.get(backend, backend), "service-2"
    )
    return [
        (operation["http"]["method"], _pattern(operation["http"]["requestUri"]), name)
        for name, operation in model["operations"].items()
    ]


def _pattern(uri: str) -> re.Pattern[str]:
    path = uri.partition("?")[0].rstrip("/")
    named = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", path)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", named) + "/?")


def match(backend: str, method: str, raw_path: str) -> tuple[str, dict[str, str]]:
    """Operation name and the values captured from the path; ("", {}) when nothing matches."""
    for route_method, pattern, name in _routes(backend):
        if route_method == method and (found := pattern.fullmatch(raw_path)):
            return name, found.groupdict()
    return "", {}


def virtual_bucket(host: str) -> str:
    """The bucket that a host name such as `bucket.localhost:4700` names; "" for path style."""
    name = host.partition(":")[0]
    for suffix in (".s3.localhost", ".localhost"):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return ""


_BUCKET_SUBRESOURCES: Mapping[str, str] = {
    "accelerate": "BucketAccelerateConfiguration",
    "acl": "BucketAcl",
    "cors": "BucketCors",
    "encryption": "BucketEncryption",
    "inventory": "BucketInventoryConfiguration",
    "lifecycle": "BucketLifecycleConfiguration",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "notification": "BucketNotificationConfiguration",
    "object-lock": "ObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "publicAccessBlock": "PublicAccessBlock",
    "replication": "BucketReplication",
    "requestPayment": "BucketRequestPayment",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
_OBJECT_SUBRESOURCES: Mapping[str, str] = {
    "acl": "ObjectAcl",
    "attributes": "ObjectAttributes",
    "legal-hold": "ObjectLegalHold",
    "retention": "ObjectRetention",
    "tagging": "ObjectTagging",
    "torrent": "ObjectTorrent",
}
_VERBS: Mapping[str, str] = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}
_EXCEPTIONS: Mapping[str, str] = {
    "DeleteBucketLifecycleConfiguration": "DeleteBucketLifecycle",
}


def s3_operation(
    method: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> str:
    """The S3 operation of a request, "" when there is none."""
    if not bucket:
        return "ListBuckets" if method == "GET" else ""
    if not key:
        return _bucket_operation(method, query)
    if "uploadId" in query or "uploads" in query:
        return _multipart_operation(method, query, headers)
    return _object_operation(method, query, headers)


def _subresource(table: Mapping[str, str], method: str, query: Mapping[str, str]) -> str:
    found = next((noun for name, noun in table.items() if name in query), "")
    name = _VERBS.get(method, "") + found if found and method in _VERBS else ""
    return _EXCEPTIONS.get(name, name)


def _bucket_operation(method: str, query: Mapping[str, str]) -> str:
    if method == "POST":
        return "DeleteObjects" if "delete" in query else ""
    if method == "GET" and "versions" in query:
        return "ListObjectVersions"
    if method == "GET" and "uploads" in query:
        return "ListMultipartUploads"
    found = _subresource(_BUCKET_SUBRESOURCES, method, query)
    if found:
        return found
    listing = "ListObjectsV2" if query.get("list-type") == "2" else "ListObjects"
    plain = {"GET": listing, "PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket"}
    return plain.get(method, "")


def _multipart_operation(method: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    if method == "PUT":
        return "UploadPartCopy" if "x-amz-copy-source" in headers else "UploadPart"
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    return {"GET": "ListParts", "DELETE": "AbortMultipartUpload"}.get(method, "")


def _object_operation(method: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    found = _subresource(_OBJECT_SUBRESOURCES, method, query)
    if found:
        return found
    if method == "PUT":
        return "CopyObject" if "x-amz-copy-source" in headers else "PutObject"
    return {"GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}.get(method, "")
