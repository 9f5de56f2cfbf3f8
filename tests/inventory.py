"""What an account holds, asked of each service itself: to compare with what the command says."""

from collections.abc import Callable, Mapping
from typing import Any

LISTS: Mapping[str, Callable[[Any], list[str]]] = {
    "s3": lambda c: [b["Name"] for b in c.list_buckets()["Buckets"]],
    "lambda": lambda c: [f["FunctionName"] for f in c.list_functions()["Functions"]],
    "codedeploy": lambda c: c.list_applications()["applications"],
    "stepfunctions": lambda c: [m["name"] for m in c.list_state_machines()["stateMachines"]],
    "codepipeline": lambda c: [p["name"] for p in c.list_pipelines()["pipelines"]],
    "events": lambda c: [r["Name"] for r in c.list_rules()["Rules"]],
    "sns": lambda c: [t["TopicArn"].rpartition(":")[2] for t in c.list_topics()["Topics"]],
    "sqs": lambda c: [u.rpartition("/")[2] for u in c.list_queues().get("QueueUrls", [])],
    "ssm": lambda c: [p["Name"] for p in c.describe_parameters()["Parameters"]],
    "iam": lambda c: [r["RoleName"] for r in c.list_roles()["Roles"]],
    "kms": lambda c: [a["AliasName"] for a in c.list_aliases()["Aliases"] if "TargetKeyId" in a],
    "logs": lambda c: [g["logGroupName"] for g in c.describe_log_groups()["logGroups"]],
    "secretsmanager": lambda c: [s["Name"] for s in c.list_secrets()["SecretList"]],
    "cloudwatch": lambda c: [a["AlarmName"] for a in c.describe_alarms()["MetricAlarms"]],
}
"""Names of what an account has, by service; each holds something of a deployed environment."""

SAGEMAKER: Mapping[str, Callable[[Any], list[Any]]] = {
    "endpoints": lambda c: c.list_endpoints()["Endpoints"],
    "endpoint configurations": lambda c: c.list_endpoint_configs()["EndpointConfigs"],
    "models": lambda c: c.list_models()["Models"],
    "groups": lambda c: c.list_model_package_groups()["ModelPackageGroupSummaryList"],
    "processing jobs": lambda c: c.list_processing_jobs()["ProcessingJobSummaries"],
    "training jobs": lambda c: c.list_training_jobs()["TrainingJobSummaries"],
}

MORE: Mapping[tuple[str, str], Callable[[Any], list[str]]] = {
    ("lambda", "layers"): lambda c: [o["LayerName"] for o in c.list_layers()["Layers"]],
    ("iam", "policies"): lambda c: [
        o["PolicyName"] for o in c.list_policies(Scope="Local")["Policies"]
    ],
    ("codebuild", "projects"): lambda c: c.list_projects()["projects"],
    ("codedeploy", "applications"): lambda c: c.list_applications()["applications"],
    ("scheduler", "schedules"): lambda c: [o["Name"] for o in c.list_schedules()["Schedules"]],
    ("cloudformation", "stacks"): lambda c: [o["StackName"] for o in c.describe_stacks()["Stacks"]],
    ("sagemaker", "endpoints"): lambda c: [
        o["EndpointName"] for o in c.list_endpoints()["Endpoints"]
    ],
    ("sagemaker", "configurations"): lambda c: [
        o["EndpointConfigName"] for o in c.list_endpoint_configs()["EndpointConfigs"]
    ],
    ("sagemaker", "models"): lambda c: [o["ModelName"] for o in c.list_models()["Models"]],
    ("sagemaker", "groups"): lambda c: [
        o["ModelPackageGroupName"]
        for o in c.list_model_package_groups()["ModelPackageGroupSummaryList"]
    ],
}


def names(client: Callable[[str], Any]) -> set[tuple[str, str]]:
    """(service or kind, name) of everything that the account holds, jobs that ended excepted."""
    found = {(kind, name) for kind, listed in LISTS.items() for name in listed(client(kind))}
    for (service, kind), listed in MORE.items():
        found |= {(kind, name) for name in listed(client(service))}
    return found
