"""The account set-up taken away again: the stacks in reverse order, with what they retain.

An environment that is still deployed needs its account's roles, the packages of operations and the
data sets: it has to be destroyed first.
"""

from collections.abc import Iterator
from typing import Any

from delivery.model import Deployment
from signalbox_cli import stack_changes
from signalbox_cli.bootstrapping import Bootstrap, about
from signalbox_cli.destroying import delete_versions
from signalbox_cli.errors import CommandError
from signalbox_cli.identity_providers import github_provider
from signalbox_cli.target import Target


def check(bootstrap: Bootstrap) -> None:
    """Raise CommandError while something still stands that needs what would be taken away.

    An environment needs its account's set-up; every environment, also one that is not asked to go,
    reads packages of operations and data sets of data.
    """
    going = bootstrap.deployments
    for deployment in going:
        bootstrap.target(deployment)  # credentials that the same account's other parts share
    bases = [one.name for one in going if _part(one) in ("operations", "data")]
    for deployment in bootstrap.every:
        environment = bootstrap.settings.environments.get(_part(deployment))
        if environment is not None and (bases or deployment in going):
            _refuse_if_standing(bootstrap, deployment, environment.stack_name, deployment.name)
        is_needed = environment is not None or deployment.name == "pipeline"
        if bases and is_needed and deployment not in going:
            _refuse_if_standing(bootstrap, deployment, deployment.stack_name, bases[0])


def _part(deployment: Deployment) -> str:
    """The part of the settings without a region."""
    return deployment.name.partition("/")[0]


def _refuse_if_standing(
    bootstrap: Bootstrap, deployment: Deployment, stack: str, going: str
) -> None:
    part, account = _part(deployment), deployment.place.account
    with about(deployment):
        if not stack_changes.status_of(bootstrap.target(deployment), stack):
            return
    if stack == deployment.stack_name:
        remedy = f"remove it together with the others, or first with --only {deployment.name}"
    else:
        remedy = f"`signalbox destroy -e {part}` first"
    raise CommandError(
        f"{stack} is still deployed in account {account}, and needs what goes with {going}: "
        f"{remedy}; nothing was deleted"
    )


def remove(bootstrap: Bootstrap) -> Iterator[str]:
    """Delete the stacks and the buckets that they retain, the last one first; say each."""
    trusting: dict[str, Deployment] = {}
    for deployment in reversed(bootstrap.deployments):
        if bootstrap.status(deployment):
            with about(deployment):
                yield from _removed(bootstrap.target(deployment), deployment)
            if deployment.parameters.get("Repository"):
                trusting[deployment.place.account] = deployment
    for deployment in trusting.values():
        with about(deployment):
            yield from _provider(bootstrap.target(deployment), deployment)


def _removed(target: Target, deployment: Deployment) -> Iterator[str]:
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


def _provider(target: Target, deployment: Deployment) -> Iterator[str]:
    """GitHub's identity provider, which a set-up leaves: other roles may trust it."""
    arn = github_provider(target)
    if arn:
        yield (
            f"kept identity provider {arn} in {deployment.place.account}, free of charge; if no "
            "other role trusts it: aws iam delete-open-id-connect-provider "
            f"--open-id-connect-provider-arn {arn}"
        )
