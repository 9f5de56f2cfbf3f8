"""The values of the CodePipeline engine: what a pipeline is and what has become of each run.

Plain data. Specifications are frozen; the records of executions are changed by the engine only,
under the lock of their pipeline. Imports nothing of the project but the clock.
"""

import threading
import uuid
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from localaws import clock


class ActionStatus(StrEnum):
    """Statuses of an action execution."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ABANDONED = "Abandoned"


class Status(StrEnum):
    """Statuses of stages and pipeline executions."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    SUPERSEDED = "Superseded"
    CANCELLED = "Cancelled"


ACTIVE = frozenset({Status.IN_PROGRESS, Status.STOPPING})


@dataclass(frozen=True)
class ActionSpec:
    """One action of a pipeline's declaration."""

    name: str
    category: str
    owner: str
    provider: str
    version: str
    run_order: int
    configuration: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    namespace: str
    role_arn: str
    region: str
    timeout_minutes: int | None

    @property
    def kind(self) -> tuple[str, str]:
        """Category and provider, which together say what the action does."""
        return self.category, self.provider

    @property
    def type_id(self) -> dict[str, str]:
        """As the API writes it."""
        return {
            "category": self.category,
            "owner": self.owner,
            "provider": self.provider,
            "version": self.version,
        }


@dataclass(frozen=True)
class StageSpec:
    """One stage of a pipeline's declaration."""

    name: str
    actions: tuple[ActionSpec, ...]


@dataclass(frozen=True)
class Store:
    """Where artifacts are kept."""

    bucket: str
    key_id: str
    """KMS key, or empty for the account's own S3 key."""


@dataclass(frozen=True)
class PipelineSpec:
    """A pipeline's declaration, checked."""

    name: str
    role_arn: str
    stores: Mapping[str, Store]
    """By region; the pipeline's own is among them."""
    stages: tuple[StageSpec, ...]
    variables: Mapping[str, str | None]
    """Names and default values."""
    mode: str


@dataclass(frozen=True)
class Artifact:
    """A zip in the artifact store."""

    name: str
    bucket: str
    key: str


@dataclass(frozen=True)
class Revision:
    """What a source action has found."""

    action: str
    artifact: str
    revision_id: str
    summary: str
    created: datetime
    url: str


@dataclass(frozen=True)
class Failure:
    """Why an action failed."""

    code: str
    message: str


@dataclass(frozen=True)
class Result:
    """What an action's work has come to."""

    status: ActionStatus
    summary: str = ""
    external_id: str = ""
    external_url: str = ""
    failure: Failure | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    revision: Revision | None = None
    updated_by: str = ""


def failed(code: str, message: str, **more: Any) -> Result:
    """The result of an action that did not work."""
    failure = Failure(code, message[:5000] or "no reason was given")
    return Result(ActionStatus.FAILED, failure=failure, **more)


@dataclass
class ActionRun:
    """One attempt at one action."""

    spec: ActionSpec
    stage: str
    resolved: dict[str, str] = field(default_factory=dict)
    inputs: tuple[Artifact, ...] = ()
    outputs: tuple[Artifact, ...] = ()
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: ActionStatus = ActionStatus.IN_PROGRESS
    started: datetime = field(default_factory=clock.now)
    updated: datetime = field(default_factory=clock.now)
    result: Result | None = None
    token: str = ""
    """Of a manual approval; who has it can decide."""
    external_id: str = ""
    external_url: str = ""
    percent: int | None = None

    @property
    def is_running(self) -> bool:
        """Whether a result is still awaited."""
        return self.status is ActionStatus.IN_PROGRESS


@dataclass
class StageRun:
    """What has become of one stage in one execution."""

    name: str
    status: Status = Status.IN_PROGRESS
    runs: list[ActionRun] = field(default_factory=list)
    """Every attempt, oldest first."""
    current: dict[str, ActionRun] = field(default_factory=dict)
    """By action name, the attempt that counts."""
    retries: int = 0

    def latest(self) -> dict[str, ActionRun]:
        """The last attempt at each action that has begun."""
        return {run.spec.name: run for run in self.runs}


@dataclass
class Execution:
    """One passage through a pipeline."""

    pipeline: str
    version: int
    variables: dict[str, str]
    trigger_type: str
    trigger_detail: str
    overrides: Mapping[tuple[str, str], str]
    """Source revisions asked for, by action name and revision type."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: Status = Status.IN_PROGRESS
    summary: str = ""
    started: datetime = field(default_factory=clock.now)
    updated: datetime = field(default_factory=clock.now)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    revisions: dict[str, Revision] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    stages: "OrderedDict[str, StageRun]" = field(default_factory=OrderedDict)
    stop_reason: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether it may still change by itself."""
        return self.status in ACTIVE

    def runs(self) -> Iterator[ActionRun]:
        """All action executions, oldest first."""
        for stage in self.stages.values():
            yield from stage.runs


@dataclass(frozen=True)
class Work:
    """All that is needed to do one action, apart from the engine's own records."""

    pipeline: str
    pipeline_arn: str
    account: str
    region: str
    """The action's."""
    home_region: str
    """The pipeline's."""
    role_arn: str
    store: Store
    """Of the action's region."""
    execution_id: str
    run_id: str
    stage: str
    spec: ActionSpec
    configuration: Mapping[str, str]
    """With its variables replaced."""
    inputs: tuple[Artifact, ...]
    outputs: tuple[Artifact, ...]
    overrides: Mapping[str, str]
    """Source revisions asked for, by revision type."""
    token: str
    """The approval's; empty for all other actions."""
    revisions: Mapping[str, str] = field(default_factory=dict)
    """What the source actions have found, by artifact name."""


@dataclass
class Slot:
    """The place of a stage: at most one execution is inside, others wait in order."""

    spec: StageSpec
    occupant: Execution | None = None
    latest: Execution | None = None
    inbound: "deque[Execution]" = field(default_factory=deque)
    disabled_reason: str | None = None
    changed_by: str = ""
    changed_at: datetime | None = None


@dataclass
class Pipeline:
    """A stored pipeline and everything that runs in it."""

    account: str
    region: str
    declaration: dict[str, Any]
    spec: PipelineSpec
    version: int = 1
    created: datetime = field(default_factory=clock.now)
    updated: datetime = field(default_factory=clock.now)
    tags: dict[str, str] = field(default_factory=dict)
    executions: "OrderedDict[str, Execution]" = field(default_factory=OrderedDict)
    slots: list[Slot] = field(default_factory=list)
    requests: dict[str, str] = field(default_factory=dict)
    """Execution ids by client request token."""
    lock: Any = field(default_factory=threading.RLock)
    is_deleted: bool = False

    def __post_init__(self) -> None:
        self.slots = self.slots or [Slot(stage) for stage in self.spec.stages]

    @property
    def name(self) -> str:
        """Its name in the account and region."""
        return self.spec.name

    @property
    def arn(self) -> str:
        """Its ARN, which has no `pipeline/` in it."""
        return f"arn:aws:codepipeline:{self.region}:{self.account}:{self.name}"

    def slot(self, stage: str) -> Slot | None:
        """The place of a stage, by name."""
        return next((slot for slot in self.slots if slot.spec.name == stage), None)
