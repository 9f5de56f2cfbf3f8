"""The part of `moto_seams` that belongs to EventBridge Scheduler: moto stores, the laptop fires.

Every private name of moto's scheduler package that is used is used here and has a smoke test in
`tests/localaws/test_schedules.py`. Decides nothing.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localaws.errors import UnsupportedByLocalAws
from localaws.moto_seams import patches as moto_patches
from localaws.wire import AwsError


@dataclass(frozen=True)
class SchedulerHooks:
    """What the laptop does beside storing."""

    check: Callable[[dict[str, Any]], None]
    """Told the request of a create or update before it is stored."""
    stored: Callable[[Any, str, str], None]
    """Told a schedule that was made or changed, its account and its region."""


def install(hooks: SchedulerHooks) -> None:
    """Route creates and updates through `hooks`."""
    from moto.scheduler.responses import EventBridgeSchedulerResponse as Handler

    for name in ("create_schedule", "update_schedule"):
        moto_patches.replace(Handler, name, _hooked(vars(Handler)[name], hooks))
    moto_patches.replace(Handler, "create_schedule_group", _refuse)


def _hooked(original: Callable[[Any], str], hooks: SchedulerHooks) -> Callable[[Any], Any]:
    def operation(self: Any) -> Any:
        request = json.loads(self.body or "{}")
        try:
            hooks.check(request)
        except AwsError as error:
            from moto.scheduler.exceptions import ValidationException

            raise ValidationException(error.message) from error
        answer = original(self)
        name = self.uri.partition("?")[0].rpartition("/")[2]
        found = find(self.current_account, self.region, request.get("GroupName") or "default", name)
        hooks.stored(found, self.current_account, self.region)
        return answer

    return operation


def _refuse(_handler: Any) -> None:
    raise UnsupportedByLocalAws("scheduler", "CreateScheduleGroup", "use the group default")


def find(account: str, region: str, group: str, name: str) -> Any:
    """A schedule as it is stored now; None when it is gone."""
    from moto.scheduler.models import scheduler_backends

    groups = scheduler_backends[account][region].schedule_groups
    return groups[group].schedules.get(name) if group in groups else None
