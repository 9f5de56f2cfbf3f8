"""The decision itself: given a request and all policies that bear on it, allowed or not, and why.

Rules: IAM User Guide, "Policy evaluation logic" and "Cross-account policy evaluation logic"
(read 2026-11). Values in, values out: the same function decides live requests and old records.
"""

from dataclasses import dataclass

from localaws.iam.policy import Policy, Request

IDENTITY = "identity-based policy"
RESOURCE = "resource-based policy"
BOUNDARY = "permissions boundary"
SESSION = "session policy"


@dataclass(frozen=True)
class Policies:
    """Everything that can allow or deny one request."""

    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: tuple[Policy, ...] = ()
    resource: Policy | None = None


@dataclass(frozen=True)
class Verdict:
    """What one kind of policy says: `denies` and `allows` are statement ids, "" for none."""

    denies: str = ""
    allows: str = ""
    grant: str = ""
    """Of a resource policy: the way its Principal covers the caller, see Principals.grants."""


@dataclass(frozen=True)
class Decision:
    """The outcome for one action on one resource."""

    allowed: bool
    reason: str
    matched: tuple[str, ...]
    """Ids of the statements that made the outcome."""
    resource: Verdict = Verdict()


NO_OPINION = Verdict()

_DIRECT = ("session", "user", "role", "anyone", "service", "federated")
_ORDER = ("", "account", "anyone", "role", "user", "session", "service", "federated")
"""Ways in which a resource policy covers a caller, weakest first."""


def identity_verdict(policies: tuple[Policy, ...], request: Request) -> Verdict:
    """What policies without principals say; a denial ends the search."""
    allows = ""
    for policy in policies:
        for statement in policy.statements:
            if (statement.allows and allows) or not statement.speaks_about(request):
                continue
            if not statement.allows:
                return Verdict(denies=statement.id)
            allows = statement.id
    return Verdict(allows=allows)


def resource_verdict(policy: Policy | None, request: Request) -> Verdict:
    """What a resource's own policy says about the caller."""
    best = NO_OPINION
    for statement in policy.statements if policy else ():
        grant = statement.principals.grants(request.caller) if statement.principals else ""
        if not grant or not statement.speaks_about(request):
            continue
        if not statement.allows:
            return Verdict(denies=statement.id)
        if _ORDER.index(grant) > _ORDER.index(best.grant):
            best = Verdict(allows=statement.id, grant=grant)
    return best


def decide(
    request: Request,
    policies: Policies,
    *,
    resource_account: str,
    resource_policy_required: bool = False,
) -> Decision:
    """The decision about `request`.

    `resource_policy_required`: nothing is allowed unless the resource's policy lets it, as for KMS
    keys and for assuming roles.
    """
    found = resource_verdict(policies.resource, request)
    return combine(
        request,
        policies,
        found,
        same_account=resource_account in ("", request.caller.account),
        resource_policy_required=resource_policy_required,
    )


def combine(
    request: Request,
    policies: Policies,
    resource: Verdict,
    *,
    same_account: bool,
    resource_policy_required: bool = False,
) -> Decision:
    """The decision, given what the resource's policy says already."""
    identity = identity_verdict(policies.identity, request)
    boundary = identity_verdict((policies.boundary,), request) if policies.boundary else None
    session = identity_verdict(policies.session, request) if policies.session else None
    spoken = ((IDENTITY, identity), (RESOURCE, resource), (BOUNDARY, boundary), (SESSION, session))
    for kind, verdict in spoken:
        if verdict and verdict.denies:
            reason = f"with an explicit deny in {_article(kind)} {kind}"
            return Decision(False, reason, (verdict.denies,), resource)
    if request.caller.kind in ("service", "anonymous", "federated"):
        return _by_resource_alone(request, resource)
    if resource_policy_required and not resource.allows:
        return _silence(RESOURCE, request, resource)
    if not same_account and not resource.allows:
        missing = RESOURCE if identity.allows else IDENTITY
        return _silence(missing, request, resource)
    return _within_limits(request, resource, identity, boundary, session, same_account=same_account)


def _within_limits(
    request: Request,
    resource: Verdict,
    identity: Verdict,
    boundary: Verdict | None,
    session: Verdict | None,
    *,
    same_account: bool,
) -> Decision:
    direct = same_account and resource.grant in _DIRECT
    if direct and resource.grant in ("session", "user"):
        return Decision(True, f"allowed by {RESOURCE}", (resource.allows,), resource)
    if not (identity.allows or direct):
        return _silence(IDENTITY, request, resource)
    for kind, limit in ((BOUNDARY, boundary), (SESSION, session)):
        if limit is not None and not limit.allows:
            return _silence(kind, request, resource)
    matched = [v.allows for v in (identity, boundary, session) if v is not None and v.allows]
    if resource.allows and (direct or not same_account):
        matched.append(resource.allows)
    return Decision(
        True, f"allowed by {IDENTITY if identity.allows else RESOURCE}", tuple(matched), resource
    )


def _by_resource_alone(request: Request, resource: Verdict) -> Decision:
    if resource.allows:
        return Decision(True, f"allowed by {RESOURCE}", (resource.allows,), resource)
    return _silence(RESOURCE, request, resource)


def _silence(kind: str, request: Request, resource: Verdict) -> Decision:
    reason = f"because no {kind} allows the {request.action} action"
    return Decision(False, reason, (), resource)


def _article(kind: str) -> str:
    return "an" if kind[0] in "aeiou" else "a"
