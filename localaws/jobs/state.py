"""What a processing, training or transform job is and what has happened to it.

Values and their transitions; nothing is run here.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from localaws import clock
from localaws.jobs.logs import Metric
from localaws.jobs.transfer import Courier
from localaws.sagemaker.store import Document, Kind, Place


class Status(Enum):
    """A job's status in the API."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.STOPPED})


@dataclass(frozen=True)
class JobKind:
    """The names that the API gives to one kind of job."""

    title: str
    kind: Kind

    @property
    def log_group(self) -> str:
        """Where such a job's output goes."""
        return f"/aws/sagemaker/{self.title}Jobs"

    @property
    def event_type(self) -> str:
        """The detail-type of its state changes."""
        return f"SageMaker {self.title} Job State Change"


PROCESSING = JobKind("Processing", Kind.PROCESSING_JOB)
TRAINING = JobKind("Training", Kind.TRAINING_JOB)
TRANSFORM = JobKind("Transform", Kind.TRANSFORM_JOB)
KINDS = {kind.kind: kind for kind in (PROCESSING, TRAINING, TRANSFORM)}


@dataclass(frozen=True)
class Transition:
    """One step of a training job's secondary status."""

    status: str
    message: str
    at: datetime


@dataclass(frozen=True)
class End:
    """How a job ended."""

    status: Status
    reason: str | None = None
    exit_message: str | None = None
    secondary: str | None = None


@dataclass
class Job:
    """One job from its creation on."""

    kind: JobKind
    place: Place
    name: str
    request: Document
    role_arn: str
    tags: dict[str, str] = field(default_factory=dict)
    status: Status = Status.IN_PROGRESS
    transitions: list[Transition] = field(default_factory=list)
    failure_reason: str | None = None
    exit_message: str | None = None
    created: datetime = field(default_factory=clock.now)
    modified: datetime = field(default_factory=clock.now)
    started: datetime | None = None
    ended: datetime | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)
    model_artifacts: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    """Facts found at creation that the run needs, such as a transform job's containers."""
    stop_wanted: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    claimed: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    on_change: Callable[["Job"], None] | None = None
    _callbacks: list[Callable[["Job"], None]] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """The job's ARN."""
        return self.place.arn(self.kind.kind, self.name)

    @property
    def courier(self) -> Courier:
        """Moves files with the job's role."""
        return Courier(self.role_arn, self.place.region, self.place.account)

    @property
    def secondary_status(self) -> str:
        """The latest step."""
        return self.transitions[-1].status if self.transitions else "Starting"

    @property
    def run_time(self) -> timedelta:
        """How long it has run, or ran."""
        if self.started is None:
            return timedelta()
        return (self.ended or clock.now()) - self.started

    def step(self, status: str, message: str) -> None:
        """Enter the next secondary status."""
        with self.lock:
            self.modified = clock.now()
            self.transitions.append(Transition(status, message, self.modified))

    def claim(self) -> bool:
        """Take the job to run it; False when it was stopped before."""
        with self.lock:
            if self.status in FINAL:
                return False
            self.claimed = True
            return True

    def ask_to_stop(self) -> bool:
        """Begin to stop; True when nothing runs yet and the job can end at once."""
        with self.lock:
            if self.status in FINAL:
                return False
            self.status = Status.STOPPING
            self.step("Stopping", "Stopping the job")
            self.stop_wanted.set()
            waiting = not self.claimed
        self._changed()
        return waiting

    def end(self, how: End) -> None:
        """Reach a final status, once; whoever waits is told."""
        with self.lock:
            if self.status in FINAL:
                return
            self.ended = clock.now()
            self.step(how.secondary or how.status.value, how.reason or f"Job {how.status.value}")
            self.failure_reason = how.reason
            self.exit_message = how.exit_message
            self.status = how.status
            callbacks, self._callbacks = self._callbacks, []
        self._changed()
        self.finished.set()
        for callback in callbacks:
            callback(self)

    def when_finished(self, callback: Callable[["Job"], None]) -> None:
        """Call back at the end, at once if that has passed."""
        with self.lock:
            if self.status not in FINAL:
                self._callbacks.append(callback)
                return
        callback(self)

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change(self)
