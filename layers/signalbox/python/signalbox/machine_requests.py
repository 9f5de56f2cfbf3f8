"""What the state machines tell and ask the functions: the payloads of their Lambda tasks.

Rules only: imports no AWS client.
"""

from pydantic import BaseModel, ConfigDict, Field

from signalbox.json_documents import Document, JsonObject
from signalbox.manifest_sections import ChampionRules, Problem, QualityGate, SliceRule


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
