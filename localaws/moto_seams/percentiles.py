"""The part of `moto_seams` that answers percentiles: moto's GetMetricData knows five statistics.

Every private name of moto's CloudWatch that is used for it is used here and has a smoke test in
`tests/localaws/test_percentiles.py`.
"""

from collections.abc import Callable
from typing import Any

from localaws.moto_seams import patches as moto_patches

Rule = Callable[[list[float], float], float]


def install(percentile: Rule) -> None:
    """Answer statistics such as `p99` from the values that were put; none where none are kept."""
    from moto.cloudwatch.models import CloudWatchBackend, Statistics

    known = vars(Statistics)["get_statistics_for_type"]
    listed = vars(CloudWatchBackend)["get_metric_data"]

    def statistic(self: Any, stat: str) -> Any:
        if not _is_percentile(stat):
            return known(self, stat)
        values = sorted(value for datum in self.metric_data for value in values_of(datum))
        return percentile(values, float(stat[1:])) if values else None

    def get_metric_data(self: Any, *args: Any, **kwargs: Any) -> Any:
        return [_without_gaps(result) for result in listed(self, *args, **kwargs)]

    moto_patches.replace(Statistics, "get_statistics_for_type", statistic)
    moto_patches.replace(CloudWatchBackend, "get_metric_data", get_metric_data)


def values_of(datum: Any) -> list[float]:
    """The single values of a datum; of an aggregate those that its publisher left in `values`."""
    single = getattr(datum, "value", None)
    return [single] if isinstance(single, int | float) else list(getattr(datum, "values", ()))


def _is_percentile(stat: str) -> bool:
    return stat[:1] == "p" and stat[1:].replace(".", "", 1).isdigit()


def _without_gaps(result: dict[str, Any]) -> dict[str, Any]:
    """A result without the periods for which there is no statistic, as CloudWatch answers."""
    pairs = zip(result["timestamps"], result["values"], strict=True)
    kept = [(at, value) for at, value in pairs if value is not None]
    return {**result, "timestamps": [at for at, _ in kept], "values": [v for _, v in kept]}
