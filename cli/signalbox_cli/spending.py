"""What a run's jobs are estimated to have cost so far, by the same prices as in the messages."""

from typing import Any

from signalbox import costs, jobs
from signalbox.jobs import Job
from signalbox_cli.runs import RunView, machine_executions
from signalbox_cli.target import Target


def jobs_of(target: Target, run: RunView) -> tuple[Job, ...]:
    """The jobs of the run that have ended, those of retried stages included."""
    found = target.client("stepfunctions").get_paginator("get_execution_history")
    return tuple(
        job
        for arn in machine_executions(run)
        for job in jobs.in_history(
            event for page in found.paginate(executionArn=arn) for event in page["events"]
        )
    )


def document(found: tuple[Job, ...]) -> dict[str, Any]:
    """The estimate as JSON."""
    return {
        "estimatedUsd": round(costs.total_usd(found), 6),
        "notEstimated": costs.unpriced(found),
        "pricesOf": costs.PRICES_DATE,
        "region": costs.PRICES_REGION,
        "jobs": [
            {
                "name": job.named.name,
                "state": job.state,
                "instanceType": job.instance_type,
                "instanceCount": job.instance_count,
                "seconds": round(job.seconds, 3),
                "estimatedUsd": costs.cost_usd(job),
            }
            for job in found
        ],
    }


def lines(target: Target, found: tuple[Job, ...]) -> list[str]:
    """The estimate for people; nothing while no job has ended."""
    if not found:
        return []
    laptop = ["The laptop bills nothing: on AWS, the same seconds would cost this."]
    return [
        "Estimated cost so far:",
        *(f"  {line}" for line in costs.statement(found)),
        *(laptop if target.endpoint_url else []),
    ]
