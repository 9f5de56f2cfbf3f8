"""Decides for a live principal: gathers the policies that bear on it, decides, and records.

Used by iam (requests) and iam_assume (roles); the rules themselves are in iam_decide.
"""

import sys
from collections.abc import Mapping

from localaws import clock
from localaws.iam import resource_policies as iam_resource_policies
from localaws.iam import stored as iam_stored
from localaws.iam.context import global_keys
from localaws.iam.decide import Decision, Policies, decide
from localaws.iam.identity import Principal
from localaws.iam.policy import Caller, Policy, Request, compile_policy
from localaws.iam.record import Record, Recorder, kept
from localaws.iam.requirement import Place, Requirement
from localaws.wire import WireRequest

RECORDER = Recorder()


def decide_requirement(
    principal: Principal,
    requirement: Requirement,
    place: Place,
    request: WireRequest | None = None,
) -> Decision:
    """The decision about one requirement, under the policy attached to its resource."""
    document = iam_resource_policies.document_of(requirement.action, requirement.resource)
    policy = compile_policy(f"policy of {requirement.resource}", document) if document else None
    required = requirement.action.startswith("kms:") and requirement.resource != "*"
    return decide_under(
        principal,
        requirement,
        place,
        policy,
        required=required and policy is not None,
        request=request,
    )


def decide_under(
    principal: Principal,
    requirement: Requirement,
    place: Place,
    resource: Policy | None,
    *,
    required: bool,
    request: WireRequest | None = None,
) -> Decision:
    """The decision about one requirement, under the resource policy given; recorded."""
    context = _context(principal, requirement, place, request)
    caller = Caller(principal.arn, principal.account, principal.kind, principal.role_arn)
    asked = Request(caller, requirement.action, requirement.resource, context)
    held = iam_stored.held_by(principal)
    session = tuple(compile_policy("session policy", text) for text in principal.session_policies)
    policies = Policies(held.identity, held.boundary, session, resource)
    owner = requirement.owner
    decided = decide(asked, policies, resource_account=owner, resource_policy_required=required)
    operation = f"{request.service.name}:{request.operation}" if request else requirement.action
    RECORDER.add(
        Record(
            principal=principal.arn,
            kind=principal.kind,
            account=principal.account,
            role=principal.role_arn,
            action=sys.intern(requirement.action),
            resource=requirement.resource,
            context=kept(context),
            allowed=decided.allowed,
            reason=decided.reason,
            matched=decided.matched,
            operation=sys.intern(operation),
            same_account=owner in ("", principal.account),
            resource_policy_required=required,
            resource_verdict=decided.resource,
        )
    )
    return decided


def _context(
    principal: Principal, requirement: Requirement, place: Place, request: WireRequest | None
) -> Mapping[str, tuple[str, ...]]:
    keys = global_keys(
        principal,
        region=place.region,
        resource_account=requirement.owner,
        now=clock.now(),
        user_agent=request.headers.get("user-agent", "") if request else "",
    )
    if requirement.action.startswith("kms:") and principal.account:
        keys["kms:calleraccount"] = (principal.account,)
    return keys | dict(requirement.context)
