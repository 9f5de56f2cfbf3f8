"""What an environment has cost and will cost: its runs as they were, its endpoints as they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from signalbox import costs, jobs
from signalbox.hosting import HOURS_PER_MONTH
from signalbox.jobs import Job
from signalbox_cli import prices
from signalbox_cli.prices import Item
from signalbox_cli.runs import GATES, RunView, machine_executions, newest_runs
from signalbox_cli.served import endpoint_names
from signalbox_cli.target import Target

MONTH = timedelta(days=30)
_MOST_RUNS = 100
_MOST_OBJECTS = 10_000


@dataclass(frozen=True)
class RunBill:
    """What one run has cost so far."""

    run: RunView
    items: tuple[Item, ...]

    @property
    def usd(self) -> float:
        """All of it, as far as prices are known."""
        return prices.total(self.items)

    def document(self) -> dict[str, Any]:
        """The bill as JSON."""
        return {
            "run": self.run.name,
            "workload": self.run.workload,
            "status": self.run.headline,
            "usd": round(self.usd, 6),
            "items": [item.document() for item in self.items],
            "notEstimated": prices.unpriced(self.items),
        }


def of_run(target: Target, run: RunView) -> RunBill:
    """The bill of a run: jobs that have ended, pipeline actions, states."""
    history = [list(events) for events in _histories(target, run)]
    found = [job for events in history for job in jobs.in_history(events)]
    entered = sum("stateEnteredEventDetails" in event for events in history for event in events)
    piped = [] if run.batch else run.actions
    actions = [action.duration_s for action in piped if action.stage not in GATES]
    items = (*map(_job, found), prices.pipeline(actions), prices.machines(entered))
    return RunBill(run, items)


def _histories(target: Target, run: RunView) -> Iterator[Iterator[Any]]:
    pages = target.client("stepfunctions").get_paginator("get_execution_history")
    for arn in machine_executions(run):
        yield (event for page in pages.paginate(executionArn=arn) for event in page["events"])


def _job(job: Job) -> Item:
    how = f"{job.instance_count} x {job.instance_type}, {job.seconds:,.0f} s"
    return Item(job.state, costs.cost_usd(job), how)


def recent(target: Target, now: datetime | None = None) -> list[RunBill]:
    """The bills of the runs of the last 30 days, newest first, at most a hundred."""
    since = (now or datetime.now(UTC)) - MONTH
    runs = newest_runs(target, _MOST_RUNS)
    return [
        of_run(target, run) for run in runs if run.started_at is None or run.started_at >= since
    ]


def by_workload(bills: list[RunBill]) -> list[Item]:
    """Runs of a month, one line for each workload."""
    workloads = sorted({bill.run.workload for bill in bills})
    found = []
    for name in workloads:
        usd = [bill.usd for bill in bills if bill.run.workload == name]
        how = f"{len(usd)} runs, {sum(usd) / len(usd):.4f} USD each"
        found.append(Item(f"runs of {name or 'no workload'}", sum(usd), how))
    return found


def endpoints(target: Target) -> Iterator[Item]:
    """Each endpoint of the environment, if it serves a month as it does now."""
    return (endpoint(target, name) for name in endpoint_names(target))


def endpoint(target: Target, name: str) -> Item:
    """One endpoint, if it serves a month as it does now."""
    client = target.client("sagemaker")
    found = client.describe_endpoint(EndpointName=name)
    config = client.describe_endpoint_config(EndpointConfigName=found["EndpointConfigName"])
    return _endpoint(name, found, config)


def _endpoint(name: str, found: dict[str, Any], config: dict[str, Any]) -> Item:
    kinds = ("ProductionVariants", "ShadowProductionVariants")
    live = {
        variant["VariantName"]: int(variant.get("CurrentInstanceCount", 0))
        for kind in kinds
        for variant in found.get(kind, [])
    }
    running = [
        (
            live.get(variant["VariantName"]) or variant.get("InitialInstanceCount", 1),
            variant["InstanceType"],
        )
        for kind in kinds
        for variant in config.get(kind, [])
        if "InstanceType" in variant
    ]
    if not running:
        return Item(f"endpoint {name}", 0.0, "serverless: paid by the request, nothing while idle")
    how = ", ".join(f"{count} x {kind}" for count, kind in running)
    known = [costs.USD_PER_HOUR.get(kind) for _, kind in running]
    usd = None
    if None not in known:
        usd = sum(costs.USD_PER_HOUR[kind] * count for count, kind in running) * HOURS_PER_MONTH
    return Item(f"endpoint {name}", usd, f"{how}, {HOURS_PER_MONTH} h")


def storage(target: Target) -> Item:
    """What lies in the workflow bucket, as far as its first ten thousand objects tell."""
    pages = target.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(
        Bucket=target.wiring().workflow_bucket, PaginationConfig={"MaxItems": _MOST_OBJECTS}
    )
    sizes = [int(one["Size"]) for page in found for one in page.get("Contents", [])]
    return prices.stored(sum(sizes), is_whole=len(sizes) < _MOST_OBJECTS)
