"""Moves executions through the stages of a pipeline.

Nothing here waits or calls out: an action's work is handed to `perform`, and `complete` is called
when its result is there. Each pipeline has a lock; every step is taken under it, so no wake-up is
lost between two. A stage holds one execution at a time, others wait in order (QUEUED), or only the
newest does (SUPERSEDED). CodePipeline user guide, "How pipeline executions work" (2026-11-21).
"""

import secrets
import string
import uuid
from collections.abc import Callable
from typing import Protocol

from localaws import clock
from localaws.pipelines import variables as pipeline_variables
from localaws.pipelines.action_types import APPROVAL
from localaws.pipelines.model import (
    ActionRun,
    ActionSpec,
    ActionStatus,
    Artifact,
    Execution,
    Pipeline,
    Result,
    Slot,
    StageRun,
    Status,
    Work,
    failed,
)
from localaws.pipelines.variables import UnresolvedVariable

_KEY_ALPHABET = string.ascii_letters + string.digits
Perform = Callable[[Work], None]


class Reporter(Protocol):
    """Told of every change, under the pipeline's lock."""

    def pipeline(self, pipeline: Pipeline, execution: Execution, state: str) -> None:
        """An execution has reached `state`."""

    def stage(self, pipeline: Pipeline, execution: Execution, stage: StageRun, state: str) -> None:
        """A stage has reached `state`."""

    def action(self, pipeline: Pipeline, execution: Execution, run: ActionRun, state: str) -> None:
        """An action has reached `state`."""


class Engine:
    """The rules by which executions move; keeps nothing itself but what it was made with."""

    def __init__(self, perform: Perform, reporter: Reporter) -> None:
        self._perform = perform
        self._report = reporter

    def begin(self, pipeline: Pipeline, execution: Execution) -> None:
        """Put a new execution before the first stage."""
        with pipeline.lock:
            execution.namespaces["variables"] = execution.variables
            execution.namespaces["codepipeline"] = {"PipelineExecutionId": execution.id}
            pipeline.executions[execution.id] = execution
            self._report.pipeline(pipeline, execution, "STARTED")
            self._arrive(pipeline, execution, 0)

    def _arrive(self, pipeline: Pipeline, execution: Execution, index: int) -> None:
        slot = pipeline.slots[index]
        if pipeline.spec.mode == "SUPERSEDED":
            while slot.inbound:
                self._end(pipeline, slot.inbound.popleft(), Status.SUPERSEDED)
        slot.inbound.append(execution)
        self.admit(pipeline, slot)

    def admit(self, pipeline: Pipeline, slot: Slot) -> None:
        """Let the next execution into a stage, if it is free and its transition is enabled."""
        with pipeline.lock:
            if slot.occupant is not None or slot.disabled_reason is not None or not slot.inbound:
                return
            execution = slot.inbound.popleft()
            slot.occupant = slot.latest = execution
            stage = execution.stages[slot.spec.name] = StageRun(slot.spec.name)
            self._report.stage(pipeline, execution, stage, "STARTED")
            self._advance(pipeline, execution, slot)

    def _advance(self, pipeline: Pipeline, execution: Execution, slot: Slot) -> None:
        """Start what can start now in the stage, or close it."""
        stage = execution.stages[slot.spec.name]
        while not any(run.is_running for run in stage.current.values()):
            end = _ending(execution, slot, stage)
            if end is not None:
                self._close(pipeline, execution, slot, end)
                return
            for spec in _next_group(slot, stage):
                self._start(pipeline, execution, stage, spec)

    def _start(
        self, pipeline: Pipeline, execution: Execution, stage: StageRun, spec: ActionSpec
    ) -> None:
        run = ActionRun(spec, stage.name)
        stage.runs.append(run)
        stage.current[spec.name] = run
        run.inputs = tuple(execution.artifacts[name] for name in spec.inputs)
        run.outputs = tuple(_new_artifact(pipeline, name) for name in spec.outputs)
        run.token = str(uuid.uuid4()) if spec.kind == APPROVAL else ""
        try:
            run.resolved = pipeline_variables.resolve(spec.configuration, execution.namespaces)
        except UnresolvedVariable as error:
            self._report.action(pipeline, execution, run, "STARTED")
            self._finish(pipeline, execution, run, failed("ConfigurationError", str(error)))
            return
        self._report.action(pipeline, execution, run, "STARTED")
        self._perform(_work(pipeline, execution, run))

    def complete(self, pipeline: Pipeline, execution_id: str, run_id: str, result: Result) -> bool:
        """Take an action's result; False when it is no longer awaited (a second delivery)."""
        with pipeline.lock:
            execution = pipeline.executions.get(execution_id)
            run = _running(execution, run_id)
            if execution is None or run is None:
                return False
            self._finish(pipeline, execution, run, result)
            slot = pipeline.slot(run.stage)
            if slot is not None:
                self._advance(pipeline, execution, slot)
            return True

    def is_awaited(self, pipeline: Pipeline, execution_id: str, run_id: str) -> bool:
        """Whether an action still waits for its result."""
        with pipeline.lock:
            return _running(pipeline.executions.get(execution_id), run_id) is not None

    def progress(
        self, pipeline: Pipeline, execution_id: str, run_id: str, *, external_id: str, url: str
    ) -> None:
        """Note where an action's work goes on outside."""
        with pipeline.lock:
            run = _running(pipeline.executions.get(execution_id), run_id)
            if run is not None:
                run.external_id, run.external_url, run.updated = external_id, url, clock.now()

    def _finish(
        self, pipeline: Pipeline, execution: Execution, run: ActionRun, result: Result
    ) -> None:
        run.status, run.result, run.updated = result.status, result, clock.now()
        run.external_id = result.external_id or run.external_id
        run.external_url = result.external_url or run.external_url
        execution.updated = run.updated
        if result.status is ActionStatus.SUCCEEDED:
            execution.artifacts.update({artifact.name: artifact for artifact in run.outputs})
            if run.spec.namespace:
                execution.namespaces[run.spec.namespace] = dict(result.variables)
            if result.revision is not None:
                execution.revisions[result.revision.artifact] = result.revision
        self._report.action(pipeline, execution, run, result.status.value.upper())

    def _close(self, pipeline: Pipeline, execution: Execution, slot: Slot, status: Status) -> None:
        stage = execution.stages[slot.spec.name]
        stage.status = status
        self._report.stage(pipeline, execution, stage, status.value.upper())
        slot.occupant = None
        following = pipeline.slots.index(slot) + 1
        if status is Status.SUCCEEDED and following < len(pipeline.slots):
            self._arrive(pipeline, execution, following)
        else:
            self._end(pipeline, execution, status)
        self.admit(pipeline, slot)

    def _end(self, pipeline: Pipeline, execution: Execution, status: Status) -> None:
        execution.status, execution.updated = status, clock.now()
        state = "CANCELED" if status is Status.CANCELLED else status.value.upper()
        self._report.pipeline(pipeline, execution, state)

    def stop(self, pipeline: Pipeline, execution: Execution, *, abandon: bool) -> None:
        """End an execution: at once (`abandon`), or when its running actions are done."""
        with pipeline.lock:
            if execution.status is not Status.STOPPING:
                execution.status, execution.updated = Status.STOPPING, clock.now()
                self._report.pipeline(pipeline, execution, "STOPPING")
            for slot in pipeline.slots:
                if execution in slot.inbound:
                    slot.inbound.remove(execution)
                    self._end(pipeline, execution, Status.STOPPED)
                elif slot.occupant is execution:
                    self._stop_inside(pipeline, execution, slot, abandon=abandon)

    def _stop_inside(
        self, pipeline: Pipeline, execution: Execution, slot: Slot, *, abandon: bool
    ) -> None:
        if abandon:
            self._abandon(pipeline, execution)
        self._advance(pipeline, execution, slot)

    def _abandon(self, pipeline: Pipeline, execution: Execution) -> None:
        for run in execution.runs():
            if run.is_running:
                run.status, run.updated = ActionStatus.ABANDONED, clock.now()
                self._report.action(pipeline, execution, run, "ABANDONED")

    def retry(self, pipeline: Pipeline, execution: Execution, slot: Slot, *, whole: bool) -> None:
        """Run a failed stage's failed actions again, or all of them (`whole`)."""
        with pipeline.lock:
            stage = execution.stages[slot.spec.name]
            kept = {} if whole else _succeeded(stage)
            stage.status, stage.current, stage.retries = Status.IN_PROGRESS, kept, stage.retries + 1
            execution.status, execution.updated = Status.IN_PROGRESS, clock.now()
            slot.occupant = execution
            self._report.pipeline(pipeline, execution, "RESUMED")
            self._report.stage(pipeline, execution, stage, "RESUMED")
            self._advance(pipeline, execution, slot)

    def cancel_all(self, pipeline: Pipeline) -> None:
        """End everything that runs, because the pipeline's structure is about to change."""
        with pipeline.lock:
            for execution in pipeline.executions.values():
                if not execution.is_active:
                    continue
                self._abandon(pipeline, execution)
                for stage in execution.stages.values():
                    stage.status = _cancelled(stage.status)
                self._end(pipeline, execution, Status.CANCELLED)
            for slot in pipeline.slots:
                slot.occupant = None
                slot.inbound.clear()


def _ending(execution: Execution, slot: Slot, stage: StageRun) -> Status | None:
    """How a stage in which nothing runs ends now; None when there is more to start."""
    if execution.status is Status.STOPPING:
        return Status.STOPPED
    if any(run.status is not ActionStatus.SUCCEEDED for run in stage.current.values()):
        return Status.FAILED
    return None if _next_group(slot, stage) else Status.SUCCEEDED


def _next_group(slot: Slot, stage: StageRun) -> list[ActionSpec]:
    """The actions of the lowest run order that have not begun."""
    waiting = [spec for spec in slot.spec.actions if spec.name not in stage.current]
    order = min((spec.run_order for spec in waiting), default=0)
    return [spec for spec in waiting if spec.run_order == order]


def _succeeded(stage: StageRun) -> dict[str, ActionRun]:
    done = ActionStatus.SUCCEEDED
    return {name: run for name, run in stage.current.items() if run.status is done}


def _cancelled(status: Status) -> Status:
    return Status.CANCELLED if status is Status.IN_PROGRESS else status


def _running(execution: Execution | None, run_id: str) -> ActionRun | None:
    runs = execution.runs() if execution is not None else iter(())
    return next((run for run in runs if run.id == run_id and run.is_running), None)


def _new_artifact(pipeline: Pipeline, name: str) -> Artifact:
    """Keys as AWS makes them: 20 characters of the pipeline, 10 of the artifact, 7 at random."""
    tail = "".join(secrets.choice(_KEY_ALPHABET) for _ in range(7))
    return Artifact(
        name,
        pipeline.spec.stores[pipeline.region].bucket,
        f"{pipeline.name[:20]}/{name[:10]}/{tail}",
    )


def _work(pipeline: Pipeline, execution: Execution, run: ActionRun) -> Work:
    overrides = {
        kind: value
        for (action, kind), value in execution.overrides.items()
        if action == run.spec.name
    }
    return Work(
        pipeline=pipeline.name,
        pipeline_arn=pipeline.arn,
        account=pipeline.account,
        region=run.spec.region or pipeline.region,
        home_region=pipeline.region,
        role_arn=pipeline.spec.role_arn,
        store=pipeline.spec.stores[run.spec.region or pipeline.region],
        execution_id=execution.id,
        run_id=run.id,
        stage=run.stage,
        spec=run.spec,
        configuration=run.resolved,
        inputs=run.inputs,
        outputs=run.outputs,
        overrides=overrides,
        token=run.token,
        revisions={name: found.revision_id for name, found in execution.revisions.items()},
    )
