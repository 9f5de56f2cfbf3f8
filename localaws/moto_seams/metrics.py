"""The part of `moto_seams` for CloudWatch: moto keeps alarms, the laptop evaluates them.

Every private name of moto's CloudWatch package that is used is used here and has a smoke test in
`tests/localaws/test_alarms.py`. Decides nothing.
"""

from array import array
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from localaws.moto_seams import patches as moto_patches

_MOST_DATA = 50_000
"""Data of one account that moto keeps in memory, which it never forgets by itself."""
_MOST_WITH_VALUES = 2_000
"""Aggregates, over all accounts, whose single values are kept; older ones have statistics only."""
_with_values: deque[Any] = deque()

PutMetric = Callable[[str, str, str, list[dict[str, Any]]], None]
"""(account, region, namespace, metric data as the API has them)."""


@dataclass(frozen=True)
class AlarmView:
    """An alarm on one metric, as moto keeps it."""

    account: str
    region: str
    stored: Any

    @property
    def name(self) -> str:
        """The alarm's name."""
        return str(self.stored.name)

    @property
    def arn(self) -> str:
        """The alarm's ARN."""
        return str(self.stored.alarm_arn)

    @property
    def state(self) -> str:
        """`OK`, `ALARM` or `INSUFFICIENT_DATA`."""
        return str(self.stored.state_value)

    @property
    def dimensions(self) -> dict[str, str]:
        """The metric's dimensions."""
        return {d.name: d.value for d in self.stored.dimensions}

    @property
    def statistic(self) -> str:
        """`Average`, `p99` and the like."""
        return str(self.stored.extended_statistic or self.stored.statistic)

    def enter(self, state: str, reason: str, reason_data: str) -> None:
        """Change the alarm's state."""
        self.stored.update_state(reason, reason_data, state)


def listen_to_metrics(told: PutMetric) -> None:
    """Have `told` called with everything that PutMetricData stores; alarms begin without data."""
    from moto.cloudwatch.models import Alarm, CloudWatchBackend

    store = CloudWatchBackend.put_metric_data
    make = Alarm.__init__

    def put_metric_data(backend: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        store(backend, namespace, metric_data)
        told(backend.account_id, backend.region_name, namespace, metric_data)

    def start_without_data(alarm: Any, *args: Any, **kwargs: Any) -> None:
        make(alarm, *args, **kwargs)
        alarm.state_value = "INSUFFICIENT_DATA"

    moto_patches.replace(CloudWatchBackend, "put_metric_data", put_metric_data)
    _match_dimensions_exactly()
    moto_patches.replace(Alarm, "__init__", start_without_data)


def _match_dimensions_exactly() -> None:
    """Statistics are of one metric; moto adds those of metrics that have further dimensions."""
    from moto.cloudwatch.models import MetricDatumBase

    match = MetricDatumBase.filter

    def exactly(datum: Any, *args: Any, **kwargs: Any) -> bool:
        if kwargs or len(args) != 3:  # ListMetrics asks for all that have the dimensions
            return bool(match(datum, *args, **kwargs))
        wanted = {(d["Name"], d.get("Value")) for d in args[2]}
        return wanted == {(d.name, d.value) for d in datum.dimensions}

    moto_patches.replace(MetricDatumBase, "filter", exactly)


def alarms() -> Iterator[AlarmView]:
    """Every alarm on one metric, in every account and region."""
    from moto.cloudwatch.models import cloudwatch_backends

    for account, regions in list(cloudwatch_backends.items()):
        for region, backend in list(regions.items()):
            for stored in list(backend.alarms.values()):
                if stored.rule is None and stored.metric_name:
                    yield AlarmView(account, region, stored)


def alarm(account: str, region: str, name: str) -> AlarmView | None:
    """The alarm of that name; None if there is none."""
    from moto.cloudwatch.models import cloudwatch_backends

    stored = cloudwatch_backends[account][region].alarms.get(name)
    return AlarmView(account, region, stored) if stored is not None else None


def publish(account: str, region: str, namespace: str, aggregates: list[dict[str, Any]]) -> None:
    """Store statistics of metrics for GetMetricData and GetMetricStatistics.

    An aggregate may have its single values too, in `Values`: percentiles are made of them.
    """
    from moto.cloudwatch.models import cloudwatch_backends

    stored = cloudwatch_backends[account][region].metric_data
    stored += [_datum(namespace, one) for one in aggregates]
    if len(stored) > _MOST_DATA:
        del stored[: len(stored) - _MOST_DATA]


def _datum(namespace: str, one: dict[str, Any]) -> Any:
    from moto.cloudwatch.models import MetricAggregatedDatum

    datum: Any = MetricAggregatedDatum(
        namespace,
        one["MetricName"],
        min_stat=one["Minimum"],
        max_stat=one["Maximum"],
        sample_count=one["SampleCount"],
        sum_stat=one["Sum"],
        dimensions=one["Dimensions"],
        timestamp=one["Timestamp"],
        unit=one["Unit"],
    )
    if one.get("Values"):
        datum.values = array("d", one["Values"])
        _with_values.append(datum)
        if len(_with_values) > _MOST_WITH_VALUES:
            _with_values.popleft().values = ()
    return datum
