"""Which properties a resource may have, and their types. Pure.

Each resource type states its properties as one of these shapes. `problems` tells, with a JSON
pointer, what CloudFormation would refuse and what the laptop cannot do; `normalised` converts
scalars the way CloudFormation does ("true" for a boolean, "5" for a number, 5 for a text).
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from localaws.deployer.intrinsics import Pending, as_text, escaped

Place = tuple[str, str]  # (JSON pointer, message)


class Shape(Protocol):
    """What a value must look like."""

    def problems(self, value: Any, pointer: str) -> Iterator[Place]:
        """Yield what is wrong with `value`."""

    def normalised(self, value: Any) -> Any:
        """Return `value` with its scalars in the right Python type."""


@dataclass(frozen=True)
class Text:
    """A string, optionally one of a few."""

    allowed: tuple[str, ...] = ()

    def problems(self, value: Any, pointer: str) -> Iterator[Place]:
        """Yield what is wrong with `value`."""
        if isinstance(value, Mapping | list):
            yield pointer, f"must be a text, not {_kind(value)}"
        elif self.allowed and as_text(value) not in self.allowed:
            yield pointer, f"{value!r} is not one of {', '.join(self.allowed)}"

    def normalised(self, value: Any) -> Any:
        """Return the value as text."""
        return as_text(value)


@dataclass(frozen=True)
class Number:
    """An integer or, with `whole=False`, any number."""

    whole: bool = True

    def problems(self, value: Any, pointer: str) -> Iterator[Place]:
        """Yield what is wrong with `value`."""
        try:
            self.normalised(value)
        except (TypeError, ValueError):
            yield pointer, f"must be a number, not {value!r}"

    def normalised(self, value: Any) -> Any:
        """Return the value as int or float."""
        return int(value) if self.whole else float(value)


@dataclass(frozen=True)
class Flag:
    """true or false."""

    def problems(self, value: Any, pointer: str) -> Iterator[Place]:
        """Yield what is wrong with `value`."""
        if as_text(value).lower() not in ("true", "false"):
            yield pointer, f"must be true or false, not {value!r}"

    def normalised(self, value: Any) -> Any:
        """Return the value as bool."""
        return as_text(value).lower() == "true"


@dataclass(frozen=True)
class Document:
    """JSON of any content: a policy, an event pattern; a text holding JSON is read."""

    def problems(self, value: Any, pointer: str) -> Iterator[Place]:
        """Yield what is wrong with `value`."""
        try:
            readable = isinstance(self.normalised(value), Mapping)
        except ValueError:
            readable = False
        if not readable:
            yield pointer, "must be a JSON object"

    def normalised(self, value: Any) -> Any:
        """Return the object."""
        return json.loads(value) if isinstance(value, str) else value


@dataclass(frozen=True)
class ListOf:
    """A list of one shape; a single value counts as a list of one, as in CloudFormation."""

    item: Shape

    def problems(self, value: Any, pointer: str) -> Iterator[Place]:
        """Yield what is wrong with each item."""
        if isinstance(value, Mapping):
            yield pointer, "must be a list, not an object"
            return
        for number, item in enumerate(_listed(value)):
            yield from problems(self.item, item, f"{pointer}/{number}")

    def normalised(self, value: Any) -> Any:
        """Return the list with its items normalised."""
        return [normalised(self.item, item) for item in _listed(value)]


@dataclass(frozen=True)
class MapOf:
    """Free keys, values of one shape."""

    item: Shape

    def problems(self, value: Any, pointer: str) -> Iterator[Place]:
        """Yield what is wrong with each value."""
        if not isinstance(value, Mapping):
            yield pointer, f"must be an object, not {_kind(value)}"
            return
        for key, item in value.items():
            yield from problems(self.item, item, f"{pointer}/{escaped(key)}")

    def normalised(self, value: Any) -> Any:
        """Return the map with its values normalised."""
        return {str(key): normalised(self.item, item) for key, item in value.items()}


@dataclass(frozen=True)
class Record:
    """An object with known keys only."""

    fields: Mapping[str, Shape]
    required: tuple[str, ...] = field(default=())

    def problems(self, value: Any, pointer: str) -> Iterator[Place]:
        """Yield unknown, missing and mistyped keys."""
        if not isinstance(value, Mapping):
            yield pointer, f"must be an object, not {_kind(value)}"
            return
        yield from self._missing(value, pointer)
        for key, item in value.items():
            place = f"{pointer}/{escaped(key)}"
            if key in self.fields:
                yield from problems(self.fields[key], item, place)
            else:
                yield place, f"property {key} is not supported{_suggestion(key, self.fields)}"

    def normalised(self, value: Any) -> Any:
        """Return the object with its values normalised."""
        return {key: normalised(self.fields[key], item) for key, item in value.items()}

    def _missing(self, value: Mapping[str, Any], pointer: str) -> Iterator[Place]:
        for name in self.required:
            if name not in value:
                yield pointer, f"required property {name} is missing"


def problems(shape: Shape, value: Any, pointer: str) -> Iterator[Place]:
    """What is wrong with `value`; a pending value is right everywhere."""
    if not isinstance(value, Pending):
        yield from shape.problems(value, pointer)


def normalised(shape: Shape, value: Any) -> Any:
    """`value` in the types of `shape`; a pending value stays."""
    return value if isinstance(value, Pending) else shape.normalised(value)


TEXT = Text()
INT = Number()
FLOAT = Number(whole=False)
FLAG = Flag()
DOCUMENT = Document()
TEXTS = ListOf(TEXT)
TAGS = ListOf(Record({"Key": TEXT, "Value": TEXT}, required=("Key", "Value")))


def texts(*names: str) -> dict[str, Shape]:
    """Fields that are all texts."""
    return dict.fromkeys(names, TEXT)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list) else repr(value)


def _suggestion(key: str, fields: Mapping[str, Shape]) -> str:
    near = difflib.get_close_matches(key, fields, n=1)
    return f"; did you mean {near[0]}?" if near else ""
