"""Checks requests against botocore's model of CodePipeline: patterns, lengths, enumerations.

A client checks only what is required and of which type; AWS checks the rest, and so does this.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import Shape

from localaws.wire import AwsError


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("codepipeline")


def check(operation: str, request: dict[str, Any]) -> None:
    """Raise AwsError (ValidationException) naming every value that breaks the model."""
    problems = list(_problems(_model().operation_model(operation).input_shape, request, ""))
    if problems:
        plural = "errors" if len(problems) > 1 else "error"
        found = f"{len(problems)} validation {plural} detected: " + "; ".join(problems)
        raise AwsError("ValidationException", found)


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if value is None:
        return
    kind = shape.type_name
    if kind not in _TYPES or isinstance(value, _TYPES[kind]):
        yield from _CHECKS.get(kind, _no_check)(shape, value, path)
    else:
        yield _problem(value, path, f"Member must be a {kind}")


def _structure(shape: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    for name in shape.required_members:
        if value.get(name) is None:
            yield _problem(None, prefix + name, "Member must not be null")
    for name, member in shape.members.items():
        yield from _problems(member, value.get(name), prefix + name)
    for name in value.keys() - shape.members.keys():
        yield _problem(value[name], prefix + name, "Member is not known")


def _list(shape: Any, value: list[Any], path: str) -> Iterator[str]:
    yield from _bounds(shape, value, len(value), path)
    for index, item in enumerate(value, start=1):
        yield from _problems(shape.member, item, f"{path}.{index}.member")


def _map(shape: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    yield from _bounds(shape, value, len(value), path)
    for name, item in value.items():
        yield from _problems(shape.key, name, f"{path}.key")
        yield from _problems(shape.value, item, f"{path}.{name}.member")


def _string(shape: Any, value: str, path: str) -> Iterator[str]:
    yield from _bounds(shape, value, len(value), path)
    pattern = shape.metadata.get("pattern")
    if pattern and re.fullmatch(pattern, value) is None:
        yield _problem(value, path, f"Member must satisfy regular expression pattern: {pattern}")
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield _problem(value, path, f"Member must satisfy enum value set: {allowed}")


def _integer(shape: Any, value: int, path: str) -> Iterator[str]:
    yield from _bounds(shape, value, value, path)


def _no_check(_shape: Any, _value: Any, _path: str) -> Iterator[str]:
    return iter(())


def _bounds(shape: Any, value: Any, size: int, path: str) -> Iterator[str]:
    what = "value" if isinstance(value, int) else "length"
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield _problem(value, path, f"Member must have {what} greater than or equal to {low}")
    if high is not None and size > high:
        yield _problem(value, path, f"Member must have {what} less than or equal to {high}")


def _problem(value: Any, path: str, rule: str) -> str:
    text = str(value)
    shown = text if len(text) <= 200 else f"{text[:200]}..."
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: {rule}"


_TYPES: dict[str, Any] = {
    "structure": dict,
    "list": list,
    "map": dict,
    "string": str,
    "integer": int,
    "boolean": bool,
}
_CHECKS: dict[str, Any] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _integer,
}
