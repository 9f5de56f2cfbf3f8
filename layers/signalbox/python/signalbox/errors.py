"""Everything Signalbox raises on purpose.

SignalboxError
├── SettingsError             a function's environment variable is missing or malformed
├── EventError                an event or payload lacks what its function needs
├── ManifestError             a manifest cannot be used; one line per problem, each with its pointer
│   └── NewerSchemaVersionError   written for a later Signalbox
├── WorkloadArchiveError      an archive is unsafe, too large, or holds no such workload
├── DatasetError              data does not match the manifest
│   └── DataRefused               uploaded data cannot be read any further; has its findings
├── ObjectMissingError        an S3 object that was named is not there
├── ObjectTooLargeError       an S3 object is above the bound its reader set
├── WriteContendedError       a document kept changing under a bounded number of attempts
├── RunCollisionError         another pipeline execution owns the run id
├── ServingRecordError        the record of an endpoint cannot be read
├── ProbeFailed              an endpoint answered known rows otherwise than the evaluation
├── ProbeInvalid             the probe files of an evaluation cannot be used
├── ModelVersionMissingError  no model version was registered where one is needed
├── ModelVersionRejected      somebody rejected the model version in the registry
├── PromotionPathError        the promotion path of an environment cannot be used
├── PromotionWithdrawn        a version is no longer approved, or was decided on again
├── PromotionRefused          a version may not be promoted, such as one that was rolled back
├── ProvenanceMissing         a version does not say what was approved
├── ArtifactChanged           the model file is not the one that was approved
├── CodeChanged               the scripts are not those that were approved
├── ImageChanged              the image is not the one that was approved
├── TargetUnreachable         an environment's deploy role cannot be assumed, or it is not deployed
├── TargetRefused             an environment denied a call that promotion needs
├── AwsCallFailed             AWS failed in a way that passes; the machine tries again
├── ModelMissing             the training completed and left no model
├── ApproverIsAuthor         one person released a run and approved its model
├── ScheduleRefused          a schedule asks for predictions that nothing can make
├── WebhookError             the webhook did not take a message
├── WebhookSecretError       the webhook's secret does not say where to post
├── EvaluationInvalid         a metrics file misses a metric or holds no finite number
├── NetworkRefused           a run cannot do without the network that the environment takes away
├── SourceDataMissing         nothing was uploaded for training
└── InferenceDataMissing      nothing was uploaded for a batch inference

Faults end in `Error`; the others are outcomes that the state machines branch on by class name.
Imports nothing of the project.
"""

from typing import Any


class SignalboxError(Exception):
    """Root of everything Signalbox raises on purpose."""


class SettingsError(SignalboxError):
    """A function was deployed without a variable it needs, or with an unusable value."""


class EventError(SignalboxError):
    """What woke a function lacks a field that the function needs."""


class ManifestError(SignalboxError):
    """A manifest cannot be used; `problems` holds one line each, JSON pointer first."""

    def __init__(self, problems: tuple[str, ...], *, document: str = "manifest.json") -> None:
        self.problems = problems
        self.document = document
        listed = "\n".join(f"  {problem}" for problem in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{document} has {count}:\n{listed}")


class NewerSchemaVersionError(ManifestError):
    """The manifest was written for a later Signalbox than this one."""


class WorkloadArchiveError(SignalboxError):
    """A workload archive was refused before anything of it was used."""


class DatasetError(SignalboxError):
    """Data does not match what the manifest says about it."""


class DataRefused(DatasetError):
    """Uploaded data cannot be read on; `findings` say where and why."""

    def __init__(self, *findings: Any) -> None:
        self.findings = findings
        super().__init__("; ".join(finding.sentence() for finding in findings))


class ObjectMissingError(SignalboxError):
    """S3 holds no such object."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        super().__init__(f"{uri} does not exist; check that it was uploaded and not deleted since")


class ObjectTooLargeError(SignalboxError):
    """An S3 object is larger than its reader accepts."""


class WriteContendedError(SignalboxError):
    """Other writers were faster each time; nothing was written."""


class RunCollisionError(SignalboxError):
    """Two pipeline executions came to the same run id."""


class ServingRecordError(SignalboxError):
    """What lies at the place of a serving record is none."""


class ProbeFailed(SignalboxError):
    """An endpoint does not answer known rows as the evaluation did; it gets no traffic."""


class ProbeInvalid(SignalboxError):
    """What the evaluation left as a probe cannot be sent or compared."""


class ModelVersionMissingError(SignalboxError):
    """No model version was registered by the run."""


class ModelVersionRejected(SignalboxError):
    """The registry says that the model version must not serve."""


class PromotionPathError(SignalboxError):
    """The promotion path in SSM is no list of environments."""


class PromotionWithdrawn(SignalboxError):
    """The registry's word on a version is no longer the one that its promotion began with."""


class PromotionRefused(SignalboxError):
    """A version must not go any further."""


class ProvenanceMissing(SignalboxError):
    """A version was registered without the record of what was approved."""


class ArtifactChanged(SignalboxError):
    """The model file was replaced after it was approved."""


class CodeChanged(SignalboxError):
    """The scripts of a run were replaced after its model was approved."""


class ImageChanged(SignalboxError):
    """The image's tag points to other bytes than when the model was approved."""


class TargetUnreachable(SignalboxError):
    """The environment that is promoted into lets nobody in."""


class TargetRefused(SignalboxError):
    """The environment that is promoted into denied something."""


class AwsCallFailed(SignalboxError):
    """A call to AWS failed and may succeed when it is made again."""


class ModelMissing(SignalboxError):
    """A training ended well and wrote no model."""


class ApproverIsAuthor(SignalboxError):
    """The two-person rule is on, and one person did both."""


class ScheduleRefused(SignalboxError):
    """What a schedule asks for cannot be run as things are; the next time it may."""


class WebhookError(SignalboxError):
    """The receiver of messages did not take one; it is tried again."""


class WebhookSecretError(SignalboxError):
    """The secret of the webhook is not written, or not usable."""


class EvaluationInvalid(SignalboxError):
    """A metrics file cannot be judged."""


class NetworkRefused(SignalboxError):
    """Jobs or models of a run cannot work in the environment's network."""


class SourceDataMissing(SignalboxError):
    """The training machine started before any data was uploaded."""


class InferenceDataMissing(SignalboxError):
    """A batch inference started before any data was uploaded."""
