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
from localaws.deployer.intrinsics import Scope
from localaws.deployer.plan import (
    Action,
    Change,
    decide,
    deletions,
    known_scope,
    name_problems,
)
from localaws.deployer.removal import delete_member
from localaws.deployer.resources.base import HalfMade, Made, Site
from localaws.deployer.resources.catalogue import CATALOGUE
from localaws.deployer.rollback import Done, Stuck, refusal_of, roll_back
from localaws.deployer.state import Member, StackState

_WORKERS = 4
_ROLLOUTS = 64
"""Updates that mostly wait go on side by side, as CloudFormation's do."""


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
        self._failures: dict[str, BaseException] = {}
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
        scope = self._known()
        outputs = {name: str(value) for name, value in outputs_of(self._blueprint, scope).items()}
        exports = exports_of(self._blueprint, scope)
        self._tell_stack("cleaning up")
        deleted = self._clean_up(frozenset(members))
        changes = (*(item.change for item in self._done), *deleted)
        return StackState(members, outputs, exports), changes

    def _failed(self, logical_id: str, cause: BaseException) -> DeploymentFailed:
        """What to raise, once everything is taken back (unless nothing shall be)."""
        members, stuck = dict(self._state.members), tuple[Stuck, ...]()
        if self._rolls_back:
            self._tell_stack("rolling back", ", ".join(sorted(self._failures)))
            halves = [half for name in self._failures for half in self._half_changed(name)]
            stuck = roll_back(self._site, [*halves, *reversed(self._done)], self._tell)
            members = {item.item.change.logical_id: item.item.member for item in stuck} | members
        else:
            members |= {item.change.logical_id: item.member for item in self._done}
        kind = self._blueprint.kind(logical_id)
        return DeploymentFailed(logical_id, kind.name, cause, stuck, members)

    def _half_changed(self, logical_id: str) -> list[Done]:
        """A resource whose change failed, as one to change back: part of it may be changed."""
        begun = self._begun.get(logical_id)
        if begun is None or begun.before is None or begun.change.action is not Action.UPDATE:
            return []
        half = replace(begun.before, properties=begun.properties)
        return [Done(begun.change, half, begun.before, refusal_of(self._failures[logical_id]))]

    def _make_all(self) -> tuple[str, BaseException] | None:
        """Every resource in order; the first failure, when there is one."""
        sorter = TopologicalSorter(self._blueprint.needs)
        sorter.prepare()
        failure: tuple[str, BaseException] | None = None
        running: dict[Future[Done], str] = {}
        with (
            ThreadPoolExecutor(_WORKERS, thread_name_prefix="deploy") as quick,
            ThreadPoolExecutor(_ROLLOUTS, thread_name_prefix="rollout") as waiting,
        ):
            while sorter.is_active() or running:
                if not failure:
                    for name in sorter.get_ready():
                        pool = waiting if self._rolls_out(name) else quick
                        running[pool.submit(self._make, name)] = name
                if not running:
                    break
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    found = self._finish(future, running.pop(future), sorter)
                    failure = failure or found
        return failure

    def _rolls_out(self, logical_id: str) -> bool:
        """Whether an update of this resource waits for others than its own service."""
        existed = logical_id in self._state.members
        return existed and "UpdatePolicy" in self._blueprint.resources[logical_id]

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
        self._site.cancelled.set()
        begun = self._begun.get(name)
        self._failures[name] = error
        unknown = Change(name, self._blueprint.kind(name).name, Action.CREATE)
        self._tell(begun.change if begun else unknown, "failed", error)
        return name, error

    def _known(self) -> Scope:
        """The template's scope with the values of what there is by now."""
        return known_scope(self._blueprint.scope, self._made)

    def _make(self, logical_id: str) -> Done:
        kind = self._blueprint.kind(logical_id)
        properties = self._blueprint.properties(logical_id, self._known())
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
        policy = self._blueprint.update_policy(change.logical_id, self._known())
        if before is not None and change.action is Action.UPDATE and kind.update:
            existing = before.existing(change.logical_id)
            if kind.update_under and policy:
                made = kind.update_under(self._site, existing, properties, policy)
            else:
                made = kind.update(self._site, existing, properties)
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


def _superseded(item: Done) -> bool:
    """Whether the resource before is another one than the resource now."""
    return item.before is not None and item.change.action in (Action.CREATE, Action.REPLACE)
