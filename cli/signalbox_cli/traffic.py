"""What an endpoint answers: requests, errors and time by variant, from CloudWatch's metrics.

SageMaker counts in whole minutes (Amazon SageMaker AI Developer Guide, "Monitor with CloudWatch",
read 2026-11-21); ModelLatency is in microseconds and is what the model's container took.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from signalbox_cli.target import Target

NAMESPACE = "AWS/SageMaker"
_BARS = " ▁▂▃▄▅▆▇█"
# (key, metric, statistic); average and longest are shown where no percentile is kept.
_QUERIES = (
    ("requests", "Invocations", "Sum"),
    ("faults", "Invocation5XXErrors", "Sum"),
    ("refusals", "Invocation4XXErrors", "Sum"),
    ("p50", "ModelLatency", "p50"),
    ("p99", "ModelLatency", "p99"),
    ("average", "ModelLatency", "Average"),
    ("longest", "ModelLatency", "Maximum"),
)


@dataclass(frozen=True)
class VariantTraffic:
    """One variant over some periods, oldest first; times in milliseconds, None without requests."""

    variant: str
    period_s: int
    requests: tuple[float, ...] = ()
    faults: float = 0.0
    refusals: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None
    average_ms: float | None = None
    longest_ms: float | None = None

    @property
    def total(self) -> float:
        """Requests in the whole window."""
        return sum(self.requests)

    @property
    def per_second(self) -> float:
        """Requests in a second of the last period that had any."""
        latest = next((count for count in reversed(self.requests) if count), 0.0)
        return latest / self.period_s

    @property
    def error_share(self) -> float:
        """The part of all requests that failed with 5xx."""
        return self.faults / self.total if self.total else 0.0

    def document(self) -> dict[str, Any]:
        """The variant as JSON."""
        return {
            "variant": self.variant,
            "periodSeconds": self.period_s,
            "requests": list(self.requests),
            "requestsPerSecond": round(self.per_second, 3),
            "errors5xx": self.faults,
            "errors4xx": self.refusals,
            "errorShare": round(self.error_share, 6),
            "p50Ms": self.p50_ms,
            "p99Ms": self.p99_ms,
            "averageMs": self.average_ms,
            "longestMs": self.longest_ms,
        }


@dataclass
class _Series:
    values: dict[str, dict[datetime, float]] = field(default_factory=dict)

    def over(self, key: str, periods: Iterable[datetime]) -> tuple[float, ...]:
        """The values of a metric in each period, 0 where there is none."""
        known = self.values.get(key, {})
        return tuple(known.get(period, 0.0) for period in periods)

    def latest_ms(self, key: str) -> float | None:
        """The newest value of a metric in microseconds, as milliseconds."""
        known = self.values.get(key)
        return round(known[max(known)] / 1000, 3) if known else None


def read_traffic(
    target: Target, endpoint: str, variants: Iterable[str], *, minutes: int, period_s: int = 60
) -> list[VariantTraffic]:
    """The traffic of an endpoint's variants over the last minutes."""
    now = datetime.now(UTC).replace(microsecond=0)
    end = now + timedelta(seconds=period_s - now.timestamp() % period_s)
    count = max(1, minutes * 60 // period_s)
    periods = [end - timedelta(seconds=period_s * left) for left in range(count, 0, -1)]
    names = list(variants)
    series = _read(target, endpoint, names, (periods[0], end), period_s)
    return [_traffic(name, series[name], periods, period_s) for name in names]


def _traffic(name: str, series: _Series, periods: list[datetime], period_s: int) -> VariantTraffic:
    return VariantTraffic(
        variant=name,
        period_s=period_s,
        requests=series.over("requests", periods),
        faults=sum(series.over("faults", periods)),
        refusals=sum(series.over("refusals", periods)),
        p50_ms=series.latest_ms("p50"),
        p99_ms=series.latest_ms("p99"),
        average_ms=series.latest_ms("average"),
        longest_ms=series.latest_ms("longest"),
    )


def _read(
    target: Target,
    endpoint: str,
    variants: list[str],
    window: tuple[datetime, datetime],
    period_s: int,
) -> Mapping[str, _Series]:
    found = {name: _Series() for name in variants}
    ids = {
        f"q{number}{key}": (name, key)
        for number, name in enumerate(variants)
        for key, _, _ in _QUERIES
    }
    pages = (
        target.client("cloudwatch")
        .get_paginator("get_metric_data")
        .paginate(
            MetricDataQueries=list(_queries(endpoint, variants, period_s)),
            StartTime=window[0],
            EndTime=window[1],
            ScanBy="TimestampAscending",
        )
    )
    for result in (r for page in pages for r in page["MetricDataResults"]):
        name, key = ids[result["Id"]]
        values = zip(result["Timestamps"], result["Values"], strict=False)
        known = {_period(at, period_s): float(v) for at, v in values if v is not None}
        found[name].values.setdefault(key, {}).update(known)
    return found


def _period(moment: datetime, period_s: int) -> datetime:
    """The period a value belongs to, by its beginning."""
    aware = moment.astimezone(UTC)
    return aware.replace(microsecond=0) - timedelta(seconds=aware.timestamp() // 1 % period_s)


def _queries(endpoint: str, variants: list[str], period_s: int) -> Iterable[dict[str, Any]]:
    for number, name in enumerate(variants):
        for key, metric, statistic in _QUERIES:
            dimensions = {"EndpointName": endpoint, "VariantName": name}
            yield {
                "Id": f"q{number}{key}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": NAMESPACE,
                        "MetricName": metric,
                        "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
                    },
                    "Period": period_s,
                    "Stat": statistic,
                },
            }


def bars(counts: Iterable[float], most: float) -> str:
    """Counts as a line of bars, one character each; `most` fills a character.

    >>> bars([0, 1, 4, 8], 8)
    ' ▁▄█'
    """
    if most <= 0:
        return _BARS[0] * len(list(counts))
    top = len(_BARS) - 1
    # Whatever is there shows, however little it is.
    return "".join(_BARS[max(round(c / most * top), 1) if c > 0 else 0] for c in counts)


def picture(found: list[VariantTraffic]) -> list[str]:
    """The variants under one another, drawn to one scale."""
    most = max((count for one in found for count in one.requests), default=0.0)
    width = max((len(one.variant) for one in found), default=0)
    return [
        f"{one.variant:<{width}}  |{bars(one.requests, most)}|  {one.total:,.0f} requests"
        for one in found
    ]
