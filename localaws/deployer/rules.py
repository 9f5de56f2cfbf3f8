"""The Rules section of a template: assertions about parameters, checked before all else.

CloudFormation User Guide, "Rule functions" (read 2026-11-21): within a rule stand the functions of
rules and Ref, and no others. A template with another one is refused where it is checked, so it is
refused here for every function of the template language that is not among them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from localaws.deployer.errors import invalid
from localaws.deployer.intrinsics import Scope, as_text, escaped, resolve

_NOT_HERE = ("Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll")


def check(rules: Mapping[str, Any], scope: Scope) -> None:
    """Raise TemplateInvalid for the first assertion that fails, and for what no rule may hold."""
    for name, rule in rules.items():
        pointer = f"/Rules/{escaped(name)}"
        for expression in _expressions(rule):
            _refuse_others(expression, pointer)
        if "RuleCondition" in rule and not _truth(rule["RuleCondition"], scope, pointer):
            continue
        for assertion in rule["Assertions"]:
            if not _truth(assertion["Assert"], scope, pointer):
                raise invalid(pointer, assertion.get("AssertDescription", f"rule {name} fails"))


def _expressions(rule: Mapping[str, Any]) -> Iterator[Any]:
    if "RuleCondition" in rule:
        yield rule["RuleCondition"]
    for assertion in rule["Assertions"]:
        yield assertion["Assert"]


def _refuse_others(value: Any, pointer: str) -> None:
    """Whatever a mapping holds is a function: a rule has no other use for one."""
    if isinstance(value, Mapping):
        for name in value:
            if name in _NOT_HERE:
                raise invalid(pointer, f"{name} is not supported by the laptop's AWS")
            if name != "Ref" and name not in _FUNCTIONS:
                raise invalid(pointer, f"{name} is not allowed in Rules, only Ref and {_ALLOWED}")
    items = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, Mapping | list):
        for item in items:
            _refuse_others(item, pointer)


def _truth(value: Any, scope: Scope, pointer: str) -> bool:
    return as_text(_value(value, scope, pointer)) == "true"


def _value(value: Any, scope: Scope, pointer: str) -> Any:
    if isinstance(value, list):
        return [_value(item, scope, pointer) for item in value]
    if isinstance(value, Mapping) and "Ref" not in value:
        ((name, arguments),) = value.items()
        return _FUNCTIONS[name]([_value(item, scope, pointer) for item in arguments])
    return resolve(value, scope, pointer)


def _is_true(value: Any) -> bool:
    return as_text(value) == "true"


def _same(left: Any, right: Any) -> bool:
    return as_text(left) == as_text(right)


# Each takes its resolved arguments.
_FUNCTIONS: dict[str, Callable[[list[Any]], bool]] = {
    "Fn::And": lambda given: all(map(_is_true, given)),
    "Fn::Contains": lambda given: any(_same(one, given[1]) for one in given[0]),
    "Fn::EachMemberEquals": lambda given: all(_same(one, given[1]) for one in given[0]),
    "Fn::EachMemberIn": lambda given: all(any(_same(a, b) for b in given[1]) for a in given[0]),
    "Fn::Equals": lambda given: _same(given[0], given[1]),
    "Fn::Not": lambda given: not _is_true(given[0]),
    "Fn::Or": lambda given: any(map(_is_true, given)),
}
_ALLOWED = ", ".join(sorted([*_FUNCTIONS, *_NOT_HERE]))
