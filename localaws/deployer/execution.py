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

from localaws.deployer.blueprint import Blueprint, Report, ResourceEvent, outputs_of
from localaws.deployer.errors import DeploymentFailed, StackInUse, TemplateInvalid
from localaws.deployer.plan import (
    Action,
    Change,
    decide,
    deletions,
    known_scope,
    name_problems,
)
from localaws.deployer.resources.base import Existing, HalfMade, Made, Site
from localaws.deployer.resources.catalogue import CATALOGUE
from localaws.deployer.state import Member, StackState

_WORKERS = 4
_GONE = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchEntity",
        "NotFound",
        "NotFoundException",
        "ParameterNotFound",
        "QueueDoesNotExist",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "StateMachineDoesNotExist",
    }
)


@dataclass(frozen=True)
class Done:
    """One resource after its turn; `replaced` is the old one that awaits its deletion."""

    change: Change
    member: Member
    before: Member | None = None


class Execution:
    """One run over a blueprint."""

    def __init__(self, blueprint: Blueprint, state: StackState, site: Site, report: Report) -> None:
        self._blueprint = blueprint
        self._state = state
        self._site = site
        self._report = report
        self._made: dict[str, Made] = {}
        self._done: list[Done] = []

    def run(self) -> tuple[StackState, tuple[Change, ...]]:
        """The new state and what was done; raises DeploymentFailed after the roll-back."""
        failure = self._make_all()
        if failure:
            logical_id, cause = failure
            left = self._roll_back()
            kind = self._blueprint.kind(logical_id)
            raise DeploymentFailed(logical_id, kind.name, cause, tuple(left)) from cause
        members = {item.change.logical_id: item.member for item in self._done}
        scope = known_scope(self._blueprint.scope, self._made)
        outputs = {name: str(value) for name, value in outputs_of(self._blueprint, scope).items()}
        deleted = self._clean_up(frozenset(members))
        changes = (*(item.change for item in self._done), *deleted)
        return StackState(members, outputs), changes

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
        self._tell(Change(name, self._blueprint.kind(name).name, Action.CREATE), "failed", error)
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

    def _roll_back(self) -> list[str]:
        """Take back what was done, last first; what could not be taken back."""
        left = []
        for item in reversed(self._done):
            error = self._undo(item)
            if item.change.action is not Action.KEEP:
                self._tell(item.change, "rolled back" if error is None else "left behind", error)
            if error is not None:
                left.append(f"{item.change.logical_id} ({error})")
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


def delete_member(site: Site, logical_id: str, member: Member) -> None:
    """Delete a resource; one that is gone already is deleted."""
    existing: Existing = member.existing(logical_id)
    try:
        CATALOGUE[member.type_name].delete(site, existing)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise


def destroy_members(
    state: StackState, site: Site, report: Report, *, empty_buckets: bool, retained: bool
) -> StackState:
    """Delete the stack's resources in reverse order; what remains is the new state."""
    if not empty_buckets:
        refuse_full_buckets(state, site, retained=retained)
    members = dict(state.members)
    for change in deletions(state, frozenset()):
        member = members.pop(change.logical_id)
        if change.action is Action.RETAIN and not retained:
            report(_event(change, "done"))
            continue
        if member.type_name == "AWS::S3::Bucket":
            empty_bucket(site, member.physical_id)
        report(_event(change, "started"))
        delete_member(site, change.logical_id, member)
        report(_event(change, "done"))
    return StackState(members, {})


def _event(change: Change, status: str) -> ResourceEvent:
    action, physical_id = change.action.value, change.physical_id
    return ResourceEvent(change.logical_id, change.type_name, action, status, physical_id)


def refuse_full_buckets(state: StackState, site: Site, *, retained: bool) -> None:
    """Raise StackInUse when a bucket that would be deleted holds something."""
    for change in deletions(state, frozenset()):
        deletes = change.action is Action.DELETE or retained
        if change.type_name == "AWS::S3::Bucket" and deletes:
            listed = site.client("s3").list_object_versions(Bucket=change.physical_id, MaxKeys=1)
            if listed.get("Versions") or listed.get("DeleteMarkers"):
                raise StackInUse(
                    f"bucket {change.physical_id} ({change.logical_id}) is not empty; nothing was "
                    "deleted; ask for the buckets to be emptied to delete what they hold"
                )


def empty_bucket(site: Site, bucket: str) -> None:
    """Delete every version of every object."""
    s3 = site.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        if objects:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
