"""Roles: that they are there, trusted by whom they should be, and may do what they must."""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from localaws.deployer.intrinsics import is_pending
from signalbox_cli.doctor import policies, simulation
from signalbox_cli.doctor.findings import (
    REDEPLOY,
    Finding,
    NothingToLookAt,
    differing,
    error_code,
)
from signalbox_cli.doctor.patients import Patient, Resource

_ROLE = "AWS::IAM::Role"
_GITHUB = "token.actions.githubusercontent.com"
_AUDIENCE = "sts.amazonaws.com"


def roles(patient: Patient) -> Iterator[Finding]:
    """Each role exists, trusts whom the template says, and got nothing from anybody else."""
    for role in patient.of_type(_ROLE):
        live = _live(patient, role)
        if live is None:
            yield Finding(role.name, "the role does not exist", REDEPLOY)
            continue
        yield from differing(
            role.name, [*_trust(role, live), *_limits(role, live), *_more(patient, role)], REDEPLOY
        )
    for policy in patient.of_type("AWS::IAM::ManagedPolicy"):
        yield from differing(policy.name, _policy(patient, policy), REDEPLOY)


def _policy(patient: Patient, policy: Resource) -> Iterator[str]:
    """How a managed policy (a boundary, say) differs; one that is gone is told by its roles."""
    iam, wanted = patient.client("iam"), policy.properties["PolicyDocument"]
    if is_pending(wanted):
        return
    try:
        version = iam.get_policy(PolicyArn=policy.physical_id)["Policy"]["DefaultVersionId"]
    except ClientError as fault:
        if error_code(fault) != "NoSuchEntity":
            raise
        yield "the policy does not exist"
        return
    found = iam.get_policy_version(PolicyArn=policy.physical_id, VersionId=version)
    yield from policies.differences(wanted, found["PolicyVersion"]["Document"])


def _live(patient: Patient, role: Resource) -> Mapping[str, Any] | None:
    """The role as IAM has it; None when it is not there."""
    key = f"role {role.name}"
    if key not in patient.memo:
        patient.memo[key] = _read_role(patient, role.name)
    found: Mapping[str, Any] | None = patient.memo[key]
    return found


def _read_role(patient: Patient, name: str) -> Any:
    try:
        return patient.client("iam").get_role(RoleName=name)["Role"]
    except ClientError as fault:
        if error_code(fault) == "NoSuchEntity":
            return None
        raise


def _trust(role: Resource, live: Mapping[str, Any]) -> Iterator[str]:
    """How the trust policy differs; trust in a federation has a check of its own."""
    wanted = role.properties["AssumeRolePolicyDocument"]
    if not is_pending(wanted):
        found = live["AssumeRolePolicyDocument"]
        plain = _without_federation(wanted), _without_federation(found)
        yield from (f"trust policy: {one}" for one in policies.differences(*plain))


def _without_federation(document: Any) -> policies.Document:
    found = policies.parsed(document)["Statement"]
    every = found if isinstance(found, list) else [found]
    return {"Statement": [one for one in every if not _federation(one)]}


def _federation(statement: Mapping[str, Any]) -> str:
    principal = statement.get("Principal")
    return str(principal.get("Federated", "")) if isinstance(principal, Mapping) else ""


def _limits(role: Resource, live: Mapping[str, Any]) -> Iterator[str]:
    wanted = role.text("PermissionsBoundary")
    found = live.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
    if found != wanted and not is_pending(role.properties.get("PermissionsBoundary", "")):
        yield f"its permissions boundary is {found or 'missing'}, not {wanted or 'none'}"


def _more(patient: Patient, role: Resource) -> Iterator[str]:
    """What the role may do beyond its template; what it lacks is found by simulation."""
    iam = patient.client("iam")
    attached = iam.list_attached_role_policies(RoleName=role.name)["AttachedPolicies"]
    wanted = [str(arn) for arn in role.properties.get("ManagedPolicyArns", [])]
    for policy in attached:
        if policy["PolicyArn"] not in wanted and not is_pending(wanted):
            yield f"policy {policy['PolicyName']} is attached, which the template does not do"
    documents = {p["PolicyName"]: p["PolicyDocument"] for p in role.properties.get("Policies", [])}
    for name in iam.list_role_policies(RoleName=role.name)["PolicyNames"]:
        found = iam.get_role_policy(RoleName=role.name, PolicyName=name)["PolicyDocument"]
        if not is_pending(documents.get(name)):
            for sid in policies.beyond(documents.get(name), found):
                yield f"statement {sid} of policy {name} allows more than the template does"


def permissions(patient: Patient) -> Iterator[Finding]:
    """Each role may do everything that its template grants it."""
    arns = {role.name: _live(patient, role) for role in patient.of_type(_ROLE)}
    asked = [
        question
        for role in patient.of_type(_ROLE)
        if (live := arns[role.name]) is not None
        for question in simulation.questions(patient, role, live["Arn"])
    ]
    by_role: dict[str, list[simulation.Denial]] = {}
    for denial in simulation.denials(patient, asked):
        by_role.setdefault(denial.role_arn, []).append(denial)
    for arn, denied in by_role.items():
        yield Finding(arn.rpartition("/")[2], _told(denied), _remedy(denied))


def _told(denied: list[simulation.Denial]) -> str:
    first, sids = denied[0], list(dict.fromkeys(one.sid for one in denied))
    more = f", and {len(denied) - 1} more" if len(denied) > 1 else ""
    return (
        f"may not {first.action} on {first.resource} ({first.decision}){more}; "
        f"what the template grants as {', '.join(sids)}"
    )


def _remedy(denied: list[simulation.Denial]) -> str:
    if not all(one.within_organisation for one in denied):
        return "a service control policy of the organisation denies it: ask its administrators"
    if not all(one.within_boundary for one in denied):
        return "the role's permissions boundary leaves it out: widen the boundary"
    return REDEPLOY


def federation(patient: Patient) -> Iterator[Finding]:
    """Roles for a CI of another company: only its repository, only for us, without keys."""
    trusting = [
        (role, statement)
        for role in patient.of_type(_ROLE)
        if (live := _live(patient, role)) is not None
        for statement in _statements(live["AssumeRolePolicyDocument"])
        if _federation(statement)
    ]
    if not trusting and not list(patient.of_type("AWS::IAM::OIDCProvider")):
        raise NothingToLookAt("no role trusts an identity provider")
    for role, statement in trusting:
        provider = _federation(statement)
        yield from _provider(patient, role, provider)
        yield from differing(
            role.name,
            [*_open_door(statement), *_other_federation(role, statement)],
            f"bind the trust to {_AUDIENCE} and to one repository and environment; {REDEPLOY}",
        )


def _statements(document: Any) -> list[Mapping[str, Any]]:
    found = policies.parsed(document)["Statement"]
    return found if isinstance(found, list) else [found]


def _provider(patient: Patient, role: Resource, arn: str) -> Iterator[Finding]:
    remedy = f"make the provider https://{_GITHUB} with audience {_AUDIENCE} again"
    try:
        found = patient.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    except ClientError as fault:
        if error_code(fault) not in ("NoSuchEntity", "NoSuchEntityException"):
            raise
        yield Finding(role.name, f"trusts {arn}, which does not exist", remedy)
        return
    if _AUDIENCE not in found.get("ClientIDList", []):
        yield Finding(arn, f"does not accept the audience {_AUDIENCE}", remedy)


def _open_door(statement: Mapping[str, Any]) -> Iterator[str]:
    keys = _condition_keys(statement)
    audience = _values(keys, ":aud")
    subject = _values(keys, ":sub")
    if audience != [_AUDIENCE]:
        yield f"its trust does not ask for the audience {_AUDIENCE}"
    if not subject or any(_is_open(one) for one in subject):
        yield "its trust lets any repository in: sub is " + (", ".join(subject) or "not asked for")


def _condition_keys(statement: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key.lower(): value
        for block in statement.get("Condition", {}).values()
        for key, value in block.items()
    }


def _values(keys: Mapping[str, Any], suffix: str) -> list[str]:
    found = [value for key, value in keys.items() if key.endswith(suffix)]
    return [str(one) for value in found for one in (value if isinstance(value, list) else [value])]


def _is_open(subject: str) -> bool:
    """Whether a pattern for `repo:owner/name:...` leaves owner or name open.

    The same holds of `repo:owner@12/name@34:...`, which names them by GitHub's numbers as well.
    """
    repository = subject.removeprefix("repo:").partition(":")[0]
    return any(one in repository for one in "*?") or "/" not in repository


def _other_federation(role: Resource, statement: Mapping[str, Any]) -> Iterator[str]:
    wanted = role.properties["AssumeRolePolicyDocument"]
    if is_pending(wanted):
        return
    federated = {"Statement": [one for one in _statements(wanted) if _federation(one)]}
    if list(policies.beyond(federated, {"Statement": [statement]})):
        yield (
            "its trust in the identity provider is not as the template has it: sub is "
            f"{_subjects([statement])}, in the template {_subjects(federated['Statement'])}"
        )


def _subjects(statements: list[Mapping[str, Any]]) -> str:
    found = [one for s in statements for one in _values(_condition_keys(s), ":sub")]
    return ", ".join(found) or "not asked for"
