"""JSON as Signalbox reads and writes it: strict in, stable out, pointed at by JSON pointers.

Rules only: imports no AWS client.
"""

import json
from collections.abc import Collection, Iterable
from typing import NoReturn

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic.alias_generators import to_camel

type_name = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}

JsonObject = dict[str, JsonValue]


class Document(BaseModel):
    """A part of a document that we write: camelCase keys, no unknown ones, types as they are."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
    )


def _no_constants(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON (RFC 8259 has no NaN or Infinity)")


def _no_duplicates(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    found: JsonObject = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f'the key "{key}" is written twice in one object')
        found[key] = value
    return found


def parse(text: str | bytes) -> JsonValue:
    """The value of a JSON text in UTF-8.

    Raises ValueError (json.JSONDecodeError with line and column where it is the syntax) for what
    RFC 8259 does not allow, for keys written twice, and for nesting too deep to read.
    """
    try:
        plain = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        value: JsonValue = json.loads(
            plain, parse_constant=_no_constants, object_pairs_hook=_no_duplicates
        )
    except RecursionError:
        raise ValueError("the document is nested too deeply") from None
    return value


def to_text(value: JsonValue) -> str:
    """JSON with the order of keys kept, indented by two, newline at the end."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def pointer(parts: Iterable[str | int]) -> str:
    """A JSON pointer (RFC 6901); the whole document is the empty string.

    >>> pointer(("train", "hyperparameters", "a/b"))
    '/train/hyperparameters/a~1b'
    """
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def kind(value: JsonValue) -> str:
    """The JSON name of a value's type."""
    return type_name.get(type(value), "number")


def merge_patch(
    target: JsonValue, patch: JsonValue, *, nullable: Collection[tuple[str, ...]] = ()
) -> JsonValue:
    """The target after a JSON merge patch (RFC 7386, section 2); arguments stay as they are.

    Null removes a key, except at the paths of `nullable`, where it is a value like any other.

    >>> merge_patch({"a": "b", "c": {"d": "e", "f": "g"}}, {"a": "z", "c": {"f": None}})
    {'a': 'z', 'c': {'d': 'e'}}
    >>> merge_patch({"a": 1}, {"a": None}, nullable=[("a",)])
    {'a': None}
    """
    if not isinstance(patch, dict):
        return patch
    merged: JsonObject = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        below = [path[1:] for path in nullable if path[:1] == (key,)]
        if value is None and () not in below:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value, nullable=below)
    return merged
