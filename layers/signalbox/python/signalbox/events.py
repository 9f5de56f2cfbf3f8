"""What wakes the functions, and how AWS writes it.

The only place where an event's source, detail-type and field names are defined. AWS adds fields
without notice, so unknown ones are ignored; a field that we need and that is missing is an error
by name. Imports no AWS client.

Sources: CodePipeline User Guide, "Lambda invoke action reference" (JSON event) and "Monitoring
CodePipeline events"; Amazon S3 User Guide, "EventBridge event message structure"; read 2026-11-20.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from signalbox.errors import EventError
from signalbox.json_documents import Document, pointer


@dataclass(frozen=True)
class EventKind:
    """What an EventBridge rule matches on."""

    source: str
    detail_type: str


CODEPIPELINE_ACTION = EventKind("aws.codepipeline", "CodePipeline Action Execution State Change")
CODEPIPELINE_STAGE = EventKind("aws.codepipeline", "CodePipeline Stage Execution State Change")
CODEPIPELINE_PIPELINE = EventKind(
    "aws.codepipeline", "CodePipeline Pipeline Execution State Change"
)
MACHINE_EXECUTION = EventKind("aws.states", "Step Functions Execution Status Change")
MODEL_PACKAGE = EventKind("aws.sagemaker", "SageMaker Model Package State Change")
SCHEDULE = EventKind("aws.events", "Scheduled Event")
TIMED = EventKind("aws.scheduler", "Scheduled Event")
S3_OBJECT_CREATED = EventKind("aws.s3", "Object Created")

CODEPIPELINE_JOB_KEY = "CodePipeline.job"


class _FromAws(BaseModel):
    """Tolerant: fields may be added at any time."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class S3Location(_FromAws):
    """Where an artifact lies."""

    bucket: str = Field(alias="bucketName")
    key: str = Field(alias="objectKey")


class ArtifactLocation(_FromAws):
    """The location of an artifact; S3 is the only type."""

    s3: S3Location = Field(alias="s3Location")


class Artifact(_FromAws):
    """An input or output artifact of an action."""

    name: str
    location: ArtifactLocation


class JobConfiguration(_FromAws):
    """What the action's configuration gives the function."""

    user_parameters: str = Field("{}", alias="UserParameters")


class ActionConfiguration(_FromAws):
    """Wrapper of the configuration in the job event."""

    configuration: JobConfiguration


class JobData(_FromAws):
    """The part of a job event that is about this action. Its credentials are never read."""

    action: ActionConfiguration = Field(alias="actionConfiguration")
    inputs: list[Artifact] = Field(alias="inputArtifacts", min_length=1)
    outputs: list[Artifact] = Field(alias="outputArtifacts", min_length=1)


class UserParameters(Document):
    """What our pipeline writes into UserParameters of its Lambda actions."""

    execution_id: str = Field(min_length=1)


class PipelineJob(_FromAws):
    """A Lambda action of the pipeline waits for an answer."""

    id: str
    data: JobData

    @property
    def input(self) -> S3Location:
        """Where the first input artifact lies."""
        return self.data.inputs[0].location.s3

    @property
    def input_name(self) -> str:
        """The name of the first input artifact."""
        return self.data.inputs[0].name

    @property
    def output(self) -> S3Location:
        """Where the first output artifact belongs."""
        return self.data.outputs[0].location.s3

    @property
    def execution_id(self) -> str:
        """The pipeline execution; raises EventError when UserParameters do not carry it."""
        text = self.data.action.configuration.user_parameters
        try:
            return UserParameters.model_validate_json(text).execution_id
        except ValidationError:
            raise EventError(
                'the action\'s UserParameters must be {"executionId": '
                '"#{codepipeline.PipelineExecutionId}"}; correct the pipeline in template.yaml'
            ) from None


class ActionType(_FromAws):
    """What kind of action changed its state."""

    category: str
    provider: str


def _text(value: object) -> object:
    """AWS's own examples have the version as a number and as a string."""
    return str(value) if isinstance(value, int | float) else value


class ActionDetail(_FromAws):
    """The detail of an action's state change; AWS writes these keys with hyphens."""

    pipeline: str
    execution_id: str = Field(alias="execution-id")
    stage: str
    action: str
    action_execution_id: str = Field(alias="action-execution-id")
    state: str
    type: ActionType
    version: Annotated[str, BeforeValidator(_text)] = ""


class ActionStateChanged(_FromAws):
    """An action of a pipeline began, ended or failed."""

    detail: ActionDetail

    @property
    def is_approval(self) -> bool:
        """Whether the action is a manual approval."""
        return (self.detail.type.category, self.detail.type.provider) == ("Approval", "Manual")

    @property
    def asks_a_person(self) -> bool:
        """Whether a manual approval has just begun to wait."""
        return self.detail.state == "STARTED" and self.is_approval


class ExecutionDetail(_FromAws):
    """The detail of the state change of a pipeline's execution, or of one of its stages."""

    pipeline: str
    execution_id: str = Field(alias="execution-id")
    state: str


class ExecutionStateChanged(_FromAws):
    """An execution of a pipeline, or a stage of it, began, ended or failed."""

    detail: ExecutionDetail


class MachineDetail(_FromAws):
    """The detail of a state machine execution's change; `input` is a text, or null when long."""

    execution_arn: str = Field(alias="executionArn")
    status: str
    input: str | None = None


class MachineStatusChanged(_FromAws):
    """An execution of a state machine began, ended or failed."""

    detail: MachineDetail


class ModelPackageDetail(_FromAws):
    """The detail of a model version's change; the list of fields is not always there."""

    arn: str = Field(alias="ModelPackageArn")
    approval: str = Field(alias="ModelApprovalStatus")
    updated_fields: list[str] | None = Field(None, alias="UpdatedModelPackageFields")
    modified_at: datetime | None = Field(None, alias="LastModifiedTime")


class ModelPackageChanged(_FromAws):
    """A version in the model registry was made or changed."""

    detail: ModelPackageDetail

    @property
    def is_decision(self) -> bool:
        """Whether this may be a new approval or rejection; metadata alone is none."""
        fields = self.detail.updated_fields
        return fields is None or "ModelApprovalStatus" in fields

    @property
    def is_certain(self) -> bool:
        """Whether the event itself says that somebody said something about approval."""
        return "ModelApprovalStatus" in (self.detail.updated_fields or ())


class QueueRecord(_FromAws):
    """One message of a queue."""

    message_id: str = Field(alias="messageId")
    body: str


class QueueBatch(_FromAws):
    """What Lambda reads from a queue for a function."""

    records: list[QueueRecord] = Field(alias="Records", min_length=1)


class BucketOfEvent(_FromAws):
    """The bucket of an S3 event."""

    name: str


class CreatedObject(_FromAws):
    """The object of an S3 event; the key is as it is, not URL-encoded."""

    key: str
    version_id: str = Field(alias="version-id", min_length=1)
    size_bytes: int = Field(0, alias="size")
    etag: str = ""
    sequencer: str = ""


class CreatedDetail(_FromAws):
    """The detail of `Object Created`."""

    bucket: BucketOfEvent
    object: CreatedObject


class ObjectCreated(_FromAws):
    """An object, or a version of one, was put into a bucket."""

    detail: CreatedDetail


Event = TypeVar("Event", bound=BaseModel)


def read(model: type[Event], event: Any) -> Event:
    """The event as a model; raises EventError naming the fields that are missing or wrong.

    Values are left out of the message: a pipeline job carries credentials.
    """
    try:
        return model.model_validate(event, strict=False)
    except ValidationError as error:
        problems = "; ".join(
            f"{pointer(detail['loc']) or '(event)'}: {detail['msg']}"
            for detail in error.errors(include_url=False, include_input=False)
        )
        raise EventError(f"the event is no {model.__name__}: {problems}") from None


def kind_of(event: Any) -> EventKind:
    """What an EventBridge event is; raises EventError when it is none."""
    if isinstance(event, dict) and isinstance(event.get("source"), str):
        return EventKind(event["source"], str(event.get("detail-type", "")))
    raise EventError("the event has no source; only EventBridge calls this")


def job_in(event: Any) -> Any:
    """The job of a pipeline's Lambda event; raises EventError when it is none."""
    if isinstance(event, dict) and isinstance(event.get(CODEPIPELINE_JOB_KEY), dict):
        return event[CODEPIPELINE_JOB_KEY]
    raise EventError(f'the event has no "{CODEPIPELINE_JOB_KEY}"; only CodePipeline calls this')


def job_id_of(event: Any) -> str:
    """The job to answer; read apart, so that an otherwise unreadable job is answered, too."""
    job_id = job_in(event).get("id")
    if isinstance(job_id, str) and job_id:
        return job_id
    raise EventError(f'"{CODEPIPELINE_JOB_KEY}" has no id')
