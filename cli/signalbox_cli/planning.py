"""What a release would do, worked out from the workload alone; nothing is called."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PlannedJob:
    """One job that a run would start; `limit_h` bounds what it can cost in instance hours."""

    step: str
    script: str
    instance: str
    count: int
    limit_h: float


@dataclass(frozen=True)
class Plan:
    """A validated workload and the jobs, gates and names its run would have."""

    workload: dict[str, Any]
    defaults: tuple[str, ...]
    jobs: tuple[PlannedJob, ...]
    files: tuple[str, ...]

    @property
    def instance_hours(self) -> float:
        """The most that the jobs of one run can take, in instance hours."""
        return sum(job.limit_h * job.count for job in self.jobs)


def _job(step: str, part: dict[str, Any]) -> PlannedJob:
    return PlannedJob(
        step,
        str(part["script"]),
        str(part["instanceType"]),
        int(part.get("instanceCount", 1)),
        float(part["maxRuntimeSeconds"]) / 3600,
    )
