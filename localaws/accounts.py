"""The AWS accounts of the laptop: one for each environment and two for delivery, as AWS recommends.

All are served by one process at one address; who signs a request decides whose account it acts in.
Values only: imports the context, so that the command can read it without loading the server.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from localaws.context import ACCOUNT_ID, DEVELOPER_KEY_ID, DEVELOPER_SECRET

DEVELOPER = "developer"
"""The IAM user that each account has; in its own account it may do everything."""


@dataclass(frozen=True)
class Account:
    """One account, and the access key of its user `developer`."""

    environment: str
    """The environment that is deployed in it, or the account's part in delivery."""
    id: str
    access_key_id: str
    secret_access_key: str
    user_id: str

    @property
    def developer_arn(self) -> str:
        """The ARN of its user `developer`."""
        return f"arn:aws:iam::{self.id}:user/{DEVELOPER}"


# The keys open this one laptop, on loopback, and nothing else: published on purpose.
ACCOUNTS: tuple[Account, ...] = (
    Account("dev", ACCOUNT_ID, DEVELOPER_KEY_ID, DEVELOPER_SECRET, "AIDALAPTOPDEVELOPER0"),
    Account(
        "staging",
        "210987654321",
        "AKIALAPTOPDEVELOPER1",
        "laptop-developer-secret-of-staging",
        "AIDALAPTOPDEVELOPER1",
    ),
    Account(
        "prod",
        "345678901234",
        "AKIALAPTOPDEVELOPER2",
        "laptop-developer-secret-of-prod",
        "AIDALAPTOPDEVELOPER2",
    ),
    Account(
        "operations",
        "567890123456",
        "AKIALAPTOPDEVELOPER3",
        "laptop-developer-secret-of-operations",
        "AIDALAPTOPDEVELOPER3",
    ),
    Account(
        "data",
        "678901234567",
        "AKIALAPTOPDEVELOPER4",
        "laptop-developer-secret-of-data",
        "AIDALAPTOPDEVELOPER4",
    ),
)

DELIVERY = ("operations", "data")
"""The accounts in which no environment is deployed: where deliveries start, where data is kept."""

BY_ENVIRONMENT: Mapping[str, Account] = {account.environment: account for account in ACCOUNTS}
BY_ID: Mapping[str, Account] = {account.id: account for account in ACCOUNTS}
