"""`sagemaker:create*` tasks: one request, or with `.sync` until the job is over.

A job started with `.sync` is tagged, awaited, described and read as AWS does it, each step with
the machine's role. The end of a job is learned from its state-change event inside the process, so
no time passes in polling; a slow poll stands behind it. If the execution is stopped, times out or
loses to a sibling branch, the job is stopped.
"""

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from localaws.machines import calls as machine_calls
from localaws.machines import errors as machine_errors
from localaws.machines import pace as machine_pace
from localaws.machines import shapes as machine_shapes
from localaws.moto_seams import machines as seams

_log = logging.getLogger("localaws.machines")
_FIRST_POLL_S, _LAST_POLL_S = 0.25, 3.0


@dataclass(frozen=True)
class JobKind:
    """How one kind of SageMaker job is named in its API."""

    name: str

    @property
    def name_key(self) -> str:
        """Member that holds a job's name."""
        return f"{self.name}JobName"

    @property
    def arn_key(self) -> str:
        """Member that holds a job's ARN."""
        return f"{self.name}JobArn"

    @property
    def status_key(self) -> str:
        """Member that holds a job's status."""
        return f"{self.name}JobStatus"

    @property
    def rule(self) -> str:
        """Name of the managed rule that tells Step Functions of such jobs."""
        return f"StepFunctionsGetEventsForSageMaker{self.name}JobsRule"

    @property
    def event_type(self) -> str:
        """Detail type of the event at each change of such a job."""
        return f"SageMaker {self.name} Job State Change"


JOB_KINDS: Mapping[str, JobKind] = {
    f"create{name.lower()}job": JobKind(name) for name in ("Processing", "Training", "Transform")
}
"""Key: the API action in lower case."""

_STILL = {"InProgress", "Stopping", "Pending", "Starting"}


class _Watches:
    """Who waits for which job, by the job's ARN."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, threading.Event] = {}

    @contextmanager
    def watching(self, arn: str, wake: threading.Event) -> Iterator[None]:
        with self._lock:
            self._waiting[arn] = wake
        try:
            yield
        finally:
            with self._lock:
                self._waiting.pop(arn, None)

    def notify(self, arn: str) -> None:
        with self._lock:
            wake = self._waiting.get(arn)
        if wake is not None:
            wake.set()


_watches = _Watches()


def job_changed(event: dict[str, Any]) -> None:
    """Listener for events: wakes the task that waits for the job, if it is over."""
    if event.get("source") != "aws.sagemaker":
        return
    for kind in JOB_KINDS.values():
        detail = event.get("detail", {})
        if (
            event.get("detail-type") == kind.event_type
            and detail.get(kind.status_key) not in _STILL
        ):
            _watches.notify(str(detail.get(kind.arn_key)))


class SageMakerTask(seams.StateTaskServiceCallback):  # type: ignore[misc]
    """The optimised SageMaker integration, in the place of moto's plain forwarding."""

    def __init__(self) -> None:
        super().__init__(supported_integration_patterns={seams.ResourceCondition.Sync})

    def _get_supported_parameters(self) -> set[str] | None:
        operation = machine_calls.operation_model("sagemaker", self.resource.api_action)
        if operation is None or self._unsupported_pattern():
            return None
        return set(operation.input_shape.members)

    def _unsupported_pattern(self) -> bool:
        condition = self.resource.condition
        if condition is None:
            return False
        synchronous = self.resource.api_action.lower() in JOB_KINDS
        return condition != seams.ResourceCondition.Sync or not synchronous

    def _eval_service_task(
        self,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> None:
        client = machine_calls.client_for(
            resource_runtime_part.region, "sagemaker", state_credentials
        )
        if self.resource.api_action.lower().startswith("create"):
            normalised_parameters = self._tagged(env, normalised_parameters)
        answer = getattr(client, self._get_boto_service_action())(**normalised_parameters)
        answer.pop("ResponseMetadata", None)
        env.stack.append(answer)

    def _tagged(self, env: Any, parameters: dict[str, Any]) -> dict[str, Any]:
        tags = {"AWS_STEP_FUNCTIONS_EXECUTION_ARN": machine_calls.execution_arn_of(env)}
        if self.resource.condition is not None:
            tags["MANAGED_BY_AWS"] = "STARTED_BY_STEP_FUNCTIONS"
        added = [{"Key": key, "Value": value} for key, value in tags.items()]
        return {**parameters, "Tags": [*parameters.get("Tags", []), *added]}

    def _eval_integration_pattern(
        self,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> None:
        kind = JOB_KINDS[self.resource.api_action.lower()]
        arn = env.stack.pop()[kind.arn_key]
        client = machine_calls.client_for(
            resource_runtime_part.region, "sagemaker", state_credentials
        )
        job = _Job(kind, normalised_parameters[kind.name_key], arn, client)
        description = _await(job, env)
        if description is None:
            env.stack.append({})
            return
        env.stack.append(self._outcome(env, kind, description))

    def _outcome(self, env: Any, kind: JobKind, description: dict[str, Any]) -> dict[str, Any]:
        # parity: a job that was stopped fails its task here like one that failed.
        if description[kind.status_key] == "Completed":
            return description
        cause = json.dumps(description, separators=(",", ":"))
        raise seams.FailureEventException(
            machine_errors.failure_event(self, env, "States.TaskFailed", cause)
        )


@dataclass(frozen=True)
class _Job:
    kind: JobKind
    name: str
    arn: str
    client: Any

    def describe(self) -> dict[str, Any]:
        """The job as the result of the task: dates as epoch milliseconds, tags as a map."""
        operation = f"describe_{self.kind.name.lower()}_job"
        answer = getattr(self.client, operation)(**{self.kind.name_key: self.name})
        answer.pop("ResponseMetadata", None)
        shape = machine_calls.operation_model("sagemaker", operation.replace("_", ""))
        described: dict[str, Any] = machine_shapes.shaped_result(
            answer, shape and shape.output_shape, when=machine_shapes.epoch_ms
        )
        return described

    def tags(self) -> dict[str, str]:
        """The job's tags, which AWS adds to the description."""
        answer = self.client.list_tags(ResourceArn=self.arn)
        return {tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])}

    def stop(self) -> None:
        """Ask for the end of the job; best effort, as on AWS."""
        operation = f"stop_{self.kind.name.lower()}_job"
        try:
            getattr(self.client, operation)(**{self.kind.name_key: self.name})
        except ClientError as error:
            _log.warning("could not stop %s: %s", self.arn, error)


def _await(job: _Job, env: Any) -> dict[str, Any] | None:
    """The description of the finished job; None when nobody waits for it any more."""
    patience_s = _FIRST_POLL_S
    with machine_pace.wakers(env, threading.Event()) as wake, _watches.watching(job.arn, wake):
        while True:
            wake.wait(patience_s)
            if not env.is_running():
                job.stop()
                return None
            wake.clear()
            description = job.describe()
            if description[job.kind.status_key] not in _STILL:
                return {**description, "Tags": job.tags()}
            patience_s = min(_LAST_POLL_S, patience_s * 2)


def install() -> None:
    """Take the place of moto's SageMaker task."""
    machine_errors.name_errors(SageMakerTask)
    seams.register_service("sagemaker", SageMakerTask)
