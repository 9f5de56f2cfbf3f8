"""Checks a SageMaker request against botocore's model, and answers in SageMaker's words.

Required members, types, lengths, ranges, patterns and enumerations all come from the model that
every client has, so this is as strict as AWS about shape and needs no table of its own.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from localaws.sagemaker.store import Document
from localaws.wire import AwsError

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "timestamp": (int, float, str),
}


@lru_cache(maxsize=4)
def service_model(service: str = "sagemaker") -> Any:
    """botocore's model of a service, shared with the clients."""
    from localaws import clients

    return clients.developer_client(service).meta.service_model


def validate(operation: str, parameters: Document, service: str = "sagemaker") -> None:
    """Raise ValidationException with every fault of the request."""
    shape = service_model(service).operation_model(operation).input_shape
    faults = list(_faults(shape, parameters, ""))
    if faults:
        noun = "error" if len(faults) == 1 else "errors"
        raise validation_error(
            f"{len(faults)} validation {noun} detected: " + "; ".join(faults[:10])
        )


def validation_error(message: str) -> AwsError:
    """SageMaker's answer to a request it does not accept."""
    return AwsError("ValidationException", message)


def _faults(shape: Any, value: Any, path: str) -> Iterator[str]:
    expected = _TYPES.get(shape.type_name)
    if expected and not _is_a(value, expected):
        yield f"Value at '{path}' must be of type {shape.type_name}, got {type(value).__name__}"
        return
    yield from _constraint_faults(shape, value, path)
    if shape.type_name == "structure":
        yield from _structure_faults(shape, value, path)
    elif shape.type_name == "list":
        for number, item in enumerate(value, 1):
            yield from _faults(shape.member, item, f"{path}.{number}.member")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _faults(shape.key, key, f"{path}.{key}.key")
            yield from _faults(shape.value, item, f"{path}.{key}.value")


def _is_a(value: Any, expected: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in expected
    return isinstance(value, expected)


def _structure_faults(shape: Any, value: Document, path: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield _constraint("null", _join(path, name), "Member must not be null")
    for name, item in value.items():
        member = shape.members.get(name)
        if member is None:
            yield f"Unknown parameter '{_join(path, name)}'"
        elif item is not None:
            yield from _faults(member, item, _join(path, name))


def _join(path: str, name: str) -> str:
    member = name[0].lower() + name[1:]
    return f"{path}.{member}" if path else member


def _constraint_faults(shape: Any, value: Any, path: str) -> Iterator[str]:
    limits = shape.metadata
    size = _size(shape, value)
    if size is not None and "min" in limits and size < limits["min"]:
        yield _constraint(
            value, path, f"{_measure(shape)} greater than or equal to {limits['min']}"
        )
    if size is not None and "max" in limits and size > limits["max"]:
        yield _constraint(value, path, f"{_measure(shape)} less than or equal to {limits['max']}")
    if shape.type_name != "string":
        return
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed:
        yield _constraint(
            value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]"
        )
    pattern = limits.get("pattern")
    if pattern and not _pattern(pattern).fullmatch(value):
        yield _constraint(value, path, f"Member must satisfy regular expression pattern: {pattern}")


def _size(shape: Any, value: Any) -> float | None:
    if shape.type_name in ("string", "list", "map"):
        return len(value)
    if shape.type_name in ("integer", "long", "float", "double"):
        return float(value)
    return None


def _measure(shape: Any) -> str:
    number = shape.type_name in ("integer", "long", "float", "double")
    return "Member must have value" if number else "Member must have length"


def _constraint(value: Any, path: str, rule: str) -> str:
    shown = value if value == "null" else f"'{str(value)[:200]}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {rule}"


# Python's re has no Unicode properties; the classes SageMaker uses are spelt out near enough.
_PROPERTIES = (
    (r"\p{L}\p{M}\p{Z}\p{S}\p{N}\p{P}", r"\S\s"),
    (r"\p{L}\p{M}\p{Z}\p{N}\p{P}", r"\S\s"),
    (r"\p{L}\p{Z}\p{N}", r"\w\s"),
    (r"\p{ASCII}", r"\x00-\x7f"),
    (r"\p{Alnum}", r"a-zA-Z0-9"),
    (r"\p{Print}", r"\x20-\x7e"),
    (r"\p{L}", r"\w"),
    (r"\p{M}", r"\w"),
    (r"\p{Z}", r"\s"),
    (r"\p{N}", r"\d"),
    (r"\p{P}", r"!-/:-@\[-`{-~"),
    (r"\p{S}", r"$+<=>^`|~"),
    (r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"),
)


@lru_cache(maxsize=512)
def _pattern(pattern: str) -> re.Pattern[str]:
    if pattern.startswith(r"\p{") and "[" not in pattern:
        pattern = re.sub(r"(\\p\{\w+\})", r"[\1]", pattern)
    for java, python in _PROPERTIES:
        pattern = pattern.replace(java, python)
    # Java repeats an end of line, `${1,256}`; the length is a limit of its own.
    return re.compile(re.sub(r"\$\{[0-9,]+\}", "$", pattern), re.DOTALL)
