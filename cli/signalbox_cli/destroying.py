"""Taking an environment away: what runs created first, then the stack.

Order: endpoints, their configurations, models, model versions and groups, objects of the buckets
(all versions), then the CloudFormation stack. Every step can be repeated.
"""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from signalbox_cli.models import groups
from signalbox_cli.target import Target

_BATCH = 1000  # DeleteObjects takes at most 1,000 keys.


def _names(target: Target, operation: str, items: str, name: str) -> Iterator[str]:
    pages = target.client("sagemaker").get_paginator(operation).paginate(NameContains=target.prefix)
    for item in (i for page in pages for i in page[items]):
        if str(item[name]).startswith(f"{target.prefix}-"):
            yield str(item[name])


def remove_serving(target: Target) -> Iterator[str]:
    """Delete endpoints, endpoint configurations and models of the environment; say each."""
    client = target.client("sagemaker")
    for name in list(_names(target, "list_endpoints", "Endpoints", "EndpointName")):
        client.delete_endpoint(EndpointName=name)
        yield f"endpoint {name}"
    configs = _names(target, "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName")
    for name in list(configs):
        client.delete_endpoint_config(EndpointConfigName=name)
        yield f"endpoint configuration {name}"
    for name in list(_names(target, "list_models", "Models", "ModelName")):
        client.delete_model(ModelName=name)
        yield f"model {name}"


def remove_registry(target: Target) -> Iterator[str]:
    """Delete every model version and group of the environment; say each."""
    client = target.client("sagemaker")
    for group in groups(target):
        pages = client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
        arns = [s["ModelPackageArn"] for page in pages for s in page["ModelPackageSummaryList"]]
        for arn in arns:
            client.delete_model_package(ModelPackageName=arn)
        client.delete_model_package_group(ModelPackageGroupName=group)
        yield f"model package group {group} ({len(arns)} versions)"


def empty_buckets(target: Target) -> Iterator[str]:
    """Delete all versions of all objects in the environment's buckets; say how many."""
    client = target.client("s3")
    listed = client.list_buckets()["Buckets"]
    for bucket in (b["Name"] for b in listed if b["Name"].startswith(f"{target.prefix}-")):
        deleted = 0
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
            entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            deleted += _delete(client, bucket, entries)
        yield f"{deleted} objects of {bucket}"


def _delete(client: Any, bucket: str, entries: list[dict[str, Any]]) -> int:
    for start in range(0, len(entries), _BATCH):
        batch = entries[start : start + _BATCH]
        keys = [{"Key": e["Key"], "VersionId": e["VersionId"]} for e in batch]
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        for failure in answer.get("Errors", []):
            raise ClientError({"Error": failure}, "DeleteObjects")
    return len(entries)


def remove_stack(target: Target) -> Iterator[str]:
    """Delete the CloudFormation stack and wait until it is gone."""
    client = target.client("cloudformation")
    client.delete_stack(StackName=target.prefix)
    client.get_waiter("stack_delete_complete").wait(StackName=target.prefix)
    yield f"stack {target.prefix}"
