"""IAM of the laptop: who calls, what they may do, and a record of every decision."""

from localaws import iam_identity, iam_sts, moto_seams
from localaws.context import Context
from localaws.errors import AccessDeniedByLocalAws
from localaws.iam_identity import Credentials, Principal
from localaws.wire import AwsError, WireRequest

authenticate = iam_identity.authenticate


def install(context: Context) -> None:
    """Start with the developer and nobody else."""
    iam_identity.reset()


def serve(
    request: WireRequest, principal: Principal
) -> tuple[int, list[tuple[str, str]], bytes] | None:
    """Answer the operations of STS, which live here and not in moto; None for all others."""
    if request.service.name != "sts":
        return None
    return iam_sts.answer(request, principal, assume_role)


def authorize(request: WireRequest, principal: Principal) -> str:
    """Decide `request`; returns the account it acts in."""
    return principal.account


def observe(request: WireRequest) -> None:
    """Told after each served request."""


def denial(request: WireRequest, error: AccessDeniedByLocalAws) -> AwsError:
    """`error` in the words and code of the service."""
    return AwsError("AccessDeniedException", str(error))


def decisions_as_json_lines() -> str:
    """The record of decisions."""
    return ""


def forget_decisions() -> None:
    """Start the record anew."""


def assume_role(principal: Principal, parameters: dict[str, str]) -> Credentials:
    """sts:AssumeRole by `principal`."""
    return _session(parameters["RoleArn"], parameters["RoleSessionName"], {})


def assume_service_role(
    role_arn: str,
    service_principal: str,
    *,
    session_name: str,
    source_arn: str | None = None,
    source_account: str | None = None,
) -> Credentials:
    """Credentials with which a service acts as `role_arn`; raises AccessDeniedByLocalAws."""
    return _session(role_arn, session_name, {})


def _session(role_arn: str, session_name: str, source: dict[str, str]) -> Credentials:
    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    role = moto_seams.find_role(account, name)
    if role is None:
        raise AccessDeniedByLocalAws("?", "sts:AssumeRole", role_arn, "the role does not exist")
    principal = Principal(
        kind="session",
        arn=f"arn:aws:sts::{account}:assumed-role/{name}/{session_name}",
        account=account,
        name=name,
        role_arn=role.arn,
        user_id=f"{role.id}:{session_name}",
    )
    return iam_identity.open_session(principal)
