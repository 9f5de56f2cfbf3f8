"""What a target is sent: the event, a part of it, a constant, or a template filled from it.

Pure. Follows the EventBridge user guide, "Amazon EventBridge input transformation" (read
2026-11-21). Imports nothing of the project.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_VARIABLE = re.compile(r"<([A-Za-z0-9_.\-]+)>")
_STEP = re.compile(r"\.([A-Za-z0-9_\-/]+)|\[(-?\d+|\*)\]|\['([^']+)'\]|\.(\*)")
_MAX_PATHS = 100
_NOTHING = object()


class InvalidTargetInput(ValueError):
    """A target's Input, InputPath or InputTransformer breaks a rule; the message says which."""


@dataclass(frozen=True)
class RuleFacts:
    """What the predefined variables of a template say about the rule and the delivery."""

    arn: str
    name: str
    received_at: str
    """When the event reached the bus, ISO 8601."""


def render(target: Mapping[str, Any], event: Mapping[str, Any], rule: RuleFacts) -> str:
    """The text that the target is given for this event."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath"):
        # parity: what AWS sends for a path that finds nothing is not documented; null is sent here
        found = select(event, target["InputPath"])
        return _json(None if found is _NOTHING else found)
    if target.get("InputTransformer"):
        return _fill(target["InputTransformer"], event, rule)
    return _json(event)


def check(target: Mapping[str, Any]) -> None:
    """Raise InvalidTargetInput for what PutTargets refuses."""
    given = [name for name in ("Input", "InputPath", "InputTransformer") if target.get(name)]
    if len(given) > 1:
        raise InvalidTargetInput(f"Only one of {' and '.join(given)} may be given for a target")
    if target.get("Input") is not None:
        _check_json(str(target["Input"]), "Input")
    if target.get("InputPath"):
        _steps(target["InputPath"])
    if target.get("InputTransformer"):
        _check_transformer(target["InputTransformer"])


def select(event: Any, path: str) -> Any:
    """The value at a path such as `$.detail.files[0]`; a private marker when there is none."""
    values, many = [event], False
    for step in _steps(path):
        many = many or step == "*"
        values = [found for value in values for found in _descend(value, step)]
    if many:
        return values
    return values[0] if values else _NOTHING


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    position = 1
    if not path.startswith("$"):
        raise InvalidTargetInput(f"Invalid path {path!r}: a path starts with $")
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            raise InvalidTargetInput(f"Invalid path {path!r} at character {position}")
        name, index, quoted, star = found.groups()
        steps.append(int(index) if index and index != "*" else name or quoted or star or "*")
        position = found.end()
    return steps


def _descend(value: Any, step: str | int) -> list[Any]:
    if step == "*":
        return list(value.values()) if isinstance(value, dict) else list(_items(value))
    if isinstance(step, int):
        items = _items(value)
        return [items[step]] if -len(items) <= step < len(items) else []
    return [value[step]] if isinstance(value, dict) and step in value else []


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _check_transformer(transformer: Mapping[str, Any]) -> None:
    paths = transformer.get("InputPathsMap") or {}
    if len(paths) > _MAX_PATHS:
        raise InvalidTargetInput(f"InputPathsMap has more than {_MAX_PATHS} entries")
    for name, path in paths.items():
        if name.lower().startswith("aws"):
            raise InvalidTargetInput(f"InputPathsMap: {name} starts with AWS, which is reserved")
        _steps(path)
    template = transformer.get("InputTemplate") or ""
    if not template:
        raise InvalidTargetInput("InputTemplate is missing")
    unknown = {name for name in _VARIABLE.findall(template)} - set(paths) - set(_PREDEFINED)
    if unknown:
        raise InvalidTargetInput(
            f"InputTemplate uses {sorted(unknown)[0]}, which InputPathsMap does not define"
        )
    if template.lstrip().startswith(("{", "[")):
        _check_json(_substitute(template, dict.fromkeys([*paths, *_PREDEFINED], "x")), "template")


def _check_json(text: str, what: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise InvalidTargetInput(f"{what} is not valid JSON: {error}") from error


def _fill(transformer: Mapping[str, Any], event: Mapping[str, Any], rule: RuleFacts) -> str:
    values = {name: read(event, rule) for name, read in _PREDEFINED.items()}
    for name, path in (transformer.get("InputPathsMap") or {}).items():
        values[name] = select(event, path)
    return _substitute(str(transformer["InputTemplate"]), values)


_PREDEFINED: dict[str, Any] = {
    "aws.events.rule-arn": lambda _event, rule: rule.arn,
    "aws.events.rule-name": lambda _event, rule: rule.name,
    "aws.events.event.ingestion-time": lambda _event, rule: rule.received_at,
    "aws.events.event": lambda event, _rule: {k: v for k, v in event.items() if k != "detail"},
    "aws.events.event.json": lambda event, _rule: dict(event),
}


def _substitute(template: str, values: Mapping[str, Any]) -> str:
    """Put values for `<names>`: as JSON where a value stands, as text inside a JSON string."""
    parts: list[str] = []
    position, inside = 0, False
    for found in _VARIABLE.finditer(template):
        before = template[position : found.start()]
        inside ^= len(re.findall(r'(?<!\\)"', before)) % 2 == 1
        value = values.get(found[1], _NOTHING)
        parts += [before, _quoted(value) if inside else _bare(value)]
        position = found.end()
    return "".join([*parts, template[position:]])


def _bare(value: Any) -> str:
    # parity: AWS says only that an unmatched variable "is not created"; JSON null keeps it valid
    return _json(None if value is _NOTHING else value)


def _quoted(value: Any) -> str:
    if value is _NOTHING:
        return ""
    text = value if isinstance(value, str) else _json(value)
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
