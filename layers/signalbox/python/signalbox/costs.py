"""What the jobs of a run cost, estimated: billed time by on-demand prices of one region and day.

Only the time of jobs: storage, transfer, functions and state machines cost cents beside it, and
discounts are not known here. Rules only: imports no AWS client, reads no clock.
"""

from collections.abc import Iterable, Mapping, Sequence

from signalbox.jobs import Job

PRICES_DATE = "2026-11-21"
PRICES_REGION = "us-east-1"
# USD for an hour of one instance, in processing, training, transform and hosting alike. Source:
# "Amazon SageMaker AI pricing", On-Demand Pricing, US East (N. Virginia). Where a type is missing
# the estimate says so; the price of an account's own contract is in Cost Explorer.
USD_PER_HOUR: Mapping[str, float] = {
    "ml.t3.medium": 0.05, "ml.t3.large": 0.10, "ml.t3.xlarge": 0.20, "ml.t3.2xlarge": 0.399,
    "ml.m5.large": 0.115, "ml.m5.xlarge": 0.23, "ml.m5.2xlarge": 0.461, "ml.m5.4xlarge": 0.922,
    "ml.m5.12xlarge": 2.765, "ml.m5.24xlarge": 5.53,
    "ml.m6i.large": 0.115, "ml.m6i.xlarge": 0.23, "ml.m6i.2xlarge": 0.461, "ml.m6i.4xlarge": 0.922,
    "ml.c5.large": 0.102, "ml.c5.xlarge": 0.204, "ml.c5.2xlarge": 0.408, "ml.c5.4xlarge": 0.816,
    "ml.c5.9xlarge": 1.836, "ml.c5.18xlarge": 3.672,
    "ml.r5.2xlarge": 0.605, "ml.r5.4xlarge": 1.21, "ml.r5.8xlarge": 2.419, "ml.r5.16xlarge": 4.838,
    "ml.g4dn.xlarge": 0.7364, "ml.g4dn.2xlarge": 0.94, "ml.g4dn.4xlarge": 1.505,
    "ml.g4dn.8xlarge": 2.72, "ml.g4dn.12xlarge": 4.89, "ml.g4dn.16xlarge": 5.44,
    "ml.g5.xlarge": 1.408, "ml.g5.2xlarge": 1.515, "ml.g5.4xlarge": 2.03, "ml.g5.8xlarge": 3.06,
    "ml.g5.12xlarge": 7.09, "ml.g5.24xlarge": 10.18, "ml.g5.48xlarge": 20.36,
    "ml.p3.2xlarge": 3.825, "ml.p3.8xlarge": 14.688, "ml.p3.16xlarge": 28.152,
}  # fmt: skip


def cost_usd(job: Job) -> float | None:
    """What a job's time costs; None when its instance type has no price."""
    price = USD_PER_HOUR.get(job.instance_type)
    return None if price is None else price * job.instance_count * job.seconds / 3600


def total_usd(jobs: Iterable[Job]) -> float:
    """The cost of all jobs that have a price."""
    return sum(cost_usd(job) or 0.0 for job in jobs)


def unpriced(jobs: Iterable[Job]) -> list[str]:
    """The instance types among the jobs that have no price, sorted."""
    return sorted({job.instance_type for job in jobs if cost_usd(job) is None})


def statement(jobs: Sequence[Job]) -> list[str]:
    """The estimate as lines for people, one for each job; none while no job has ended."""
    if not jobs:
        return []
    missing = unpriced(jobs)
    head = "At least" if missing else "Total"
    return [
        *(_line(job) for job in jobs),
        f"{head:<16}  {'':>22}  {'':>9}  {_usd(total_usd(jobs)):>12}",
        *(_no_price(instance_type) for instance_type in missing),
        f"The jobs' time at {PRICES_REGION}'s on-demand prices of {PRICES_DATE}. Prices of another "
        "region differ; storage and functions are not in it.",
    ]


def hourly(instance_type: str, count: int) -> str:
    """What instances that go on running cost, as part of a sentence.

    >>> hourly("ml.m5.large", 2)
    'an estimated 0.23 USD an hour (2 x ml.m5.large, us-east-1, prices of 2026-11-21)'
    >>> hourly("ml.x9.huge", 1)
    'not estimated: ml.x9.huge has no price in the table of 2026-11-21'
    """
    price = USD_PER_HOUR.get(instance_type)
    if price is None:
        return _no_price(instance_type)
    of = f"{count} x {instance_type}, {PRICES_REGION}, prices of {PRICES_DATE}"
    return f"an estimated {price * count:.4g} USD an hour ({of})"


def _no_price(instance_type: str) -> str:
    return f"not estimated: {instance_type} has no price in the table of {PRICES_DATE}"


def _line(job: Job) -> str:
    cost = cost_usd(job)
    on = f"{job.instance_count} x {job.instance_type}"
    told = "no price" if cost is None else _usd(cost)
    return f"{job.state:<16}  {on:>22}  {job.seconds:>7,.0f} s  {told:>12}"


def _usd(amount: float) -> str:
    """Cents for what is worth them, else four digits behind the point."""
    return f"{amount:,.2f} USD" if amount >= 1 else f"{amount:.4f} USD"
