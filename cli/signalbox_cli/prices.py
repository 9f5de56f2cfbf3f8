"""What the services around the jobs cost, and a bill made of them. Values and rules; calls nothing.

On-demand prices of US East (N. Virginia), without free tiers and discounts; those of instances are
in signalbox.costs, whose date is theirs, too. Sources: the pricing pages of AWS Key Management
Service, CloudWatch, Secrets Manager, CodePipeline (V2), Step Functions (Standard), Lambda (Arm),
S3, PrivateLink and SageMaker AI (serverless inference), read 2026-11-21.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from signalbox import costs
from signalbox.hosting import HOURS_PER_MONTH, USD_PER_GB_MONTH
from signalbox_cli.planning import Plan

USD_PER_KEY_MONTH = 1.0
USD_PER_ALARM_MONTH = 0.10
USD_PER_SECRET_MONTH = 0.40
USD_PER_ACTION_MINUTE = 0.002
USD_PER_TRANSITION = 0.025 / 1000
USD_PER_GB_SECOND = 0.0000133334
USD_PER_CALL = 0.20 / 1_000_000
USD_PER_ENDPOINT_HOUR = 0.01
USD_PER_SERVERLESS_GB_SECOND = 0.00002
_MINUTES_PER_MONTH = HOURS_PER_MONTH * 60
# Assumed, and said with the estimate: nobody has measured a look of the reconciler on AWS.
_SCHEDULED_CALL_S = 20.0
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNIT_MINUTES = {"minute": 1, "hour": 60, "day": 1440}


class Template(Protocol):
    """Of a resource in a template, what a price depends on."""

    @property
    def type_name(self) -> str:
        """CloudFormation's type."""

    @property
    def properties(self) -> Any:
        """Its properties, resolved as far as they can be."""


@dataclass(frozen=True)
class Item:
    """One line of a bill; no amount where no price is known."""

    what: str
    usd: float | None
    how: str

    def document(self) -> dict[str, Any]:
        """The line as JSON."""
        return {
            "what": self.what,
            "usd": None if self.usd is None else round(self.usd, 6),
            "how": self.how,
        }


def total(items: Iterable[Item]) -> float:
    """The sum of all lines with an amount, in USD."""
    return sum(item.usd or 0.0 for item in items)


def unpriced(items: Iterable[Item]) -> list[str]:
    """Lines without an amount."""
    return [item.what for item in items if item.usd is None]


def at_most(plan: Plan) -> list[Item]:
    """The most that one run can cost: every job for all the time that its manifest allows."""
    return [
        Item(
            job.step,
            _hours(job.instance, job.count, job.limit_h),
            f"{job.count} x {job.instance}, at most {job.limit_h:g} h",
        )
        for job in plan.jobs
    ]


def _hours(instance: str, count: int, hours: float) -> float | None:
    price = costs.USD_PER_HOUR.get(instance)
    return None if price is None else price * count * hours


def hosting(plan: Plan) -> list[Item]:
    """What the workload's endpoint costs in a month of 730 hours, idle or not."""
    kept = plan.hosting
    if kept is None:
        return []
    if not kept.instance:
        second = kept.memory_mb / 1024 * USD_PER_SERVERLESS_GB_SECOND
        how = f"{kept.memory_mb} MB, {second:.6f} USD for each second of work; nothing while idle"
        return [Item("serverless endpoint", 0.0, how)]
    usd = _hours(kept.instance, kept.count, HOURS_PER_MONTH)
    how = f"{kept.count} x {kept.instance}, {HOURS_PER_MONTH} h"
    return [Item("endpoint", usd, how)]


def standing(resources: Iterable[Template]) -> list[Item]:
    """What a stack costs in a month in which nothing happens."""
    every = list(resources)
    counted = (
        ("AWS::KMS::Key", "keys", USD_PER_KEY_MONTH),
        ("AWS::CloudWatch::Alarm", "alarms", USD_PER_ALARM_MONTH),
        ("AWS::SecretsManager::Secret", "secrets", USD_PER_SECRET_MONTH),
    )
    found = []
    for type_name, what, usd in counted:
        count = sum(one.type_name == type_name for one in every)
        if count:
            found.append(Item(what, count * usd, f"{count} x {usd:.2f} USD"))
    return [*found, *_network(every), *_scheduled(every)]


def _network(every: list[Template]) -> Iterator[Item]:
    endpoints = [
        len(one.properties.get("SubnetIds", [])) or 1
        for one in every
        if one.type_name == "AWS::EC2::VPCEndpoint"
        and one.properties.get("VpcEndpointType") == "Interface"
    ]
    if endpoints:
        usd = sum(endpoints) * USD_PER_ENDPOINT_HOUR * HOURS_PER_MONTH
        yield Item("VPC endpoints", usd, f"{sum(endpoints)} network interfaces, without data")


def _scheduled(every: list[Template]) -> Iterator[Item]:
    for one in every:
        rate = _RATE.fullmatch(str(one.properties.get("ScheduleExpression", "")))
        if one.type_name == "AWS::Scheduler::Schedule" and rate is not None:
            calls = _MINUTES_PER_MONTH / (int(rate[1]) * _UNIT_MINUTES[rate[2]])
            usd = calls * (USD_PER_CALL + 0.5 * _SCHEDULED_CALL_S * USD_PER_GB_SECOND)
            how = f"{calls:,.0f} calls of 512 MB, {_SCHEDULED_CALL_S:.0f} s each"
            yield Item("reconciler", usd, how)


def stored(size_bytes: int, *, is_whole: bool) -> Item:
    """Objects kept for a month in S3's standard class."""
    usd = size_bytes / 1e9 * USD_PER_GB_MONTH
    least = "" if is_whole else "at least "
    return Item("storage", usd, f"{least}{size_bytes / 1e9:.3f} GB in S3, standard class")


def pipeline(durations_s: Iterable[float]) -> Item:
    """Actions of a pipeline, each rounded up to its minute; approvals are free."""
    minutes = sum(math.ceil(one / 60) for one in durations_s)
    return Item("pipeline", minutes * USD_PER_ACTION_MINUTE, f"{minutes} minutes of actions")


def machines(transitions: int) -> Item:
    """State machines, by the states they entered."""
    return Item("state machines", transitions * USD_PER_TRANSITION, f"{transitions} states")
