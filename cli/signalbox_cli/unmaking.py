"""The account set-up taken away again: the stacks in reverse order, with what they retain.

An environment that is still deployed needs its account's roles: it has to be destroyed first.
"""

from collections.abc import Iterator
from typing import Any

from delivery.model import Deployment
from signalbox_cli import stack_changes
from signalbox_cli.bootstrapping import Bootstrap
from signalbox_cli.destroying import delete_versions
from signalbox_cli.errors import CommandError
from signalbox_cli.target import Target


def check(bootstrap: Bootstrap) -> None:
    """Raise CommandError while an environment still stands whose account would be taken away."""
    for deployment in bootstrap.deployments:
        name = deployment.name.partition("/")[0]
        environment = bootstrap.settings.environments.get(name)
        if environment is None:
            continue
        target = bootstrap.target(deployment)
        if stack_changes.status_of(target, environment.stack_name):
            raise CommandError(
                f"{environment.stack_name} is still deployed in account {environment.account}: "
                f"`signalbox destroy -e {name}` first; nothing was deleted"
            )


def remove(bootstrap: Bootstrap) -> Iterator[str]:
    """Delete the stacks and the buckets that they retain, the last one first; say each."""
    for deployment in reversed(bootstrap.deployments):
        target = bootstrap.target(deployment)
        if not stack_changes.status_of(target, deployment.stack_name):
            continue
        held = list(_resources(target, deployment.stack_name))
        buckets = [name for kind, name in held if kind == "AWS::S3::Bucket"]
        for bucket in buckets:
            delete_versions(target, bucket)
        stack_changes.delete(target, deployment.stack_name)
        yield _said(deployment, "stack", deployment.stack_name)
        for bucket in buckets:
            yield from _bucket(target, deployment, bucket)
        for kind, name in held:
            if kind == "AWS::KMS::Key":
                yield from _key(target, deployment, name)


def _resources(target: Target, stack: str) -> Iterator[tuple[str, str]]:
    pages = target.client("cloudformation").get_paginator("list_stack_resources")
    for page in pages.paginate(StackName=stack):
        for one in page["StackResourceSummaries"]:
            yield one["ResourceType"], one.get("PhysicalResourceId", "")


def _said(deployment: Deployment, kind: str, name: str) -> str:
    return f"deleted {kind} {name} in {deployment.place.account}"


def _bucket(target: Target, deployment: Deployment, bucket: str) -> Iterator[str]:
    """A retained bucket; one that went with its stack is not missed."""
    s3: Any = target.client("s3")
    if bucket in {one["Name"] for one in s3.list_buckets()["Buckets"]}:
        delete_versions(target, bucket)
        s3.delete_bucket(Bucket=bucket)
        yield _said(deployment, "bucket", bucket)


def _key(target: Target, deployment: Deployment, key: str) -> Iterator[str]:
    about = target.client("kms").describe_key(KeyId=key)["KeyMetadata"]
    if about["KeyState"] == "Enabled":
        yield (
            f"kept key {about['Arn']} in {deployment.place.account}, 1.00 USD a month: aws kms "
            f"schedule-key-deletion --key-id {about['Arn']} --pending-window-in-days 30"
        )
