"""What botocore's service models say about a request, beyond what botocore itself checks.

botocore validates types and members before it sends; patterns, enums and maxima are left to the
service. Here all of them are checked, and a value that is only known at run time (`UNKNOWN`)
passes wherever a value may stand.
"""

import re
from functools import cache
from typing import Any, Final

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

# Unicode classes of the models, as far as Python's `re` lets them be said inside a class.
_UNICODE_CLASSES: Final = {
    r"\p{L}": r"a-zA-Z\u00c0-\uffff",
    r"\p{N}": "0-9",
    r"\p{Z}": " ",
    r"\p{M}": "",
    r"\p{S}": "$+<=>^`|~",
    r"\p{P}": r"!-/:-@\[-`{-~",
    r"\p{Print}": "[ -~]",
    # Characters beyond the first plane, written as Java's pairs.
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010ffff",
}


class Unknown:
    """A value that only an execution can tell."""

    def __repr__(self) -> str:
        return "<known at run time>"


UNKNOWN: Final = Unknown()


# Step Functions' names of services (SDK for Java 2) that differ from botocore's.
_BOTO_NAMES: Final = {"applicationautoscaling": "application-autoscaling"}


@cache
def service_model(service: str) -> ServiceModel:
    """The pinned botocore's model of a service."""
    service = _BOTO_NAMES.get(service, service)
    return botocore.session.get_session().get_service_model(service)


def operation_named(service: str, api_action: str) -> str:
    """`createModel` → `CreateModel`; KeyError when the service has no such operation."""
    names = {name[0].lower() + name[1:]: name for name in service_model(service).operation_names}
    return names[api_action]


def violations(service: str, operation: str, parameters: object) -> list[str]:
    """Everything the model forbids in these parameters, each with its path."""
    shape = service_model(service).operation_model(operation).input_shape
    assert shape is not None
    return _value(shape, parameters, operation)


def _value(shape: Shape, value: object, path: str) -> list[str]:
    if value is UNKNOWN:
        return []
    if isinstance(shape, StructureShape):
        return _structure(shape, value, path)
    if isinstance(shape, ListShape):
        return _list(shape, value, path)
    if isinstance(shape, MapShape):
        return _map(shape, value, path)
    if isinstance(shape, StringShape):
        return _string(shape, value, path)
    return _scalar(shape, value, path)


def _structure(shape: StructureShape, value: object, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: expected a structure, got {value!r}"]
    found = [f"{path}.{name}: missing" for name in shape.required_members if name not in value]
    for name, member in value.items():
        if name in shape.members:
            found += _value(shape.members[name], member, f"{path}.{name}")
        else:
            found.append(f"{path}.{name}: no such member")
    return found


def _list(shape: ListShape, value: object, path: str) -> list[str]:
    if not isinstance(value, list):
        return [f"{path}: expected a list, got {value!r}"]
    items = (_value(shape.member, item, f"{path}[{i}]") for i, item in enumerate(value))
    return [*_size(shape, len(value), path), *(one for each in items for one in each)]


def _map(shape: MapShape, value: object, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: expected a map, got {value!r}"]
    found = _size(shape, len(value), path)
    for key, item in value.items():
        found += _value(shape.key, key, f"{path}.{key} (key)")
        found += _value(shape.value, item, f"{path}.{key}")
    return found


def _string(shape: StringShape, value: object, path: str) -> list[str]:
    if not isinstance(value, str):
        return [f"{path}: expected a string, got {value!r}"]
    found = _size(shape, len(value), path)
    if shape.enum and value not in shape.enum:
        found.append(f"{path}: {value!r} is none of the model's values")
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(_python_pattern(pattern), value):
        found.append(f"{path}: {value!r} does not match {pattern}")
    return found


def _scalar(shape: Shape, value: object, path: str) -> list[str]:
    kinds: dict[str, tuple[type, ...]] = {
        "integer": (int,),
        "long": (int,),
        "float": (int, float),
        "double": (int, float),
        "boolean": (bool,),
    }
    kind = kinds[shape.type_name]
    if not isinstance(value, kind) or (isinstance(value, bool) and bool not in kind):
        return [f"{path}: expected {shape.type_name}, got {value!r}"]
    return [] if isinstance(value, bool) else _size(shape, value, path)


def _size(shape: Shape, size: Any, path: str) -> list[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    below = least is not None and size < least
    above = most is not None and size > most
    return [f"{path}: {size} is outside {least}..{most}"] if below or above else []


@cache
def _python_pattern(pattern: str) -> str:
    for unicode_class, characters in _UNICODE_CLASSES.items():
        pattern = pattern.replace(unicode_class, characters)
    # One pattern of the SageMaker model ends in a quantified end of line, which `re` refuses.
    return re.sub(r"\$\{\d+,\d+\}$", "$", pattern)
