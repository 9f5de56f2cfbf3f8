"""The commands that delete a leftover where one is not enough: what hangs on it goes first."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from signalbox_cli.target import Target


def of(target: Target, kind: str, name: str) -> str:
    """Commands in their order, joined by &&; "" where the kind's plain delete command is enough."""
    steps = _STEPS.get(kind)
    return " && ".join(steps(target, name)) if steps else ""


def _paged(target: Target, service: str, operation: str, items: str, **given: str) -> Iterator[Any]:
    for page in target.client(service).get_paginator(operation).paginate(**given):
        yield from page[items]


def _layer(target: Target, name: str) -> Iterator[str]:
    """Every version; a layer without any is gone."""
    delete = f"aws lambda delete-layer-version --layer-name {name} --version-number"
    for one in _paged(target, "lambda", "list_layer_versions", "LayerVersions", LayerName=name):
        yield f"{delete} {one['Version']}"


def _rule(target: Target, name: str) -> Iterator[str]:
    """A rule that has targets cannot be deleted (API Reference, DeleteRule, read 2026-11-21)."""
    ids = [
        one["Id"] for one in _paged(target, "events", "list_targets_by_rule", "Targets", Rule=name)
    ]
    if ids:
        yield f"aws events remove-targets --rule {name} --ids {' '.join(ids)}"
    yield f"aws events delete-rule --name {name}"


def _role(target: Target, name: str) -> Iterator[str]:
    """A role that has policies cannot be deleted (API Reference, DeleteRole, read 2026-11-21)."""
    for one in _paged(target, "iam", "list_role_policies", "PolicyNames", RoleName=name):
        yield f"aws iam delete-role-policy --role-name {name} --policy-name {one}"
    attached = "list_attached_role_policies"
    for policy in _paged(target, "iam", attached, "AttachedPolicies", RoleName=name):
        yield f"aws iam detach-role-policy --role-name {name} --policy-arn {policy['PolicyArn']}"
    yield f"aws iam delete-role --role-name {name}"


def _policy(target: Target, arn: str) -> Iterator[str]:
    """Other versions than the default one go first, and so does what it is attached to."""
    for one in _paged(target, "iam", "list_entities_for_policy", "PolicyRoles", PolicyArn=arn):
        yield f"aws iam detach-role-policy --role-name {one['RoleName']} --policy-arn {arn}"
    for version in _paged(target, "iam", "list_policy_versions", "Versions", PolicyArn=arn):
        if not version["IsDefaultVersion"]:
            number = version["VersionId"]
            yield f"aws iam delete-policy-version --policy-arn {arn} --version-id {number}"
    yield f"aws iam delete-policy --policy-arn {arn}"


def _group(target: Target, name: str) -> Iterator[str]:
    """Its versions first."""
    for one in _paged(
        target,
        "sagemaker",
        "list_model_packages",
        "ModelPackageSummaryList",
        ModelPackageGroupName=name,
    ):
        yield f"aws sagemaker delete-model-package --model-package-name {one['ModelPackageArn']}"
    yield f"aws sagemaker delete-model-package-group --model-package-group-name {name}"


def _bucket(target: Target, name: str) -> Iterator[str]:
    """`s3 rb --force` deletes no versions, and all buckets of an environment have them."""
    status = target.client("s3").get_bucket_versioning(Bucket=name).get("Status")
    if name.startswith(tuple(f"{target.prefix}-{kind}-" for kind in _OF_THE_TEMPLATE)):
        yield f"signalbox destroy -e {target.environment} --verify"
    elif status:
        yield f"empty s3://{name} with its versions (the console's Empty)"
        yield f"aws s3 rb s3://{name}"
    else:
        yield f"aws s3 rb --force s3://{name}"


_OF_THE_TEMPLATE = ("source", "artifacts", "workflow")
_STEPS: Mapping[str, Callable[[Target, str], Iterator[str]]] = {
    "bucket": _bucket,
    "layer": _layer,
    "rule": _rule,
    "role": _role,
    "policy": _policy,
    "model package group": _group,
}
