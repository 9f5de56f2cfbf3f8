"""What a rollout may ask of an endpoint: contradictions, and what SageMaker refuses.

Every check returns problems, pointer first. Limits: SageMaker Developer Guide, "Deployment
guardrails" and "Shadow tests", exclusions (read 2026-11-21). Rules only: imports no AWS client.
"""

import math
from collections.abc import Iterable

from signalbox.manifest import Workload
from signalbox.manifest_inference import InferenceSection, RolloutSection, RolloutStrategy
from signalbox.manifest_sections import InferenceMode

PERCENT_LIMITS = {
    RolloutStrategy.CANARY: (1, 50),
    RolloutStrategy.LINEAR: (10, 50),
    RolloutStrategy.ROLLING: (5, 50),
}
STEPWISE = tuple(PERCENT_LIMITS)


def check_rollout(workload: Workload) -> Iterable[str]:
    """Strategy, sizes and times of the rollout."""
    inference = workload.inference
    rollout = inference.rollout
    strategy = rollout.strategy
    if strategy is not RolloutStrategy.ALL_AT_ONCE and not _on_instances(inference):
        yield (
            f"/inference/rollout/strategy: {strategy} needs mode endpoint; mode {inference.mode} "
            f'has no alarms that could stop it: use "{RolloutStrategy.ALL_AT_ONCE}"'
        )
    low, high = PERCENT_LIMITS.get(strategy, (1, 100))
    if not low <= rollout.percent <= high:
        yield (
            f"/inference/rollout/percent: {rollout.percent} for {strategy}; "
            f"SageMaker takes {low} to {high}"
        )
    needed_s = _duration_s(rollout)
    if needed_s > rollout.max_duration_seconds:
        yield (
            f"/inference/rollout/maxDurationSeconds: {rollout.max_duration_seconds} is less than "
            f"the {needed_s} s that the waits of this rollout take; SageMaker would roll it back"
        )


def _duration_s(rollout: RolloutSection) -> int:
    """The waits alone, without the time that instances take to start."""
    steps = math.ceil(100 / rollout.percent)
    waits = {
        RolloutStrategy.CANARY: rollout.wait_seconds + rollout.bake_seconds,
        RolloutStrategy.LINEAR: (steps - 1) * rollout.wait_seconds + rollout.bake_seconds,
        RolloutStrategy.ROLLING: steps * rollout.wait_seconds,
    }
    return waits.get(rollout.strategy, rollout.bake_seconds)


def check_alarms(workload: Workload) -> Iterable[str]:
    """Alarms where there is something to alarm, in time to matter."""
    inference = workload.inference
    limits, rollout = inference.alarms, inference.rollout
    if not _on_instances(inference):
        is_on = limits.max_error_rate is not None or limits.max_latency_ms is not None
        if "alarms" in inference.model_fields_set and is_on:
            yield f"/inference/alarms: needs mode endpoint; the mode is {inference.mode}"
        return
    has_alarms = limits.max_error_rate is not None or limits.max_latency_ms is not None
    if rollout.strategy is RolloutStrategy.SHADOW and not has_alarms:
        yield "/inference/alarms: a shadow is judged by its alarms; switch at least one on"
    window_s = limits.period_seconds * limits.evaluation_periods
    if has_alarms and rollout.strategy in STEPWISE and rollout.wait_seconds < window_s:
        yield (
            f"/inference/rollout/waitSeconds: {rollout.wait_seconds} is less than the {window_s} s "
            "over which the alarms measure; none could fire between two steps"
        )
    if rollout.strategy is RolloutStrategy.SHADOW and rollout.bake_seconds < window_s:
        yield (
            f"/inference/rollout/bakeSeconds: {rollout.bake_seconds} is less than the {window_s} s "
            "over which the alarms measure; none could fire for the shadow"
        )


def check_hosting(workload: Workload) -> Iterable[str]:
    """Scaling, capture and asynchronous calls, each where SageMaker has them."""
    inference = workload.inference
    if inference.data_capture is not None and not _on_instances(inference):
        yield (
            f"/inference/dataCapture: needs mode endpoint; SageMaker captures nothing of "
            f"mode {inference.mode}"
        )
    if "asynchronous" in inference.model_fields_set and inference.mode is not InferenceMode.ASYNC:
        yield f"/inference/async: needs mode async; the mode is {inference.mode}"
    yield from _scaling(inference)


def _scaling(inference: InferenceSection) -> Iterable[str]:
    scaling, count = inference.scaling, inference.instance_count
    if scaling is None:
        return
    low, high = scaling.min_instances, scaling.max_instances
    if not _on_instances(inference):
        yield f"/inference/scaling: needs mode endpoint; the mode is {inference.mode}"
    if low > high:
        yield f"/inference/scaling: minInstances {low} is above maxInstances {high}"
    elif not low <= count <= high:
        yield f"/inference/instanceCount: {count} is outside the {low} to {high} of scaling"
    if inference.instance_type.startswith("ml.t"):
        yield (
            f"/inference/scaling: SageMaker scales no burstable instances; "
            f"{inference.instance_type} is one, use another instanceType"
        )


def _on_instances(inference: InferenceSection) -> bool:
    return inference.mode is InferenceMode.ENDPOINT


ROLLOUT_CHECKS = (check_rollout, check_alarms, check_hosting)
