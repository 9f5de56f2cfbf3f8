"""The Step Functions API where moto's answers differ from AWS's.

Each function here stands for one operation of `StepFunctionResponse`; what runs behind it is in
`machine_executions`.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

from localaws import clock
from localaws.errors import UnsupportedByLocalAws
from localaws.machines import calls as machine_calls
from localaws.machines import definitions as machine_definitions
from localaws.machines import rules as machine_rules
from localaws.machines.rules import Refused
from localaws.moto_seams import machines as seams
from localaws.moto_seams import patches as moto_patches

MAX_INPUT_BYTES = 262_144
_HISTORY_PAGE = 1000
_DATA_FIELDS = ("input", "output", "parameters", "inputDetails", "outputDetails")


def install() -> None:
    """Answer the operations below the laptop's way."""
    for operation in (
        create_state_machine,
        update_state_machine,
        start_execution,
        stop_execution,
        describe_execution,
        list_executions,
        get_execution_history,
        send_task_failure,
        validate_state_machine_definition,
    ):
        moto_patches.add(seams.StepFunctionResponse, operation.__name__, operation)


_create = seams.StepFunctionResponse.create_state_machine
_update = seams.StepFunctionResponse.update_state_machine


def create_state_machine(self: Any) -> Any:
    """CreateStateMachine: the definition and the role are checked first."""
    if self._get_param("type") == "EXPRESS":
        raise UnsupportedByLocalAws("states", "CreateStateMachine", "type EXPRESS")
    definition, role = self._get_param("definition"), self._get_param("roleArn")
    name = self._get_param("name")
    backend = self.stepfunction_backend
    arn = (
        f"arn:{backend.partition}:states:{backend.region_name}:{backend.account_id}"
        f":stateMachine:{name}"
    )
    _check_definition(definition)
    _check_same(backend, arn, definition, role)
    machine_rules.check_role(arn, role, definition, self._get_param("loggingConfiguration") or {})
    return _create(self)


def _check_same(backend: Any, arn: str, definition: str, role: str) -> None:
    """A machine of the same name is created again only as itself."""
    existing = next((m for m in backend.state_machines if m.arn == arn), None)
    if existing is not None and (existing.definition, existing.roleArn) != (definition, role):
        raise Refused("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")


def update_state_machine(self: Any) -> Any:
    """UpdateStateMachine: as creation; running executions keep the definition they started with."""
    arn = self._get_param("stateMachineArn")
    machine = self.stepfunction_backend.describe_state_machine(arn)
    definition = self._get_param("definition") or machine.definition
    role = self._get_param("roleArn") or machine.roleArn
    _check_definition(definition)
    logging = self._get_param("loggingConfiguration") or machine.loggingConfiguration or {}
    machine_rules.check_role(machine.arn, role, definition, logging)
    return _update(self)


def _check_definition(definition: str) -> None:
    findings = machine_definitions.check(definition, shape_of=request_shape)
    if findings:
        said = ", ".join(str(finding) for finding in findings)
        raise Refused("InvalidDefinition", f"Invalid State Machine Definition: '{said}'")


def request_shape(service: str, action: str) -> Any:
    """The request of an integration; LookupError for a service botocore does not know."""
    from botocore.exceptions import UnknownServiceError

    try:
        operation = machine_calls.operation_model(machine_calls.boto_service(service), action)
    except UnknownServiceError as error:
        raise LookupError(service) from error
    return operation and operation.input_shape


def validate_state_machine_definition(self: Any) -> Any:
    """ValidateStateMachineDefinition: every finding, nothing created."""
    findings = machine_definitions.check(self._get_param("definition"), shape_of=request_shape)
    diagnostics = [
        {
            "severity": "ERROR",
            "code": finding.code,
            "message": finding.message,
            "location": finding.location,
        }
        for finding in findings
    ]
    return seams.ActionResult(
        {
            "result": "FAIL" if diagnostics else "OK",
            "diagnostics": diagnostics,
            "truncated": False,
        }
    )


def start_execution(self: Any) -> Any:
    """StartExecution: idempotent by name and input while running."""
    text = self._get_param("input", if_none="{}")
    if len(text.encode()) > MAX_INPUT_BYTES:
        raise Refused(
            "ValidationException",
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_INPUT_BYTES}",
        )
    execution = self.stepfunction_backend.start_execution(
        self._get_param("stateMachineArn"), self._get_param("name"), text
    )
    return seams.ActionResult(
        {"executionArn": execution.execution_arn, "startDate": execution.start_date}
    )


def stop_execution(self: Any) -> Any:
    """StopExecution: ABORTED with the error and cause given."""
    execution = _execution(self)
    execution.stop(clock.now(), self._get_param("error"), self._get_param("cause"))
    return seams.ActionResult({"stopDate": execution.stop_date or clock.now()})


def describe_execution(self: Any) -> Any:
    """DescribeExecution."""
    execution = _execution(self)
    shown = {
        **_listed(execution),
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "error": execution.error,
        "cause": execution.cause,
        "redriveCount": 0,
        "redriveStatus": "NOT_REDRIVABLE",
    }
    if execution.status == "SUCCEEDED":
        shown["output"] = execution.output
        shown["outputDetails"] = {"included": True}
    return seams.ActionResult({key: value for key, value in shown.items() if value is not None})


def _listed(execution: Any) -> dict[str, Any]:
    shown = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": execution.start_date,
    }
    if execution.stop_date is not None:
        shown["stopDate"] = execution.stop_date
    return shown


def list_executions(self: Any) -> Any:
    """ListExecutions: newest first, by status, in pages."""
    arn, status = self._get_param("stateMachineArn"), self._get_param("statusFilter")
    executions = self.stepfunction_backend.describe_state_machine(arn).executions
    chosen = [e for e in reversed(list(executions)) if status in (None, e.status)]
    page, token = _page(self, chosen, default=100)
    return seams.ActionResult({"executions": [_listed(e) for e in page], "nextToken": token})


def get_execution_history(self: Any) -> Any:
    """GetExecutionHistory: in either direction, in pages, with or without data."""
    events = _execution(self).to_history_output()["events"]
    if self._get_param("reverseOrder"):
        events = list(reversed(events))
    page, token = _page(self, events, default=_HISTORY_PAGE)
    if self._get_param("includeExecutionData") is False:
        page = [_without_data(event) for event in page]
    return seams.ActionResult({"events": page, "nextToken": token})


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {k: v for k, v in value.items() if k not in _DATA_FIELDS}
        if isinstance(value, dict)
        else value
        for key, value in event.items()
    }


def _page(self: Any, items: list[Any], *, default: int) -> tuple[list[Any], str | None]:
    size = min(int(self._get_param("maxResults") or default), 1000)
    start = _offset(self._get_param("nextToken"))
    more = start + size < len(items)
    token = base64.b64encode(json.dumps({"offset": start + size}).encode()).decode()
    return items[start : start + size], token if more else None


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(json.loads(base64.b64decode(token))["offset"])
    except (ValueError, KeyError, TypeError) as error:
        raise Refused("InvalidToken", f"Invalid Token: '{token}'") from error


def send_task_failure(self: Any) -> Any:
    """SendTaskFailure: error and cause both reach the waiting task."""
    self.stepfunction_backend.send_task_failure(
        self._get_param("taskToken"),
        error=self._get_param("error"),
        cause=self._get_param("cause"),
    )
    return seams.EmptyResult()


def _execution(self: Any) -> Any:
    find: Callable[[str], Any] = self.stepfunction_backend.describe_execution
    return find(self._get_param("executionArn"))
