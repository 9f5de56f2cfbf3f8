"""EventBridge on the laptop: the one place through which every event passes.

Other parts call `emit` for the events that AWS's services send, and `subscribe` to be told of them
inside the process. Rules, targets and PutEvents are served over HTTP as on AWS.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localaws.context import Context
from localaws.events import bus as event_bus
from localaws.events import s3 as event_s3
from localaws.events import schedule as event_schedule
from localaws.events.bus import Event, EventBuses, Listener
from localaws.events.delivery import Deliveries
from localaws.events.s3 import StoredObject
from localaws.events.scheduler import Scheduler
from localaws.events.targets import Delivery, current_delivery
from localaws.events.workers import Timers
from localaws.moto_seams import events as moto_seams_events
from localaws.moto_seams.events import EventHooks, S3Hooks
from localaws.wire import AwsError

__all__ = ["current_delivery", "deliver", "drain", "emit", "install", "shutdown", "subscribe"]


@dataclass(frozen=True)
class _Running:
    timers: Timers
    deliveries: Deliveries
    buses: EventBuses
    scheduler: Scheduler


_running: _Running | None = None


def install(context: Context) -> None:
    """Take over event delivery from moto."""
    global _running  # noqa: PLW0603 - one laptop per process, as everywhere in localaws
    shutdown()
    timers = Timers("localaws-event-timers")
    deliveries = Deliveries(timers)
    buses = EventBuses(deliveries)
    _running = _Running(timers, deliveries, buses, Scheduler(timers, _fire))
    moto_seams_events.install_events(
        EventHooks(
            put_events=buses.put_events,
            test_pattern=event_bus.test_event_pattern,
            check_rule=_check_rule,
            rule_stored=_rule_stored,
            check_targets=event_bus.check_targets,
            send=buses.deliver,
        )
    )
    moto_seams_events.install_s3(S3Hooks(created=_object_created, deleted=_object_deleted))


def shutdown() -> None:
    """Give up what is under way and stop every thread."""
    global _running  # noqa: PLW0603 - see install
    if _running is not None:
        _running.deliveries.stop()
        _running.timers.stop()
    _running = None


def _here() -> _Running:
    if _running is None:
        raise RuntimeError("the laptop's AWS is not running: start a LaptopServer first")
    return _running


def emit(
    source: str,
    detail_type: str,
    detail: Mapping[str, Any],
    *,
    resources: list[str],
    account: str,
    region: str,
    time: datetime | None = None,
) -> None:
    """Send an event of an AWS service to the default bus of an account and region.

    Listeners have been told when this returns; deliveries to targets follow in the background.
    While the laptop stops, events of what is still ending are dropped.
    """
    event = event_bus.make_event(
        source,
        detail_type,
        detail,
        resources=resources,
        account=account,
        region=region,
        time=time,
    )
    _publish(event)


def _publish(event: Event) -> None:
    running = _running
    if running is not None:
        running.buses.publish(event)


def subscribe(listener: Listener) -> Callable[[], None]:
    """Tell `listener` of every event on a default bus; returns a function that ends that.

    It is called on the emitter's thread, perhaps under the emitter's locks: it must return at once
    and leave real work to a thread of its own.
    """
    return _here().buses.subscribe(listener)


def deliver(delivery: Delivery) -> None:
    """Send one delivery that no rule asked for, with its retries and its dead-letter queue."""
    running = _running
    if running is not None:
        running.deliveries.add(delivery)


def drain(timeout_s: float = 10.0) -> bool:
    """Wait until each delivery under way has arrived or been given up; False on time-out."""
    return _here().deliveries.drain(timeout_s)


def _check_rule(pattern: str | None, schedule: str | None) -> None:
    event_bus.check_pattern(pattern)
    if not schedule:
        return
    try:
        event_schedule.parse(schedule)
    except event_schedule.InvalidSchedule as error:
        message = f"Parameter ScheduleExpression is not valid: {error}"
        raise AwsError("ValidationException", message) from error


def _rule_stored(rule: Any) -> None:
    if not rule.scheduled_expression:
        return
    where = (rule.account_id, rule.region_name, rule.event_bus_name, rule.name)

    def is_current() -> bool:
        stored = moto_seams_events.find_rule(*where)
        return stored is not None and stored.scheduled_expression == rule.scheduled_expression

    _here().scheduler.watch(rule, is_current)


def _fire(rule: Any, _due: datetime) -> None:
    """A schedule is due: the event goes to this rule's targets and to nobody else."""
    stored = moto_seams_events.find_rule(
        rule.account_id, rule.region_name, rule.event_bus_name, rule.name
    )
    if stored is None or stored.state == "DISABLED":
        return
    event = event_bus.make_event(
        "aws.events",
        "Scheduled Event",
        {},
        resources=[stored.arn],
        account=stored.account_id,
        region=stored.region_name,
    )
    _here().buses.deliver(stored, event)


def _object_created(stored: StoredObject, notification: str) -> None:
    reason = event_s3.reason_of(notification)
    if reason is not None:
        _publish_s3(stored, "Object Created", event_s3.created_detail(stored, reason))


def _object_deleted(stored: StoredObject, permanently: bool) -> None:
    detail = event_s3.deleted_detail(stored, permanently=permanently)
    _publish_s3(stored, "Object Deleted", detail)


def _publish_s3(stored: StoredObject, detail_type: str, detail: dict[str, Any]) -> None:
    emit(
        "aws.s3",
        detail_type,
        detail,
        resources=[stored.bucket_arn],
        account=stored.account,
        region=stored.region,
    )
