"""IAM of the laptop: who calls, what they may do, and a record of every decision.

Always on: the gateway asks here before anything is served, and nothing can be served around it.
The rules are in iam_decide (pure); this module gathers what a decision depends on. Parts of the
laptop that act for a role or for a service ask here too, see `assume_service_role`.
"""

import json
import sys
import threading
from collections.abc import Mapping
from typing import Any

from localaws import clock, iam_identity, iam_requests, iam_stored, iam_sts, moto_seams
from localaws.context import Context
from localaws.errors import AccessDeniedByLocalAws
from localaws.iam_context import global_keys
from localaws.iam_decide import Decision, Policies, decide
from localaws.iam_identity import Credentials, Principal
from localaws.iam_policy import Caller, Policy, Request, compile_policy
from localaws.iam_record import Record, Recorder, RolePolicies, kept
from localaws.iam_requirement import Place, Requirement, tag_context
from localaws.wire import JSON, REST_JSON, AwsError, WireRequest, protocol_of

authenticate = iam_identity.authenticate

_recorder = Recorder()
_lock = threading.Lock()

ADMIN_ROLE = "OrganizationAccountAccessRole"
"""The role that AWS Organizations makes in a new member account; here it appears when asked for."""


def install(context: Context) -> None:
    """Start with the developer, who may do everything, and with nobody else."""
    iam_identity.reset()
    iam_stored.forget()
    _recorder.clear()
    developer = iam_identity.developer()
    moto_seams.create_user(developer.account, developer.name, developer.user_id, _EVERYTHING)


_EVERYTHING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "DeveloperMayDoAll", "Effect": "Allow", "Action": "*", "Resource": "*"}
        ],
    }
)


def serve(
    request: WireRequest, principal: Principal
) -> tuple[int, list[tuple[str, str]], bytes] | None:
    """Answer the operations of STS, which live here and not in moto; None for all others."""
    if request.service.name != "sts":
        return None
    return iam_sts.answer(request, principal, assume_role)


def authorize(request: WireRequest, principal: Principal) -> str:
    """Decide everything `request` needs; the account it acts in, or AccessDeniedByLocalAws."""
    place = Place(principal.account, request.scope.region)
    if request.service.name == "iam" and "PolicyArn" in request.parameters:
        moto_seams.load_aws_managed(principal.account, request.parameters["PolicyArn"])
    needed = iam_requests.requirements(request, place)
    for requirement in needed:
        decided = _decide(principal, requirement, place, request)
        if not decided.allowed:
            raise AccessDeniedByLocalAws(
                principal.arn, requirement.action, requirement.resource, decided.reason
            )
    return needed[0].owner or principal.account or moto_seams.DEFAULT_ACCOUNT


def _decide(
    principal: Principal,
    requirement: Requirement,
    place: Place,
    request: WireRequest | None = None,
) -> Decision:
    document = moto_seams.resource_policy(
        requirement.action.partition(":")[0], requirement.resource
    )
    policy = compile_policy(f"policy of {requirement.resource}", document) if document else None
    required = requirement.action.startswith("kms:") and requirement.resource != "*"
    return _decide_with(
        principal,
        requirement,
        place,
        policy,
        required=required and policy is not None,
        request=request,
    )


def _decide_with(
    principal: Principal,
    requirement: Requirement,
    place: Place,
    resource: Policy | None,
    *,
    required: bool,
    request: WireRequest | None = None,
) -> Decision:
    context = _context(principal, requirement, place, request)
    caller = Caller(principal.arn, principal.account, principal.kind, principal.role_arn)
    asked = Request(caller, requirement.action, requirement.resource, context)
    held = iam_stored.held_by(principal)
    session = tuple(compile_policy("session policy", text) for text in principal.session_policies)
    policies = Policies(held.identity, held.boundary, session, resource)
    owner = requirement.owner
    decided = decide(asked, policies, resource_account=owner, resource_policy_required=required)
    operation = f"{request.service.name}:{request.operation}" if request else requirement.action
    _recorder.add(
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
    return keys | dict(requirement.context)


def observe(request: WireRequest) -> None:
    """Told after each served request: a write to IAM makes all policies be read anew."""
    if request.service.name == "iam" and not request.operation.startswith(("Get", "List")):
        iam_stored.forget()


def denial(request: WireRequest, error: AccessDeniedByLocalAws) -> AwsError:
    """`error` with the code and status that the service's clients expect."""
    if request.service.name == "sns":
        return AwsError("AuthorizationError", str(error), 403)
    if protocol_of(request) == REST_JSON:
        return AwsError("AccessDeniedException", str(error), 403)
    if protocol_of(request) == JSON:
        return AwsError("AccessDeniedException", str(error), 400)
    return AwsError("AccessDenied", str(error), 403)


def decisions() -> list[Record]:
    """The remembered decisions, oldest first."""
    return _recorder.all()


def role_policies(account: str) -> RolePolicies:
    """Role ARN -> policy -> document of all roles of an account, for iam_record.denials."""
    return {role.arn: iam_stored.documents_of(account, role) for role in moto_seams.roles(account)}


def decisions_as_json_lines() -> str:
    """The remembered decisions, one JSON object per line."""
    return "".join(json.dumps(record.as_json()) + "\n" for record in _recorder.all())


def forget_decisions() -> None:
    """Start the record anew."""
    _recorder.clear()


def assume_role(principal: Principal, parameters: Mapping[str, Any]) -> Credentials:
    """sts:AssumeRole over the wire: the caller's policies and the role's trust policy decide."""
    role_arn, session_name = parameters["RoleArn"], parameters["RoleSessionName"]
    tags = iam_sts.session_tags(parameters)
    context = tag_context(tags) | {"sts:rolesessionname": (session_name,)}
    if "ExternalId" in parameters:
        context["sts:externalid"] = (parameters["ExternalId"],)
    actions = ("sts:AssumeRole", "sts:TagSession") if tags else ("sts:AssumeRole",)
    role = _trusting_role(principal, role_arn, context, actions)
    duration_s = int(parameters.get("DurationSeconds", 3600))
    if duration_s > int(role.max_session_duration or 3600):
        raise AwsError(
            "ValidationError", "DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return _open(
        role,
        session_name,
        duration_s=duration_s,
        policies=iam_sts.session_policies(parameters, role_arn.split(":")[4]),
        tags=tags,
    )


def assume_service_role(
    role_arn: str,
    service_principal: str,
    *,
    session_name: str,
    source_arn: str | None = None,
    source_account: str | None = None,
) -> Credentials:
    """Credentials with which a service acts as `role_arn`.

    The role's trust policy decides, as on AWS; raises AccessDeniedByLocalAws. `source_account`
    is taken from `source_arn`, then from the role, when it is not given.
    """
    account = source_account or _account_of(source_arn) or _account_of(role_arn)
    principal = service(service_principal, source_arn=source_arn, source_account=account)
    context = {"sts:rolesessionname": (session_name,)}
    return _open(_trusting_role(principal, role_arn, context), session_name, duration_s=3600)


def service(
    name: str, *, source_arn: str | None = None, source_account: str | None = None
) -> Principal:
    """A service principal such as `events.amazonaws.com`, acting for a resource."""
    account = source_account or _account_of(source_arn)
    source = {"aws:SourceArn": source_arn or "", "aws:SourceAccount": account}
    return Principal(kind="service", arn=name, account=account, source=source)


def authorize_service(
    service_principal: str,
    action: str,
    resource: str,
    *,
    source_arn: str | None = None,
    source_account: str | None = None,
) -> None:
    """Let a service act without a role: the resource's own policy decides.

    For example `events.amazonaws.com` on a function, topic or queue. Raises AccessDeniedByLocalAws.
    """
    principal = service(service_principal, source_arn=source_arn, source_account=source_account)
    place = Place(principal.account, resource.split(":")[3] or "us-east-1")
    decided = _decide(principal, Requirement(action, resource), place)
    if not decided.allowed:
        raise AccessDeniedByLocalAws(service_principal, action, resource, decided.reason)


def _account_of(arn: str | None) -> str:
    parts = (arn or "").split(":", 5)
    return parts[4] if len(parts) == 6 else ""


def _trusting_role(
    principal: Principal,
    role_arn: str,
    context: Mapping[str, tuple[str, ...]],
    actions: tuple[str, ...] = ("sts:AssumeRole",),
) -> moto_seams.StoredRole:
    """The role, when its trust policy and the caller's policies let the caller in."""
    account, name = _account_of(role_arn), role_arn.rpartition("/")[2]
    if name == ADMIN_ROLE and principal.account:
        _make_admin_role(account, principal.account)
    role = moto_seams.find_role(account, name)
    if role is None or role.arn != role_arn:
        raise AccessDeniedByLocalAws(
            principal.arn, actions[0], role_arn, "because the role does not exist"
        )
    trust = compile_policy(f"trust of {role_arn}", role.assume_role_policy_document)
    place = Place(principal.account, "us-east-1")
    for action in actions:
        requirement = Requirement(action, role_arn, context)
        decided = _decide_with(principal, requirement, place, trust, required=True)
        if not decided.allowed:
            raise AccessDeniedByLocalAws(principal.arn, action, role_arn, decided.reason)
    return role


def _make_admin_role(account: str, trusted_account: str) -> None:
    with _lock:
        if moto_seams.find_role(account, ADMIN_ROLE) is None:
            moto_seams.create_role(account, ADMIN_ROLE, _trust_of(trusted_account), _EVERYTHING)
            iam_stored.forget()


def _trust_of(account: str) -> str:
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _open(
    role: moto_seams.StoredRole,
    session_name: str,
    *,
    duration_s: int,
    policies: tuple[str, ...] = (),
    tags: Mapping[str, str] | None = None,
) -> Credentials:
    account = _account_of(role.arn)
    role_tags = {tag["Key"]: tag["Value"] for tag in (role.tags or {}).values()}
    principal = Principal(
        kind="session",
        arn=f"arn:aws:sts::{account}:assumed-role/{role.name}/{session_name}",
        account=account,
        name=role.name,
        role_arn=role.arn,
        user_id=f"{role.id}:{session_name}",
        session_policies=policies,
        tags=role_tags | dict(tags or {}),
    )
    return iam_identity.open_session(principal, duration_s=duration_s)


__all__ = [
    "ADMIN_ROLE",
    "assume_role",
    "assume_service_role",
    "authenticate",
    "authorize",
    "authorize_service",
    "decisions",
    "decisions_as_json_lines",
    "denial",
    "forget_decisions",
    "install",
    "observe",
    "role_policies",
    "serve",
    "service",
]
