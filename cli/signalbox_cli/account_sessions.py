"""Credentials for several accounts at once: a profile for each, a role in each, or the laptop's.

Each account is asked who it is before anything is done in it: a profile that leads to another
account is found before it can deploy there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from delivery.model import Place
from signalbox_cli.errors import CommandError, TargetUnreachableError
from signalbox_cli.target import Target, announced_laptop

_SESSION = "signalbox-bootstrap"


@dataclass(frozen=True)
class Accounts:
    """How to reach each account; `profiles` by part (operations, data, dev, staging, prod)."""

    profiles: Mapping[str, str] = field(default_factory=dict)
    role_name: str = ""
    """Assumed in every account that has no profile, with the caller's own credentials."""
    endpoint_url: str | None = None
    keys: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Access keys by account, the laptop's."""
    _made: dict[tuple[str, str], Target] = field(default_factory=dict, repr=False, compare=False)

    def target(self, part: str, place: Place) -> Target:
        """Clients in one region of an account; raises TargetUnreachableError without credentials.

        Raises CommandError when the credentials are those of another account.
        """
        key = (place.account, place.region)
        if key not in self._made:
            target = self._target(part, place)
            _check(target, part, place)
            self._made[key] = target
        return self._made[key]

    def _target(self, part: str, place: Place) -> Target:
        keys = self.keys.get(place.account)
        if self.endpoint_url and keys is not None:
            return Target(
                environment=part,
                region=place.region,
                endpoint_url=self.endpoint_url,
                access_key_id=keys["accessKeyId"],
                secret_access_key=keys["secretAccessKey"],
            )
        name = part.partition("/")[0]
        return _WithSession(
            environment=part,
            region=place.region,
            endpoint_url=self.endpoint_url,
            session=self._session(name, place),
        )

    def _session(self, name: str, place: Place) -> Any:
        import boto3

        profile = self.profiles.get(name)
        if profile is not None:
            return boto3.Session(profile_name=profile, region_name=place.region)
        own = boto3.Session(region_name=place.region)
        if not self.role_name or _account_of(own, self.endpoint_url) == place.account:
            return own
        answer = own.client("sts", endpoint_url=self.endpoint_url).assume_role(
            RoleArn=f"arn:aws:iam::{place.account}:role/{self.role_name}", RoleSessionName=_SESSION
        )["Credentials"]
        return boto3.Session(
            aws_access_key_id=answer["AccessKeyId"],
            aws_secret_access_key=answer["SecretAccessKey"],
            aws_session_token=answer["SessionToken"],
            region_name=place.region,
        )


@dataclass(frozen=True)
class _WithSession(Target):
    """A target whose credentials are not a plain key."""

    session: Any = field(default=None, repr=False, compare=False)

    def _session(self) -> Any:
        return self.session


def _account_of(session: Any, endpoint_url: str | None) -> str:
    found = session.client("sts", endpoint_url=endpoint_url).get_caller_identity()
    return str(found["Account"])


def _check(target: Target, part: str, place: Place) -> None:
    found = str(target.client("sts").get_caller_identity()["Account"])
    if found != place.account:
        raise CommandError(
            f"{part} belongs into account {place.account}, and these credentials are of {found}: "
            f"give --profile {part.partition('/')[0]}=NAME, or --role NAME for a role that may be "
            "assumed in every account"
        )


def laptop_accounts() -> Accounts:
    """The laptop that `signalbox up` serves from this folder, all of its accounts."""
    up = announced_laptop()
    if up is None:
        raise TargetUnreachableError(
            "no laptop's AWS is up in this folder; start one with "
            "`signalbox up --environments dev,staging,prod`"
        )
    from localaws.accounts import ACCOUNTS

    keys = {
        account.id: {
            "accessKeyId": account.access_key_id,
            "secretAccessKey": account.secret_access_key,
        }
        for account in ACCOUNTS
    }
    return Accounts(endpoint_url=up["url"], keys=keys)
