"""What the state machines tell and ask the functions: the payloads of their Lambda tasks.

Rules only: imports no AWS client.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from signalbox.json_documents import Document, JsonObject
from signalbox.manifest_sections import (
    ChampionRules,
    InferenceMode,
    Problem,
    QualityGate,
    SliceRule,
)


class Tolerant(BaseModel):
    """Written by Step Functions or by an author: members that are not read are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class OutcomeReport(Document):
    """What a state machine tells record_outcome."""

    run_id: str = Field(min_length=1)
    manifest_uri: str = Field(min_length=1)
    phase: str = Field(min_length=1)
    status: str = Field(min_length=1)
    execution: str = Field(min_length=1)
    detail: JsonObject = Field(default_factory=dict)


class EvaluationRules(Tolerant):
    """The rules of the manifest as the machine hands them on, unread."""

    gates: list[QualityGate] = Field(default_factory=list)
    min_rows: int | None = Field(None, alias="minRows")
    champion: ChampionRules = Field(default_factory=list)
    slices: list[SliceRule] = Field(default_factory=list)


class TaskFailure(Tolerant):
    """What a state machine caught."""

    error: str = Field("", alias="Error")
    cause: str = Field("", alias="Cause")


class ChampionReport(Document):
    """The champion as the training machine found it; no ARN when there is none to compare with."""

    model_package_arn: str = ""
    evaluation_uri: str = ""
    failure: TaskFailure | None = None


class JudgementRequest(Document):
    """What the training machine asks judge_model."""

    run_id: str = Field(min_length=1)
    manifest_uri: str = Field(min_length=1)
    evaluation_uri: str = Field(min_length=1)
    model_data_url: str = Field(min_length=1)
    problem: Problem
    evaluate: EvaluationRules
    champion: ChampionReport


class ProbeStep(StrEnum):
    """What probe_endpoint is asked for."""

    FIND = "find"
    SEND = "send"


class ProbeRequest(Document):
    """What the inference machine asks probe_endpoint.

    `evaluations` has the metrics file of the model version, or nothing; the rest but `rows`, the
    most that are sent, is of the step `send`.
    """

    step: Annotated[ProbeStep, Field(strict=False)]
    run_id: str = Field(min_length=1)
    evaluations: list[str]
    rows: int = Field(ge=1)
    tolerance: float = 0.0
    endpoint: str = ""
    mode: Annotated[InferenceMode, Field(strict=False)] = InferenceMode.ENDPOINT
    content_type: str = "text/csv"
    accept: str = "text/csv"


class JobNamed(Document):
    """A SageMaker job of the run."""

    job_name: str = Field(min_length=1)
    job_arn: str = Field(min_length=1)


class ReportRequest(Document):
    """What the training machine asks build_report."""

    run_id: str = Field(min_length=1)
    manifest_uri: str = Field(min_length=1)
    attempt: str = Field(min_length=1)
    execution: str = Field(min_length=1)
    model_data_url: str = Field(min_length=1)
    data: JsonObject
    verdict: JsonObject
    champion: ChampionReport
    jobs: dict[str, JobNamed]
