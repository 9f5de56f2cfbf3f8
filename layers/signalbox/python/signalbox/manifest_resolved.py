"""The resolved manifest: exactly what will happen in one run, and what happened.

The state machines read it by JSONPath, so a name here is a name there. Rules only: imports no
AWS client.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, ValidationError

from signalbox.errors import ManifestError
from signalbox.json_documents import Document, JsonObject, pointer, to_text
from signalbox.manifest import Workload
from signalbox.manifest_sections import InferenceMode, InstanceType
from signalbox.rollout import RolloutPlan

# Step Functions takes 262,144 bytes in and out of a state (Step Functions quotas, read 2026-11-20).
# Half of it is for what states add: the verdict, and twice the cause of a failure (32 KB).
MAX_INPUT_BYTES = 128 * 1024

MetadataValue = Annotated[str, Field(min_length=1, max_length=256)]


class Source(Document):
    """Where the workload came from."""

    revision_id: str
    revision_summary: str
    digest: str


class Run(Document):
    """One pass of the pipeline."""

    id: str
    environment: str
    prefix: str
    pipeline: str
    execution_id: str
    created_at: str
    source: Source
    options: JsonObject
    code_digest: str
    # ARN of who started the execution; empty when an event did (a new archive, a Git push).
    released_by: str = ""
    # ARN of the version that was promoted here; empty for a run of this environment's pipeline.
    promoted_from: str = ""
    # The time that a schedule was due for this run; empty for a run of the pipeline.
    scheduled_for: str = ""


class Names(Document):
    """Names in AWS; those of jobs get `-<attempt>-<retry>` from the state machine."""

    preprocess: str
    train: str
    evaluate: str
    champion: str
    transform: str
    model: str
    config: str
    endpoint: str
    model_package_group: str
    # Runs of before have none.
    shadow: str = ""
    probe: str = ""


class Images(Document):
    """Container images of the steps."""

    preprocess: str
    train: str
    evaluate: str
    inference: str


class Locations(Document):
    """S3 URIs of the run, without a slash at the end."""

    run: str
    manifest: str
    scripts: str
    sourcedir: str
    source: str
    preprocess: str
    training: str
    evaluation: str
    inference: str
    predictions: str
    report: str


class Roles(Document):
    """What SageMaker assumes."""

    job: str
    hosting: str


class ProcessingPlan(Document):
    """Parameters of a processing job."""

    entrypoint: Annotated[list[str], Field(min_length=1, max_length=100)]
    instance_type: InstanceType
    instance_count: Literal[1] = 1
    volume_size_gb: int
    max_runtime_seconds: int
    environment: dict[str, str]


class ChannelPlan(Document):
    """A training channel and the folder of the preprocess output that it reads."""

    name: str
    path: str


class TrainPlan(Document):
    """Parameters of a training job; hyperparameters are JSON texts, as the containers expect."""

    hyperparameters: Annotated[dict[str, str], Field(max_length=100)]
    instance_type: InstanceType
    instance_count: int
    volume_size_gb: int
    max_runtime_seconds: int
    environment: dict[str, str]
    channels: list[ChannelPlan]
    # Written as the API spells it (`Name`, `Regex`): the machine hands the list on unread.
    metric_definitions: list[dict[str, str]]


class ServerlessPlan(Document):
    """Size of a serverless endpoint."""

    memory_mb: int
    max_concurrency: int


class InferencePlan(Document):
    """Parameters of the registered model, of transforms and of endpoints."""

    mode: InferenceMode
    environment: Annotated[dict[str, str], Field(max_length=100)]
    content_type: str
    accept: str
    instance_type: InstanceType
    instance_count: int
    max_payload_mb: int
    max_concurrent_transforms: int
    max_runtime_seconds: int
    serverless: ServerlessPlan
    content_types: list[str]
    response_types: list[str]
    realtime_instance_types: list[str]
    transform_instance_types: list[str]
    # None in modes that host nothing, and in runs of before.
    rollout: RolloutPlan | None = None


class Steps(Document):
    """What the state machines run."""

    preprocess: ProcessingPlan
    train: TrainPlan
    evaluate: ProcessingPlan
    inference: InferencePlan


class Registration(Document):
    """What is written beside the model version in the registry."""

    metadata: Annotated[dict[str, MetadataValue], Field(min_length=1, max_length=40)]
    description: Annotated[str, Field(max_length=1024)]


class Serving(Document):
    """Which model version makes which predictions; known after the model gate."""

    model_package_arn: str
    mode: InferenceMode
    input_uri: str
    predictions_uri: str
    endpoint: str


class HistoryEntry(Document):
    """Something that happened; `key` makes a repeated report the same entry."""

    key: str
    at: str
    phase: str
    status: str
    detail: JsonObject
    arn: str


class ResolvedManifest(Document):
    """The document of one run."""

    schema_version: Literal["1"]
    author: JsonObject
    defaults: list[str]
    workload: Workload
    run: Run
    names: Names
    images: Images
    locations: Locations
    roles: Roles
    kms_key_arn: str
    steps: Steps
    registration: Registration
    inference: Serving | None = None
    history: list[HistoryEntry] = Field(default_factory=list)


def to_document(manifest: ResolvedManifest) -> JsonObject:
    """The JSON object of a manifest; `inference` is absent until it is known."""
    document: dict[str, Any] = manifest.model_dump(mode="json")
    if manifest.inference is None:
        del document["inference"]
    return document


def to_json(manifest: ResolvedManifest) -> bytes:
    """The manifest as it lies in S3: UTF-8, stable order."""
    return to_text(to_document(manifest)).encode()


def to_input(manifest: ResolvedManifest) -> bytes:
    """The manifest as a state machine starts with it: without the history.

    No state reads the history, and it grows with every attempt, where an execution's input may not.
    """
    return to_json(manifest.model_copy(update={"history": []}))


def check_size(manifest: ResolvedManifest) -> None:
    """Raises ManifestError when a state machine could not carry the manifest to its end."""
    size_bytes = len(to_input(manifest))
    if size_bytes > MAX_INPUT_BYTES:
        raise ManifestError(
            (
                f"(document): resolved it has {size_bytes} bytes; a state machine carries "
                f"{MAX_INPUT_BYTES}; put long lists and texts into a file of the workload",
            )
        )


def from_json(text: bytes, *, source: str) -> ResolvedManifest:
    """The manifest in a text that `to_json` wrote; raises ManifestError for anything else."""
    try:
        return ResolvedManifest.model_validate_json(text)
    except ValidationError as error:
        problems = tuple(
            f"{pointer(detail['loc']) or '(document)'}: {detail['msg']}"
            for detail in error.errors(include_url=False, include_input=False)
        )
        raise ManifestError(problems, document=source) from None


def history_detail(value: JsonValue) -> JsonValue:
    """A detail fit for the history: long texts cut, so that a manifest stays an execution's input.

    Step Functions takes 262,144 bytes of input (Step Functions quotas, read 2026-11-20).
    """
    if isinstance(value, dict):
        return {key: history_detail(item) for key, item in value.items()}
    if isinstance(value, list):
        return [history_detail(item) for item in value[:100]]
    if isinstance(value, str) and len(value) > 2000:
        return f"{value[:1997]}..."
    return value
