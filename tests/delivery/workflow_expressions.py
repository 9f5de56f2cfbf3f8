"""GitHub's expressions, as far as our workflows use them; anything else raises.

Rules: GitHub documentation, "Evaluate expressions in workflows and actions" (read 2026-11-21):
strings compare without regard to case, `&&` and `||` give one of their operands, a property that is
not there is null.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+)|(?P<op>==|!=|&&|\|\||!|\(|\)|,)"
    r"|(?P<path>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*))"
)
Context = Mapping[str, Any]


class _Reader:
    def __init__(self, text: str, context: Context, status: Callable[[str], bool]) -> None:
        self._tokens, at = [], 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"not an expression that this runner knows: {text!r}")
            self._tokens.append((str(found.lastgroup), found[0].strip()))
            at = found.end()
        self._context, self._status = context, status

    def all(self) -> Any:
        value = self._either()
        if self._tokens:
            raise ValueError(f"left over in an expression: {self._tokens}")
        return value

    def _take(self, *operators: str) -> str:
        if self._tokens and self._tokens[0][0] == "op" and self._tokens[0][1] in operators:
            return self._tokens.pop(0)[1]
        return ""

    def _either(self) -> Any:
        value = self._both()
        while self._take("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._compared()
        while self._take("&&"):
            other = self._compared()
            value = value and other
        return value

    def _compared(self) -> Any:
        value = self._single()
        if operator := self._take("==", "!="):
            other = self._single()
            same = _folded(value) == _folded(other)
            return same if operator == "==" else not same
        return value

    def _single(self) -> Any:
        if self._take("!"):
            return not self._single()
        if self._take("("):
            value = self._either()
            self._expect(")")
            return value
        kind, text = self._tokens.pop(0)
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return int(text)
        if kind == "path":
            return self._call(text) if self._take("(") else self._property(text)
        raise ValueError(f"an expression cannot go on with {text!r}")

    def _call(self, name: str) -> Any:
        given: list[Any] = []
        while not self._take(")"):
            given.append(self._either())
            self._take(",")
        if name == "startsWith":
            return str(given[0]).lower().startswith(str(given[1]).lower())
        if name == "fromJSON":
            return json.loads(given[0])
        if name in ("success", "always", "failure", "cancelled"):
            return self._status(name)
        raise ValueError(f"the runner does not know the function {name}()")

    def _property(self, path: str) -> Any:
        if path in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[path]
        head, *rest = path.split(".")
        if head not in self._context:
            raise ValueError(f"the runner has no context {head!r}")
        value: Any = self._context[head]
        for part in rest:
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def _expect(self, operator: str) -> None:
        if not self._take(operator):
            raise ValueError(f"{operator!r} is missing in an expression")


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def evaluate(text: str, context: Context, status: Callable[[str], bool]) -> Any:
    """The value of one expression, with or without `${{ }}` around it."""
    inner = text.strip()
    if inner.startswith("${{") and inner.endswith("}}"):
        inner = inner[3:-2]
    return _Reader(inner, context, status).all()


def is_met(condition: Any, context: Context, status: Callable[[str], bool]) -> bool:
    """An `if:`; without a status function of its own it also asks for success()."""
    if condition is None:
        return status("success")
    text = str(condition).lower() if isinstance(condition, bool) else str(condition)
    asks = re.search(r"\b(success|always|failure|cancelled)\(", text)
    return bool(evaluate(text, context, status)) and (bool(asks) or status("success"))


def filled(value: Any, context: Context) -> str:
    """A text with each `${{ }}` replaced by its value as GitHub writes it."""

    def replaced(found: "re.Match[str]") -> str:
        return written(evaluate(found[1], context, lambda _name: True))

    return re.sub(r"\$\{\{(.*?)\}\}", replaced, written(value))


def written(value: Any) -> str:
    """A value as text: null is empty, a boolean is lower case."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
