"""Roles and who may act as them: sts:AssumeRole over the wire, and services within the laptop.

The role's trust policy decides, together with the policies of a caller that has some.
"""

import json
import threading
from collections.abc import Mapping
from typing import Any

from localaws.accounts import BY_ID
from localaws.errors import AccessDeniedByLocalAws
from localaws.iam import identity as iam_identity
from localaws.iam import stored as iam_stored
from localaws.iam import sts as iam_sts
from localaws.iam import web_identity as iam_web_identity
from localaws.iam.identity import Credentials, Principal
from localaws.iam.live import decide_under
from localaws.iam.policy import compile_policy
from localaws.iam.requirement import Place, Requirement, tag_context
from localaws.moto_seams import iam as moto_seams_iam
from localaws.wire import AwsError

ADMIN_ROLE = "OrganizationAccountAccessRole"
"""The role that AWS Organizations makes in a new member account; here it appears when asked for.

Not in the laptop's own accounts: who is to enter those needs a role that its owner made.
"""

EVERYTHING = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "MayDoAll", "Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
)
"""The policy of the developer and of the administrators of accounts."""

_CHAINED_LIMIT_S = 3600
"""IAM User Guide, "Roles terms and concepts: role chaining" (read 2026-11)."""

_lock = threading.Lock()


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
    _check_duration(role, duration_s)
    if principal.kind == "session" and duration_s > _CHAINED_LIMIT_S:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining",
        )
    return _open(
        role,
        session_name,
        duration_s=duration_s,
        policies=iam_sts.session_policies(parameters, role_arn.split(":")[4]),
        tags=tags,
    )


def assume_role_with_web_identity(parameters: Mapping[str, Any]) -> Credentials:
    """sts:AssumeRoleWithWebIdentity over the wire: the token is the caller, the trust decides.

    Raises AwsError for a token that cannot be used.
    """
    role_arn, session_name = parameters["RoleArn"], parameters["RoleSessionName"]
    token = parameters.get("WebIdentityToken", "")
    principal, context = iam_web_identity.principal_of(token, _account_of(role_arn))
    context |= {"sts:rolesessionname": (session_name,)}
    role = _trusting_role(principal, role_arn, context, (iam_web_identity.ACTION,))
    duration_s = int(parameters.get("DurationSeconds", 3600))
    _check_duration(role, duration_s)
    policies = iam_sts.session_policies(parameters, principal.account)
    return _open(role, session_name, duration_s=duration_s, policies=policies)


def _check_duration(role: moto_seams_iam.StoredRole, duration_s: int) -> None:
    if duration_s > int(role.max_session_duration or 3600):
        raise AwsError(
            "ValidationError", "DurationSeconds exceeds the MaxSessionDuration set for this role."
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


def acting_as(
    role_arn: str,
    service_principal: str,
    *,
    session_name: str,
    source_arn: str | None = None,
) -> Principal:
    """A service as `role_arn`, for what it does under the role without a request of its own.

    The role's trust policy decides, as in assume_service_role.
    """
    account = _account_of(source_arn) or _account_of(role_arn)
    principal = service(service_principal, source_arn=source_arn, source_account=account)
    context = {"sts:rolesessionname": (session_name,)}
    return _session(_trusting_role(principal, role_arn, context), session_name)


def service(
    name: str, *, source_arn: str | None = None, source_account: str | None = None
) -> Principal:
    """A service principal such as `events.amazonaws.com`, acting for a resource."""
    account = source_account or _account_of(source_arn)
    source = {"aws:SourceArn": source_arn or "", "aws:SourceAccount": account}
    return Principal(kind="service", arn=name, account=account, source=source)


def _account_of(arn: str | None) -> str:
    parts = (arn or "").split(":", 5)
    return parts[4] if len(parts) == 6 else ""


def _trusting_role(
    principal: Principal,
    role_arn: str,
    context: Mapping[str, tuple[str, ...]],
    actions: tuple[str, ...] = ("sts:AssumeRole",),
) -> moto_seams_iam.StoredRole:
    """The role, when its trust policy and the caller's policies let the caller in."""
    account, name = _account_of(role_arn), role_arn.rpartition("/")[2]
    if name == ADMIN_ROLE and principal.account and account not in BY_ID:
        _make_admin_role(account, principal.account)
    role = moto_seams_iam.find_role(account, name)
    if role is None or role.arn != role_arn:
        raise AccessDeniedByLocalAws(
            principal.arn, actions[0], role_arn, "because the role does not exist"
        )
    trust = compile_policy(f"trust of {role_arn}", role.assume_role_policy_document)
    place = Place(principal.account, "us-east-1")
    for action in actions:
        requirement = Requirement(action, role_arn, context)
        decided = decide_under(principal, requirement, place, trust, required=True)
        if not decided.allowed:
            raise AccessDeniedByLocalAws(principal.arn, action, role_arn, decided.reason)
    return role


def _make_admin_role(account: str, trusted_account: str) -> None:
    with _lock:
        if moto_seams_iam.find_role(account, ADMIN_ROLE) is None:
            moto_seams_iam.create_role(account, ADMIN_ROLE, _trust_of(trusted_account), EVERYTHING)
            iam_stored.forget()


def _trust_of(account: str) -> str:
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _open(
    role: moto_seams_iam.StoredRole,
    session_name: str,
    *,
    duration_s: int,
    policies: tuple[str, ...] = (),
    tags: Mapping[str, str] | None = None,
) -> Credentials:
    principal = _session(role, session_name, policies, tags)
    return iam_identity.open_session(principal, duration_s=duration_s)


def _session(
    role: moto_seams_iam.StoredRole,
    session_name: str,
    policies: tuple[str, ...] = (),
    tags: Mapping[str, str] | None = None,
) -> Principal:
    account = _account_of(role.arn)
    role_tags = {tag["Key"]: tag["Value"] for tag in role.tags or []}
    return Principal(
        kind="session",
        arn=f"arn:aws:sts::{account}:assumed-role/{role.name}/{session_name}",
        account=account,
        name=role.name,
        role_arn=role.arn,
        user_id=f"{role.id}:{session_name}",
        session_policies=policies,
        tags=role_tags | dict(tags or {}),
    )
