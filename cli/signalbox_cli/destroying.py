"""Taking an environment away: what runs created first, then the stack, then what it retains.

Order: what still runs, alarms, endpoints, their configurations, models, model versions and groups,
all versions of all objects, the CloudFormation stack, the buckets, which the stack retains, and log
groups that services made. The key is retained too; it is scheduled for deletion only where that is
asked for. Every step can be repeated, and goes on where an earlier one was interrupted.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from signalbox_cli.endpoint_changes import is_deletable
from signalbox_cli.errors import CommandError, NotFoundError
from signalbox_cli.leftovers import is_endpoint_of, is_group_of, log_groups, sam_bucket
from signalbox_cli.models import groups
from signalbox_cli.runs import FINISHED
from signalbox_cli.target import Target

_BATCH = 1000  # DeleteObjects takes at most 1,000 keys.
_KEYS = 500
_ALARMS = 100  # DescribeAlarms and DeleteAlarms take at most 100 names.
_SCALED = "sagemaker:variant:DesiredInstanceCount"
_LONGEST_S = 3600
_BUCKETS = ("source", "artifacts", "workflow")
# The names that the machines give: <prefix>-<step>-<run id>-<attempt>-<retry>.
_OF_A_RUN = r"\d{6}-\d{6}-[0-9a-z]{6}-\d+-\d+"


@dataclass(frozen=True)
class Doomed:
    """What will be deleted, by name."""

    alarms: tuple[str, ...]
    endpoints: tuple[str, ...]
    configurations: tuple[str, ...]
    models: tuple[str, ...]
    groups: tuple[str, ...]
    buckets: tuple[str, ...]
    key_arn: str

    def lines(self) -> list[str]:
        """The names, one kind in a line; kinds that have none are left out."""
        kinds = vars(self).items()
        named = {kind: names for kind, names in kinds if isinstance(names, tuple) and names}
        return [f"{kind}: {', '.join(names)}" for kind, names in named.items()]


def survey(target: Target) -> Doomed:
    """What there is of an environment, also of one whose stack is gone already."""
    run = re.compile(rf"{re.escape(target.prefix)}-(model|config|shadow)-{_OF_A_RUN}")
    named = _named(target, "list_endpoints", "Endpoints", "Endpoint")
    endpoints = tuple(name for name in named if is_endpoint_of(target, name))
    known_groups = tuple(name for name in groups(target) if is_group_of(target, name))
    configurations = _named(target, "list_endpoint_configs", "EndpointConfigs", "EndpointConfig")
    models = _named(target, "list_models", "Models", "Model")
    return Doomed(
        # An endpoint has the name of its group, and its alarms may have outlived it.
        alarms=tuple(_alarms(target, {*endpoints, *known_groups})),
        endpoints=endpoints,
        configurations=tuple(name for name in configurations if run.fullmatch(name)),
        models=tuple(name for name in models if run.fullmatch(name)),
        groups=known_groups,
        buckets=tuple(_buckets(target)),
        key_arn=_key_arn(target),
    )


def _alarms(target: Target, endpoints: set[str]) -> Iterator[str]:
    """The alarms that roll back updates of these endpoints, by their exact names."""
    names = [
        f"{endpoint}{variant}-{kind}"
        for endpoint in sorted(endpoints)
        for variant in ("", "-shadow")
        for kind in ("errors", "latency")
    ]
    client = target.client("cloudwatch")
    for start in range(0, len(names), _ALARMS):
        found = client.describe_alarms(AlarmNames=names[start : start + _ALARMS])
        yield from (str(alarm["AlarmName"]) for alarm in found["MetricAlarms"])


def _named(target: Target, operation: str, items: str, kind: str) -> Iterator[str]:
    pages = target.client("sagemaker").get_paginator(operation).paginate(NameContains=target.prefix)
    names = (str(item[f"{kind}Name"]) for page in pages for item in page[items])
    return (name for name in names if name.startswith(f"{target.prefix}-"))


def _buckets(target: Target) -> Iterator[str]:
    """The template's three, by their exact names: another app's name may begin the same way."""
    account = target.client("sts").get_caller_identity()["Account"]
    region = target.client("s3").meta.region_name
    wanted = {f"{target.prefix}-{kind}-{account}-{region}" for kind in _BUCKETS}
    listed = (str(b["Name"]) for b in target.client("s3").list_buckets()["Buckets"])
    return (name for name in listed if name in wanted)


def _key_arn(target: Target) -> str:
    name = f"/{target.app}/{target.environment}/kms-key-arn"
    found = target.client("ssm").get_parameters(Names=[name])["Parameters"]
    return str(found[0]["Value"]) if found else _retained_key(target)


def _retained_key(target: Target) -> str:
    """The key of an environment whose stack is gone, by the template's description of it."""
    client = target.client("kms")
    pages = client.get_paginator("list_keys").paginate(PaginationConfig={"MaxItems": _KEYS})
    for key in (one for page in pages for one in page["Keys"]):
        about = client.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if (
            about.get("Description") == f"Everything that {target.prefix} stores"
            and about["KeyState"] != "PendingDeletion"
        ):
            return str(about["Arn"])
    return ""


def stop_runs(target: Target) -> Iterator[str]:
    """Stop executions that still go on, and with them their jobs; say each."""
    try:
        wiring = target.wiring()
    except NotFoundError:
        return
    pipeline, machines = target.client("codepipeline"), target.client("stepfunctions")
    summaries = pipeline.list_pipeline_executions(pipelineName=wiring.pipeline, maxResults=100)
    for summary in summaries["pipelineExecutionSummaries"]:
        if summary["status"] not in FINISHED:
            pipeline.stop_pipeline_execution(
                pipelineName=wiring.pipeline,
                pipelineExecutionId=summary["pipelineExecutionId"],
                abandon=True,
                reason="the environment is destroyed",
            )
            yield f"run {summary['pipelineExecutionId']}"
    machines_of_it = (
        wiring.training_machine_arn,
        wiring.inference_machine_arn,
        wiring.promotion_machine_arn,
    )
    for machine in filter(None, machines_of_it):
        running = machines.list_executions(stateMachineArn=machine, statusFilter="RUNNING")
        for execution in running["executions"]:
            machines.stop_execution(executionArn=execution["executionArn"])
            yield f"execution {execution['name']}"


def remove_serving(target: Target, doomed: Doomed) -> Iterator[str]:
    """Delete endpoints, endpoint configurations and models of the environment; say each."""
    client = target.client("sagemaker")
    for name in doomed.alarms:
        target.client("cloudwatch").delete_alarms(AlarmNames=[name])
        yield f"alarm {name}"
    for name in doomed.endpoints:
        yield from _stop_scaling(target, name)
        if is_deletable(target, name, _LONGEST_S):
            client.delete_endpoint(EndpointName=name)
            yield f"endpoint {name}"
    for name in doomed.configurations:
        client.delete_endpoint_config(EndpointConfigName=name)
        yield f"endpoint configuration {name}"
    for name in doomed.models:
        client.delete_model(ModelName=name)
        yield f"model {name}"


def _stop_scaling(target: Target, endpoint: str) -> Iterator[str]:
    """Deregister what scales an endpoint, and with it the alarms of its policies."""
    client, place = target.client("application-autoscaling"), f"endpoint/{endpoint}/variant/primary"
    found = client.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[place])
    for scaled in found["ScalableTargets"]:
        client.deregister_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=scaled["ResourceId"],
            ScalableDimension=_SCALED,
        )
        yield f"scaling of {endpoint}"


def remove_registry(target: Target, doomed: Doomed) -> Iterator[str]:
    """Delete every model version and group of the environment; say each."""
    client = target.client("sagemaker")
    for group in doomed.groups:
        pages = client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
        arns = [s["ModelPackageArn"] for page in pages for s in page["ModelPackageSummaryList"]]
        for arn in arns:
            client.delete_model_package(ModelPackageName=arn)
        client.delete_model_package_group(ModelPackageGroupName=group)
        yield f"model package group {group} with {len(arns)} versions"


def empty_buckets(target: Target, doomed: Doomed) -> Iterator[str]:
    """Delete all versions of all objects in the environment's buckets; say how many."""
    for bucket in doomed.buckets:
        yield f"{delete_versions(target, bucket)} object versions in {bucket}"


def remove_packages(target: Target, doomed: Doomed) -> Iterator[str]:
    """Delete what `sam deploy` has uploaded for the environment; the bucket is shared and stays."""
    del doomed
    bucket, folder = sam_bucket(target), f"{target.prefix}/"
    if bucket and (count := delete_versions(target, bucket, folder)):
        yield f"{count} packages in s3://{bucket}/{folder}"


def delete_versions(target: Target, bucket: str, folder: str = "") -> int:
    """Delete all versions of all objects in a bucket, and say how many there were."""
    client, deleted = target.client("s3"), 0
    pages = client.get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=bucket, Prefix=folder):
        entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        deleted += _delete(client, bucket, entries)
    return deleted


def _delete(client: Any, bucket: str, entries: list[dict[str, Any]]) -> int:
    for start in range(0, len(entries), _BATCH):
        batch = entries[start : start + _BATCH]
        keys = [{"Key": e["Key"], "VersionId": e["VersionId"]} for e in batch]
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        for failure in answer.get("Errors", []):
            raise ClientError({"Error": failure}, "DeleteObjects")
    return len(entries)


def remove_stack(target: Target, doomed: Doomed) -> Iterator[str]:
    """Delete the CloudFormation stack, wait until it is gone, then the buckets it retains."""
    client = target.client("cloudformation")
    client.delete_stack(StackName=target.prefix)
    try:
        client.get_waiter("stack_delete_complete").wait(
            StackName=target.prefix, WaiterConfig={"Delay": 1 if target.endpoint_url else 30}
        )
    except WaiterError as fault:
        raise CommandError(
            f"stack {target.prefix} could not be deleted: {fault}. "
            f"`aws cloudformation describe-stack-events --stack-name {target.prefix}` says "
            "why; run this again afterwards"
        ) from None
    yield f"stack {target.prefix}"
    yield from empty_buckets(target, doomed)  # what the pipeline wrote while it was stopped
    for bucket in doomed.buckets:
        target.client("s3").delete_bucket(Bucket=bucket)
        yield f"bucket {bucket}"


def remove_logs(target: Target, doomed: Doomed) -> Iterator[str]:
    """Delete the log groups of the environment's own, which services make beside the stack's."""
    del doomed
    for name in list(log_groups(target)):
        target.client("logs").delete_log_group(logGroupName=name)
        yield f"log group {name}"


def schedule_key_deletion(target: Target, key_arn: str) -> str:
    """Have the key deleted in 30 days, in which it costs nothing and can be taken back."""
    client = target.client("kms")
    state = client.describe_key(KeyId=key_arn)["KeyMetadata"]["KeyState"]
    if state != "PendingDeletion":
        client.schedule_key_deletion(KeyId=key_arn.rpartition("/")[2], PendingWindowInDays=30)
    return f"key {key_arn}, in 30 days"
