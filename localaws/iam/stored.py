"""The policies that bear on a principal, read from the IAM store and compiled once.

Kept until something is written through the IAM API (see `forget`). Imports seams and policy only.
"""

import threading
from dataclasses import dataclass
from typing import Any

from localaws.iam.identity import Principal
from localaws.iam.policy import Policy, compile_policy
from localaws.moto_seams import iam as moto_seams_iam

_SERVICE_ROLE_NAMES = ("user", "session")


@dataclass(frozen=True)
class Held:
    """Identity policies and boundary of one user or role."""

    identity: tuple[Policy, ...]
    boundary: Policy | None


NOTHING = Held((), None)

_cache: dict[str, Held] = {}
_lock = threading.Lock()
_generation = 0


def forget() -> None:
    """Read everything anew at the next decision; called after each write to IAM."""
    global _generation  # noqa: PLW0603 - one store of IAM per process
    with _lock:
        _generation += 1
        _cache.clear()


def held_by(principal: Principal) -> Held:
    """The policies of a principal; none when its role or user no longer exists."""
    if principal.kind not in _SERVICE_ROLE_NAMES:
        return NOTHING
    key = principal.role_arn or principal.arn
    found = _cache.get(key)
    if found is None:
        generation = _generation
        found = _read(principal)
        with _lock:
            if generation == _generation:  # else IAM was written to while this was read
                _cache[key] = found
    return found


def _read(principal: Principal) -> Held:
    if principal.kind == "session":
        role = moto_seams_iam.find_role(principal.account, principal.name)
        return _of(principal.account, role) if role else NOTHING
    user = moto_seams_iam.iam_store(principal.account).users.get(principal.name)
    return _of_user(principal.account, user) if user else NOTHING


def _of(account: str, holder: Any) -> Held:
    boundary = getattr(holder, "permissions_boundary_arn", None)
    return Held(
        identity=tuple(_inline(holder.policies) + _managed(holder.managed_policies)),
        boundary=managed_policy(account, boundary) if boundary else None,
    )


def _of_user(account: str, user: Any) -> Held:
    policies = list(_of(account, user).identity)
    for group in moto_seams_iam.iam_store(account).get_groups_for_user(user.name):
        policies += _of(account, group).identity
    return Held(tuple(policies), _of(account, user).boundary)


def _inline(policies: dict[str, Any]) -> list[Policy]:
    return [compile_policy(name, document) for name, document in policies.items()]


def _managed(policies: dict[str, Any]) -> list[Policy]:
    return [_compiled(policy) for policy in policies.values()]


def _compiled(policy: Any) -> Policy:
    current = next(version for version in policy.versions if version.is_default)
    return compile_policy(policy.arn, current.document)


def documents_of(account: str, role: moto_seams_iam.StoredRole) -> dict[str, str]:
    """A role's identity policies as text, under the names that records use."""
    managed = {
        arn: moto_seams_iam.managed_policy_document(account, arn) for arn in role.managed_policies
    }
    return dict(role.policies) | managed


def managed_policy(account: str, arn: str) -> Policy:
    """A managed policy by ARN; one that does not exist allows nothing."""
    return compile_policy(arn, moto_seams_iam.managed_policy_document(account, arn))
