"""The manifest's section `inference`: how predictions are made, and how a new version takes over.

A description here is what the reference page (docs/manifest.md) and editors show. Rules only:
imports no AWS client. Ranges are SageMaker's and CloudWatch's (API references, read 2026-11-21).
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from signalbox.manifest_sections import (
    Chosen,
    ContentType,
    Environment,
    ImageUri,
    InferenceMode,
    InstanceCount,
    InstanceType,
    MaxRuntime,
    Script,
    Section,
    StandingData,
)


class RolloutStrategy(StrEnum):
    """How a new version takes over from the one that serves."""

    ALL_AT_ONCE = "all-at-once"
    CANARY = "canary"
    LINEAR = "linear"
    ROLLING = "rolling"
    SHADOW = "shadow"


class RolloutSection(Section):
    """How a new version takes over an endpoint that serves already."""

    strategy: Annotated[RolloutStrategy, Chosen] = Field(
        RolloutStrategy.ALL_AT_ONCE,
        description="`all-at-once`; `canary`: a part, then the rest; `linear`: step by step; "
        "`rolling`: some instances at a time; `shadow`: first copies of requests, whose answers "
        "nobody gets",
    )
    percent: Annotated[int, Field(ge=1, le=100)] = Field(
        10,
        description="Size of the canary (at most 50), of a linear step (10 to 50), of a rolling "
        "batch (5 to 50), or the part of requests copied to a shadow",
    )
    wait_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        300, description="Time between two steps, in which the alarms judge"
    )
    bake_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        300, description="Time after the last step in which the old fleet stands by for a rollback"
    )
    max_duration_seconds: Annotated[int, Field(ge=600, le=28_800)] = Field(
        3600, description="SageMaker rolls back what takes longer"
    )


class AlarmsSection(Section):
    """When an update is rolled back; null switches one alarm off, here and in Options."""

    max_error_rate: Annotated[float, Field(ge=0, le=1)] | None = Field(
        0.01, description="Largest accepted part of requests answered with 5xx"
    )
    max_latency_ms: Annotated[float, Field(gt=0, le=60_000)] | None = Field(
        500, description="Largest accepted time of the model for a request, 99th percentile, in ms"
    )
    period_seconds: Annotated[int, Field(ge=60, le=3600, multiple_of=60)] = Field(
        60, description="Time over which an alarm measures"
    )
    evaluation_periods: Annotated[int, Field(ge=1, le=20)] = Field(
        1, description="Periods in a row above the limit until the alarm fires"
    )


# Where null is a value of its own, and no word for the default: Options set it, too.
SWITCHED_OFF_BY_NULL = (
    ("inference", "alarms", "maxErrorRate"),
    ("inference", "alarms", "maxLatencyMs"),
)


class ScalingSection(Section):
    """How many instances serve, by the requests that come."""

    min_instances: InstanceCount = Field(1, description="Fewest instances")
    max_instances: InstanceCount = Field(description="Most instances")
    invocations_per_instance: Annotated[float, Field(gt=0)] = Field(
        description="Requests a minute to one instance that are aimed at"
    )


class DataCaptureSection(Section):
    """Requests and answers kept in S3, below `captured/` in the workflow bucket."""

    percent: Annotated[int, Field(ge=1, le=100)] = Field(
        description="Part of the requests that is kept"
    )


class AsyncSection(Section):
    """An endpoint that takes requests from S3 and leaves answers there, below `async/`."""

    max_concurrent_invocations: Annotated[int, Field(ge=1, le=1000)] = Field(
        4, description="Requests at a time to one instance"
    )


class ProbeSection(Section):
    """Known rows sent to a new version before it gets traffic; `false` for none."""

    rows: Annotated[int, Field(ge=0, le=1000)] = Field(
        20, description="Most rows of `probe/rows.csv` that are sent; 0 for no probe"
    )
    tolerance: Annotated[float, Field(ge=0)] = Field(
        1e-6,
        description="Accepted difference from the prediction of the evaluation, relative to it "
        "where it is above 1",
    )


def _no_alarms(value: object) -> object:
    """`false` stands for a section in which every alarm is off."""
    return {"maxErrorRate": None, "maxLatencyMs": None} if value is False else value


def _no_probe(value: object) -> object:
    """`false` stands for no rows."""
    return {"rows": 0} if value is False else value


Alarms = Annotated[
    AlarmsSection,
    BeforeValidator(_no_alarms, json_schema_input_type=AlarmsSection | Literal[False]),
]
Probe = Annotated[
    ProbeSection, BeforeValidator(_no_probe, json_schema_input_type=ProbeSection | Literal[False])
]


class ServerlessSection(Section):
    """Size of a serverless endpoint."""

    memory_mb: Annotated[int, Field(ge=1024, le=6144, multiple_of=1024)] = Field(
        2048, description="Memory in MB"
    )
    max_concurrency: Annotated[int, Field(ge=1, le=200)] = Field(
        5, description="Requests served at a time"
    )


class InferenceSection(Section):
    """How predictions are made."""

    mode: Annotated[InferenceMode, Chosen] = Field(
        description="`batch`, `endpoint`, `serverless`, `async`, or `none`: stop after the "
        "registration"
    )
    script: Script = Field("inference.py", description="File at the top of the workload folder")
    instance_type: InstanceType = Field("ml.m5.large", description="SageMaker instance type")
    instance_count: InstanceCount = Field(1, description="Number of instances")
    environment: Environment = Field(
        {}, max_length=90, description="Environment variables of the model server"
    )
    image: ImageUri | None = Field(
        None, description="A container image of your own instead of the environment's"
    )
    content_type: ContentType = Field("text/csv", description="Media type of what is sent")
    accept: ContentType = Field("text/csv", description="Media type of what comes back")
    max_payload_mb: Annotated[int, Field(ge=1, le=100)] = Field(
        6, description="Largest request of a batch transform in MB"
    )
    max_concurrent_transforms: Annotated[int, Field(ge=1, le=100)] = Field(
        1, description="Requests at a time to one instance of a batch transform"
    )
    max_runtime_seconds: MaxRuntime = Field(
        3600, description="Bound on a batch transform or on waiting for an endpoint"
    )
    serverless: ServerlessSection = Field(
        default_factory=lambda: ServerlessSection.model_validate({}),
        description="Size of a serverless endpoint",
    )
    source: StandingData | None = Field(
        None, description="A key prefix in the workflow bucket with standing inference data"
    )
    rollout: RolloutSection = Field(
        default_factory=lambda: RolloutSection.model_validate({}),
        description="How a new version takes over an endpoint that serves already",
    )
    alarms: Alarms = Field(
        default_factory=lambda: AlarmsSection.model_validate({}),
        description="When an update of an endpoint is rolled back; `false` for never",
    )
    scaling: ScalingSection | None = Field(
        None, description="How many instances of an endpoint serve, by the requests that come"
    )
    data_capture: DataCaptureSection | None = Field(
        None, description="Requests and answers of an endpoint to keep"
    )
    asynchronous: AsyncSection = Field(
        default_factory=lambda: AsyncSection.model_validate({}),
        alias="async",
        description="Size of an asynchronous endpoint",
    )
    probe: Probe = Field(
        default_factory=lambda: ProbeSection.model_validate({}),
        description="Known rows sent to a new version before it gets traffic; `false` for none",
    )
    keep: Annotated[int, Field(ge=1, le=50)] = Field(
        3, description="Endpoint configs and models kept beside those that serve"
    )
    redeploy: bool = Field(
        False, description="Whether a version that was rolled back may be deployed again"
    )
