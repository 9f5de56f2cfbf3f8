"""How a Task state calls AWS: as whom, in which letter case, and how a refusal is named.

Every call goes over HTTP with the credentials of the machine's role, so that the laptop's IAM
decides it. Step Functions writes every member in PascalCase while the services differ; requests
and results are walked along botocore's shapes to translate. Names of errors follow AWS's SDK for
Java, which Step Functions is built on: a modelled error keeps its name, any other carries the name
of the service's base class (`SageMaker.AmazonSageMakerException`), with the code in the cause.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError

from localaws import clients
from localaws import moto_seams_machines as seams
from localaws.errors import AccessDeniedByLocalAws, UnsupportedByLocalAws

PRINCIPAL = "states.amazonaws.com"
SESSION_NAME = "StepFunctionsExecution"

# Step Functions' names of services (SDK for Java 2) that differ from botocore's.
_BOTO_NAMES = {
    "states": "stepfunctions",
    "sfn": "stepfunctions",
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "sagemakerruntime": "sagemaker-runtime",
}
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


class MachineCredentials(seams.StateCredentials):  # type: ignore[misc]
    """The role of a machine, and the machine for which it is assumed."""

    def __init__(self, role_arn: str, machine_arn: str) -> None:
        super().__init__(role_arn=role_arn)
        self.machine_arn = machine_arn


def machine_client(service: str, *, role_arn: str, machine_arn: str, region: str) -> Any:
    """A client that is the machine's role, assumed by Step Functions on the machine's behalf."""
    return clients.client_as(
        role_arn,
        PRINCIPAL,
        service,
        region=region,
        session_name=SESSION_NAME,
        source_arn=machine_arn,
    )


def client_for(region: str, service: str, state_credentials: Any) -> Any:
    """What the interpreter asks for before each call of a task."""
    return machine_client(
        service,
        role_arn=state_credentials.role_arn,
        machine_arn=state_credentials.machine_arn,
        region=region,
    )


def machine_arn_of(env: Any) -> str:
    """The machine that an environment executes."""
    return str(env.states.context_object.context_object_data["StateMachine"]["Id"])


def execution_arn_of(env: Any) -> str:
    """The execution that an environment belongs to."""
    return str(env.states.context_object.context_object_data["Execution"]["Id"])


def boto_service(name: str) -> str:
    """botocore's name of a service as a Resource spells it."""
    return _BOTO_NAMES.get(name.lower(), name.lower())


@lru_cache(maxsize=64)
def service_model(service: str) -> Any:
    """botocore's description of a service; `UnknownServiceError` if there is none."""
    return clients.developer_client(service).meta.service_model


@lru_cache(maxsize=512)
def operation_model(service: str, action: str) -> Any | None:
    """botocore's description of `action` in whatever case, None if the service has none."""
    model = service_model(service)
    names = {name.lower(): name for name in model.operation_names}
    found = names.get(action.lower())
    return model.operation_model(found) if found else None


def to_request(value: Any, shape: Any) -> Any:
    """A task's parameters as botocore wants them."""
    if shape is None:
        return value
    convert = _REQUESTS.get(shape.type_name)
    return convert(value, shape) if convert else value


def _request_structure(value: Any, shape: Any) -> Any:
    if not isinstance(value, dict):
        return value
    members = {name.lower(): name for name in shape.members}
    named = {key: members.get(key.lower(), key) for key in value}
    return {
        named[key]: to_request(item, shape.members.get(named[key])) for key, item in value.items()
    }


def _request_list(value: Any, shape: Any) -> Any:
    return [to_request(item, shape.member) for item in value] if isinstance(value, list) else value


def _request_map(value: Any, shape: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: to_request(item, shape.value) for key, item in value.items()}


def _request_text(value: Any, _shape: Any) -> Any:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _request_blob(value: Any, shape: Any) -> Any:
    return value if isinstance(value, bytes) else str(_request_text(value, shape)).encode()


_REQUESTS: Mapping[str, Callable[[Any, Any], Any]] = {
    "structure": _request_structure,
    "list": _request_list,
    "map": _request_map,
    "string": _request_text,
    "blob": _request_blob,
}


def to_result(value: Any, *, when: Callable[[datetime], Any]) -> Any:
    """A service's answer as a state sees it: plain JSON, members in PascalCase."""
    if isinstance(value, dict):
        return {_pascal(key): to_result(item, when=when) for key, item in value.items()}
    if isinstance(value, list):
        return [to_result(item, when=when) for item in value]
    if isinstance(value, datetime):
        return when(value)
    if hasattr(value, "read"):
        value = value.read()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def shaped_result(value: Any, shape: Any, *, when: Callable[[datetime], Any]) -> Any:
    """As `to_result`, but the keys of maps (tags, environments) stay as they are."""
    if shape is not None and shape.type_name == "structure" and isinstance(value, dict):
        return {
            _pascal(key): shaped_result(item, shape.members.get(key), when=when)
            for key, item in value.items()
        }
    if shape is not None and shape.type_name == "list" and isinstance(value, list):
        return [shaped_result(item, shape.member, when=when) for item in value]
    if shape is not None and shape.type_name == "map" and isinstance(value, dict):
        return {key: shaped_result(item, shape.value, when=when) for key, item in value.items()}
    if shape is not None and shape.type_name == "blob" and isinstance(value, dict | list):
        return value  # what a function answered, already parsed: its keys are its own
    return to_result(value, when=when)


def _pascal(key: str) -> str:
    return key[:1].upper() + key[1:]


def epoch_ms(moment: datetime) -> int:
    """A date in the result of an optimised integration."""
    return int(moment.timestamp() * 1000)


def iso_ms(moment: datetime) -> str:
    """A date in the result of an `aws-sdk` integration."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def install() -> None:
    """Put identity, letter case and error names into the interpreter's tasks."""
    for module in seams.CLIENT_USERS:
        seams.rebind(module, "boto_client_for", client_for)
    seams.rebind(seams.state, "StateData", _state_entered)
    seams.rebind(seams.StateTask, "_eval_state_credentials", _credentials)
    seams.rebind(seams.StateTaskService, "_normalise_parameters", _normalise_parameters)
    seams.rebind(seams.StateTaskService, "_normalise_response", _normalise_response)
    seams.rebind(seams.StateTaskService, "_get_boto_service_name", _boto_name)
    seams.rebind(seams.StateTaskService, "_get_boto_service_action", _boto_action)
    seams.task_lambda._SUPPORTED_API_PARAM_BINDINGS["invoke"].add("InvocationType")
    for task in (
        seams.StateTaskLambda,
        seams.task_lambda.StateTaskServiceLambda,
        seams.task_sfn.StateTaskServiceSfn,
        seams.task_sns.StateTaskServiceSns,
        seams.task_sqs.StateTaskServiceSqs,
        seams.task_events.StateTaskServiceEvents,
        seams.task_unsupported.StateTaskServiceUnsupported,
        seams.task_aws_sdk.StateTaskServiceAwsSdk,
    ):
        name_errors(task)


def _state_entered(EnteredTime: str, Name: str) -> dict[str, Any]:
    """`$$.State`, with the time as AWS writes it."""
    return {"EnteredTime": iso_ms(datetime.fromisoformat(EnteredTime)), "Name": Name}


def _credentials(task: Any, env: Any) -> MachineCredentials:
    if task.credentials:
        raise UnsupportedByLocalAws("states", "Credentials", f"state {task.name}")
    return MachineCredentials(env.aws_execution_details.role_arn, machine_arn_of(env))


def _boto_name(task: Any, boto_service_name: str | None = None) -> str:
    return boto_service(boto_service_name or task.resource.api_name)


def _boto_action(task: Any, service_action_name: str | None = None) -> str:
    action = service_action_name or task.resource.api_action
    operation = operation_model(_boto_name(task), action)
    return xform_name(operation.name if operation else action)


def _task_operation(task: Any, service: str | None, action: str | None) -> Any | None:
    return operation_model(
        _boto_name(task, service), (action or task.resource.api_action).replace("_", "")
    )


def _normalise_parameters(
    task: Any,
    parameters: dict[str, Any],
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    operation = _task_operation(task, boto_service_name, service_action_name)
    if operation is None:
        return
    request = to_request(parameters, operation.input_shape)
    parameters.clear()
    parameters.update(request)


def _normalise_response(
    task: Any,
    response: Any,
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    operation = _task_operation(task, boto_service_name, service_action_name)
    if operation is None or not isinstance(response, dict):
        return
    when = iso_ms if task.resource.service_name == "aws-sdk" else epoch_ms
    result = shaped_result(response, operation.output_shape, when=when)
    response.clear()
    response.update(result)


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
        if isinstance(ex, AccessDeniedByLocalAws):
            return failure_event(task, env, *_denied(task, ex))
        return original(task, env, ex)

    task_type._from_error = from_error


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
