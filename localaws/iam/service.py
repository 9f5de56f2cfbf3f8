"""IAM of the laptop: who calls, what they may do, and a record of every decision.

Always on: the gateway asks here before anything is served, and nothing can be served around it.
The rules are in iam_decide (pure); this module gathers what a decision depends on. Parts of the
laptop that act for a role or for a service ask here too, see `assume_service_role`.
"""

import json
from collections.abc import Iterable

from localaws.accounts import ACCOUNTS, DEVELOPER
from localaws.context import Context
from localaws.errors import AccessDeniedByLocalAws
from localaws.iam import assume as iam_assume
from localaws.iam import identity as iam_identity
from localaws.iam import requests as iam_requests
from localaws.iam import simulation as iam_simulation
from localaws.iam import stored as iam_stored
from localaws.iam import stored_policies as iam_stored_policies
from localaws.iam import sts as iam_sts
from localaws.iam.assume import ADMIN_ROLE, EVERYTHING
from localaws.iam.identity import Principal
from localaws.iam.live import RECORDER, decide_requirement
from localaws.iam.record import Record, RolePolicies
from localaws.iam.requirement import Place, Requirement
from localaws.moto_seams import iam as moto_seams_iam
from localaws.moto_seams import oidc as moto_seams_oidc
from localaws.wire import JSON, REST_JSON, AwsError, WireRequest
from localaws.wire_errors import protocol_of

authenticate = iam_identity.authenticate
calling = iam_identity.calling

assume_role = iam_assume.assume_role
assume_service_role = iam_assume.assume_service_role
service = iam_assume.service


def install(context: Context) -> None:
    """Start with a developer in each account, who may do everything there, and nobody else."""
    iam_identity.reset()
    iam_stored.forget()
    moto_seams_oidc.install()
    RECORDER.clear()
    for account in ACCOUNTS:
        moto_seams_iam.create_user(account.id, DEVELOPER, account.user_id, EVERYTHING)


def serve(
    request: WireRequest, principal: Principal
) -> tuple[int, list[tuple[str, str]], bytes] | None:
    """Answer what lives here and not in moto: STS, and the simulation; None for all others."""
    if (request.service.name, request.operation) == ("iam", iam_simulation.OPERATION):
        authorize(request, principal)
        return iam_simulation.answer(request.parameters)
    if request.service.name != "sts":
        return None
    return iam_sts.answer(request, principal, assume_role, iam_assume.assume_role_with_web_identity)


def authorize(request: WireRequest, principal: Principal) -> str:
    """Decide everything `request` needs; the account it acts in, or AccessDeniedByLocalAws."""
    place = Place(principal.account, request.scope.region)
    if request.service.name == "iam" and "PolicyArn" in request.parameters:
        moto_seams_iam.load_aws_managed(principal.account, request.parameters["PolicyArn"])
    needed = iam_requests.requirements(request, place)
    for requirement in needed:
        decided = decide_requirement(principal, requirement, place, request)
        if not decided.allowed:
            raise AccessDeniedByLocalAws(
                principal.arn, requirement.action, requirement.resource, decided.reason
            )
    iam_stored_policies.check(request)
    return needed[0].owner or principal.account or moto_seams_iam.DEFAULT_ACCOUNT


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
    return RECORDER.all()


def role_policies(account: str) -> RolePolicies:
    """Role ARN -> policy -> document of all roles of an account, for iam_record.denials."""
    return {
        role.arn: iam_stored.documents_of(account, role) for role in moto_seams_iam.roles(account)
    }


def decisions_as_json_lines() -> str:
    """The remembered decisions, one JSON object per line."""
    return "".join(json.dumps(record.as_json()) + "\n" for record in RECORDER.all())


def forget_decisions() -> None:
    """Start the record anew."""
    RECORDER.clear()


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
    _require(principal, Requirement(action, resource), place)


def authorize_role(
    role_arn: str,
    service_principal: str,
    actions: Iterable[str],
    *,
    region: str,
    session_name: str,
    source_arn: str | None = None,
) -> None:
    """Decide what a service does under a role through operations that the laptop does not have.

    For actions on no resource (`*`). Raises AccessDeniedByLocalAws at the first refusal.
    """
    authorize_requirements(
        role_arn,
        service_principal,
        [Requirement(action, "*") for action in actions],
        region=region,
        session_name=session_name,
        source_arn=source_arn,
    )


def authorize_requirements(
    role_arn: str,
    service_principal: str,
    requirements: Iterable[Requirement],
    *,
    region: str,
    session_name: str,
    source_arn: str | None = None,
) -> None:
    """The same for actions on resources, with their condition keys."""
    principal = iam_assume.acting_as(
        role_arn, service_principal, session_name=session_name, source_arn=source_arn
    )
    for requirement in requirements:
        _require(principal, requirement, Place(principal.account, region))


def _require(principal: Principal, requirement: Requirement, place: Place) -> None:
    decided = decide_requirement(principal, requirement, place)
    if not decided.allowed:
        raise AccessDeniedByLocalAws(
            principal.arn, requirement.action, requirement.resource, decided.reason
        )


__all__ = [
    "ADMIN_ROLE",
    "Requirement",
    "assume_role",
    "assume_service_role",
    "authenticate",
    "authorize",
    "authorize_requirements",
    "authorize_role",
    "authorize_service",
    "calling",
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
