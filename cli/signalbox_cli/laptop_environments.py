"""What is deployed on the laptop: an environment's account, stack, and way to the next one.

The accounts are the laptop's own (localaws.accounts); nothing heavy is imported here.
"""

from collections.abc import Mapping, Sequence

from delivery import settings
from delivery.model import Settings
from localaws.accounts import ACCOUNTS, BY_ENVIRONMENT, DELIVERY

ENVIRONMENTS = tuple(name for name in BY_ENVIRONMENT if name not in DELIVERY)
"""In the order of promotion."""


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


def settings_of(*, app: str, region: str) -> Settings:
    """The settings of delivery/environments/, in the laptop's accounts."""
    accounts = {account.environment: account.id for account in ACCOUNTS}
    return settings.relocated(settings.load(), accounts, region, app)


def promotion_parameters(
    environment: str, environments: Sequence[str], *, app: str, region: str
) -> Mapping[str, str]:
    """Template parameters that lead from the first environment to each of the others.

    The first one drives the whole path: its promotion takes a version into every other, in order.
    """
    found = settings_of(app=app, region=region)
    if environment not in found.environments:
        return {}  # whoever has no staging.toml can have a staging here all the same
    made = settings.promotion_parameters(found, environment, environments)
    if made.get("PromotionApproval") == "none":
        # Where nobody is asked, a laptop takes code as well: it is there to try both ways.
        return {**made, "PromotionOfCode": "accepted"}
    return made
