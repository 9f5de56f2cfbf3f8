"""The operations that change stacks; the decisions on them are IAM's, made before.

Each operation takes the call as plain values and returns the answer; refusals are AwsError with the
code and in the words of CloudFormation.
"""

from collections.abc import Mapping

from localaws.cloudformation import templates as stack_templates
from localaws.cloudformation.call import Answer, Call, Operation, refuse_unsupported, wanted_of
from localaws.cloudformation.model import Stack, Status
from localaws.cloudformation.proposals import differences
from localaws.cloudformation.runs import refuse_while_moving
from localaws.cloudformation.templates import invalid, parsed
from localaws.errors import UnsupportedByLocalAws
from localaws.wire import AwsError


def create_stack(call: Call) -> Answer:
    """CreateStack."""
    refuse_unsupported("CreateStack", call.request)
    known, name = call.find(), str(call.request["StackName"])
    if known is not None:
        raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")
    wanted = wanted_of(call, None)
    stack = Stack(call.place, name, protected=bool(call.request.get("EnableTerminationProtection")))
    blueprint = call.runs.draw(stack, wanted)
    stack_templates.check_capabilities(
        parsed(wanted.template), blueprint.resources, wanted.capabilities, direct=True
    )
    acting = call.runs.acting(stack, wanted.role_arn, call.principal)
    stack.wanted = wanted
    call.runs.store.add(stack)
    call.runs.deploy(stack, wanted, acting)
    return {"StackId": stack.id}


def update_stack(call: Call) -> Answer:
    """UpdateStack; refuses an update that changes nothing."""
    refuse_unsupported("UpdateStack", call.request)
    stack = call.stack()
    refuse_update(stack)
    wanted = wanted_of(call, stack)
    blueprint = call.runs.draw(stack, wanted)
    stack_templates.check_capabilities(
        parsed(wanted.template), blueprint.resources, wanted.capabilities, direct=True
    )
    if differences(stack, wanted, blueprint) is None:
        raise invalid("No updates are to be performed.")
    call.runs.deploy(stack, wanted, call.runs.acting(stack, wanted.role_arn, call.principal))
    for proposal in stack.change_sets.values():  # each was made of what the stack was before
        proposal.execution_status = "OBSOLETE"
    return {"StackId": stack.id}


def refuse_update(stack: Stack) -> None:
    """Raise AwsError when a stack is in no state to be updated."""
    refuse_while_moving(stack)
    if not stack.status.may_be_updated:
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def delete_stack(call: Call) -> Answer:
    """DeleteStack; a stack that is not there is deleted already."""
    refuse_unsupported("DeleteStack", call.request)
    if call.request.get("DeletionMode") == "FORCE_DELETE_STACK":
        raise UnsupportedByLocalAws("cloudformation", "DeleteStack", "FORCE_DELETE_STACK")
    stack = call.find()
    if stack is None or stack.status is Status.DELETE_COMPLETE:
        return {}
    if stack.protected:
        raise invalid(
            f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
        )
    kept = frozenset(call.request.get("RetainResources") or ())
    if kept and stack.status is not Status.DELETE_FAILED:
        raise invalid(
            f"Invalid operation on stack [{stack.id}]. When you delete a stack, specify which "
            "resources to retain only when the stack is in the DELETE_FAILED state."
        )
    role = call.request.get("RoleARN") or stack.role_arn
    acting = call.runs.acting(stack, role, call.principal)
    token = call.request.get("ClientRequestToken") or ""
    call.runs.delete(stack, acting, kept=kept, token=token)
    return {}


def update_termination_protection(call: Call) -> Answer:
    """UpdateTerminationProtection."""
    stack = call.stack()
    stack.protected = bool(call.request["EnableTerminationProtection"])
    return {"StackId": stack.id}


def continue_update_rollback(call: Call) -> Answer:
    """ContinueUpdateRollback: takes back what the roll-back of an update could not."""
    stack = call.stack()
    if stack.status is not Status.UPDATE_ROLLBACK_FAILED:
        raise invalid(
            f"Stack:{stack.id} is in {stack.status} state and can not continue an update rollback."
        )
    role = call.request.get("RoleARN") or stack.role_arn
    skipped = frozenset(call.request.get("ResourcesToSkip") or ())
    acting = call.runs.acting(stack, role, call.principal)
    call.runs.continue_rollback(stack, acting, skipped=skipped)
    return {}


OPERATIONS: Mapping[str, Operation] = {
    "CreateStack": create_stack,
    "UpdateStack": update_stack,
    "DeleteStack": delete_stack,
    "UpdateTerminationProtection": update_termination_protection,
    "ContinueUpdateRollback": continue_update_rollback,
}
