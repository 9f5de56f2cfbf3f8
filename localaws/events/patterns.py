"""EventBridge event patterns: is this event one that the rule asks for?

Pure: values in, a decision out. Knows nothing of rules, targets or moto. Follows the EventBridge
user guide, "Event pattern syntax", "Comparison operators" and "Using arrays" (read 2026-11-21).

A pattern is compiled once into alternatives without `$or`; each alternative is a tree whose leaves
are lists of matchers of which one must accept. Arrays in the event are walked element by element,
so that the fields of one object in an array are matched together.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from localaws.events.matchers import ABSENT, InvalidEventPattern, Matcher, compile_matcher

__all__ = ["EventPattern", "InvalidEventPattern", "compile_pattern", "matches"]

_MAX_ALTERNATIVES = 1000
Path = tuple[str, ...]


@dataclass
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict)
    leaves: list[tuple[Matcher, ...]] = field(default_factory=list)
    """Each group needs one matcher that accepts; all groups must be satisfied."""


@dataclass(frozen=True)
class EventPattern:
    """A compiled pattern."""

    alternatives: tuple[_Node, ...]

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether the event is one that the pattern describes."""
        present = frozenset(_leaf_paths(event, ()))
        return any(_accepts(root, event, (), present) for root in self.alternatives)


def matches(pattern: str, event: Mapping[str, Any]) -> bool:
    """Whether the pattern, as JSON text, describes the event; raises InvalidEventPattern."""
    return compile_pattern(pattern).matches(event)


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> EventPattern:
    """Parse and check a pattern; raises InvalidEventPattern with the reason."""
    try:
        source = json.loads(text, object_pairs_hook=_unique_keys)
    except ValueError as error:
        if isinstance(error, InvalidEventPattern):
            raise
        raise InvalidEventPattern("the pattern is not valid JSON") from error
    if not isinstance(source, dict):
        raise InvalidEventPattern("Filter is not an object")
    return EventPattern(tuple(_alternatives(source)))


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise InvalidEventPattern("a field is given twice in one object")
    return fields


def _alternatives(source: Mapping[str, Any]) -> list[_Node]:
    """The pattern without `$or`, as the list of conjunctions that it stands for."""
    if not source:
        raise InvalidEventPattern("Empty objects are not allowed")
    found = [_Node()]
    for name, value in source.items():
        found = _cross(found, _alternatives_of(name, value))
        if len(found) > _MAX_ALTERNATIVES:
            raise InvalidEventPattern(f"$or makes more than {_MAX_ALTERNATIVES} combinations")
    return found


def _alternatives_of(name: str, value: Any) -> list[_Node]:
    if name == "$or" and _is_or(value):
        return [node for choice in value for node in _alternatives(choice)]
    if isinstance(value, dict):
        return [_Node({name: node}) for node in _alternatives(value)]
    if isinstance(value, list):
        return [_Node({name: _Node(leaves=[_matchers(value)])})]
    raise InvalidEventPattern(f'"{name}" must be an object or an array')


def _is_or(value: Any) -> bool:
    """`$or` is an operator only above a list of two or more objects; else it is a field's name."""
    return isinstance(value, list) and len(value) > 1 and all(isinstance(v, dict) for v in value)


def _matchers(value: Sequence[Any]) -> tuple[Matcher, ...]:
    if not value:
        raise InvalidEventPattern("Empty arrays are not allowed")
    return tuple(compile_matcher(item) for item in value)


def _cross(left: list[_Node], right: list[_Node]) -> list[_Node]:
    return [_merged(a, b) for a in left for b in right]


def _merged(a: _Node, b: _Node) -> _Node:
    children = dict(a.children)
    for name, node in b.children.items():
        children[name] = _merged(children[name], node) if name in children else node
    return _Node(children, [*a.leaves, *b.leaves])


def _accepts(node: _Node, value: Any, path: Path, present: frozenset[Path]) -> bool:
    """Whether the value (ABSENT if there is none) fulfils the node of one alternative."""
    if not all(_group_accepts(group, value, path, present) for group in node.leaves):
        return False
    if not node.children:
        return True
    return any(_fields_accept(node, fields, path, present) for fields in _objects(value))


def _group_accepts(
    group: tuple[Matcher, ...], value: Any, path: Path, present: frozenset[Path]
) -> bool:
    values = list(_scalars(value))
    if not values:
        return path not in present and any(matcher(ABSENT) for matcher in group)
    return any(matcher(item) for item in values for matcher in group)


def _fields_accept(
    node: _Node, fields: Mapping[str, Any], path: Path, present: frozenset[Path]
) -> bool:
    return all(
        _accepts(child, fields.get(name, ABSENT), (*path, name), present)
        for name, child in node.children.items()
    )


def _walk(value: Any, keep: Callable[[Any], bool]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, keep)
    elif keep(value):
        yield value


def _scalars(value: Any) -> Iterator[Any]:
    return _walk(value, lambda v: v is not ABSENT and not isinstance(v, dict))


def _objects(value: Any) -> Sequence[Mapping[str, Any]]:
    """The objects at this place of the event; one empty object when there are none."""
    return list(_walk(value, lambda v: isinstance(v, dict))) or [{}]


def _leaf_paths(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaf_paths(item, (*path, name))
    elif isinstance(value, list):
        for item in value:
            yield from _leaf_paths(item, path)
    else:
        yield path
