"""What hosts models in an environment, what of it nothing refers to, and what that costs.

Nothing that a live endpoint or the serving record names is ever among what is left over: an
endpoint whose configuration, model or artifact is gone can no longer be updated. Rules only:
imports no AWS client, reads no clock.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from signalbox import serving
from signalbox.reconciliation import Finding
from signalbox.serving import Deployment, ServingRecord

HOURS_PER_MONTH = 730
# "Amazon S3 pricing", S3 Standard, US East (N. Virginia), first 50 TB, read 2026-11-21.
USD_PER_GB_MONTH = 0.023
# What is younger may belong to a rollout or a run that is still under way.
SETTLED = timedelta(days=1)
RUN_KEPT = timedelta(days=90)
_BROKEN = ("Failed", "UpdateRollbackFailed", "OutOfService")


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as SageMaker describes it; `pending_config` is that of an update under way."""

    name: str
    status: str
    config: str
    created_at: datetime
    pending_config: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Config:
    """An endpoint configuration: models by name, instances as (type, count) for each variant."""

    name: str
    models: tuple[str, ...] = ()
    instances: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Named:
    """A configuration or a model of which only name and age are known."""

    name: str
    created_at: datetime


@dataclass(frozen=True)
class Hosting:
    """Everything that hosts models in one environment.

    `described` has the configurations that something refers to, `records` the serving records by
    endpoint.
    """

    endpoints: tuple[Endpoint, ...]
    described: Mapping[str, Config]
    configs: tuple[Named, ...]
    models: tuple[Named, ...]
    records: Mapping[str, ServingRecord]
    is_whole: bool = True
    """False when a list was cut: then nothing can be said to be left over."""


def referenced_configs(
    endpoints: Iterable[Endpoint], records: Mapping[str, ServingRecord]
) -> set[str]:
    """Names of configurations that an endpoint or a serving record refers to."""
    live = {name for e in endpoints for name in (e.config, e.pending_config) if name}
    return live | {d.endpoint_config for d in _deployments(records) if d.endpoint_config}


def _deployments(records: Mapping[str, ServingRecord]) -> Iterator[Deployment]:
    return (deployment for record in records.values() for deployment in record.deployments)


def referenced_models(hosting: Hosting) -> set[str]:
    """Names of models that a referenced configuration or a serving record refers to."""
    configs = referenced_configs(hosting.endpoints, hosting.records)
    used = {
        m for name in configs if name in hosting.described for m in hosting.described[name].models
    }
    return used | {d.model for d in _deployments(hosting.records) if d.model}


def left_over(hosting: Hosting, now: datetime, usd_per_hour: Mapping[str, float]) -> list[Finding]:
    """Endpoints, configurations and models that nobody refers to, with what they cost a month."""
    if not hosting.is_whole:
        return []
    return [
        *_idle_endpoints(hosting, now, usd_per_hour),
        *_unused(
            hosting.configs,
            referenced_configs(hosting.endpoints, hosting.records),
            now,
            "endpoint configuration",
        ),
        *_unused(hosting.models, referenced_models(hosting), now, "model"),
    ]


def _idle_endpoints(
    hosting: Hosting, now: datetime, usd_per_hour: Mapping[str, float]
) -> Iterator[Finding]:
    for endpoint in hosting.endpoints:
        if endpoint.name in hosting.records or now - endpoint.created_at < SETTLED:
            continue
        cost = monthly_usd(hosting.described.get(endpoint.config), usd_per_hour)
        price = "of unknown price" if cost is None else f"about {cost:,.2f} USD a month"
        yield Finding(
            "endpoint",
            f"unused endpoint {endpoint.name}",
            f"endpoint {endpoint.name} is in no serving record: {price}",
            f"aws sagemaker delete-endpoint --endpoint-name {endpoint.name}",
        )


def monthly_usd(config: Config | None, usd_per_hour: Mapping[str, float]) -> float | None:
    """What the instances of a configuration cost in 730 hours; None where a price is not known.

    Serverless variants have no instances and cost nothing while nobody asks.
    """
    if config is None or any(kind not in usd_per_hour for kind, _ in config.instances):
        return None
    return sum(usd_per_hour[kind] * count for kind, count in config.instances) * HOURS_PER_MONTH


def _unused(
    things: Iterable[Named], referenced: set[str], now: datetime, what: str
) -> Iterator[Finding]:
    verb = (
        "delete-endpoint-config --endpoint-config-name"
        if " " in what
        else ("delete-model --model-name")
    )
    for thing in things:
        if thing.name not in referenced and now - thing.created_at >= SETTLED:
            yield Finding(
                what,
                f"unused {what} {thing.name}",
                f"{what} {thing.name} is used by nothing and costs nothing",
                f"aws sagemaker {verb} {thing.name}",
            )


def unlike_the_record(hosting: Hosting, now: datetime) -> list[Finding]:
    """Endpoints that are broken, or serve something else than the record says.

    A configuration younger than SETTLED may be that of a rollout which is still under way.
    """
    young = {config.name for config in hosting.configs if now - config.created_at < SETTLED}
    found = []
    by_name = {endpoint.name: endpoint for endpoint in hosting.endpoints}
    for endpoint in hosting.endpoints:
        if endpoint.status in _BROKEN:
            found.append(_broken(endpoint))
    for name, record in hosting.records.items():
        current = serving.serving(record)
        if current is None or (name not in by_name and not hosting.is_whole):
            continue
        live = by_name.get(name)
        if live is None:
            found.append(_gone(name, current))
        elif live.status == "InService" and live.config not in young | {current.endpoint_config}:
            found.append(_other(live, current))
    return found


def _broken(endpoint: Endpoint) -> Finding:
    why = f": {endpoint.reason}" if endpoint.reason else ""
    return Finding(
        "endpoint",
        f"broken {endpoint.name} {endpoint.status} {endpoint.config}",
        f"endpoint {endpoint.name} is {endpoint.status}{why}. Look at it before anything else is "
        "released",
    )


def _gone(name: str, current: Deployment) -> Finding:
    return Finding(
        "endpoint",
        f"gone {name} {current.endpoint_config}",
        f"endpoint {name} should serve {current.model_package_arn} and is not there. Release its "
        "workload again, or promote the version again",
    )


def _other(endpoint: Endpoint, current: Deployment) -> Finding:
    return Finding(
        "endpoint",
        f"other {endpoint.name} {endpoint.config} {current.endpoint_config}",
        f"endpoint {endpoint.name} serves configuration {endpoint.config}, and its record says "
        f"{current.endpoint_config} ({current.model_package_arn}): somebody changed it by hand, or "
        "an update was taken back",
    )


def run_day(run_id: str) -> datetime | None:
    """The moment a run id was made of, to the second; None for what is no run id.

    >>> run_day("261121-093005-b8dd2b")
    datetime.datetime(2026, 11, 21, 9, 30, 5, tzinfo=datetime.timezone.utc)
    """
    try:
        return datetime.strptime(run_id[:13], "%y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def old_runs(run_ids: Iterable[str], referenced: set[str], now: datetime) -> list[str]:
    """Runs that are kept for nobody: no version, no deployment and no gate names them."""
    dated = ((run_id, run_day(run_id)) for run_id in run_ids)
    return sorted(
        run_id
        for run_id, made in dated
        if made is not None and run_id not in referenced and now - made >= RUN_KEPT
    )


def run_findings(sizes: Mapping[str, int], bucket: str) -> list[Finding]:
    """Old runs by how many bytes they keep."""
    return [
        Finding(
            "run",
            f"unused run {run_id}",
            f"run {run_id} is referred to by nothing and keeps {size_bytes / 1e9:.3f} GB: about "
            f"{size_bytes / 1e9 * USD_PER_GB_MONTH:.4f} USD a month",
            f"aws s3 rm --recursive s3://{bucket}/runs/{run_id}/",
        )
        for run_id, size_bytes in sorted(sizes.items())
    ]
