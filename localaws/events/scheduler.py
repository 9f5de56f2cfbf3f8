"""Fires the rules that have a schedule.

Each scheduled rule lives on a time line of its own, which starts when the rule is made and passes
as fast as the laptop's waits do: at a time scale of 60, `rate(5 minutes)` fires every five seconds.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from localaws import clock
from localaws.events import schedule as event_schedule
from localaws.events.workers import Timer, Timers


class Scheduler:
    """Watches rules; `fire` is called with a rule, and when it was due, each time it is."""

    def __init__(self, timers: Timers, fire: Callable[[Any, datetime], None]) -> None:
        self._timers = timers
        self._fire = fire
        self._lock = threading.Lock()
        self._pending: dict[str, tuple[str, Timer]] = {}

    def watch(self, rule: Any, is_current: Callable[[], bool]) -> None:
        """Fire `rule` from now on, for as long as `is_current` says that it is still there."""
        schedule = event_schedule.parse(rule.scheduled_expression)
        with self._lock:
            known = self._pending.get(rule.arn)
            if known is not None and known[0] == schedule.expression:
                return
            if known is not None:
                known[1].cancel()
                del self._pending[rule.arn]
        self._arm(rule, schedule, clock.now(), is_current)

    def _arm(
        self,
        rule: Any,
        schedule: event_schedule.Schedule,
        moment: datetime,
        is_current: Callable[[], bool],
    ) -> None:
        due = schedule.next_after(moment)
        if due is None:
            return
        delay_s = clock.scaled_s((due - moment).total_seconds())

        def ring() -> None:
            with self._lock:
                self._pending.pop(rule.arn, None)
            if is_current():
                self._fire(rule, due)
                self._arm(rule, schedule, due, is_current)

        with self._lock:
            self._pending[rule.arn] = (schedule.expression, self._timers.after(delay_s, ring))
