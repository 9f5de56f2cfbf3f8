"""How a Task state calls AWS: as whom, and which operation of which service.

Every call is made with the credentials of the machine's role, so that the laptop's IAM decides it;
a task with `Credentials` is made with the role that it names, which the machine's role assumes
first. Rules: Step Functions Developer Guide, "Accessing resources in other AWS accounts" and
"Cross-account access for .sync integration pattern" (read 2026-11).
"""

from datetime import datetime
from functools import lru_cache
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from localaws import clients
from localaws.machines.errors import TaskRoleNotAssumed, failure_event, name_errors
from localaws.machines.shapes import epoch_ms, iso_ms, shaped_result, to_request
from localaws.moto_seams import machines as seams

__all__ = [
    "PRINCIPAL",
    "SESSION_NAME",
    "MachineCredentials",
    "boto_service",
    "client_for",
    "execution_arn_of",
    "failure_event",
    "install",
    "machine_arn_of",
    "machine_client",
    "operation_model",
    "service_model",
]

PRINCIPAL = "states.amazonaws.com"
SESSION_NAME = "StepFunctionsExecution"

# Step Functions' names of services (SDK for Java 2) that differ from botocore's.
_BOTO_NAMES = {
    "states": "stepfunctions",
    "sfn": "stepfunctions",
    "applicationautoscaling": "application-autoscaling",
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "sagemakerruntime": "sagemaker-runtime",
}


class MachineCredentials(seams.StateCredentials):  # type: ignore[misc]
    """The role a task acts as, and the machine on whose behalf."""

    def __init__(self, role_arn: str, machine_arn: str, machine_role_arn: str) -> None:
        super().__init__(role_arn=role_arn)
        self.machine_arn = machine_arn
        self.machine_role_arn = machine_role_arn
        """The same as `role_arn` for a task without Credentials."""


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
    machine_arn, machine_role = state_credentials.machine_arn, state_credentials.machine_role_arn
    if state_credentials.role_arn != machine_role:
        return _client_of_task_role(region, service, state_credentials)
    return machine_client(service, role_arn=machine_role, machine_arn=machine_arn, region=region)


def _client_of_task_role(region: str, service: str, credentials: MachineCredentials) -> Any:
    """A client that is the role of a task; the external id is the machine, as AWS gives it."""
    machine_role, target = credentials.machine_role_arn, credentials.role_arn
    sts = machine_client(
        "sts", role_arn=machine_role, machine_arn=credentials.machine_arn, region=region
    )
    try:
        assumed = sts.assume_role(
            RoleArn=target, RoleSessionName=SESSION_NAME, ExternalId=credentials.machine_arn
        )
    except ClientError as error:
        raise TaskRoleNotAssumed(machine_role, target) from error
    return clients.client_of_session(assumed["Credentials"], service, region=region, of=target)


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
    bindings = seams.task_lambda._SUPPORTED_API_PARAM_BINDINGS
    invoke = {**bindings, "invoke": {*bindings["invoke"], "InvocationType"}}
    seams.rebind(seams.task_lambda, "_SUPPORTED_API_PARAM_BINDINGS", invoke)
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
    machine_role = env.aws_execution_details.role_arn
    role_arn = machine_role
    if task.credentials:
        task.credentials.eval(env=env)
        role_arn = str(env.stack.pop().role_arn)
    return MachineCredentials(role_arn, machine_arn_of(env), machine_role)


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
