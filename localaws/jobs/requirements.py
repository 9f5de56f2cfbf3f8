"""Whether a requirements.txt is satisfied by what is installed; nothing is ever downloaded.

Reads the common lines (name, extras, comparisons joined by commas); what it cannot read, such as an
address or an option, counts as not satisfied.
"""

import operator
import re
from collections.abc import Callable
from importlib import metadata

_LINE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?P<rules>[^;]*)")
_RULE = re.compile(r"(?P<operator>===|==|!=|~=|<=|>=|<|>)\s*(?P<version>[0-9][0-9A-Za-z.*+!-]*)")
_ORDER: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    "==": operator.eq,
    "===": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


def unsatisfied(text: str) -> list[str]:
    """The requirements of a requirements.txt that this environment does not meet."""
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#") and not is_satisfied(line)]


def is_satisfied(requirement: str) -> bool:
    """Whether the installed distribution of that name meets every rule of the line.

    A line for another platform (`; sys_platform == ...`) is judged as if it were for this one.
    """
    found = _LINE.fullmatch(requirement.partition(";")[0].strip())
    if found is None:
        return False
    try:
        installed = metadata.version(found["name"])
    except metadata.PackageNotFoundError:
        return False
    rules = [rule.strip() for rule in found["rules"].split(",") if rule.strip()]
    return all(_meets(installed, rule) for rule in rules)


def _meets(installed: str, rule: str) -> bool:
    found = _RULE.fullmatch(rule)
    if found is None:
        return False
    wanted, sign = found["version"], found["operator"]
    if sign == "~=":
        return _meets(installed, f">={wanted}") and _same_series(installed, wanted)
    if wanted.endswith(".*"):
        begins = _release(installed, 99)[: wanted.count(".")] == _release(wanted[:-2], 0)
        return begins is (sign != "!=")
    width = max(len(_release(installed, 0)), len(_release(wanted, 0)))
    return _ORDER[sign](_release(installed, width), _release(wanted, width))


def _same_series(installed: str, wanted: str) -> bool:
    fixed = len(_release(wanted, 0)) - 1
    return _release(installed, fixed)[:fixed] == _release(wanted, 0)[:fixed]


def _release(version: str, width: int) -> tuple[int, ...]:
    """The numbers a version starts with, filled up with zeros to `width`."""
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    parts = tuple(int(part) for part in numbers.group().split(".")) if numbers else ()
    return parts + (0,) * (width - len(parts))
