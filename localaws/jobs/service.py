"""Processing, training and transform jobs: queued, run as real subprocesses, followed to their end.

At most as many jobs run at once as there are cores; more would only slow each other. A job that
waits for its turn is InProgress, as on AWS while an instance starts.
"""

import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

from localaws import clock
from localaws.context import Context
from localaws.events import service as events
from localaws.forkserver import server as forkserver
from localaws.jobs import environment as job_environment
from localaws.jobs import events as job_events
from localaws.jobs import execution as job_execution
from localaws.jobs import logs as job_logs
from localaws.jobs import processing as job_processing
from localaws.jobs import training as job_training
from localaws.jobs import transform as job_transform
from localaws.jobs.execution import Result
from localaws.jobs.folder import JobFolder, own_place
from localaws.jobs.logs import LogStream, MetricDefinition, Recorder
from localaws.jobs.state import End, Job, Status
from localaws.jobs.transfer import JobFailed
from localaws.sagemaker.store import STORE, Kind, Place

_log = logging.getLogger("localaws.jobs")
_STEPS: dict[Kind, ModuleType] = {
    Kind.PROCESSING_JOB: job_processing,
    Kind.TRAINING_JOB: job_training,
    Kind.TRANSFORM_JOB: job_transform,
}
_SHUTDOWN_S = 5.0
_IDLE_S = 60.0
_LOOK_EVERY_S = 5.0


class _Queue:
    """Jobs in the order they came, and the threads that take them."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._open = False
        self.folder = Path(".signalbox/jobs")

    def start(self, folder: Path, workers: int) -> None:
        """Take jobs from now on."""
        self.folder = folder
        self._open = True
        self._waiting.clear()
        self._threads = [
            threading.Thread(target=self._work, name=f"localaws-job-{n}", daemon=True)
            for n in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, job: Job) -> None:
        """Add a job at the end."""
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()

    def stop(self) -> None:
        """Take no more; wait for the threads, whose children are killed."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(_SHUTDOWN_S)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            run(job, self.folder)

    def _next(self) -> Job | None:
        with self._changed:
            while self._open and not self._waiting:
                self._changed.wait()
            return self._waiting.popleft() if self._open else None


_queue = _Queue()


def install(context: Context) -> None:
    """Run jobs from now on, in folders below the state directory."""
    forkserver.start()
    job_environment.configure(context.url)
    job_logs.forget_groups()
    job_execution.closing.clear()
    folder = own_place(context.config.state_dir.resolve() / "jobs")
    _queue.start(folder, max(2, job_environment.cores()))
    events.subscribe(_prepare_for_a_run)
    threading.Thread(target=_rest, name="localaws-jobs-rest", daemon=True).start()


def _prepare_for_a_run(event: dict[str, Any]) -> None:
    """A run's first job comes some functions later: the imports go on meanwhile."""
    if event["source"] == "aws.codepipeline" and event["detail"].get("state") == "STARTED":
        forkserver.start()


def _rest() -> None:
    """A laptop at rest keeps no scientific stack in memory."""
    while not job_execution.closing.wait(_LOOK_EVERY_S):
        forkserver.retire_idle(_IDLE_S)


def shutdown() -> None:
    """Kill what runs and forget what waits."""
    job_execution.closing.set()
    _queue.stop()


def submit(job: Job) -> None:
    """Queue a new job."""
    job.on_change = job_events.announce
    job.step("Starting", "Preparing the instances for the job")
    job_events.announce(job)
    _queue.put(job)


def stop(job: Job) -> None:
    """Begin to stop a job; one that waits ends at once."""
    if job.ask_to_stop():
        job.end(End(Status.STOPPED))


def find(kind: Kind, name: str, place: Place) -> Job | None:
    """The job of that name, if there is one."""
    record = STORE.find(place, kind, name)
    return record.state if record is not None else None


def on_finished(arn: str, callback: Callable[[Job], None]) -> None:
    """Call back when the job of that ARN has reached a final status, at once if it has."""
    record = STORE.by_arn(arn)
    if record is None or not isinstance(record.state, Job):
        raise LookupError(f"there is no job {arn}")
    record.state.when_finished(callback)


def run(job: Job, parent: Path) -> None:
    """Run one job to its end in a folder of its own below `parent`."""
    if not job.claim():
        return
    folder = JobFolder.create(parent, job.name)
    try:
        job.end(_run(job, folder))
    except JobFailed as failure:
        job.end(End(Status.FAILED, str(failure)))
    except job_execution.Abandoned:
        return
    except Exception as error:  # noqa: BLE001 - the edge of a worker: the job must end, the worker must not
        _log.error("job %s: %s", job.name, traceback.format_exc())
        job.end(End(Status.FAILED, f"InternalServerError: {type(error).__name__}: {error}"))
    finally:
        folder.remove()


def _run(job: Job, folder: JobFolder) -> End:
    recorder = _recorder(job)
    try:
        job.step("Downloading", "Downloading input data")
        result = _execute(job, folder, recorder)
        job.metrics = dict(recorder.metrics)
        end: End = _STEPS[job.kind.kind].finish(job, folder, result)
    except JobFailed as failure:
        recorder.line(str(failure))
        raise
    finally:
        recorder.close()
    return end


def _execute(job: Job, folder: JobFolder, recorder: Recorder) -> Result:
    steps = _STEPS[job.kind.kind]
    with ExitStack() as stack:
        spec = steps.prepare(job, folder)
        serial = job.kind.kind is Kind.TRANSFORM_JOB
        helpers = job_transform.start_helpers(job, folder, stack) if serial else []
        job.started = clock.now()
        job.step("Training", "Training image download completed. Training in progress.")
        return job_execution.execute(
            job, spec, recorder, limit_s=steps.limit_s(job), helpers=helpers
        )


def _recorder(job: Job) -> Recorder:
    stream = f"{job.name}/algo-1-{int(job.created.timestamp())}"
    algorithm = job.request.get("AlgorithmSpecification") or {}
    definitions = [
        MetricDefinition.compiled(d["Name"], d["Regex"])
        for d in algorithm.get("MetricDefinitions") or []
    ]
    return Recorder(LogStream(job.courier, job.kind.log_group, stream), definitions=definitions)
