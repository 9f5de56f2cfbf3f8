"""What CodeDeploy on the laptop remembers: applications, their groups, deployments.

Plain data in the words of the API, and how to find it. A deployment's record is changed by the
thread that runs it, under the store's lock. Imports nothing of AWS.
"""

import secrets
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from localaws import clock
from localaws.codedeploy.appspec import AppSpec
from localaws.sagemaker.store import Document, Place
from localaws.wire import AwsError

CODEDEPLOY = "codedeploy.amazonaws.com"
_ID_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Status(StrEnum):
    """Of a deployment."""

    CREATED = "Created"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens in the deployment."""
        return self in (Status.SUCCEEDED, Status.FAILED, Status.STOPPED)


@dataclass
class Application:
    """An application; `revisions` are the AppSpecs registered with it, by their digest."""

    place: Place
    name: str
    tags: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: datetime = field(default_factory=clock.now)
    revisions: dict[str, Document] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arn_of(self.place, f"application:{self.name}")


@dataclass
class Group:
    """A deployment group: its document as CreateDeploymentGroup takes it, with defaults."""

    place: Place
    document: Document
    tags: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def application(self) -> str:
        """The name of its application."""
        return str(self.document["applicationName"])

    @property
    def name(self) -> str:
        """Its name in the application."""
        return str(self.document["deploymentGroupName"])

    @property
    def arn(self) -> str:
        """Its ARN, which is also the `aws:SourceArn` of its service role's sessions."""
        return arn_of(self.place, f"deploymentgroup:{self.application}/{self.name}")


@dataclass(frozen=True)
class Plan:
    """What a deployment shall do, as decided when it was created."""

    appspec: AppSpec
    revision: Document
    config_name: str
    alarms: Document
    """An AlarmConfiguration."""
    rollback: Document
    """An AutoRollbackConfiguration."""
    description: str = ""
    creator: str = "user"


def _new_id() -> str:
    return "d-" + "".join(secrets.choice(_ID_LETTERS) for _ in range(9))


@dataclass
class Deployment:
    """One deployment."""

    group: Group
    plan: Plan
    id: str = field(default_factory=_new_id)
    status: Status = Status.CREATED
    error: Document = field(default_factory=dict)
    """Code and message of an ErrorInformation; empty while nothing is wrong."""
    rollback_info: Document = field(default_factory=dict)
    events: dict[str, str] = field(default_factory=dict)
    """Lifecycle event -> its status."""
    weight: float = 0.0
    """The part of the traffic that goes to the target version, 0..1."""
    created: datetime = field(default_factory=clock.now)
    started: datetime | None = None
    ended: datetime | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    stop_rolls_back: bool | None = None
    """What whoever stopped it said of the way back; None leaves it to the plan."""
    finished: threading.Event = field(default_factory=threading.Event)


def arn_of(place: Place, resource: str) -> str:
    """An ARN of CodeDeploy's."""
    return f"arn:aws:codedeploy:{place.region}:{place.account}:{resource}"


@dataclass
class Store:
    """Everything of CodeDeploy in this process."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    applications: dict[tuple[Place, str], Application] = field(default_factory=dict)
    groups: dict[tuple[Place, str, str], Group] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    """By id, the oldest first."""

    def application(self, place: Place, name: str) -> Application:
        """An application; raises ApplicationDoesNotExistException."""
        found = self.applications.get((place, name))
        if found is None:
            raise AwsError(
                "ApplicationDoesNotExistException", f"No application found for name: {name}"
            )
        return found

    def group(self, place: Place, application: str, name: str) -> Group:
        """A deployment group; raises ...DoesNotExistException."""
        self.application(place, application)
        found = self.groups.get((place, application, name))
        if found is None:
            raise AwsError(
                "DeploymentGroupDoesNotExistException",
                f"No Deployment Group found for name: {name}",
            )
        return found

    def groups_of(self, application: Application) -> list[Group]:
        """The groups of an application, the oldest first."""
        wanted = (application.place, application.name)
        return [group for key, group in self.groups.items() if key[:2] == wanted]

    def deployment(self, place: Place, deployment_id: str) -> Deployment:
        """A deployment; raises DeploymentDoesNotExistException."""
        found = self.deployments.get(deployment_id)
        if found is None or found.group.place != place:
            raise AwsError(
                "DeploymentDoesNotExistException",
                f"The deployment {deployment_id} could not be found",
            )
        return found

    def deployments_of(self, group: Group) -> list[Deployment]:
        """The deployments of a group, the newest first."""
        return [each for each in reversed(self.deployments.values()) if each.group is group]

    def active(self, group: Group) -> Deployment | None:
        """The deployment of a group that is not over."""
        return next((e for e in self.deployments_of(group) if not e.status.is_over), None)

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self.applications.clear()
            self.groups.clear()
            self.deployments.clear()


STORE = Store()
