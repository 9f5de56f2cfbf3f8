"""EventBridge Scheduler: retraining by the pipeline, or a batch of predictions by the champion.

Each time of a schedule is a run of its own, so no output is ever written over. The same time told
twice starts nothing anew.
"""

from functools import cache
from typing import Any

from signalbox import naming, observability, platforms, schedules, settings
from signalbox.aws import registry, runs, scheduled_starts
from signalbox.errors import ScheduleRefused, SignalboxError
from signalbox.events import read
from signalbox.manifest_resolution import Platform
from signalbox.schedules import ScheduledStart, ScheduleKind

logger = observability.logger("run-schedule")


def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """What became of each workload; raises on failure, to be called again."""
    start = read(ScheduledStart, event)
    done = retrain(start) if start.kind is ScheduleKind.RETRAIN else predict(start)
    logger.info("schedule run", extra={"kind": start.kind, "outcome": done})
    return done


def retrain(start: ScheduledStart) -> dict[str, str]:
    """Start the pipeline, unless what this schedule started before still waits in it.

    The pipeline is QUEUED: behind a gate that nobody opens a run would be added every time.
    """
    variables = schedules.variables(start)
    pipeline = _settings().pipeline_name
    waiting = scheduled_starts.waiting(pipeline, _role())
    if waiting:
        return {variables["Workload"]: f"left out: execution {waiting} has not ended"}
    execution = scheduled_starts.release(pipeline, start)
    return {variables["Workload"]: f"released as {execution}"}


def predict(start: ScheduledStart) -> dict[str, str]:
    """Start a batch for each workload; the ones that can be are, before any failure is told."""
    done: dict[str, str] = {}
    refused: list[str] = []
    for workload in start.workloads:
        try:
            done[workload] = _predict(workload, start)
        except SignalboxError as error:
            logger.warning("not predicted", extra={"workload": workload, "reason": str(error)})
            refused.append(f"{workload}: {error}")
    if refused:
        raise ScheduleRefused("; ".join(refused))
    return done


def _predict(workload: str, start: ScheduledStart) -> str:
    platform = _platform()
    group = naming.workload_resource(platform.prefix, workload)
    version = registry.describe(schedules.champion(scheduled_starts.approved(group), group))
    run_id = version.metadata.get("run_id")
    if not run_id:
        raise ScheduleRefused(
            f"{version.arn} was registered by hand, not by a run; reject it, or release the "
            "workload and approve a newer version"
        )
    origin = runs.read(_manifest_uri(run_id))
    planned = schedules.batch(
        origin, version.arn, version.container.image, platform, start.scheduled_for
    )
    made = runs.claim(planned)
    scheduled_starts.start_machine(made, _settings().inference_machine_arn)
    return f"run {made.run.id} with {version.arn}"


def _role() -> str:
    """The name of this function's role, as the template gives it."""
    return f"{_platform().prefix}-run-schedule-{_settings().aws_region}"


def _manifest_uri(run_id: str) -> str:
    return naming.s3_uri(_settings().workflow_bucket, naming.manifest_key(run_id))


@cache
def _settings() -> settings.ScheduleSettings:
    return settings.load(settings.ScheduleSettings)


def _platform() -> Platform:
    return platforms.platform(_settings())
