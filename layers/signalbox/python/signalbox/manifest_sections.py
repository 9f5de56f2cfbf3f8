"""The sections of the author's manifest, one model each.

A description here is what the reference page (docs/manifest.md) and editors show. Rules only:
imports no AWS client. Ranges are SageMaker's (API reference, read 2026-11-20).
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue

from signalbox.json_documents import Document

Chosen = Field(strict=False)  # a text may stand for the member of an enumeration
Script = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*\.py$", max_length=100)]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
ImageUri = Annotated[str, Field(pattern=r"^\S+$", max_length=255)]
Environment = dict[
    Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=256)],
    Annotated[str, Field(max_length=256)],
]
Argument = Annotated[str, Field(max_length=256, pattern=r"^.*$")]
ChannelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=64)]
MetricPath = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$", max_length=200)]
StandingData = Annotated[str, Field(pattern=r"^datasets(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)+$")]
ContentType = Annotated[str, Field(min_length=1, max_length=256)]
MaxRuntime = Annotated[int, Field(ge=1, le=432_000)]
VolumeSize = Annotated[int, Field(ge=1, le=16_384)]
Rate = Annotated[float, Field(ge=0, le=1)]
InstanceCount = Annotated[int, Field(ge=1, le=100)]


class Problem(StrEnum):
    """The kind of question the model answers; names the metrics section of the evaluation."""

    REGRESSION = "regression"
    BINARY_CLASSIFICATION = "binary_classification"
    MULTICLASS_CLASSIFICATION = "multiclass_classification"


class DataFormat(StrEnum):
    """How the data files are written."""

    CSV = "csv"
    JSON_LINES = "json-lines"
    PARQUET = "parquet"
    OTHER = "other"


class ColumnType(StrEnum):
    """What a column holds."""

    NUMBER = "number"
    CATEGORY = "category"
    TEXT = "text"
    DATETIME = "datetime"


class InferenceMode(StrEnum):
    """How predictions are made."""

    BATCH = "batch"
    ENDPOINT = "endpoint"
    SERVERLESS = "serverless"
    ASYNC = "async"
    NONE = "none"


class GateRule(StrEnum):
    """Who opens a gate."""

    MANUAL = "manual"
    ON_UPLOAD = "on-upload"
    AUTOMATIC = "automatic"


class Better(StrEnum):
    """The direction in which a metric improves."""

    LOWER = "lower"
    HIGHER = "higher"


class Section(Document):
    """What an author writes: keys as they are documented, in camelCase and nothing else."""

    model_config = ConfigDict(validate_by_name=False)


class ColumnChecks(Section):
    """What the values of one column must keep to."""

    min: float | None = Field(None, description="Smallest accepted number")
    max: float | None = Field(None, description="Largest accepted number")
    categories: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="The only accepted values, as they are written in the file"
    )


class DataChecks(Section):
    """What uploaded training data must keep to before the gate opens."""

    min_rows: Annotated[int, Field(ge=1)] = Field(1, description="Fewest rows of the data set")
    max_missing_rate: Rate = Field(
        0.5, description="Largest accepted part of missing cells in a declared column"
    )
    max_duplicate_rate: Rate = Field(
        0.2, description="Largest accepted part of rows that repeat another row of the file"
    )
    columns: dict[Annotated[str, Field(min_length=1)], ColumnChecks] = Field(
        {}, description="Bounds and categories of single columns"
    )


class DataSection(Section):
    """What the data looks like."""

    format: Annotated[DataFormat, Chosen] = Field(
        DataFormat.CSV,
        description="`csv`, `json-lines` and `parquet` are checked before they are used; "
        "`other` is not looked into",
    )
    label: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The column to predict; absent from inference data"
    )
    columns: dict[Annotated[str, Field(min_length=1)], Annotated[ColumnType, Chosen]] = Field(
        {}, description="The columns and what they hold, in the order of the inference data"
    )
    checks: DataChecks = Field(
        default_factory=lambda: DataChecks.model_validate({}),
        description="What uploaded training data must keep to before the gate opens",
    )
    files: Annotated[int, Field(ge=1, le=100)] = Field(
        1, description="How many files make the data set: the gate opens by itself with the last"
    )
    source: StandingData | None = Field(
        None,
        description="A key prefix in the workflow bucket with standing training data, "
        "for runs into which nobody uploads",
    )


class StepSection(Section):
    """What every step has."""

    instance_type: InstanceType = Field("ml.m5.large", description="SageMaker instance type")
    volume_size_gb: VolumeSize = Field(10, description="Size of the job's disk in GB")
    max_runtime_seconds: MaxRuntime = Field(3600, description="The job is stopped after this time")
    environment: Environment = Field(
        {}, max_length=90, description="Environment variables of the script"
    )
    image: ImageUri | None = Field(
        None, description="A container image of your own instead of the environment's"
    )


class PreprocessSection(StepSection):
    """Raw data to training, validation and test sets."""

    script: Script = Field("preprocess.py", description="File at the top of the workload folder")
    arguments: list[Argument] = Field(
        [], max_length=98, description="Command line arguments of the script"
    )


class MetricDefinition(Section):
    """A metric read out of the training log."""

    name: Annotated[str, Field(min_length=1, max_length=255)] = Field(description="Name to show")
    regex: Annotated[str, Field(min_length=1, max_length=500)] = Field(
        description="Regular expression with one group: the number"
    )


class TrainSection(StepSection):
    """Training set to model."""

    script: Script = Field("train.py", description="File at the top of the workload folder")
    instance_count: InstanceCount = Field(1, description="Number of instances")
    hyperparameters: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=256)], JsonValue
    ] = Field({}, max_length=90, description="Arguments of the script; values are any JSON")
    channels: list[ChannelName] = Field(
        ["train"],
        min_length=1,
        max_length=20,
        description="Folders of the preprocess output that the training reads",
    )
    metric_definitions: list[MetricDefinition] = Field(
        [], max_length=40, description="Metrics read out of the training log"
    )


class QualityGate(Section):
    """A bound that the model has to keep."""

    metric: MetricPath = Field(description="Dotted path into the evaluation's JSON")
    min: float | None = Field(None, description="Smallest accepted value")
    max: float | None = Field(None, description="Largest accepted value")


class ChampionRule(Section):
    """How the new model is compared with the approved one."""

    metric: MetricPath = Field(description="Dotted path into the evaluation's JSON")
    better: Annotated[Better, Chosen] = Field(
        description="Whether lower or higher values are better"
    )
    tolerance: Annotated[float, Field(ge=0)] = Field(
        0.0, description="How much worse than the champion is still accepted, in the metric's unit"
    )


def _listed(value: object) -> object:
    """A rule alone stands for a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


ChampionRules = Annotated[
    list[ChampionRule],
    BeforeValidator(_listed, json_schema_input_type=list[ChampionRule] | ChampionRule | None),
]


class SliceRule(Section):
    """A bound that the model has to keep for every value of one column."""

    column: Annotated[str, Field(min_length=1)] = Field(
        description="A column of `predictions.csv`, such as a group of people or a region"
    )
    metric: MetricPath = Field(
        description="A metric that is computed from the predictions, by its path in the evaluation"
    )
    min: float | None = Field(None, description="Smallest accepted value")
    max: float | None = Field(None, description="Largest accepted value")
    min_rows: Annotated[int, Field(ge=2)] = Field(
        30, description="Values with fewer rows are shown and not judged"
    )


class EvaluateSection(StepSection):
    """Model and test set to metrics, and the rules they have to keep."""

    script: Script = Field("evaluate.py", description="File at the top of the workload folder")
    arguments: list[Argument] = Field(
        [], max_length=98, description="Command line arguments of the script"
    )
    gates: list[QualityGate] = Field([], max_length=50, description="Bounds that must hold")
    min_rows: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Fewest held-out rows on which a model can be accepted"
    )
    champion: ChampionRules = Field(
        [],
        max_length=20,
        description="Comparison with the champion, which serves now, on the same held-out rows: "
        "a rule, or a list of rules that must all hold",
    )
    slices: list[SliceRule] = Field(
        [], max_length=20, description="Bounds that must hold for every value of a column"
    )


class ApprovalsSection(Section):
    """Who opens which gate."""

    upload_source_data: Annotated[GateRule, Chosen] = Field(
        GateRule.ON_UPLOAD, description="Gate before the training starts"
    )
    approve_model: Annotated[GateRule, Chosen] = Field(
        GateRule.MANUAL, description="Gate between the registered model and its use"
    )
    upload_inference_data: Annotated[GateRule, Chosen] = Field(
        GateRule.ON_UPLOAD, description="Gate before a batch inference starts"
    )
