"""The values of CodeBuild: projects, builds, and what a pipeline hands to a build.

Plain data in the words of the API. Records of builds are changed by the thread that runs them only.
"""

import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from localaws import clock
from localaws.codebuild.shell import Interruption
from localaws.sagemaker.store import Document, Place

CODEBUILD = "codebuild.amazonaws.com"


class Status(StrEnum):
    """Of a build and of its phases."""

    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    STOPPED = "STOPPED"


@dataclass(frozen=True)
class S3Object:
    """A place in S3."""

    bucket: str
    key: str

    @property
    def arn(self) -> str:
        """As CodeBuild writes locations."""
        return f"arn:aws:s3:::{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Handover:
    """What CodePipeline gives to a build: its artifacts, which no request could carry."""

    initiator: str
    primary: str
    """Name of the input artifact in whose folder the build works."""
    inputs: Mapping[str, S3Object]
    outputs: Mapping[str, S3Object]
    key_id: str
    revision: str
    """Of the primary input as its source action found it; empty when none did."""


@dataclass
class Project:
    """A project: its document as BatchGetProjects shows it."""

    place: Place
    document: Document
    created: datetime = field(default_factory=clock.now)
    modified: datetime = field(default_factory=clock.now)
    builds: int = 0

    @property
    def name(self) -> str:
        """Its name in the account and region."""
        return str(self.document["name"])

    @property
    def arn(self) -> str:
        """Its ARN, which is also the `aws:SourceArn` of its role's sessions."""
        return project_arn(self.place, self.name)


def project_arn(place: Place, name: str) -> str:
    """The ARN of a project."""
    return f"arn:aws:codebuild:{place.region}:{place.account}:project/{name}"


@dataclass
class Phase:
    """One phase of a build; without an end while it runs."""

    kind: str
    started: datetime = field(default_factory=clock.now)
    ended: datetime | None = None
    status: Status | None = None
    code: str = ""
    message: str = ""

    @property
    def seconds(self) -> int:
        """Whole seconds it took."""
        return int(((self.ended or clock.now()) - self.started).total_seconds())


@dataclass
class Stored:
    """An artifact that a build has written."""

    location: S3Object
    identifier: str = ""
    sha256: str = ""
    md5: str = ""


@dataclass
class Build:
    """One build; `settings` are the project's with the overrides of its start."""

    place: Place
    project: str
    number: int
    initiator: str
    settings: Document
    handover: Handover | None
    interruption: Interruption
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: datetime = field(default_factory=clock.now)
    ended: datetime | None = None
    status: Status = Status.IN_PROGRESS
    phases: list[Phase] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    exported: dict[str, str] = field(default_factory=dict)
    log_group: str = ""
    log_stream: str = ""
    finished: threading.Event = field(default_factory=threading.Event)

    @property
    def id(self) -> str:
        """`project:uuid`, as all of the API names it."""
        return f"{self.project}:{self.uuid}"

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:codebuild:{self.place.region}:{self.place.account}:build/{self.id}"

    @property
    def role_arn(self) -> str:
        """The role under which everything of the build is done."""
        return str(self.settings["serviceRole"])

    @property
    def key_id(self) -> str:
        """The key that its artifacts are encrypted with; empty for the account's own S3 key."""
        given = self.handover.key_id if self.handover else self.settings.get("encryptionKey", "")
        return "" if str(given).endswith("alias/aws/s3") else str(given)

    @property
    def current_phase(self) -> str:
        """The phase it is in, or was in last."""
        return self.phases[-1].kind if self.phases else "SUBMITTED"

    @property
    def source_version(self) -> str:
        """What was asked to be built."""
        if self.handover is not None:
            return self.handover.inputs[self.handover.primary].arn
        return str(self.settings.get("sourceVersion") or "")

    @property
    def resolved_version(self) -> str:
        """What is built, when that is known."""
        return self.handover.revision if self.handover is not None else self.source_version

    def failed_phases(self) -> Iterator[Phase]:
        """The phases that did not work, in order."""
        return (phase for phase in self.phases if phase.status not in (None, Status.SUCCEEDED))


def environment_variables(settings: Document) -> list[dict[str, Any]]:
    """The variables of a project or a build, with their types filled in."""
    given = settings["environment"].get("environmentVariables") or []
    return [{"type": "PLAINTEXT", **item} for item in given]
