"""Turns a stack's state into its blueprint: in dependency order, several resources at a time.

When a resource fails, no further one is begun and everything this execution made or changed is
taken back in reverse order. Deletions happen only after all else has worked, as in CloudFormation.
"""

from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Any

from botocore.exceptions import ClientError

from localaws.deployer.blueprint import (
    Blueprint,
    Report,
    ResourceEvent,
    exports_of,
    outputs_of,
)
from localaws.deployer.errors import DeploymentFailed, TemplateInvalid
from localaws.deployer.plan import (
    Action,
    Change,
    decide,
    deletions,
    known_scope,
    name_problems,
)
from localaws.deployer.removal import GONE, delete_member
from localaws.deployer.resources.base import HalfMade, Made, Site
from localaws.deployer.resources.catalogue import CATALOGUE
from localaws.deployer.state import Member, StackState

_WORKERS = 4


@dataclass(frozen=True)
class Done:
    """One resource after its turn; `replaced` is the old one that awaits its deletion."""

    change: Change
    member: Member
    before: Member | None = None


@dataclass(frozen=True)
class Begun:
    """A resource whose turn has come: what shall be done, and with which properties."""

    change: Change
    before: Member | None
    properties: Mapping[str, Any]


class Execution:
    """One run over a blueprint."""

    def __init__(
        self,
        blueprint: Blueprint,
        state: StackState,
        site: Site,
        report: Report,
        *,
        rolls_back: bool = True,
    ) -> None:
        self._rolls_back = rolls_back
        self._stuck: dict[str, Member] = {}
        self._blueprint = blueprint
        self._state = state
        self._site = site
        self._report = report
        self._made: dict[str, Made] = {}
        self._done: list[Done] = []
        self._begun: dict[str, Begun] = {}

    def run(self) -> tuple[StackState, tuple[Change, ...]]:
        """The new state and what was done; raises DeploymentFailed after the roll-back."""
        failure = self._make_all()
        if failure:
            raise self._failed(*failure) from failure[1]
        members = {item.change.logical_id: item.member for item in self._done}
        scope = known_scope(self._blueprint.scope, self._made)
        outputs = {name: str(value) for name, value in outputs_of(self._blueprint, scope).items()}
        exports = exports_of(self._blueprint, scope)
        self._tell_stack("cleaning up")
        deleted = self._clean_up(frozenset(members))
        changes = (*(item.change for item in self._done), *deleted)
        return StackState(members, outputs, exports), changes

    def _failed(self, logical_id: str, cause: BaseException) -> DeploymentFailed:
        """What to raise, once everything is taken back (unless nothing shall be)."""
        members, left = dict(self._state.members), list[str]()
        if self._rolls_back:
            self._tell_stack("rolling back", logical_id)
            left = [*self._restore(logical_id, cause), *self._roll_back()]
            members = self._stuck | members
        else:
            members |= {item.change.logical_id: item.member for item in self._done}
        kind = self._blueprint.kind(logical_id)
        return DeploymentFailed(logical_id, kind.name, cause, tuple(left), members)

    def _make_all(self) -> tuple[str, BaseException] | None:
        """Every resource in order; the first failure, when there is one."""
        sorter = TopologicalSorter(self._blueprint.needs)
        sorter.prepare()
        failure: tuple[str, BaseException] | None = None
        running: dict[Future[Done], str] = {}
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="deploy") as pool:
            while sorter.is_active() or running:
                if not failure:
                    for name in sorter.get_ready():
                        running[pool.submit(self._make, name)] = name
                if not running:
                    break
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    failure = self._finish(future, running.pop(future), sorter) or failure
        return failure

    def _finish(
        self, future: "Future[Done]", name: str, sorter: TopologicalSorter[str]
    ) -> tuple[str, BaseException] | None:
        error = future.exception()
        if error is None:
            self._done.append(future.result())
            sorter.done(name)
            return None
        if isinstance(error, HalfMade):
            change = Change(name, self._blueprint.kind(name).name, Action.CREATE)
            self._done.append(Done(change, self._member(name, error.made, {})))
            error = error.cause
        begun = self._begun.get(name)
        unknown = Change(name, self._blueprint.kind(name).name, Action.CREATE)
        self._tell(begun.change if begun else unknown, "failed", error)
        return name, error

    def _make(self, logical_id: str) -> Done:
        kind = self._blueprint.kind(logical_id)
        scope = known_scope(self._blueprint.scope, self._made)
        properties = self._blueprint.properties(logical_id, scope)
        before = self._state.members.get(logical_id)
        change = decide(logical_id, kind, before, properties)
        problems = name_problems(change, kind, before, properties)
        if problems:
            raise TemplateInvalid(tuple(problems))
        self._begun[logical_id] = Begun(change, before, properties)
        made = self._apply(change, before, properties)
        self._made[logical_id] = made
        return Done(change, self._member(logical_id, made, properties), before)

    def _apply(self, change: Change, before: Member | None, properties: Mapping[str, Any]) -> Made:
        kind = CATALOGUE[change.type_name]
        if before is not None and change.action is Action.KEEP:
            return Made(before.physical_id, before.attributes)
        self._tell(change, "started")
        if before is not None and change.action is Action.UPDATE and kind.update:
            made = kind.update(self._site, before.existing(change.logical_id), properties)
        else:
            made = kind.create(self._site, change.logical_id, properties)
        self._tell(replace(change, physical_id=made.physical_id), "done")
        return made

    def _member(self, logical_id: str, made: Made, properties: Mapping[str, Any]) -> Member:
        return Member(
            type_name=self._blueprint.kind(logical_id).name,
            physical_id=made.physical_id,
            attributes=dict(made.attributes),
            properties=dict(properties),
            needs=tuple(sorted(self._blueprint.needs[logical_id])),
            deletion_policy=self._blueprint.policy(logical_id, "DeletionPolicy"),
        )

    def _restore(self, logical_id: str, cause: BaseException) -> list[str]:
        """Put back what the failed update itself may have changed; what could not be put back.

        parity: the refusal that ended the update, met again, says that nothing was changed after
        it; AWS would call the roll-back failed.
        """
        begun = self._begun.get(logical_id)
        if begun is None or begun.before is None or begun.change.action is not Action.UPDATE:
            return []
        half = replace(begun.before, properties=begun.properties)
        error = self._undo(Done(begun.change, half, begun.before))
        if error is None or _code(error) in (_code(cause), *GONE):
            self._tell(begun.change, "rolled back")
            return []
        self._tell(begun.change, "left behind", error)
        return [f"{logical_id} ({error})"]

    def _roll_back(self) -> list[str]:
        """Take back what was done, last first; what could not be taken back."""
        left = []
        for item in reversed(self._done):
            if item.change.action is Action.CREATE and item.member.deletion_policy == "Retain":
                self._tell(replace(item.change, action=Action.RETAIN), "done")
                continue
            error = self._undo(item)
            if item.change.action is not Action.KEEP:
                self._tell(item.change, "rolled back" if error is None else "left behind", error)
            if error is not None:
                left.append(f"{item.change.logical_id} ({error})")
                self._stuck[item.change.logical_id] = item.member
        return left

    def _undo(self, item: Done) -> BaseException | None:
        kind = CATALOGUE[item.change.type_name]
        now = item.member.existing(item.change.logical_id)
        try:
            if item.change.action in (Action.CREATE, Action.REPLACE):
                delete_member(self._site, item.change.logical_id, item.member)
            elif item.change.action is Action.UPDATE and kind.update and item.before:
                kind.update(self._site, now, item.before.properties)
        except Exception as error:  # noqa: BLE001 - a roll-back goes on and reports what is left
            return error
        return None

    def _clean_up(self, kept: frozenset[str]) -> list[Change]:
        """Delete replaced resources and those no longer wanted; a failure is told, not raised."""
        deleted = []
        for item in reversed(self._done):
            if _superseded(item) and item.before is not None:
                policy = self._blueprint.policy(item.change.logical_id, "UpdateReplacePolicy")
                old = replace(item.before, deletion_policy=policy)
                deleted.append(self._delete(item.change.logical_id, old))
        for change in deletions(self._state, kept):
            deleted.append(self._delete(change.logical_id, self._state.members[change.logical_id]))
        return deleted

    def _delete(self, logical_id: str, member: Member) -> Change:
        change = Change(logical_id, member.type_name, Action.DELETE, member.physical_id)
        if member.deletion_policy.startswith("Retain"):
            change = replace(change, action=Action.RETAIN)
            self._tell(change, "done")
            return change
        self._tell(change, "started")
        try:
            delete_member(self._site, logical_id, member)
            self._tell(change, "done")
        except ClientError as error:
            self._tell(change, "failed", error)
        return change

    def _tell_stack(self, status: str, cause: str = "") -> None:
        """Say that the whole stack enters another phase."""
        about = self._blueprint.surroundings
        kind = "AWS::CloudFormation::Stack"
        self._report(ResourceEvent(about.stack_name, kind, "stack", status, about.stack_id, cause))

    def _tell(self, change: Change, status: str, error: BaseException | None = None) -> None:
        reason = str(error) if error else ""
        self._report(
            ResourceEvent(
                change.logical_id,
                change.type_name,
                change.action.value,
                status,
                change.physical_id,
                reason,
            )
        )


def _code(error: BaseException) -> str:
    """The code of a refusal by AWS, "" of anything else."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


def _superseded(item: Done) -> bool:
    """Whether the resource before is another one than the resource now."""
    return item.before is not None and item.change.action in (Action.CREATE, Action.REPLACE)
