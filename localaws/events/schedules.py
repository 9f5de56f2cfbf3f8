"""EventBridge Scheduler on the laptop: schedules that call one target under a role of their own.

Unlike a rule's target, a schedule always assumes its role, for the target and for its dead-letter
queue alike, and vouches for its group, not for itself (EventBridge Scheduler User Guide, "Setting
up the execution role", "Confused deputy prevention", "Configuring a dead-letter queue", read
2026-11-21). Time passes as for rules: on a line of its own, as fast as the laptop's waits.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localaws.context import Context
from localaws.errors import UnsupportedByLocalAws
from localaws.events import bus as event_bus
from localaws.events import schedule as event_schedule
from localaws.events import service as events
from localaws.events.scheduler import Scheduler
from localaws.events.targets import SCHEDULER, Delivery, Rule
from localaws.events.workers import Timers
from localaws.moto_seams import scheduler as moto_seams_scheduler
from localaws.moto_seams.scheduler import SchedulerHooks
from localaws.wire import AwsError

__all__ = ["install", "shutdown"]


@dataclass(frozen=True)
class _Watched:
    """What the time line needs to know of a schedule."""

    arn: str
    scheduled_expression: str
    group: str
    name: str
    account: str
    region: str

    def stored(self) -> Any:
        """The schedule as it is now; None when it is gone or says another time."""
        found = moto_seams_scheduler.find(self.account, self.region, self.group, self.name)
        if found is None or found.schedule_expression != self.scheduled_expression:
            return None
        return found


_TARGETS = (["lambda"], ["sqs"], ["sns"], ["states"])
_timers: Timers | None = None


def install(context: Context) -> None:
    """Fire schedules from now on; `localaws.events.service` must be installed before."""
    global _timers  # noqa: PLW0603 - one laptop per process, as everywhere in localaws
    del context
    shutdown()
    _timers = Timers("localaws-schedule-timers")
    scheduler = Scheduler(_timers, _fire)

    def stored(schedule: Any, account: str, region: str) -> None:
        watched = _Watched(
            arn=schedule.arn,
            scheduled_expression=schedule.schedule_expression,
            group=schedule.group_name,
            name=schedule.name,
            account=account,
            region=region,
        )
        scheduler.watch(watched, lambda: watched.stored() is not None)

    moto_seams_scheduler.install(SchedulerHooks(check=_check, stored=stored))


def shutdown() -> None:
    """Fire nothing any more."""
    global _timers  # noqa: PLW0603 - see install
    if _timers is not None:
        _timers.stop()
    _timers = None


def _check(request: dict[str, Any]) -> None:
    expression = str(request.get("ScheduleExpression", ""))
    zone = request.get("ScheduleExpressionTimezone") or "UTC"
    if expression.startswith("at(") or zone not in ("UTC", "Etc/UTC"):
        raise UnsupportedByLocalAws("scheduler", "CreateSchedule", f"{expression} in {zone}")
    for name in ("StartDate", "EndDate", "ActionAfterCompletion"):
        if request.get(name):
            raise UnsupportedByLocalAws("scheduler", "CreateSchedule", name)
    target = str(request.get("Target", {}).get("Arn", ""))
    if target.split(":")[2:3] not in _TARGETS:
        raise UnsupportedByLocalAws("scheduler", "CreateSchedule", f"target {target}")
    try:
        event_schedule.parse(expression)
    except event_schedule.InvalidSchedule as error:
        message = f"Invalid Schedule Expression {expression}: {error}"
        raise AwsError("ValidationException", message) from error


def _fire(watched: _Watched, due: datetime) -> None:
    schedule = watched.stored()
    if schedule is None or schedule.state == "DISABLED":
        return
    event = event_bus.make_event(
        "aws.scheduler",
        "Scheduled Event",
        {},
        resources=[watched.arn],
        account=watched.account,
        region=watched.region,
    )
    owner = Rule(
        arn=watched.arn,
        name=watched.name,
        account=watched.account,
        region=watched.region,
        principal=SCHEDULER,
        vouches_for=f"{watched.arn.rpartition('/')[0].replace(':schedule/', ':schedule-group/')}",
    )
    payload = _payload(dict(schedule.target), event, due)
    events.deliver(Delivery(owner, dict(schedule.target), event, payload))


def _payload(target: dict[str, Any], event: dict[str, Any], due: datetime) -> str:
    """The target's input with its context attributes, else the default notification."""
    given = target.get("Input")
    if not given:
        # As a schedule writes it, the detail is a text.
        return json.dumps({**event, "detail": "{}"})
    known = {
        "schedule-arn": event["resources"][0],
        "scheduled-time": event_bus.iso(due),
        "execution-id": str(uuid.uuid4()),
        "attempt-number": "1",
    }
    text = str(given)
    for name, value in known.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text
