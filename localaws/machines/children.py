"""`states:startExecution.sync` and `.sync:2`: a machine that runs another and waits for it.

The parent wakes when the child ends, instead of asking twice a second, and stops the child when it
is itself stopped or times out.
"""

import json
import logging
import threading
from typing import Any

from botocore.exceptions import ClientError

from localaws.machines import calls as machine_calls
from localaws.machines import errors as machine_errors
from localaws.machines import executions as machine_executions
from localaws.machines import pace as machine_pace
from localaws.machines import shapes as machine_shapes
from localaws.moto_seams import machines as seams

_log = logging.getLogger("localaws.machines")
_POLL_S = 3.0


class StartExecutionTask(seams.task_sfn.StateTaskServiceSfn):  # type: ignore[misc]
    """The optimised integration with Step Functions itself."""

    def _eval_integration_pattern(
        self,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> None:
        if self.resource.condition == seams.ResourceCondition.WaitForTaskToken:
            super()._eval_integration_pattern(
                env, resource_runtime_part, normalised_parameters, state_credentials
            )
            return
        child_arn = env.stack.pop()["ExecutionArn"]
        region = resource_runtime_part.region
        client = machine_calls.client_for(region, "stepfunctions", state_credentials)
        description = _await_child(env, child_arn, client)
        env.stack.append(self._outcome(env, description) if description else {})

    def _outcome(self, env: Any, description: dict[str, Any]) -> dict[str, Any]:
        if description["status"] != "SUCCEEDED":
            cause = json.dumps(_as_result(description, parsed=False), separators=(",", ":"))
            raise seams.FailureEventException(
                machine_errors.failure_event(self, env, "States.TaskFailed", cause)
            )
        parsed = self.resource.condition == seams.ResourceCondition.Sync2
        return _as_result(description, parsed=parsed)


def _as_result(description: dict[str, Any], *, parsed: bool) -> dict[str, Any]:
    description.pop("ResponseMetadata", None)
    if parsed:
        for member in ("input", "output"):
            if member in description:
                description[member] = json.loads(description[member])
    return {
        key[:1].upper() + key[1:]: machine_shapes.to_result(value, when=machine_shapes.epoch_ms)
        if key.endswith("Date") or key.endswith("Details")
        else value
        for key, value in description.items()
    }


def _await_child(env: Any, child_arn: str, client: Any) -> dict[str, Any] | None:
    with (
        machine_pace.wakers(env, threading.Event()) as wake,
        machine_executions.ending(child_arn, wake),
    ):
        while env.is_running():
            description: dict[str, Any] = client.describe_execution(executionArn=child_arn)
            if description["status"] != "RUNNING":
                return description
            wake.wait(_POLL_S)
            wake.clear()
    try:
        client.stop_execution(executionArn=child_arn)
    except ClientError as error:
        _log.warning("could not stop %s: %s", child_arn, error)
    return None


def install() -> None:
    """Take the place of moto's task."""
    seams.register_service("states", StartExecutionTask)
