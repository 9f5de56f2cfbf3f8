"""Endpoints: created, updated in place, rolled back, deleted; each change in a thread of its own.

An update starts the new configuration beside the old one. If it does not become healthy the old one
goes on, the endpoint is InService again with its old configuration and a FailureReason: AWS does it
just so, and a caller who only looks at the status takes it for success.
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
from localaws.endpoint_fleet import Fleet, FleetFailed, FleetPlan
from localaws.job_folder import own_place
from localaws.sagemaker_events import emit
from localaws.sagemaker_models import find_config, resolve_model
from localaws.sagemaker_store import STORE, Document, Kind, Place, Record
from localaws.wire import AwsError

_log = logging.getLogger("localaws.endpoints")
_SHUTDOWN_S = 5.0


class Status(Enum):
    """An endpoint's status in the API, and in events."""

    CREATING = "Creating"
    UPDATING = "Updating"
    IN_SERVICE = "InService"
    FAILED = "Failed"
    DELETING = "Deleting"


@dataclass
class Endpoint:
    """One endpoint from its creation on."""

    place: Place
    name: str
    config_name: str
    status: Status = Status.CREATING
    failure_reason: str | None = None
    fleet: Fleet | None = None
    variant: Document = field(default_factory=dict)
    deployment: Document | None = None
    created: datetime = field(default_factory=clock.now)
    modified: datetime = field(default_factory=clock.now)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def arn(self) -> str:
        """The endpoint's ARN."""
        return self.place.arn(Kind.ENDPOINT, self.name)

    def become(self, status: Status, reason: str | None = None) -> None:
        """Enter a status and tell EventBridge."""
        with self.lock:
            self.status = status
            self.failure_reason = reason
            self.modified = clock.now()
        announce(self)


class _Settings:
    folder = Path(".signalbox/endpoints")
    threads: list[threading.Thread]


_settings = _Settings()
_settings.threads = []


def install(context: Context) -> None:
    """Keep the servers' folders below the state directory; answer InvokeEndpoint."""
    from localaws import sagemaker_runtime

    _settings.folder = own_place(context.config.state_dir.resolve() / "endpoints")
    sagemaker_runtime.install(context)


def shutdown() -> None:
    """End every model server."""
    for thread in _settings.threads:
        thread.join(_SHUTDOWN_S)
    _settings.threads.clear()
    for record in STORE.everywhere(Kind.ENDPOINT):
        if record.state.fleet is not None:
            record.state.fleet.close(patience_s=0.0)
            record.state.fleet = None


def create(endpoint: Endpoint) -> None:
    """Start to serve."""
    announce(endpoint)
    _in_background(endpoint, _create)


def update(endpoint: Endpoint, config_name: str) -> None:
    """Start to move to another configuration."""
    endpoint.become(Status.UPDATING)
    _in_background(endpoint, lambda e: _update(e, config_name))


def delete(endpoint: Endpoint, forget: Callable[[], None]) -> None:
    """Start to end it; `forget` is called when nothing of it is left."""
    endpoint.become(Status.DELETING)

    def end(doomed: Endpoint) -> None:
        if doomed.fleet is not None:
            doomed.fleet.close()
            doomed.fleet = None
        forget()

    _in_background(endpoint, end)


def find(place: Place, name: str) -> Endpoint | None:
    """The endpoint of that name, if there is one."""
    record: Record | None = STORE.find(place, Kind.ENDPOINT, name)
    return record.state if record is not None else None


def _in_background(endpoint: Endpoint, change: Callable[[Endpoint], None]) -> None:
    def work() -> None:
        try:
            change(endpoint)
        except Exception as error:  # noqa: BLE001 - the edge of a thread: the endpoint must not hang
            _log.error("endpoint %s: %s", endpoint.name, traceback.format_exc())
            endpoint.become(Status.FAILED, f"Internal error: {type(error).__name__}: {error}")

    thread = threading.Thread(target=work, name=f"localaws-endpoint-{endpoint.name}", daemon=True)
    _settings.threads = [t for t in _settings.threads if t.is_alive()] + [thread]
    thread.start()


def _create(endpoint: Endpoint) -> None:
    try:
        endpoint.fleet, endpoint.variant = _deploy(endpoint, endpoint.config_name)
    except (FleetFailed, AwsError) as failure:
        endpoint.become(Status.FAILED, _reason(failure))
        return
    endpoint.become(Status.IN_SERVICE)


def _update(endpoint: Endpoint, config_name: str) -> None:
    try:
        fleet, variant = _deploy(endpoint, config_name)
    except (FleetFailed, AwsError) as failure:
        endpoint.become(Status.IN_SERVICE, _reason(failure))
        return
    with endpoint.lock:
        old, endpoint.fleet = endpoint.fleet, fleet
        endpoint.config_name, endpoint.variant = config_name, variant
    endpoint.become(Status.IN_SERVICE)
    if old is not None:
        old.close()


def _reason(failure: Exception) -> str:
    return failure.message if isinstance(failure, AwsError) else str(failure)


def _deploy(endpoint: Endpoint, config_name: str) -> tuple[Fleet, Document]:
    config = find_config(endpoint.place, config_name)
    variant: Document = config.document["ProductionVariants"][0]
    plan = FleetPlan(
        endpoint=endpoint.name,
        variant=variant["VariantName"],
        model=resolve_model(endpoint.place, variant["ModelName"]),
        instances=variant.get("InitialInstanceCount", 1),
    )
    fleet = Fleet(plan, _settings.folder)
    images = [c.image for c in plan.model.containers]
    return fleet, {**variant, "_images": images}


_EVENT_STATUS = {
    Status.CREATING: "CREATING",
    Status.UPDATING: "UPDATING",
    Status.IN_SERVICE: "IN_SERVICE",
    Status.FAILED: "FAILED",
    Status.DELETING: "DELETING",
}


def announce(endpoint: Endpoint) -> None:
    """Emit `SageMaker Endpoint State Change` for the endpoint as it is now."""
    detail: Document = {
        "EndpointName": endpoint.name,
        "EndpointArn": endpoint.arn,
        "EndpointConfigName": endpoint.config_name,
        "EndpointStatus": _EVENT_STATUS[endpoint.status],
        "CreationTime": int(endpoint.created.timestamp() * 1000),
        "LastModifiedTime": int(endpoint.modified.timestamp() * 1000),
        "Tags": _tags(endpoint),
    }
    if endpoint.failure_reason:
        detail["FailureReason"] = endpoint.failure_reason
    emit(
        "SageMaker Endpoint State Change",
        detail,
        arn=endpoint.arn,
        place=endpoint.place,
    )


def _tags(endpoint: Endpoint) -> dict[str, str]:
    record = STORE.find(endpoint.place, Kind.ENDPOINT, endpoint.name)
    return dict(record.tags) if record is not None else {}
