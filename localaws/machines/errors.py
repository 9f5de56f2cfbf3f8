"""How a refused or failed call of a task is named, for the history and for Retry and Catch.

Names follow AWS's SDK for Java, which Step Functions is built on: a modelled error keeps its name,
any other carries the name of the service's base class (`SageMaker.AmazonSageMakerException`), with
the service's own code in the cause.
"""

from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from localaws.errors import AccessDeniedByLocalAws, LocalAwsError
from localaws.moto_seams import machines as seams


class TaskRoleNotAssumed(LocalAwsError):
    """The machine's role may not assume the role that a task's Credentials name."""

    def __init__(self, machine_role_arn: str, role_arn: str) -> None:
        super().__init__(
            f"The role {machine_role_arn} is not authorized to assume the task state's role, "
            f"{role_arn}."
        )


# Optimised integrations: prefix of error names, base class and service name in causes.
_OPTIMISED = {
    "lambda": ("Lambda", "AWSLambdaException", "AWSLambda"),
    "sagemaker": ("SageMaker", "AmazonSageMakerException", "AmazonSageMaker"),
    "states": ("StepFunctions", "AWSStepFunctionsException", "AWSStepFunctions"),
    "sns": ("SNS", "AmazonSNSException", "AmazonSNS"),
    "sqs": ("SQS", "AmazonSQSException", "AmazonSQS"),
    "events": ("EventBridge", "AmazonEventBridgeException", "AmazonEventBridge"),
    "dynamodb": ("DynamoDB", "AmazonDynamoDBException", "AmazonDynamoDBv2"),
}
# `aws-sdk` integrations: prefix of error names.
_SDK_NAMES = {
    "s3": "S3",
    "ssm": "Ssm",
    "sts": "Sts",
    "sns": "Sns",
    "sqs": "Sqs",
    "kms": "Kms",
    "sagemaker": "SageMaker",
    "sagemakerruntime": "SageMakerRuntime",
    "lambda": "Lambda",
    "codepipeline": "CodePipeline",
    "cloudwatch": "CloudWatch",
    "cloudwatchlogs": "CloudWatchLogs",
    "eventbridge": "EventBridge",
    "iam": "Iam",
    "sfn": "Sfn",
    "dynamodb": "DynamoDb",
    "ec2": "Ec2",
}


def error_name(resource_service: str, api: str, code: str, *, modelled: bool) -> str:
    """The error as `ErrorEquals` must name it."""
    if resource_service == "aws-sdk":
        prefix = _SDK_NAMES.get(api.lower(), api[:1].upper() + api[1:])
        base = f"{prefix}Exception"
    else:
        prefix, base, _ = _OPTIMISED.get(resource_service, (api, f"{api}Exception", api))
    if not modelled:
        return f"{prefix}.{base}"
    return f"{prefix}.{code}" if code.endswith("Exception") else f"{prefix}.{code}Exception"


def _cause(error: ClientError, service_name: str, *, sdk: bool) -> str:
    about, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    status, request = meta.get("HTTPStatusCode", 400), meta.get("RequestId", "")
    if sdk:
        facts = f"Service: {service_name}, Status Code: {status}, Request ID: {request}"
    else:
        facts = (
            f"Service: {service_name}; Status Code: {status}; Error Code: {about.get('Code')}; "
            f"Request ID: {request}; Proxy: null"
        )
    return f"{about.get('Message', '')} ({facts})"


def _error_and_cause(task: Any, error: ClientError) -> tuple[str, str]:
    sdk = getattr(task.resource, "service_name", "lambda") == "aws-sdk"
    service = "aws-sdk" if sdk else getattr(task.resource, "service_name", "lambda")
    api = getattr(task.resource, "api_name", "lambda")
    code = str(error.response.get("Error", {}).get("Code", ""))
    modelled = type(error) is not ClientError
    if modelled:
        code = type(error).__name__
    name = error_name(service, api, code, modelled=modelled)
    said_by = _SDK_NAMES.get(api.lower(), api) if sdk else _OPTIMISED.get(service, ("", "", api))[2]
    return name, _cause(error, said_by, sdk=sdk)


def _denied(task: Any, error: AccessDeniedByLocalAws) -> tuple[str, str]:
    return "States.TaskFailed", f"{error} (while assuming the role of {task.name})"


def name_errors(task_type: Any) -> None:
    """Let a kind of task fail with AWS's names when its call is refused."""
    original = task_type._from_error

    def from_error(task: Any, env: Any, ex: Exception) -> Any:
        if isinstance(ex, ClientError):
            return failure_event(task, env, *_error_and_cause(task, ex))
        if isinstance(ex, ParamValidationError):
            text = str(ex.kwargs.get("report", ex))
            return failure_event(task, env, "States.Runtime", _not_startable(text))
        if isinstance(ex, TaskRoleNotAssumed):
            return failure_event(task, env, "States.TaskFailed", str(ex))
        if isinstance(ex, AccessDeniedByLocalAws):
            return failure_event(task, env, *_denied(task, ex))
        return original(task, env, ex)

    seams.rebind(task_type, "_from_error", from_error)


def _not_startable(report: str) -> str:
    return f"The Parameters could not be used to start the Task: [{report}]"


def failure_event(task: Any, env: Any, error: str, cause: str) -> Any:
    """A failed task, for the history and for Retry and Catch."""
    plain_function = isinstance(task, seams.StateTaskLambda)
    details: dict[str, Any] = {"error": error, "cause": cause}
    if not plain_function:
        details["resource"] = task._get_sfn_resource()
        details["resourceType"] = task._get_sfn_resource_type()
    kind = "LambdaFunctionFailed" if plain_function else "TaskFailed"
    key = "lambdaFunctionFailedEventDetails" if plain_function else "taskFailedEventDetails"
    return seams.FailureEvent(
        env=env,
        error_name=_named(error),
        event_type=getattr(seams.api.HistoryEventType, kind),
        event_details={key: details},
    )


def _named(error: str) -> Any:
    if not error.startswith("States."):
        return seams.CustomErrorName(error)
    kinds = {kind.to_name(): kind for kind in seams.StatesErrorNameType}
    return seams.StatesErrorName(typ=kinds[error])
