"""Which resource needs which. Pure."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from localaws.deployer.errors import invalid
from localaws.deployer.intrinsics import Scope, escaped, references

Dependencies = dict[str, frozenset[str]]


def dependencies(resources: Mapping[str, Any], scope: Scope) -> Dependencies:
    """For each present resource, those that must exist before it (Ref, GetAtt, Sub, DependsOn)."""
    return {name: _needs(name, resources, scope) for name in sorted(scope.resources)}


def order(needs: Dependencies) -> tuple[str, ...]:
    """Logical ids, each after all it needs; raises TemplateInvalid naming a circle."""
    try:
        return tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise invalid("/Resources", f"circular dependency: {circle}") from error


def _needs(logical_id: str, resources: Mapping[str, Any], scope: Scope) -> frozenset[str]:
    resource = resources[logical_id]
    stated = resource.get("DependsOn", [])
    names = frozenset([stated] if isinstance(stated, str) else stated)
    declared_nowhere = sorted(names - set(resources))
    if declared_nowhere:
        pointer = f"/Resources/{escaped(logical_id)}/DependsOn"
        raise invalid(pointer, f"{logical_id} depends on {declared_nowhere[0]}, which is absent")
    stated_here = names & scope.resources  # one left out by its condition is no dependency
    policy = references(resource.get("UpdatePolicy", {}), scope)
    return stated_here | references(resource.get("Properties", {}), scope) | policy
