"""The policy that is attached to a resource, wherever the laptop keeps it.

moto keeps those of buckets, keys, topics, queues and functions; those of model package groups are
in the laptop's own store, and speak for the versions of the group as well.
"""

from localaws import container_registry
from localaws.moto_seams import iam as moto_seams_iam
from localaws.sagemaker.store import STORE, Kind, Place


def document_of(action: str, resource: str) -> str | None:
    """The policy document for a resource's ARN, None when it has none.

    >>> document_of("sagemaker:DescribeEndpoint", "arn:aws:sagemaker:r:1:endpoint/e") is None
    True
    """
    service = action.partition(":")[0]
    if service == "sagemaker":
        return _of_group(resource)
    if service == "ecr":
        return container_registry.policy(resource)
    return moto_seams_iam.resource_policy(service, resource)


def _of_group(arn: str) -> str | None:
    parts = arn.split(":", 5)
    if len(parts) != 6:
        return None
    kind, _, name = parts[5].partition("/")
    if kind not in (Kind.MODEL_PACKAGE_GROUP.value, Kind.MODEL_PACKAGE.value):
        return None
    place, group = Place(parts[4], parts[3]), name.partition("/")[0]
    record = STORE.find(place, Kind.MODEL_PACKAGE_GROUP, group)
    return record.policy if record and record.policy else None
