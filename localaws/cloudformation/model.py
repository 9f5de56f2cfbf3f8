"""Stacks, their events and their change sets, as CloudFormation on the laptop keeps them.

Values and state only: no requests, no moto.
"""

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from localaws import clock
from localaws.deployer.rollback import Stuck
from localaws.deployer.state import StackState
from localaws.deployer.template import Surroundings
from localaws.iam.requirement import Place

STACK_TYPE = "AWS::CloudFormation::Stack"


class Status(StrEnum):
    """Where a stack stands; AWS's words (CloudFormation User Guide, "Stack status codes")."""

    REVIEW_IN_PROGRESS = "REVIEW_IN_PROGRESS"
    CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
    CREATE_COMPLETE = "CREATE_COMPLETE"
    CREATE_FAILED = "CREATE_FAILED"
    ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
    ROLLBACK_COMPLETE = "ROLLBACK_COMPLETE"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"
    UPDATE_IN_PROGRESS = "UPDATE_IN_PROGRESS"
    UPDATE_CLEANUP = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    UPDATE_COMPLETE = "UPDATE_COMPLETE"
    UPDATE_FAILED = "UPDATE_FAILED"
    UPDATE_ROLLBACK_IN_PROGRESS = "UPDATE_ROLLBACK_IN_PROGRESS"
    UPDATE_ROLLBACK_COMPLETE = "UPDATE_ROLLBACK_COMPLETE"
    UPDATE_ROLLBACK_FAILED = "UPDATE_ROLLBACK_FAILED"
    DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
    DELETE_COMPLETE = "DELETE_COMPLETE"
    DELETE_FAILED = "DELETE_FAILED"

    @property
    def is_moving(self) -> bool:
        """Whether an operation goes on; a review waits for a person and does not count."""
        return self.endswith("_IN_PROGRESS") and self is not Status.REVIEW_IN_PROGRESS

    @property
    def may_be_updated(self) -> bool:
        """Whether CloudFormation takes an update in this state."""
        return self in (
            Status.CREATE_COMPLETE,
            Status.UPDATE_COMPLETE,
            Status.UPDATE_ROLLBACK_COMPLETE,
            Status.CREATE_FAILED,  # left as they failed, because roll-back was disabled
            Status.UPDATE_FAILED,
        )


@dataclass(frozen=True)
class Wanted:
    """What a stack shall be: everything that a request to create or update it says."""

    template: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    role_arn: str = ""
    roll_back: bool = True
    on_failure: str = "ROLLBACK"
    token: str = ""


@dataclass(frozen=True)
class StackEvent:
    """Something that happened to the stack or to one of its resources."""

    logical_id: str
    physical_id: str
    type_name: str
    status: str
    reason: str = ""
    token: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    time: datetime = field(default_factory=clock.now)


@dataclass
class ChangeSet:
    """A proposal: what `wanted` would change of its stack."""

    arn: str
    name: str
    kind: str
    """`CREATE` or `UPDATE`."""
    wanted: Wanted
    description: str = ""
    changes: list[dict[str, Any]] = field(default_factory=list)
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    execution_status: str = "AVAILABLE"
    on_failure: str = ""
    created: datetime = field(default_factory=clock.now)


@dataclass
class Stack:
    """One stack; deleted ones stay known by their id."""

    place: Place
    name: str
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: Status = Status.REVIEW_IN_PROGRESS
    reason: str = ""
    wanted: Wanted = field(default_factory=lambda: Wanted(""))
    """What was last asked for and reached; after a failed update, what was before it."""
    state: StackState = field(default_factory=StackState)
    role_arn: str = ""
    """The role of the last operation; the next one takes it unless it names another."""
    protected: bool = False
    stuck: tuple[Stuck, ...] = ()
    """What a failed roll-back left changed, for ContinueUpdateRollback."""
    imports: frozenset[str] = frozenset()
    events: list[StackEvent] = field(default_factory=list)
    resources: dict[str, StackEvent] = field(default_factory=dict)
    """The last event of each resource."""
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    """By ARN."""
    change_set_arn: str = ""
    """The change set that was executed last."""
    created: datetime = field(default_factory=clock.now)
    updated: datetime | None = None
    deleted: datetime | None = None
    turn: threading.Condition = field(default_factory=threading.Condition)
    """Held to read or change it; notified at each change of its status."""

    @property
    def id(self) -> str:
        """Its ARN."""
        return self.surroundings({}).stack_id

    def surroundings(self, exports: Mapping[str, str]) -> Surroundings:
        """Where it lives, as the deployer wants to know it."""
        account, region = self.place.account, self.place.region
        return Surroundings(self.name, account, region, uid=self.uid, exports=exports)

    def settled(self, limit_s: float) -> None:
        """Wait until no operation goes on, at most `limit_s` seconds."""
        with self.turn:
            self.turn.wait_for(lambda: not self.status.is_moving, timeout=limit_s)
