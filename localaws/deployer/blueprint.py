"""A template that was read, expanded, resolved as far as possible and found deployable."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from localaws.deployer import graph, packaging, rules, schema, template, transform
from localaws.deployer.errors import Problem, TemplateInvalid
from localaws.deployer.intrinsics import Scope, escaped, holds, is_pending, resolve
from localaws.deployer.packaging import Artifact
from localaws.deployer.resources.base import ResourceType
from localaws.deployer.resources.catalogue import CATALOGUE
from localaws.deployer.state import bucket_name
from localaws.deployer.template import Surroundings


@dataclass(frozen=True)
class DeployRequest:
    """What to deploy, under which name, with which parameters."""

    template: Path
    stack_name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    build_dir: Path = Path(".signalbox/build")


@dataclass(frozen=True)
class Blueprint:
    """The stack as it shall be; nothing of it exists because of this value."""

    surroundings: Surroundings
    resources: Mapping[str, Any]
    outputs: Mapping[str, Any]
    scope: Scope
    needs: graph.Dependencies
    order: tuple[str, ...]
    artifacts: tuple[Artifact, ...] = ()
    template: str = ""
    """The text it was drawn from, with local paths replaced."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """The stack's, which every resource gets that takes a list of tags."""

    def kind(self, logical_id: str) -> ResourceType:
        """The resource type of a logical id."""
        return CATALOGUE[self.resources[logical_id]["Type"]]

    def policy(self, logical_id: str, name: str) -> str:
        """DeletionPolicy or UpdateReplacePolicy of a resource."""
        return str(self.resources[logical_id].get(name, "Delete"))

    def update_policy(self, logical_id: str, scope: Scope) -> dict[str, Any]:
        """The resolved UpdatePolicy of a resource; empty when it has none."""
        stated = self.resources[logical_id].get("UpdatePolicy", {})
        pointer = f"/Resources/{escaped(logical_id)}/UpdatePolicy"
        resolved: dict[str, Any] = resolve(stated, scope, pointer)
        return resolved

    def properties(self, logical_id: str, scope: Scope) -> dict[str, Any]:
        """Resolved and typed properties of a resource, in the values of `scope`."""
        pointer = f"/Resources/{escaped(logical_id)}/Properties"
        stated = resolve(self.resources[logical_id].get("Properties", {}), scope, pointer)
        known = self.kind(logical_id).properties
        typed: dict[str, Any] = schema.normalised(known, stated)
        if self.tags and known.fields.get("Tags") is schema.TAGS:
            typed["Tags"] = _tagged(self.tags, typed.get("Tags", []))
        return typed


def _tagged(stack: Mapping[str, str], own: list[dict[str, str]]) -> list[dict[str, str]]:
    """The stack's tags, then the resource's own, which win."""
    names = {tag["Key"] for tag in own}
    return [{"Key": k, "Value": v} for k, v in stack.items() if k not in names] + own


def draw(request: DeployRequest, surroundings: Surroundings) -> Blueprint:
    """Read and check a template; raises TemplateInvalid with every problem found."""
    source = template.read(request.template)
    values = template.parameters(source, request.parameters)
    template.scope(source, values, surroundings)
    packaged = packaging.package(
        source,
        base=request.template.resolve().parent,
        bucket=bucket_name(surroundings),
        build_dir=request.build_dir,
    )
    drawn = draw_source(
        packaged.template,
        request.parameters,
        surroundings,
        cache=request.build_dir / "templates",
    )
    text = json.dumps(packaged.template, default=str)
    return replace(drawn, artifacts=packaged.artifacts, template=text, tags=request.tags)


def draw_source(
    source: Mapping[str, Any],
    given: Mapping[str, str],
    surroundings: Surroundings,
    *,
    cache: Path,
    apart: bool = False,
) -> Blueprint:
    """The same of a template that names no local paths; `apart` as in transform.expanded."""
    values = template.parameters(source, given)
    template.scope(source, values, surroundings)
    expanded = transform.expanded(
        source, values, region=surroundings.region, cache=cache, apart=apart
    )
    scope = template.scope(expanded, values, surroundings)
    rules.check(source.get("Rules", {}), scope)
    return _checked(expanded, scope, surroundings)


def _checked(expanded: Mapping[str, Any], scope: Scope, surroundings: Surroundings) -> Blueprint:
    resources = {name: expanded["Resources"][name] for name in scope.resources}
    _refuse(list(_type_problems(resources)))
    needs = graph.dependencies(expanded["Resources"], scope)
    blueprint = Blueprint(
        surroundings,
        resources,
        expanded.get("Outputs", {}),
        scope,
        needs,
        graph.order(needs),
    )
    _refuse(list(_property_problems(blueprint)))
    outputs_of(blueprint, scope)
    return blueprint


def outputs_of(blueprint: Blueprint, scope: Scope) -> dict[str, Any]:
    """Outputs whose condition holds, resolved in `scope`."""
    return {
        name: resolve(output["Value"], scope, f"/Outputs/{escaped(name)}/Value")
        for name, output in _present_outputs(blueprint, scope)
    }


def exports_of(blueprint: Blueprint, scope: Scope) -> dict[str, str]:
    """Names under which outputs are exported, by the name of the output."""
    return {
        name: str(resolve(output["Export"]["Name"], scope, f"/Outputs/{escaped(name)}/Export"))
        for name, output in _present_outputs(blueprint, scope)
        if "Export" in output
    }


def _present_outputs(blueprint: Blueprint, scope: Scope) -> Iterator[tuple[str, Any]]:
    for name, output in blueprint.outputs.items():
        if "Condition" not in output or holds(output["Condition"], scope):
            yield name, output


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise TemplateInvalid(tuple(problems))


def _type_problems(resources: Mapping[str, Any]) -> Iterator[Problem]:
    yield from template.attribute_problems(resources)
    for logical_id, resource in sorted(resources.items()):
        type_name = str(resource.get("Type", ""))
        if type_name not in CATALOGUE:
            place = f"/Resources/{escaped(logical_id)}/Type"
            message = f"type {type_name} is not supported by the laptop's AWS"
            yield Problem(place, message, logical_id, type_name)
        elif "UpdatePolicy" in resource and CATALOGUE[type_name].update_policy is None:
            place = f"/Resources/{escaped(logical_id)}/UpdatePolicy"
            message = "attribute UpdatePolicy is not supported for this type"
            yield Problem(place, message, logical_id, type_name)


def _property_problems(blueprint: Blueprint) -> Iterator[Problem]:
    """Everything wrong with properties and references, one resource after the other."""
    for logical_id in blueprint.order:
        type_name = blueprint.resources[logical_id]["Type"]
        pointer = f"/Resources/{escaped(logical_id)}/Properties"
        try:
            stated = blueprint.resources[logical_id].get("Properties", {})
            resolved = resolve(stated, blueprint.scope, pointer)
            policy = blueprint.update_policy(logical_id, blueprint.scope)
        except TemplateInvalid as error:
            for problem in error.problems:
                yield Problem(problem.pointer, problem.message, logical_id, type_name)
            continue
        kind = CATALOGUE[type_name]
        found = list(schema.problems(kind.properties, resolved, pointer))
        if kind.update_policy is not None:
            at = f"/Resources/{escaped(logical_id)}/UpdatePolicy"
            found += schema.problems(kind.update_policy, policy, at)
        for place, message in found:
            yield Problem(place, message, logical_id, type_name)


def pending_names(properties: Mapping[str, Any]) -> frozenset[str]:
    """Properties with a value that is not known yet."""
    return frozenset(name for name, value in properties.items() if is_pending(value))


Report = Callable[["ResourceEvent"], None]


@dataclass(frozen=True)
class ResourceEvent:
    """Something began, ended or failed with one resource; for whoever shows progress."""

    logical_id: str
    type_name: str
    action: str
    status: str
    physical_id: str = ""
    reason: str = ""
