"""What a request would change of a stack: the content of a change set. Pure."""

from typing import Any

from localaws.cloudformation import views
from localaws.cloudformation.model import Stack, Wanted
from localaws.cloudformation.templates import refused
from localaws.deployer.blueprint import Blueprint, exports_of, outputs_of
from localaws.deployer.errors import TemplateInvalid
from localaws.deployer.plan import Action, Plan, draw_plan, known_scope
from localaws.deployer.resources.base import Made
from localaws.deployer.resources.catalogue import CATALOGUE

Changes = list[dict[str, Any]]


def differences(stack: Stack, wanted: Wanted, blueprint: Blueprint) -> Changes | None:
    """The changes of resources that `wanted` means; None when nothing at all would change.

    An empty list is a change of outputs, parameters or tags only. Raises AwsError for a change that
    can never be made.
    """
    try:
        plan = draw_plan(blueprint, stack.state)
        found = views.changes(plan, CATALOGUE) + _policies(stack, blueprint, plan)
        same = not found and _same_outputs(stack, blueprint)
    except TemplateInvalid as error:
        raise refused(error) from error
    before = stack.wanted
    if same and (before.parameters, before.tags) == (wanted.parameters, wanted.tags):
        return None
    return found


def _policies(stack: Stack, blueprint: Blueprint, plan: Plan) -> Changes:
    kept = [change for change in plan.changes if change.action is Action.KEEP]
    return [
        views.policy_change(change.logical_id, change.type_name, change.physical_id)
        for change in kept
        if blueprint.policy(change.logical_id, "DeletionPolicy")
        != stack.state.members[change.logical_id].deletion_policy
    ]


def _same_outputs(stack: Stack, blueprint: Blueprint) -> bool:
    made = {
        name: Made(member.physical_id, member.attributes)
        for name, member in stack.state.members.items()
    }
    scope = known_scope(blueprint.scope, made)
    outputs = {name: str(value) for name, value in outputs_of(blueprint, scope).items()}
    before = stack.state
    return outputs == before.outputs and exports_of(blueprint, scope) == before.exports
