"""How a new version takes over an endpoint, as the documents that SageMaker and CloudWatch take.

The inference machine hands them on unread. Rules only: imports no AWS client.
"""

import math
from collections.abc import Iterator
from typing import Any

from pydantic import Field

from signalbox import naming
from signalbox.json_documents import Document, JsonObject
from signalbox.manifest_inference import InferenceSection, RolloutSection, RolloutStrategy
from signalbox.manifest_sections import InferenceMode

HOSTED = frozenset({InferenceMode.ENDPOINT, InferenceMode.SERVERLESS, InferenceMode.ASYNC})
# Clients and metrics know a variant by its name, and an update keeps it or is refused.
VARIANT = "primary"
SHADOW_VARIANT = "shadow"
# A look at an endpoint is 11 events of an execution's 25,000 (Step Functions quotas, read
# 2026-11-21), and an execution waits four times at most: probe, shadow, update, way back.
LEAST_POLL_SECONDS = 15
MOST_LOOKS = 480
LONGEST_CREATION_SECONDS = 21_600
# SageMaker's own limit of an update begins when its instances are there.
PROVISIONING_SECONDS = 1800


class ProbePlan(Document):
    """How many known rows are sent, and how near the answers must come."""

    rows: int
    tolerance: float


class ScalingPlan(Document):
    """Bounds and target of automatic scaling."""

    min_instances: int
    max_instances: int
    invocations_per_instance: float


class ShadowPlan(Document):
    """What a shadow is judged by: alarms of its own, after a time."""

    bake_seconds: int
    variant: JsonObject
    alarm_names: list[str]


class RolloutPlan(Document):
    """Everything the machine needs to take a version to an endpoint; objects are API documents."""

    strategy: RolloutStrategy = Field(strict=False)
    poll_seconds: int
    creation_seconds: int
    update_seconds: int
    deployment_config: JsonObject
    retains_capacity: bool
    overridden: list[JsonObject]
    variant: JsonObject
    data_capture: JsonObject
    async_inference: JsonObject
    alarms: list[JsonObject]
    alarm_names: list[str]
    shadow: ShadowPlan
    probe: ProbePlan
    scaling: ScalingPlan | None
    keep: int
    redeploy: bool


def plan(
    section: InferenceSection, *, endpoint: str, bucket: str, kms_key_arn: str
) -> RolloutPlan | None:
    """The rollout of a hosted mode; None for one that hosts nothing."""
    if section.mode not in HOSTED:
        return None
    alarms = list(_alarms(section, endpoint, VARIANT))
    shadow_alarms = _shadow_alarms(section, endpoint)
    creation_seconds = min(section.max_runtime_seconds, LONGEST_CREATION_SECONDS)
    update_seconds = max(
        creation_seconds, section.rollout.max_duration_seconds + PROVISIONING_SECONDS
    )
    scaling = section.scaling
    return RolloutPlan(
        strategy=section.rollout.strategy,
        poll_seconds=max(LEAST_POLL_SECONDS, math.ceil(update_seconds / MOST_LOOKS)),
        creation_seconds=creation_seconds,
        update_seconds=update_seconds,
        deployment_config=_deployment_config(section.rollout, _names(alarms)),
        # What scaling has made of the number of instances outlives an update.
        retains_capacity=scaling is not None,
        overridden=[{"VariantPropertyType": "DataCaptureConfig"}] if scaling else [],
        variant=_variant(section),
        data_capture=_data_capture(section, endpoint, bucket, kms_key_arn),
        async_inference=_async_inference(section, endpoint, bucket, kms_key_arn),
        alarms=[*alarms, *shadow_alarms],
        alarm_names=_names(alarms),
        shadow=ShadowPlan(
            bake_seconds=section.rollout.bake_seconds,
            # A shadow's share of the copies is its weight beside that of what serves.
            variant={
                "VariantName": SHADOW_VARIANT,
                "InitialVariantWeight": section.rollout.percent / 100,
            },
            alarm_names=_names(shadow_alarms),
        ),
        probe=ProbePlan(rows=section.probe.rows, tolerance=section.probe.tolerance),
        scaling=ScalingPlan(**scaling.model_dump(by_alias=False)) if scaling else None,
        keep=section.keep,
        redeploy=section.redeploy,
    )


def _names(alarms: list[JsonObject]) -> list[str]:
    return [str(alarm["AlarmName"]) for alarm in alarms]


def _deployment_config(rollout: RolloutSection, alarm_names: list[str]) -> JsonObject:
    policy = _rolling(rollout) if rollout.strategy is RolloutStrategy.ROLLING else _blue(rollout)
    if not alarm_names:
        return policy
    alarms: list[Any] = [{"AlarmName": name} for name in alarm_names]
    return {**policy, "AutoRollbackConfiguration": {"Alarms": alarms}}


def _blue(rollout: RolloutSection) -> JsonObject:
    """A second fleet beside the first, and how traffic moves over to it."""
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": _routing(rollout),
            "TerminationWaitInSeconds": rollout.bake_seconds,
            "MaximumExecutionTimeoutInSeconds": rollout.max_duration_seconds,
        }
    }


def _routing(rollout: RolloutSection) -> JsonObject:
    part: JsonObject = {"Type": "CAPACITY_PERCENT", "Value": rollout.percent}
    if rollout.strategy is RolloutStrategy.CANARY:
        return {
            "Type": "CANARY",
            "WaitIntervalInSeconds": rollout.wait_seconds,
            "CanarySize": part,
        }
    if rollout.strategy is RolloutStrategy.LINEAR:
        return {
            "Type": "LINEAR",
            "WaitIntervalInSeconds": rollout.wait_seconds,
            "LinearStepSize": part,
        }
    return {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}


def _rolling(rollout: RolloutSection) -> JsonObject:
    """Some instances at a time; the way back is taken in one."""
    return {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": rollout.percent},
            "WaitIntervalInSeconds": rollout.wait_seconds,
            "MaximumExecutionTimeoutInSeconds": rollout.max_duration_seconds,
            "RollbackMaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 100},
        }
    }


def _variant(section: InferenceSection) -> JsonObject:
    """A production variant without its model, which is known only when it was made."""
    if section.mode is InferenceMode.SERVERLESS:
        size = section.serverless
        return {
            "VariantName": VARIANT,
            "ServerlessConfig": {
                "MemorySizeInMB": size.memory_mb,
                "MaxConcurrency": size.max_concurrency,
            },
        }
    return {
        "VariantName": VARIANT,
        "InstanceType": section.instance_type,
        "InitialInstanceCount": section.instance_count,
        "InitialVariantWeight": 1,
    }


def _data_capture(
    section: InferenceSection, endpoint: str, bucket: str, kms_key_arn: str
) -> JsonObject:
    """Always a whole document: a state machine cannot leave a field out."""
    capture = section.data_capture
    return {
        "EnableCapture": capture is not None,
        "InitialSamplingPercentage": capture.percent if capture else 0,
        "DestinationS3Uri": naming.s3_uri(bucket, f"captured/{endpoint}"),
        "KmsKeyId": kms_key_arn,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }


def _async_inference(
    section: InferenceSection, endpoint: str, bucket: str, kms_key_arn: str
) -> JsonObject:
    if section.mode is not InferenceMode.ASYNC:
        return {}
    most = section.asynchronous.max_concurrent_invocations
    return {
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": most},
        "OutputConfig": {
            "S3OutputPath": naming.s3_uri(bucket, f"async/{endpoint}/answers"),
            "S3FailurePath": naming.s3_uri(bucket, f"async/{endpoint}/failures"),
            "KmsKeyId": kms_key_arn,
        },
    }


def _shadow_alarms(section: InferenceSection, endpoint: str) -> list[JsonObject]:
    if section.rollout.strategy is not RolloutStrategy.SHADOW:
        return []
    return list(_alarms(section, endpoint, SHADOW_VARIANT))


def _alarms(section: InferenceSection, endpoint: str, variant: str) -> Iterator[JsonObject]:
    """Metrics and units: SageMaker Developer Guide, "Monitor with CloudWatch" (read 2026-11-21).

    The average of Invocation5XXErrors is the part of requests that failed; ModelLatency is in
    microseconds.
    """
    if section.mode is not InferenceMode.ENDPOINT:
        return
    limits = section.alarms
    name = endpoint if variant == VARIANT else f"{endpoint}-{variant}"
    common: JsonObject = {
        "Dimensions": [
            {"Name": "EndpointName", "Value": endpoint},
            {"Name": "VariantName", "Value": variant},
        ],
        "Period": limits.period_seconds,
        "EvaluationPeriods": limits.evaluation_periods,
    }
    if limits.max_error_rate is not None:
        yield {
            "AlarmName": f"{name}-errors",
            "MetricName": "Invocation5XXErrors",
            "Statistic": "Average",
            "Threshold": limits.max_error_rate,
            **common,
        }
    if limits.max_latency_ms is not None:
        yield {
            "AlarmName": f"{name}-latency",
            "MetricName": "ModelLatency",
            "ExtendedStatistic": "p99",
            "Threshold": limits.max_latency_ms * 1000,
            **common,
        }
