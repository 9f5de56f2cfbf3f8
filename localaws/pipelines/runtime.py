"""Holds the pipelines and does the work of their actions.

One instance per running laptop: the stored pipelines, the engine that moves executions, and the
worker threads on which actions call S3, Lambda, Step Functions and SNS.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

from localaws import clock
from localaws.events.workers import Timer, Timers, Workers
from localaws.pipelines import actions as pipeline_actions
from localaws.pipelines.action_types import (
    APPROVAL,
    BUILD,
    CLOUDFORMATION,
    LAMBDA,
    S3_SOURCE,
    STEP_FUNCTIONS,
    TEST,
)
from localaws.pipelines.builds import Builds
from localaws.pipelines.engine import Engine
from localaws.pipelines.jobs import Jobs
from localaws.pipelines.machines import Machines
from localaws.pipelines.model import ActionRun, Execution, Pipeline, Result, Work, failed
from localaws.pipelines.reports import EventReporter
from localaws.pipelines.stacks import Stacks
from localaws.wire import AwsError

_log = logging.getLogger("localaws.pipelines")
_THREADS = 8


class Runtime:
    """Everything about pipelines that lives in this process."""

    def __init__(self) -> None:
        self.timers = Timers("localaws-pipeline-timers")
        self.workers = Workers(_THREADS, "localaws-pipelines")
        self.engine = Engine(self._perform, EventReporter())
        self.jobs = Jobs(self.timers, self.complete, self._invoke_again)
        self.machines = Machines(self.timers, self._progress, self._look, self.complete)
        self.builds = Builds(self._progress, self._look_at_build)
        self.stacks = Stacks(self.timers, self._progress, self._look_at_stack)
        self._lock = threading.RLock()
        self._pipelines: dict[tuple[str, str], dict[str, Pipeline]] = {}
        self._expiries: dict[str, Timer] = {}
        self._begin: dict[tuple[str, str], Callable[[Work], Result | None]] = {
            S3_SOURCE: pipeline_actions.fetch_from_s3,
            LAMBDA: self.jobs.invoke,
            STEP_FUNCTIONS: self.machines.start,
            APPROVAL: self._ask,
            BUILD: self.builds.start,
            TEST: self.builds.start,
            CLOUDFORMATION: self.stacks.start,
        }

    def all(self, account: str, region: str) -> list[Pipeline]:
        """The pipelines of an account and region, by name."""
        with self._lock:
            stored = self._pipelines.get((account, region), {})
            return [stored[name] for name in sorted(stored)]

    def find(self, account: str, region: str, name: str) -> Pipeline | None:
        """A pipeline by name."""
        with self._lock:
            return self._pipelines.get((account, region), {}).get(name)

    def add(self, pipeline: Pipeline) -> None:
        """Store a new pipeline; raises AwsError when the name is taken."""
        with self._lock:
            stored = self._pipelines.setdefault((pipeline.account, pipeline.region), {})
            if pipeline.name in stored:
                message = f"A pipeline with the name '{pipeline.name}' already exists"
                raise AwsError("PipelineNameInUseException", message)
            stored[pipeline.name] = pipeline

    def remove(self, pipeline: Pipeline) -> None:
        """Forget a pipeline and end what runs in it."""
        with self._lock:
            self._pipelines.get((pipeline.account, pipeline.region), {}).pop(pipeline.name, None)
        pipeline.is_deleted = True
        self.engine.cancel_all(pipeline)

    def complete(self, work: Work, result: Result) -> bool:
        """Report an action's result; False when nobody waits for it any more."""
        self._forget_expiry(work.run_id)
        pipeline = self._owner(work)
        if pipeline is None:
            return False
        return self.engine.complete(pipeline, work.execution_id, work.run_id, result)

    def decide(
        self, pipeline: Pipeline, execution: Execution, run: ActionRun, result: Result
    ) -> bool:
        """Take a person's decision on an open approval."""
        self._forget_expiry(run.id)
        return self.engine.complete(pipeline, execution.id, run.id, result)

    def _forget_expiry(self, run_id: str) -> None:
        expiry = self._expiries.pop(run_id, None)
        if expiry is not None:
            expiry.cancel()

    def _owner(self, work: Work) -> Pipeline | None:
        return self.find(work.account, work.home_region, work.pipeline)

    def _perform(self, work: Work) -> None:
        self.workers.submit(lambda: self._run(work, lambda: self._begin[work.spec.kind](work)))

    def _run(self, work: Work, step: Callable[[], Result | None]) -> None:
        try:
            result = pipeline_actions.guarded(step)
        except Exception as error:  # noqa: BLE001 - the edge of a thread: the action must not hang
            _log.exception("action %s of %s failed", work.spec.name, work.pipeline)
            result = failed("SystemUnavailable", f"{type(error).__name__}: {error}")
        if result is not None:
            self.complete(work, result)

    def _progress(self, work: Work, external_id: str, url: str) -> None:
        pipeline = self._owner(work)
        if pipeline is not None:
            self.engine.progress(
                pipeline, work.execution_id, work.run_id, external_id=external_id, url=url
            )

    def _look(self, work: Work, arn: str) -> None:
        self.workers.submit(lambda: self._run(work, lambda: self.machines.result(work, arn)))

    def _look_at_build(self, work: Work, arn: str) -> None:
        self.workers.submit(lambda: self._run(work, lambda: self.builds.result(work, arn)))

    def _look_at_stack(self, work: Work, step: str) -> None:
        if self._is_awaited(work):
            self.workers.submit(lambda: self._run(work, lambda: self.stacks.result(work, step)))

    def heard(self, event: dict[str, Any]) -> None:
        """A listener of all events: wakes the actions that wait for what has ended."""
        self.machines.heard(event)
        self.builds.heard(event)

    def _invoke_again(self, work: Work, token: str) -> None:
        self.workers.submit(lambda: self._run(work, lambda: self.jobs.invoke(work, token)))

    def _ask(self, work: Work) -> None:
        now = clock.now()
        limit_s = (pipeline_actions.approval_expires_at(work, now) - now).total_seconds()
        self._expiries[work.run_id] = self.timers.after(limit_s, lambda: self._expire(work))
        if self._is_awaited(work):
            pipeline_actions.ask_for_approval(work)
        else:
            # Decided through the API before this thread came to it.
            self._forget_expiry(work.run_id)

    def _is_awaited(self, work: Work) -> bool:
        pipeline = self._owner(work)
        return pipeline is not None and self.engine.is_awaited(
            pipeline, work.execution_id, work.run_id
        )

    def _expire(self, work: Work) -> None:
        minutes = work.spec.timeout_minutes or pipeline_actions.DEFAULT_APPROVAL_MINUTES
        message = f"The approval was not given within {minutes} minutes"
        self.complete(work, failed("JobFailed", message))

    def expire_now(self, run_id: str) -> None:
        """Let the time of an open approval be over; for tests."""
        timer = self._expiries[run_id]
        if timer.job is not None:
            timer.job()

    def stop(self) -> None:
        """End all threads; what runs stays as it is."""
        self.workers.stop()
        self.timers.stop()
