"""The query protocol by botocore's descriptions: parameters out of a form, answers into XML.

Rules: AWS documentation, "AWS Query protocol" (Smithy, read 2026-11): a list is `Name.member.N`, a
structure `Name.Member`, a map `Name.entry.N.key` and `.value`. Imports nothing of the project.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from botocore.model import OperationModel, StructureShape

Form = Mapping[str, str]


def parse(shape: StructureShape | None, form: Form) -> dict[str, Any]:
    """The parameters of a request as plain values in the types of its input shape."""
    return dict(_structure(shape, form, "")) if shape is not None else {}


def unknown_fields(shape: StructureShape | None, form: Form) -> list[str]:
    """Fields of a form that belong to no member of the input shape."""
    members = shape.members if shape is not None else {}
    return sorted(name for name in form if name.partition(".")[0] not in members)


def _structure(shape: Any, form: Form, prefix: str) -> dict[str, Any]:
    found = {}
    for name, member in shape.members.items():
        value = _value(member, form, f"{prefix}{name}")
        if value is not None:
            found[name] = value
    return found


def _value(shape: Any, form: Form, place: str) -> Any:
    if shape.type_name == "list":
        return _list(shape, form, place)
    if shape.type_name == "map":
        return _map(shape, form, place)
    if shape.type_name == "structure":
        return _structure(shape, form, f"{place}.") if _starts(form, f"{place}.") else None
    return _scalar(shape.type_name, form[place]) if place in form else None


def _list(shape: Any, form: Form, place: str) -> list[Any] | None:
    if form.get(place) == "":
        return []  # how botocore writes an empty list
    items: list[Any] = []
    while _starts(form, here := f"{place}.member.{len(items) + 1}"):
        items.append(_value(shape.member, form, here))
    return items or None


def _map(shape: Any, form: Form, place: str) -> dict[str, Any] | None:
    items: dict[str, Any] = {}
    number = 1
    while (key := f"{place}.entry.{number}.key") in form:
        items[form[key]] = _value(shape.value, form, f"{place}.entry.{number}.value")
        number += 1
    return items or None


def _starts(form: Form, prefix: str) -> bool:
    return any(name == prefix or name.startswith(f"{prefix.rstrip('.')}.") for name in form)


def _scalar(type_name: str, text: str) -> Any:
    if type_name == "boolean":
        return text.lower() == "true"
    return int(text) if type_name in ("integer", "long") else text


def render(operation: OperationModel, answer: Mapping[str, Any], request_id: str) -> bytes:
    """The XML document of an answer."""
    name, shape = operation.name, operation.output_shape
    inner = _members(shape, answer) if shape is not None else ""
    result = f"<{name}Result>{inner}</{name}Result>" if shape is not None else ""
    namespace = operation.service_model.metadata["xmlNamespace"]
    text = (
        f'<{name}Response xmlns="{namespace}">{result}<ResponseMetadata>'
        f"<RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
    )
    return text.encode()


def _members(shape: Any, value: Mapping[str, Any]) -> str:
    unknown = set(value) - set(shape.members)
    if unknown:
        raise KeyError(f"{shape.name} has no member {', '.join(sorted(unknown))}")
    return "".join(
        f"<{name}>{_written(shape.members[name], item)}</{name}>"
        for name, item in value.items()
        if item is not None
    )


def _written(shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        return _members(shape, value)
    if shape.type_name == "list":
        return "".join(f"<member>{_written(shape.member, item)}</member>" for item in value)
    if shape.type_name == "map":
        return "".join(
            f"<entry><key>{escape(str(key))}</key>"
            f"<value>{_written(shape.value, item)}</value></entry>"
            for key, item in value.items()
        )
    return escape(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return str(value).lower() if isinstance(value, bool) else str(value)
