"""CloudFormation's intrinsic functions over plain dicts and lists. Pure.

A value that only exists once a resource is made (its ARN, its generated name) is `Pending` while a
plan is drawn; every function over a pending value is pending too.

Behaviour: AWS CloudFormation User Guide, "Intrinsic function reference" and "Pseudo parameters".
"""

import base64
import ipaddress
import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localaws.deployer.errors import invalid

_IMPORT = "Fn::ImportValue"
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True)
class Pending:
    """The value of `logical_id.attribute`, not known before execution."""

    logical_id: str
    attribute: str = ""


class _NoValue:
    """AWS::NoValue: the property that holds it does not exist."""


NO_VALUE = _NoValue()


@dataclass(frozen=True)
class Scope:
    """All that names can stand for while a template is resolved."""

    parameters: Mapping[str, Any]
    pseudo: Mapping[str, Any]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    resource_ref: Callable[[str], Any]
    resource_attribute: Callable[[str, str], Any]
    resources: frozenset[str]
    exports: Mapping[str, str] = field(default_factory=dict)


def resolve(value: Any, scope: Scope, pointer: str = "") -> Any:
    """`value` with every function replaced by its result; raises TemplateInvalid with the place."""
    if isinstance(value, Mapping):
        name = function_of(value)
        if name:
            return _FUNCTIONS[name](value[name], scope, f"{pointer}/{escaped(name)}")
        _refuse_unsupported(value, pointer)
        pairs = ((k, resolve(v, scope, f"{pointer}/{escaped(k)}")) for k, v in value.items())
        return {key: item for key, item in pairs if item is not NO_VALUE}
    if isinstance(value, list):
        items = (resolve(item, scope, f"{pointer}/{n}") for n, item in enumerate(value))
        return [item for item in items if item is not NO_VALUE]
    return value


def function_of(value: Any) -> str:
    """The function a mapping stands for, "" when it is plain data."""
    if isinstance(value, Mapping) and len(value) == 1:
        name = str(next(iter(value)))
        return name if name in _FUNCTIONS else ""
    return ""


def holds(name: str, scope: Scope) -> bool:
    """Whether the condition `name` is true."""
    if name not in scope.conditions:
        raise invalid("/Conditions", f"condition {name} is not defined")
    return truth(scope.conditions[name], scope, f"/Conditions/{escaped(name)}")


def references(value: Any, scope: Scope) -> frozenset[str]:
    """Logical ids that `value` needs; of an Fn::If only the branch that holds counts."""
    name = function_of(value)
    if name == "Ref":
        return frozenset({value["Ref"]}) & scope.resources
    if name == "Fn::GetAtt":
        return frozenset({_attribute_path(value[name])[0]}) & scope.resources
    if name == "Fn::Sub":
        return _references_of_sub(value[name], scope)
    if name == "Fn::If":
        return references(_branch(value[name], scope, ""), scope)
    return _references_inside(value, scope)


def imports(value: Any, scope: Scope) -> frozenset[str]:
    """Names of exports that `value` takes from other stacks."""
    if function_of(value) == _IMPORT:
        return frozenset({str(resolve(value[_IMPORT], scope))})
    items = value.values() if isinstance(value, Mapping) else value
    if not isinstance(value, Mapping | list):
        return frozenset()
    return frozenset().union(*(imports(item, scope) for item in items))


def is_pending(value: Any) -> bool:
    """Whether anything in `value` is still pending."""
    if isinstance(value, Mapping):
        return any(is_pending(item) for item in value.values())
    if isinstance(value, list):
        return any(is_pending(item) for item in value)
    return isinstance(value, Pending)


def escaped(key: object) -> str:
    """`key` as one token of a JSON pointer (RFC 6901, section 3)."""
    return str(key).replace("~", "~0").replace("/", "~1")


def _references_inside(value: Any, scope: Scope) -> frozenset[str]:
    items = value.values() if isinstance(value, Mapping) else value
    if not isinstance(value, Mapping | list):
        return frozenset()
    return frozenset().union(*(references(item, scope) for item in items))


def _references_of_sub(argument: Any, scope: Scope) -> frozenset[str]:
    text, own = _sub_parts(argument, "")
    names = {name.split(".")[0] for name in _PLACEHOLDER.findall(text) if name not in own}
    return (frozenset(names) & scope.resources) | references(own, scope)


def _refuse_unsupported(value: Mapping[str, Any], pointer: str) -> None:
    for key in value:
        if str(key).startswith("Fn::"):
            reason = "must be alone in its mapping" if key in _FUNCTIONS else "is not supported"
            raise invalid(pointer, f"{key} {reason} by the laptop's AWS")


def _ref(name: Any, scope: Scope, pointer: str) -> Any:
    if name == "AWS::NoValue":
        return NO_VALUE
    if name in scope.parameters:
        return scope.parameters[name]
    if name in scope.pseudo:
        return scope.pseudo[name]
    if name in scope.resources:
        return scope.resource_ref(name)
    raise invalid(pointer, f"Ref to {name!r}, which is no parameter and no resource")


def _get_att(argument: Any, scope: Scope, pointer: str) -> Any:
    logical_id, attribute = _attribute_path(argument)
    if logical_id not in scope.resources:
        raise invalid(pointer, f"GetAtt of {logical_id!r}, which is no resource")
    return scope.resource_attribute(logical_id, str(resolve(attribute, scope, pointer)))


def _attribute_path(argument: Any) -> tuple[str, Any]:
    if isinstance(argument, str):
        logical_id, _, attribute = argument.partition(".")
        return logical_id, attribute
    attribute = argument[1] if len(argument) == 2 else ".".join(argument[1:])
    return str(argument[0]), attribute


def _sub(argument: Any, scope: Scope, pointer: str) -> Any:
    text, own = _sub_parts(argument, pointer)
    values = resolve(own, scope, pointer)
    found: dict[str, Any] = {}
    for name in _PLACEHOLDER.findall(text):
        found[name] = values[name] if name in values else _substitute(name, scope, pointer)
    if any(isinstance(item, Pending) for item in found.values()):
        return next(item for item in found.values() if isinstance(item, Pending))
    return _PLACEHOLDER.sub(lambda match: as_text(found[match.group(1)]), text)


def _sub_parts(argument: Any, pointer: str) -> tuple[str, Mapping[str, Any]]:
    text, own = (argument, {}) if isinstance(argument, str) else (argument[0], argument[1])
    if not isinstance(text, str) or not isinstance(own, Mapping):
        raise invalid(pointer, "Fn::Sub takes a text, or a text and a mapping")
    return text, own


def _substitute(name: str, scope: Scope, pointer: str) -> Any:
    if name.startswith("!"):  # ${!Literal} stays as ${Literal}
        return "${" + name[1:] + "}"
    if "." in name and name not in scope.parameters:
        return _get_att(name, scope, pointer)
    return _ref(name, scope, pointer)


def as_text(value: Any) -> str:
    """A scalar as CloudFormation writes it into a text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _join(argument: Any, scope: Scope, pointer: str) -> Any:
    separator, items = argument[0], resolve(argument[1], scope, pointer)
    if is_pending(items):
        return _first_pending(items)
    return str(separator).join(as_text(item) for item in items)


def _split(argument: Any, scope: Scope, pointer: str) -> Any:
    text = resolve(argument[1], scope, pointer)
    return text if isinstance(text, Pending) else str(text).split(str(argument[0]))


def _select(argument: Any, scope: Scope, pointer: str) -> Any:
    index, items = resolve(argument[0], scope, pointer), resolve(argument[1], scope, pointer)
    if isinstance(items, Pending):
        return items
    if not 0 <= int(index) < len(items):
        raise invalid(pointer, f"Fn::Select: index {index} of a list of {len(items)}")
    return items[int(index)]


def _find_in_map(argument: Any, scope: Scope, pointer: str) -> Any:
    keys = [str(resolve(item, scope, pointer)) for item in argument[:3]]
    found: Any = scope.mappings
    for key in keys:
        if not isinstance(found, Mapping) or key not in found:
            raise invalid(pointer, f"Fn::FindInMap: no entry {' / '.join(keys)}")
        found = found[key]
    return found


def _get_azs(argument: Any, scope: Scope, pointer: str) -> Any:
    """Three zones of a region, or of the stack's own for ""; AWS gives those of the account."""
    region = resolve(argument, scope, pointer) or scope.pseudo["AWS::Region"]
    return region if isinstance(region, Pending) else [f"{region}{zone}" for zone in "abc"]


def _cidr(argument: Any, scope: Scope, pointer: str) -> Any:
    """`count` blocks of 2^`bits` addresses each, from the start of a block."""
    block, count, *bits = (resolve(item, scope, pointer) for item in argument)
    if isinstance(block, Pending):
        return block
    whole = ipaddress.ip_network(str(block))
    prefix = whole.max_prefixlen - int(bits[0] if bits else 8)
    if prefix < whole.prefixlen or int(count) > 2 ** (prefix - whole.prefixlen):
        raise invalid(pointer, f"Fn::Cidr: {block} has no {count} blocks of /{prefix}")
    return [str(one) for one in itertools.islice(whole.subnets(new_prefix=prefix), int(count))]


def _import_value(argument: Any, scope: Scope, pointer: str) -> Any:
    name = resolve(argument, scope, pointer)
    if isinstance(name, Pending):
        raise invalid(pointer, "Fn::ImportValue cannot depend on a resource")
    if name not in scope.exports:
        raise invalid(pointer, f"No export named {name} found")
    return scope.exports[name]


def _if(argument: Any, scope: Scope, pointer: str) -> Any:
    return resolve(_branch(argument, scope, pointer), scope, pointer)


def _branch(argument: Any, scope: Scope, pointer: str) -> Any:
    if not isinstance(argument, list) or len(argument) != 3:
        raise invalid(pointer, "Fn::If takes a condition and two values")
    return argument[1] if holds(str(argument[0]), scope) else argument[2]


def _base64(argument: Any, scope: Scope, pointer: str) -> Any:
    text = resolve(argument, scope, pointer)
    return text if isinstance(text, Pending) else base64.b64encode(str(text).encode()).decode()


def _equals(argument: Any, scope: Scope, pointer: str) -> bool:
    left, right = (resolve(item, scope, pointer) for item in argument)
    return as_text(left) == as_text(right)


def _and(argument: Any, scope: Scope, pointer: str) -> bool:
    return all(truth(item, scope, pointer) for item in argument)


def _or(argument: Any, scope: Scope, pointer: str) -> bool:
    return any(truth(item, scope, pointer) for item in argument)


def _not(argument: Any, scope: Scope, pointer: str) -> bool:
    return not truth(argument[0], scope, pointer)


def _each_member_equals(argument: Any, scope: Scope, pointer: str) -> bool:
    """Of Rules only: true for an empty list, too."""
    members, value = (resolve(item, scope, pointer) for item in argument)
    return all(as_text(member) == as_text(value) for member in members)


def truth(value: Any, scope: Scope, pointer: str) -> bool:
    """The value of a condition expression."""
    if isinstance(value, Mapping) and list(value) == ["Condition"]:
        return holds(str(value["Condition"]), scope)
    return as_text(resolve(value, scope, pointer)) == "true"


def _first_pending(value: Any) -> Pending:
    items = value.values() if isinstance(value, Mapping) else value
    for item in items:
        if isinstance(item, Pending):
            return item
        if isinstance(item, Mapping | list) and is_pending(item):
            return _first_pending(item)
    raise ValueError("nothing is pending")


_FUNCTIONS: dict[str, Callable[[Any, Scope, str], Any]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAZs": _get_azs,
    "Fn::Cidr": _cidr,
    _IMPORT: _import_value,
    "Fn::If": _if,
    "Fn::Base64": _base64,
    "Fn::Equals": _equals,
    "Fn::And": _and,
    "Fn::Or": _or,
    "Fn::Not": _not,
    "Fn::EachMemberEquals": _each_member_equals,
}
