"""Endpoints: what each one is, which fleets serve it, and the threads in which it changes.

How an update goes is in endpoint_rollout. An endpoint has one configuration that serves (blue) and,
while an update shifts traffic, a second one (green) with a share of the requests.
"""

import logging
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path

from localaws import clock
from localaws.context import Context
from localaws.endpoints.meter import METERS
from localaws.endpoints.serving import Serving
from localaws.jobs.folder import own_place
from localaws.monitoring import alarms
from localaws.sagemaker.store import STORE, Document, Kind, Place, Record

_log = logging.getLogger("localaws.endpoints")
_SHUTDOWN_S = 5.0


class Status(Enum):
    """An endpoint's status in the API."""

    CREATING = "Creating"
    UPDATING = "Updating"
    SYSTEM_UPDATING = "SystemUpdating"
    ROLLING_BACK = "RollingBack"
    IN_SERVICE = "InService"
    UPDATE_ROLLBACK_FAILED = "UpdateRollbackFailed"
    FAILED = "Failed"
    DELETING = "Deleting"


@dataclass(frozen=True)
class Stage:
    """What an update is doing to its variants, as VariantStatus tells it."""

    status: str
    message: str
    since: datetime = field(default_factory=clock.now)


@dataclass
class Pending:
    """An update under way."""

    config_name: str
    stage: Stage
    started: datetime = field(default_factory=clock.now)
    current_instances: int = 0


@dataclass
class Endpoint:
    """One endpoint from its creation on."""

    place: Place
    name: str
    config_name: str
    status: Status = Status.CREATING
    failure_reason: str | None = None
    blue: Serving | None = None
    green: Serving | None = None
    share: float = 0.0
    """Of the requests, from 0 to 1, that the green fleets get."""
    pending: Pending | None = None
    deployment: Document | None = None
    created: datetime = field(default_factory=clock.now)
    modified: datetime = field(default_factory=clock.now)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _credit: float = 0.0

    @property
    def arn(self) -> str:
        """The endpoint's ARN."""
        return self.place.arn(Kind.ENDPOINT, self.name)

    def route(self) -> Serving | None:
        """Which configuration answers the next request; None when none does."""
        if self.green is None:
            return self.blue
        with self.lock:
            self._credit += self.share
            if self._credit < 1.0 or self.green is None:
                return self.blue
            self._credit -= 1.0
            return self.green

    def become(self, status: Status, reason: str | None = None) -> None:
        """Enter a status and tell EventBridge."""
        from localaws.endpoints import views as endpoint_views

        with self.lock:
            self.status = status
            self.failure_reason = reason[:1024] if reason else None
            self.modified = clock.now()
        endpoint_views.announce(self)

    def enter(self, stage: Stage, current_instances: int) -> None:
        """Begin the next stage of the update under way and tell EventBridge."""
        from localaws.endpoints import views as endpoint_views

        with self.lock:
            if self.pending is None:
                return
            self.pending.stage = stage
            self.pending.current_instances = current_instances
        endpoint_views.announce_deployment(self)


class Settings:
    """What endpoints share while a server runs."""

    def __init__(self) -> None:
        self.folder = Path(".signalbox/endpoints")
        self.threads: list[threading.Thread] = []
        self.stopping = threading.Event()


SETTINGS = Settings()


def install(context: Context) -> None:
    """Keep the servers' folders below the state directory; answer InvokeEndpoint."""
    from localaws.endpoints import scaling
    from localaws.sagemaker import runtime as sagemaker_runtime

    SETTINGS.folder = own_place(context.config.state_dir.resolve() / "endpoints")
    SETTINGS.stopping = threading.Event()
    METERS.clear()
    alarms.install(context)
    alarms.before_each_look(METERS.gather)
    sagemaker_runtime.install(context)
    scaling.install(context)


def shutdown() -> None:
    """End every model server."""
    from localaws.sagemaker import runtime as sagemaker_runtime

    SETTINGS.stopping.set()
    sagemaker_runtime.shutdown()
    for thread in SETTINGS.threads:
        thread.join(_SHUTDOWN_S)
    SETTINGS.threads.clear()
    for record in STORE.everywhere(Kind.ENDPOINT):
        close(record.state, patience_s=0.0)
    alarms.shutdown()


def close(endpoint: Endpoint, *, patience_s: float = 60.0) -> None:
    """End all fleets of an endpoint."""
    with endpoint.lock:
        serving = [endpoint.blue, endpoint.green]
        endpoint.blue = endpoint.green = None
    for one in serving:
        if one is not None:
            one.close(patience_s=patience_s)


def delete(endpoint: Endpoint, forget: Callable[[], None]) -> None:
    """Start to end it; `forget` is called when nothing of it is left."""
    endpoint.become(Status.DELETING)

    def end(doomed: Endpoint) -> None:
        close(doomed)
        forget()

    in_background(endpoint, end)


def find(place: Place, name: str) -> Endpoint | None:
    """The endpoint of that name, if there is one."""
    record: Record | None = STORE.find(place, Kind.ENDPOINT, name)
    return record.state if record is not None else None


def in_background(endpoint: Endpoint, change: Callable[[Endpoint], None]) -> None:
    """Carry out a change in a thread of its own; an error in it makes the endpoint Failed."""

    def work() -> None:
        try:
            change(endpoint)
        except Exception as error:  # noqa: BLE001 - the edge of a thread: the endpoint must not hang
            _log.error("endpoint %s: %s", endpoint.name, traceback.format_exc())
            endpoint.become(Status.FAILED, f"Internal error: {type(error).__name__}: {error}")

    thread = threading.Thread(target=work, name=f"localaws-endpoint-{endpoint.name}", daemon=True)
    SETTINGS.threads = [t for t in SETTINGS.threads if t.is_alive()] + [thread]
    thread.start()
