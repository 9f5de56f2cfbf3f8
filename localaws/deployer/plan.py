"""What a deployment would change. Drawing the plan and doing it use the same decision. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from localaws.deployer.blueprint import Blueprint, pending_names
from localaws.deployer.errors import Problem, TemplateInvalid
from localaws.deployer.intrinsics import Pending, Scope, escaped, is_pending
from localaws.deployer.resources.base import Made, ResourceType
from localaws.deployer.state import Member, StackState
from localaws.deployer.template import with_values


class Action(StrEnum):
    """What happens to one resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    RETAIN = "retain"
    KEEP = "keep"


@dataclass(frozen=True)
class Change:
    """One resource of a plan; `properties` names what differs."""

    logical_id: str
    type_name: str
    action: Action
    physical_id: str = ""
    properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All resources in the order of execution; deletions come last, in reverse order."""

    stack_name: str
    changes: tuple[Change, ...]

    @property
    def effective(self) -> tuple[Change, ...]:
        """The changes that are one."""
        return tuple(change for change in self.changes if change.action is not Action.KEEP)


def draw_plan(blueprint: Blueprint, state: StackState) -> Plan:
    """What turning `state` into `blueprint` takes; raises TemplateInvalid for what never can."""
    known: dict[str, Made] = {}
    changes = []
    problems = []
    for logical_id in blueprint.order:
        properties = blueprint.properties(logical_id, known_scope(blueprint.scope, known))
        member = state.members.get(logical_id)
        change = decide(logical_id, blueprint.kind(logical_id), member, properties)
        if member and change.action in (Action.KEEP, Action.UPDATE):
            known[logical_id] = Made(member.physical_id, member.attributes)
        kind = blueprint.kind(logical_id)
        problems.extend(name_problems(change, kind, member, properties))
        problems.extend(_taken_name(change, kind, state, properties))
        changes.append(change)
    if problems:
        raise TemplateInvalid(tuple(problems))
    stack_name = blueprint.surroundings.stack_name
    return Plan(stack_name, (*changes, *deletions(state, frozenset(blueprint.order))))


def decide(
    logical_id: str, kind: ResourceType, member: Member | None, properties: Mapping[str, Any]
) -> Change:
    """What the difference between a resource as it is and as it shall be asks for."""
    if member is None or member.type_name != kind.name:
        return Change(logical_id, kind.name, Action.CREATE)
    keys = set(member.properties) | set(properties)
    differing = {key for key in keys if member.properties.get(key) != properties.get(key)}
    if not differing:
        return Change(logical_id, kind.name, Action.KEEP, member.physical_id)
    action = Action.REPLACE if kind.replaces(frozenset(differing)) else Action.UPDATE
    return Change(logical_id, kind.name, action, member.physical_id, tuple(sorted(differing)))


def name_problems(
    change: Change, kind: ResourceType, member: Member | None, properties: Mapping[str, Any]
) -> list[Problem]:
    """A replacement that keeps its own name would collide with itself; refused as on AWS."""
    name = kind.name_property
    if change.action is not Action.REPLACE or not name or member is None:
        return []
    if name not in properties or properties[name] != member.properties.get(name):
        return []
    if set(change.properties) <= pending_names(properties):
        return []  # may turn out to be no change at all
    message = (
        f"a change of {', '.join(change.properties)} needs a new resource, which cannot have the "
        f"old one's name; change {name} too"
    )
    pointer = f"/Resources/{escaped(change.logical_id)}/Properties/{name}"
    return [Problem(pointer, message, change.logical_id, kind.name)]


def _taken_name(
    change: Change, kind: ResourceType, state: StackState, properties: Mapping[str, Any]
) -> list[Problem]:
    """A new resource with the name of another one of the stack; refused as on AWS.

    Several services take the creation of what exists for granted: the clean-up would then delete
    the resource, and what it holds, under its old logical id.
    """
    name = properties.get(kind.name_property) if kind.name_property else None
    if change.action not in (Action.CREATE, Action.REPLACE) or name is None or is_pending(name):
        return []
    for logical_id, member in state.members.items():
        same_type = member.type_name == kind.name and logical_id != change.logical_id
        if same_type and member.properties.get(kind.name_property) == name:
            pointer = f"/Resources/{escaped(change.logical_id)}/Properties/{kind.name_property}"
            message = f"{name} already exists in the stack, as {logical_id}; another name is needed"
            return [Problem(pointer, message, change.logical_id, kind.name)]
    return []


def deletions(state: StackState, kept: frozenset[str]) -> tuple[Change, ...]:
    """Members that are no longer wanted, each before all that it needs."""
    gone = [name for name in reversed(_order(state)) if name not in kept]
    return tuple(_deletion(name, state.members[name]) for name in gone)


def _deletion(logical_id: str, member: Member) -> Change:
    retained = member.deletion_policy in ("Retain", "RetainExceptOnCreate")
    action = Action.RETAIN if retained else Action.DELETE
    return Change(logical_id, member.type_name, action, member.physical_id)


def _order(state: StackState) -> list[str]:
    placed: dict[str, None] = {}

    def place(name: str) -> None:
        if name in state.members and name not in placed:
            for needed in state.members[name].needs:
                place(needed)
            placed[name] = None

    for name in sorted(state.members):
        place(name)
    return list(placed)


def known_scope(scope: Scope, known: Mapping[str, Made]) -> Scope:
    """`scope` with the values of the resources that exist; the others stay pending."""

    def ref(logical_id: str) -> Any:
        return known[logical_id].physical_id if logical_id in known else Pending(logical_id)

    def attribute(logical_id: str, name: str) -> Any:
        made = known.get(logical_id)
        if made is None:
            return Pending(logical_id, name)
        if name not in made.attributes:
            message = f"GetAtt {logical_id}.{name}: the laptop's AWS knows no such attribute"
            raise TemplateInvalid((Problem(f"/Resources/{escaped(logical_id)}", message),))
        return made.attributes[name]

    return with_values(scope, ref, attribute)
