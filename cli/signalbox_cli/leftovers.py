"""What of an environment is still there once it was destroyed, and what of that costs money.

Looked for by name in every service that Signalbox uses, and, for endpoints, by what they run: an
endpoint made by hand from the environment's model, role or data bills as well under any name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from signalbox_cli import bills, prices
from signalbox_cli import leftover_remedies as remedies
from signalbox_cli.options import ENVIRONMENTS
from signalbox_cli.target import Target

_MOST_ENDPOINTS = 500
_SAM_STACK = "aws-sam-cli-managed-default"
_USD_PER_LOG_GB_MONTH = 0.03


@dataclass(frozen=True)
class Leftover:
    """One thing that is still there."""

    kind: str
    name: str
    remedy: str
    usd_per_month: float | None = 0.0
    """0 for what costs nothing while nobody uses it, None where the price is not known."""
    why: str = ""

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        usd = None if self.usd_per_month is None else round(self.usd_per_month, 4)
        return {
            "kind": self.kind,
            "name": self.name,
            "usdPerMonth": usd,
            "why": self.why or None,
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class _Listing:
    """How one kind of thing is listed, and the command that deletes one."""

    kind: str
    service: str
    operation: str
    items: str
    name: str
    delete: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    usd: float = 0.0


_RUNNING = {"StatusEquals": "InProgress"}
_LISTINGS = (
    _Listing("endpoint configuration", "sagemaker", "list_endpoint_configs", "EndpointConfigs",
             "EndpointConfigName", "sagemaker delete-endpoint-config --endpoint-config-name"),
    _Listing("model", "sagemaker", "list_models", "Models", "ModelName",
             "sagemaker delete-model --model-name"),
    _Listing("model package group", "sagemaker", "list_model_package_groups",
             "ModelPackageGroupSummaryList", "ModelPackageGroupName",
             "sagemaker delete-model-package-group --model-package-group-name"),
    _Listing("processing job", "sagemaker", "list_processing_jobs", "ProcessingJobSummaries",
             "ProcessingJobName", "sagemaker stop-processing-job --processing-job-name", _RUNNING),
    _Listing("training job", "sagemaker", "list_training_jobs", "TrainingJobSummaries",
             "TrainingJobName", "sagemaker stop-training-job --training-job-name", _RUNNING),
    _Listing("transform job", "sagemaker", "list_transform_jobs", "TransformJobSummaries",
             "TransformJobName", "sagemaker stop-transform-job --transform-job-name", _RUNNING),
    _Listing("function", "lambda", "list_functions", "Functions", "FunctionName",
             "lambda delete-function --function-name"),
    _Listing("deployment application", "codedeploy", "list_applications", "applications", "",
             "deploy delete-application --application-name"),
    _Listing("layer", "lambda", "list_layers", "Layers", "LayerName",
             "lambda delete-layer-version --layer-name"),
    _Listing("state machine", "stepfunctions", "list_state_machines", "stateMachines",
             "stateMachineArn",
             "stepfunctions delete-state-machine --state-machine-arn"),
    _Listing("pipeline", "codepipeline", "list_pipelines", "pipelines", "name",
             "codepipeline delete-pipeline --name"),
    _Listing("rule", "events", "list_rules", "Rules", "Name", "events delete-rule --name"),
    _Listing("schedule", "scheduler", "list_schedules", "Schedules", "Name",
             "scheduler delete-schedule --name"),
    _Listing("topic", "sns", "list_topics", "Topics", "TopicArn", "sns delete-topic --topic-arn"),
    _Listing("queue", "sqs", "list_queues", "QueueUrls", "", "sqs delete-queue --queue-url"),
    _Listing("role", "iam", "list_roles", "Roles", "RoleName", "iam delete-role --role-name"),
    _Listing("policy", "iam", "list_policies", "Policies", "Arn", "iam delete-policy --policy-arn",
             {"Scope": "Local"}),
    _Listing("key alias", "kms", "list_aliases", "Aliases", "AliasName",
             "kms delete-alias --alias-name"),
    _Listing("build project", "codebuild", "list_projects", "projects", "",
             "codebuild delete-project --name"),
    _Listing("secret", "secretsmanager", "list_secrets", "SecretList", "Name",
             "secretsmanager delete-secret --secret-id", usd=prices.USD_PER_SECRET_MONTH),
    _Listing("alarm", "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName",
             "cloudwatch delete-alarms --alarm-names", usd=prices.USD_PER_ALARM_MONTH),
    _Listing("bucket", "s3", "list_buckets", "Buckets", "Name", "s3 rb"),
)  # fmt: skip


def leftovers(target: Target) -> Iterator[Leftover]:
    """Everything of the environment that is still there, what bills by the hour first."""
    spared = _account_set_up(target)
    yield from _endpoints(target)
    for listing in _LISTINGS:
        for name in _listed(target, listing):
            last = _short(name)
            if last not in spared and (last == target.prefix or _is_ours(target, last)):
                plain = f"aws {listing.delete} {name}"
                remedy = remedies.of(target, listing.kind, name) or plain
                yield Leftover(listing.kind, last, remedy, listing.usd)
    yield from _made_by_hand(target)
    yield from _log_groups(target)
    yield from _parameters(target)
    yield from _stacks(target)
    yield from _packages(target)


def _made_by_hand(target: Target) -> Iterator[Leftover]:
    """Models and endpoint configurations of other names that use what is the environment's."""
    client = target.client("sagemaker")
    limit = {"PaginationConfig": {"MaxItems": _MOST_ENDPOINTS}}
    for page in client.get_paginator("list_endpoint_configs").paginate(**limit):
        for name in (one["EndpointConfigName"] for one in page["EndpointConfigs"]):
            why = "" if _is_ours(target, name) else _what_the_configuration_runs(target, name)
            if why:
                remedy = f"aws sagemaker delete-endpoint-config --endpoint-config-name {name}"
                yield Leftover("endpoint configuration", name, remedy, why=why)
    for page in client.get_paginator("list_models").paginate(**limit):
        for name in (one["ModelName"] for one in page["Models"]):
            why = "" if _is_ours(target, name) else _what_the_model_uses(target, name)
            if why:
                remedy = f"aws sagemaker delete-model --model-name {name}"
                yield Leftover("model", name, remedy, why=why)


def _listed(target: Target, listing: _Listing) -> Iterator[str]:
    client = target.client(listing.service)
    if client.can_paginate(listing.operation):
        pages = client.get_paginator(listing.operation).paginate(**listing.arguments)
    else:
        pages = [getattr(client, listing.operation)(**listing.arguments)]
    for item in (item for page in pages for item in page.get(listing.items) or []):
        yield str(item[listing.name]) if listing.name else str(item)


def _short(name: str) -> str:
    """A name without what an ARN or an address puts before it."""
    return name.rpartition("/")[2].rpartition(":")[2]


def _is_ours(target: Target, name: str) -> bool:
    """Whether a name is of this environment, and not of an app that is called as it is."""
    if not name.startswith(f"{target.prefix}-"):
        return False
    rest = name.removeprefix(f"{target.prefix}-")
    return not any(rest.startswith(f"{other}-") for other in ENVIRONMENTS)


def _account_set_up(target: Target) -> frozenset[str]:
    """Names that belong to the account's own stack, which a destroyed environment leaves."""
    client = target.client("cloudformation")
    try:
        pages = client.get_paginator("list_stack_resources").paginate(
            StackName=f"{target.prefix}-account"
        )
        return frozenset(
            _short(one.get("PhysicalResourceId", ""))
            for page in pages
            for one in page["StackResourceSummaries"]
        )
    except ClientError as fault:
        if "does not exist" in str(fault):
            return frozenset()
        raise


def _endpoints(target: Target) -> Iterator[Leftover]:
    client = target.client("sagemaker")
    pages = client.get_paginator("list_endpoints").paginate(
        PaginationConfig={"MaxItems": _MOST_ENDPOINTS}
    )
    for name in (one["EndpointName"] for page in pages for one in page["Endpoints"]):
        why = why_ours(target, name)
        if why:
            item = _price(target, name)
            yield Leftover(
                "endpoint",
                name,
                f"aws sagemaker delete-endpoint --endpoint-name {name}",
                item,
                why,
            )


def why_ours(target: Target, endpoint: str) -> str:
    """Why an endpoint is of this environment; "" when it is not."""
    if _is_ours(target, endpoint):
        return "by its name"
    return _what_it_uses(target, endpoint)


def is_endpoint_of(target: Target, name: str) -> bool:
    """Whether an endpoint called like this environment's is one: it may be of another app.

    An app may be called signalbox-dev, and its prod is signalbox-dev-prod; and a workload of dev
    may be called prod-forecast. What the endpoint runs tells them apart.
    """
    return bool(why_ours(target, name))


def is_group_of(target: Target, name: str) -> bool:
    """The same for a model package group, by where its newest version's model lies."""
    if _is_ours(target, name):
        return True
    client = target.client("sagemaker")
    newest = client.list_model_packages(
        ModelPackageGroupName=name, SortBy="CreationTime", SortOrder="Descending", MaxResults=1
    )["ModelPackageSummaryList"]
    if not newest:
        return False
    found = client.describe_model_package(ModelPackageName=newest[0]["ModelPackageArn"])
    containers = found.get("InferenceSpecification", {}).get("Containers", [])
    buckets = (str(one.get("ModelDataUrl", "")).split("/")[2:3] for one in containers)
    return any(_is_ours(target, bucket[0]) for bucket in buckets if bucket)


def _what_it_uses(target: Target, name: str) -> str:
    """What of the environment an endpoint with another name runs on; "" for nothing."""
    client = target.client("sagemaker")
    found = _unless_gone(lambda: client.describe_endpoint(EndpointName=name))
    return _what_the_configuration_runs(target, found["EndpointConfigName"]) if found else ""


def _what_the_configuration_runs(target: Target, name: str) -> str:
    client = target.client("sagemaker")
    config = _unless_gone(lambda: client.describe_endpoint_config(EndpointConfigName=name))
    kinds = ("ProductionVariants", "ShadowProductionVariants")
    variants = [one for kind in kinds for one in (config or {}).get(kind, [])]
    for model_name in (one["ModelName"] for one in variants if "ModelName" in one):
        if _is_ours(target, model_name):
            return f"it runs the model {model_name}"
        why = _what_the_model_uses(target, model_name)
        if why:
            return why
    return ""


def _what_the_model_uses(target: Target, name: str) -> str:
    found = _unless_gone(lambda: target.client("sagemaker").describe_model(ModelName=name))
    role = _short((found or {}).get("ExecutionRoleArn", ""))
    if _is_ours(target, role):
        return f"it runs under the role {role}"
    containers = [(found or {}).get("PrimaryContainer", {}), *(found or {}).get("Containers", [])]
    for container in containers:
        bucket = str(container.get("ModelDataUrl", "")).removeprefix("s3://").partition("/")[0]
        package = str(container.get("ModelPackageName", ""))
        group = package.partition(":model-package/")[2].partition("/")[0]
        if _is_ours(target, bucket) or _is_ours(target, group):
            return f"its model comes from {group or bucket}"
    return ""


def _unless_gone(describe: Any) -> Any:
    try:
        return describe()
    except ClientError as fault:
        # SageMaker says ValidationException, "Could not find", for what is not there.
        if "could not find" in str(fault).lower():
            return None
        raise


def _price(target: Target, name: str) -> float | None:
    found = _unless_gone(lambda: bills.endpoint(target, name))
    return found.usd if found is not None else None


def _log_groups(target: Target) -> Iterator[Leftover]:
    for name, stored_bytes in _stored_logs(target):
        usd = stored_bytes / 1e9 * _USD_PER_LOG_GB_MONTH
        remedy = f"aws logs delete-log-group --log-group-name {name}"
        yield Leftover("log group", name, remedy, usd)


def log_groups(target: Target) -> Iterator[str]:
    """Names of the log groups that nobody but this environment writes to."""
    return (name for name, _ in _stored_logs(target))


def _stored_logs(target: Target) -> Iterator[tuple[str, int]]:
    """Log groups of the environment's own, and the bytes in each.

    Those of SageMaker's jobs are shared by all of an account and region.
    """
    pages = target.client("logs").get_paginator("describe_log_groups")
    for folder in ("/aws/lambda/", "/aws/vendedlogs/states/", "/aws/sagemaker/Endpoints/"):
        for page in pages.paginate(logGroupNamePrefix=f"{folder}{target.prefix}-"):
            for one in page["logGroups"]:
                if _is_ours(target, _short(one["logGroupName"])):
                    yield one["logGroupName"], int(one.get("storedBytes", 0))


def _parameters(target: Target) -> Iterator[Leftover]:
    path = f"/{target.app}/{target.environment}"
    pages = target.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=path)
    for name in (one["Name"] for page in pages for one in page["Parameters"]):
        yield Leftover("parameter", name, f"aws ssm delete-parameter --name {name}")


def _stacks(target: Target) -> Iterator[Leftover]:
    """The environment's own stack, and those beside it: projects, network; not the set-up."""
    pages = target.client("cloudformation").get_paginator("describe_stacks").paginate()
    for stack in (one for page in pages for one in page["Stacks"]):
        name = stack["StackName"]
        is_ours = name == target.prefix or _is_ours(target, name)
        if is_ours and name != f"{target.prefix}-account":
            remedy = f"aws cloudformation delete-stack --stack-name {name}"
            usd = 0.0 if name == target.prefix else None
            yield Leftover("stack", name, remedy, usd, why=stack["StackStatus"])


def _packages(target: Target) -> Iterator[Leftover]:
    """What `sam deploy` has uploaded for the environment, in a bucket that all stacks share."""
    bucket, folder = sam_bucket(target), f"{target.prefix}/"
    if bucket:
        client = target.client("s3")
        found = client.list_object_versions(Bucket=bucket, Prefix=folder, MaxKeys=1)
        if found.get("Versions") or found.get("DeleteMarkers"):
            remedy = f"signalbox destroy -e {target.environment} --verify"
            yield Leftover("packages", f"s3://{bucket}/{folder}", remedy, usd_per_month=None)


def sam_bucket(target: Target) -> str:
    """The bucket that aws-sam-cli keeps in this region (`resolve_s3`), "" when there is none."""
    client = target.client("cloudformation")
    try:
        found = client.describe_stacks(StackName=_SAM_STACK)["Stacks"]
    except ClientError as fault:
        if "does not exist" in str(fault):
            return ""
        raise
    outputs = (one for stack in found for one in stack.get("Outputs", []))
    return next((o["OutputValue"] for o in outputs if o["OutputKey"] == "SourceBucket"), "")
