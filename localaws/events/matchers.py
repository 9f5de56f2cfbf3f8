"""The comparison operators of EventBridge event patterns, one value at a time.

Pure; imported by `event_patterns` only. Source of the rules: EventBridge user guide, "Comparison
operators for use in event patterns" (read 2026-11-21).
"""

import ipaddress
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

Matcher = Callable[[Any], bool]
"""Told one scalar of the event, or ABSENT; answers whether it accepts it."""


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""Stands for a field that the event does not have."""

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
_NUMERIC_LIMIT = 5e9


class InvalidEventPattern(ValueError):
    """The pattern breaks a rule of the pattern language; the message says which."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Event pattern is not valid. Reason: {reason}")


def compile_matcher(item: Any) -> Matcher:
    """The matcher for one element of a pattern's array; raises InvalidEventPattern."""
    if isinstance(item, dict):
        return _operator(item)
    if isinstance(item, list):
        raise InvalidEventPattern("Arrays inside a field's array are not allowed")
    return _equals(item)


def _equals(wanted: Any) -> Matcher:
    """Exact match. As AWS, numbers are compared as written: 300 is not 300.0, true is not 1."""
    return lambda value: type(value) is type(wanted) and bool(value == wanted)


def _operator(item: dict[str, Any]) -> Matcher:
    if len(item) != 1:
        raise InvalidEventPattern("Only one key allowed in match expression")
    ((name, argument),) = item.items()
    build = _BUILDERS.get(name)
    if build is None:
        raise InvalidEventPattern(f"Unrecognized match type {name}")
    return build(argument)


def _text(test: Callable[[str], bool]) -> Matcher:
    return lambda value: isinstance(value, str) and test(value)


def _string(name: str, argument: Any) -> str:
    if not isinstance(argument, str):
        raise InvalidEventPattern(f"{name} match pattern must be a string")
    return argument


def _affix(name: str, test: Callable[[str, str], bool]) -> Callable[[Any], Matcher]:
    def build(argument: Any) -> Matcher:
        if isinstance(argument, dict) and list(argument) == ["equals-ignore-case"]:
            folded = _string(name, argument["equals-ignore-case"]).lower()
            return _text(lambda value: test(value.lower(), folded))
        affix = _string(name, argument)
        return _text(lambda value: test(value, affix))

    return build


def _ignore_case(argument: Any) -> Matcher:
    folded = _string("equals-ignore-case", argument).lower()
    return _text(lambda value: value.lower() == folded)


def _exists(argument: Any) -> Matcher:
    if not isinstance(argument, bool):
        raise InvalidEventPattern("exists match pattern must be either true or false")
    return lambda value: (value is not ABSENT) is argument


def _wildcard(argument: Any) -> Matcher:
    text = _string("wildcard", argument)
    regex = re.compile("".join(_wildcard_parts(text)), re.DOTALL)
    return _text(lambda value: regex.fullmatch(value) is not None)


def _wildcard_parts(text: str) -> list[str]:
    parts: list[str] = []
    for part in re.findall(r"\\[*\\]|\\|\*|[^*\\]+", text):
        if part == "\\":
            raise InvalidEventPattern("Unexpected escape character in wildcard pattern")
        if part == "*" and parts and parts[-1] == ".*":
            raise InvalidEventPattern("Consecutive wildcard characters are not allowed")
        parts.append(".*" if part == "*" else re.escape(part[-1] if part[0] == "\\" else part))
    return parts


def _cidr(argument: Any) -> Matcher:
    try:
        network = ipaddress.ip_network(_string("cidr", argument), strict=False)
    except ValueError as error:
        raise InvalidEventPattern(f"Malformed CIDR: {argument}") from error

    def accepts(value: str) -> bool:
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return _text(accepts)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numeric(argument: Any) -> Matcher:
    if not isinstance(argument, list) or len(argument) not in {2, 4}:
        raise InvalidEventPattern("numeric match needs one or two comparisons")
    pairs = [_comparison(*argument[i : i + 2]) for i in range(0, len(argument), 2)]
    if len(pairs) == 2 and (pairs[0][0] not in {">", ">="} or pairs[1][0] not in {"<", "<="}):
        raise InvalidEventPattern("a numeric range is a lower bound followed by an upper bound")
    if len(pairs) == 2 and pairs[0][1] >= pairs[1][1]:
        raise InvalidEventPattern("Bottom must be less than top")
    return lambda value: (
        _is_number(value) and all(_COMPARISONS[sign](value, bound) for sign, bound in pairs)
    )


def _comparison(sign: Any, bound: Any) -> tuple[str, float]:
    if sign not in _COMPARISONS:
        raise InvalidEventPattern(f"Unrecognized numeric range operator: {sign}")
    if not _is_number(bound) or abs(bound) > _NUMERIC_LIMIT:
        raise InvalidEventPattern(f"Value of {sign} must be a number from -5.0e9 to 5.0e9")
    return str(sign), bound


def _anything_but(argument: Any) -> Matcher:
    if isinstance(argument, dict):
        return _not_any(_anything_but_operator(argument))
    wanted = argument if isinstance(argument, list) else [argument]
    if not wanted or not (_all_strings(wanted) or all(_is_number(item) for item in wanted)):
        raise InvalidEventPattern("anything-but needs strings or numbers, not mixed and not empty")
    return _not_any([_equals(item) for item in wanted])


def _anything_but_operator(argument: dict[str, Any]) -> list[Matcher]:
    name = next(iter(argument), "")
    if len(argument) != 1 or name not in {"prefix", "suffix", "wildcard", "equals-ignore-case"}:
        raise InvalidEventPattern(f"Unsupported anything-but pattern: {name}")
    wanted = argument[name] if isinstance(argument[name], list) else [argument[name]]
    if not wanted:
        raise InvalidEventPattern("Empty arrays are not allowed")
    return [_BUILDERS[name](item) for item in wanted]


def _all_strings(items: Sequence[Any]) -> bool:
    return all(isinstance(item, str) for item in items)


def _not_any(matchers: Sequence[Matcher]) -> Matcher:
    return lambda value: value is not ABSENT and not any(matcher(value) for matcher in matchers)


_BUILDERS: dict[str, Callable[[Any], Matcher]] = {
    "prefix": _affix("prefix", str.startswith),
    "suffix": _affix("suffix", str.endswith),
    "equals-ignore-case": _ignore_case,
    "exists": _exists,
    "wildcard": _wildcard,
    "cidr": _cidr,
    "numeric": _numeric,
    "anything-but": _anything_but,
}
