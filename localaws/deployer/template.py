"""Reads a template and answers what can be answered without creating anything.

The text may use YAML's short forms (`!Sub`). Parameters are checked as CloudFormation checks them
(User Guide, "Parameters section structure").
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from localaws.deployer.errors import Problem, TemplateInvalid, invalid
from localaws.deployer.intrinsics import Pending, Scope, escaped, holds

_SECTIONS = frozenset(
    {
        *("AWSTemplateFormatVersion", "Description", "Transform", "Globals", "Metadata"),
        *("Parameters", "Rules", "Mappings", "Conditions", "Resources", "Outputs"),
    }
)
_ATTRIBUTES = frozenset(
    {
        *("Type", "Properties", "DependsOn", "Condition", "Metadata"),
        *("DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy"),
    }
)
_LIST_TYPES = ("CommaDelimitedList", "List<Number>", "List<String>")
_TEXT_TYPES = ("String", "Number", "AWS::SSM::Parameter::Name")


@dataclass(frozen=True)
class Surroundings:
    """Where a stack lives; the values of the pseudo parameters."""

    stack_name: str
    account: str
    region: str
    partition: str = "aws"
    uid: str = "laptop"
    """What tells two stacks apart that had the same name, one after the other."""
    exports: Mapping[str, str] = field(default_factory=dict)
    """What other stacks of the account and region export."""

    @property
    def stack_id(self) -> str:
        """The stack's ARN."""
        place = f"arn:{self.partition}:cloudformation:{self.region}:{self.account}"
        return f"{place}:stack/{self.stack_name}/{self.uid}"

    def pseudo(self) -> dict[str, Any]:
        """Pseudo parameters by name."""
        return {
            "AWS::AccountId": self.account,
            "AWS::Region": self.region,
            "AWS::Partition": self.partition,
            "AWS::StackName": self.stack_name,
            "AWS::StackId": self.stack_id,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NotificationARNs": [],
        }


def read(path: Path) -> dict[str, Any]:
    """The template at `path` as plain data; raises TemplateInvalid when it is no template."""
    return parse(path.read_text(encoding="utf-8"), str(path))


def parse(text: str, name: str = "the template") -> dict[str, Any]:
    """A template's text (YAML or JSON) as plain data; `name` is how refusals call it."""
    try:
        # JSON is YAML, but its own reader is ten times faster.
        is_json = text.startswith("{")
        document = json.loads(text) if is_json else yaml.load(text, Loader=_TemplateLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        raise invalid("", f"{name} is not YAML: {error}") from error
    if not isinstance(document, dict) or not document.get("Resources"):
        raise invalid("", f"{name} has no Resources")
    unknown = sorted(set(document) - _SECTIONS)
    if unknown:
        raise invalid(f"/{unknown[0]}", f"section {unknown[0]} is not supported")
    return document


def parameters(template: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Every parameter with its value; raises TemplateInvalid listing all that do not fit."""
    declared = template.get("Parameters", {})
    found = tuple(_parameter_problems(declared, given))
    if found:
        raise TemplateInvalid(found)
    return {
        name: _typed(rule.get("Type", "String"), given.get(name, rule.get("Default")))
        for name, rule in declared.items()
    }


def scope(
    template: Mapping[str, Any], values: Mapping[str, Any], surroundings: Surroundings
) -> Scope:
    """Names of the template; resources are pending, and those whose condition fails are absent."""
    whole = Scope(
        parameters=values,
        pseudo=surroundings.pseudo(),
        mappings=template.get("Mappings", {}),
        conditions=template.get("Conditions", {}),
        resource_ref=Pending,
        resource_attribute=Pending,
        resources=frozenset(),
        exports=surroundings.exports,
    )
    for name in whole.conditions:
        holds(name, whole)
    return replace(whole, resources=frozenset(_present(template["Resources"], whole)))


def with_values(
    whole: Scope, ref: Callable[[str], Any], attribute: Callable[[str, str], Any]
) -> Scope:
    """`whole`, with the values of resources taken from the two functions."""
    return replace(whole, resource_ref=ref, resource_attribute=attribute)


def attribute_problems(resources: Mapping[str, Any]) -> Iterator[Problem]:
    """Resource attributes (beside Properties) that the laptop does not know."""
    for logical_id, resource in resources.items():
        for name in sorted(set(resource) - _ATTRIBUTES):
            place = f"/Resources/{escaped(logical_id)}/{escaped(name)}"
            type_name = str(resource.get("Type", ""))
            yield Problem(place, f"attribute {name} is not supported", logical_id, type_name)


def _present(resources: Mapping[str, Any], whole: Scope) -> Iterator[str]:
    for logical_id, resource in resources.items():
        condition = resource.get("Condition")
        if condition is None or holds(str(condition), whole):
            yield logical_id


def _parameter_problems(declared: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[Problem]:
    for name in sorted(set(given) - set(declared)):
        yield Problem(f"/Parameters/{escaped(name)}", f"parameter {name} is not declared")
    for name, rule in declared.items():
        message = _parameter_problem(rule, given.get(name, rule.get("Default")))
        if message:
            yield Problem(f"/Parameters/{escaped(name)}", f"parameter {name} {message}")


def _parameter_problem(rule: Mapping[str, Any], value: Any) -> str:
    kind = rule.get("Type", "String")
    if kind not in (*_LIST_TYPES, *_TEXT_TYPES):
        return f"has type {kind}, which is not supported"
    if value is None:
        return "has no value and no default"
    return next(
        (message for message in map(_rule_problem(rule), _parts(kind, value)) if message), ""
    )


def _rule_problem(rule: Mapping[str, Any]) -> Callable[[str], str]:
    """A check of one value against AllowedValues, AllowedPattern, lengths and bounds."""

    def check(text: str) -> str:
        allowed = [str(item) for item in rule.get("AllowedValues", [])]
        pattern = rule.get("AllowedPattern")
        if allowed and text not in allowed:
            return f"is {text!r}, not one of {', '.join(allowed)}"
        if pattern and not re.fullmatch(str(pattern), text):
            return f"is {text!r}: {rule.get('ConstraintDescription') or f'must match {pattern}'}"
        return _bound_problem(rule, text)

    return check


def _bound_problem(rule: Mapping[str, Any], text: str) -> str:
    if rule.get("Type") in ("Number", "List<Number>"):
        try:
            size, low, high = float(text), rule.get("MinValue"), rule.get("MaxValue")
        except ValueError:
            return f"is {text!r}, not a number"
    else:
        size, low, high = len(text), rule.get("MinLength"), rule.get("MaxLength")
    if (low is not None and size < float(low)) or (high is not None and size > float(high)):
        return f"is {text!r}: must lie between {low} and {high}"
    return ""


def _typed(kind: str, value: Any) -> Any:
    return _parts(kind, value) if kind in _LIST_TYPES else _parameter_text(value)


def _parts(kind: str, value: Any) -> list[str]:
    text = _parameter_text(value)
    return [part.strip() for part in text.split(",")] if kind in _LIST_TYPES else [text]


def _parameter_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_FastLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _TemplateLoader(_FastLoader):  # type: ignore[misc, valid-type]
    """YAML with CloudFormation's short forms; dates such as a policy's Version stay texts."""


def _short_form(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if name == "Fn::GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name: value}


_TemplateLoader.add_multi_constructor("!", _short_form)
_TemplateLoader.add_constructor(
    "tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node)
)
