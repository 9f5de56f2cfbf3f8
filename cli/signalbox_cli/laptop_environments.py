"""What is deployed on the laptop: an environment's account, stack, and way to the next one.

The accounts are the laptop's own (localaws.accounts); nothing heavy is imported here.
"""

import json
from collections.abc import Mapping, Sequence

from localaws.accounts import BY_ENVIRONMENT, DELIVERY

ENVIRONMENTS = tuple(name for name in BY_ENVIRONMENT if name not in DELIVERY)
"""In the order of promotion."""

# In prod a person decides once more, with prod's own registry before them.
_APPROVAL = {"prod": "manual"}


def in_order(environments: Sequence[str]) -> tuple[str, ...]:
    """The chosen environments, each once, in the order of promotion."""
    return tuple(name for name in ENVIRONMENTS if name in environments)


def credentials(environments: Sequence[str]) -> dict[str, dict[str, str]]:
    """For `.signalbox/up.json`: each environment's account and its developer's key."""
    accounts = [BY_ENVIRONMENT[name] for name in environments]
    return {
        account.environment: {
            "account": account.id,
            "accessKeyId": account.access_key_id,
            "secretAccessKey": account.secret_access_key,
        }
        for account in accounts
    }


def promotion_parameters(
    environment: str, environments: Sequence[str], *, app: str, region: str
) -> Mapping[str, str]:
    """Template parameters that lead from the first environment to each of the others.

    The first one drives the whole path: its promotion takes a version into every other, in order.
    """
    first, *others = in_order(environments)
    if not others:
        return {}
    if environment != first:
        return {"PromotionSourceAccounts": BY_ENVIRONMENT[first].id}
    return {
        "PromotionPath": json.dumps([_step(name, app=app, region=region) for name in others]),
        "PromotionTargetAccounts": ",".join(BY_ENVIRONMENT[name].id for name in others),
    }


def _step(environment: str, *, app: str, region: str) -> dict[str, str]:
    account = BY_ENVIRONMENT[environment].id
    return {
        "environment": environment,
        "account": account,
        "region": region,
        "deployRoleArn": f"arn:aws:iam::{account}:role/{app}-{environment}-deploy-{region}",
        "approval": _APPROVAL.get(environment, "none"),
        "kind": "artifact",
    }
