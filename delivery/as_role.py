"""Run a command with the credentials of an assumed role.

    python -m delivery.as_role ROLE [--session-name NAME] -- COMMAND [ARGUMENT ...]

ROLE is an ARN, or ENVIRONMENT/KIND of delivery/environments (dev/delivery, staging/acceptance) with
a further region of the environment at the end (prod/delivery/eu-west-1); by that name the command
gets the region, too, as its default. The caller comes from
boto3's default chain: a build's role, a workflow's web identity, a profile. A session of a role
that assumes another ends after an hour (IAM User Guide, "Role chaining").
"""

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence

from delivery import settings
from delivery.model import Settings
from delivery.toml_reading import SettingsError

DURATION_S = 3600
# Left in place they would win over, or mix with, the keys of the assumed role.
_OTHER_WAYS = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SECURITY_TOKEN",
)
# Who calls, in CloudTrail: the run of whichever CI this is.
_RUN_VARIABLES = ("GITHUB_RUN_ID", "CODEBUILD_BUILD_NUMBER", "CIRCLE_WORKFLOW_ID", "USER")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")


class RoleError(Exception):
    """The role cannot be had; the message says whose it is and what to look at."""


def role_arn(name: str) -> str:
    """The ARN of ENVIRONMENT/KIND[/REGION]; an ARN as it is. Raises RoleError for anything else."""
    if _ROLE.fullmatch(name):
        return name
    environment, slash, rest = name.partition("/")
    kind, _, region = rest.partition("/")
    try:
        if slash:
            found = settings.load()
            arn = found.role_arn(environment, kind, region)
            _check_region(found, environment, region)
            return arn
    except KeyError as error:
        raise RoleError(f"{name}: {error.args[0]}") from None
    raise RoleError(
        f"{name} is neither the ARN of a role nor ENVIRONMENT/KIND, such as dev/delivery"
    )


def _check_region(found: Settings, environment: str, region: str) -> None:
    """Raises RoleError for a region that is none of the environment's."""
    is_operations = environment == "operations"
    known = (found.operations.region,) if is_operations else found.environments[environment].regions
    if region and region not in known:
        raise RoleError(f"{environment} is not in {region}, only in {', '.join(known)}")


def session_name(variables: Mapping[str, str]) -> str:
    """2 to 64 characters of those that STS takes.

    >>> session_name({"GITHUB_RUN_ID": "17"})
    'delivery-17'
    """
    run = next((variables[name] for name in _RUN_VARIABLES if variables.get(name)), "unnamed")
    return re.sub(r"[^\w+=,.@-]", "-", f"delivery-{run}", flags=re.ASCII)[:64]


def region_of(name: str) -> dict[str, str]:
    """The region of ENVIRONMENT/KIND as variables; nothing for an ARN, which has none."""
    if _ROLE.fullmatch(name):
        return {}
    found = settings.load()
    environment, _, rest = name.partition("/")
    place = found.operations if environment == "operations" else found.environments[environment]
    region = rest.partition("/")[2] or place.region
    return {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}


def environment_of(keys: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process that acts as the role, and as nobody else."""
    kept = {name: value for name, value in variables.items() if name not in _OTHER_WAYS}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }


def assume(arn: str, name: str) -> dict[str, str]:
    """AccessKeyId, SecretAccessKey and SessionToken; raises RoleError."""
    import boto3
    from botocore import exceptions

    try:
        sts = boto3.client("sts")
        answer = sts.assume_role(RoleArn=arn, RoleSessionName=name, DurationSeconds=DURATION_S)
    except exceptions.ClientError as error:
        raise RoleError(
            f"{arn} cannot be assumed: {error.response['Error'].get('Message', error)}. Its "
            "trust policy is in delivery/account.yaml: is it deployed in that account, and is this "
            "caller one that it names?"
        ) from None
    except exceptions.BotoCoreError as error:
        raise RoleError(f"nobody to assume {arn}: {error}") from None
    keys = answer["Credentials"]
    return {name: keys[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Become the command; 2 when it cannot be started, 127 when there is no such command."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="python -m delivery.as_role",
        usage="%(prog)s ROLE [--session-name NAME] -- COMMAND ...",
    )
    parser.add_argument("role", metavar="ROLE")
    parser.add_argument("--session-name", default=session_name(os.environ), metavar="NAME")
    if "--" not in given or given[-1] == "--":
        parser.error("write the command after --")
    at = given.index("--")
    chosen, command = parser.parse_args(given[:at]), given[at + 1 :]
    try:
        arn = role_arn(chosen.role)
        variables = {**os.environ, **region_of(chosen.role)}
        keys = assume(arn, chosen.session_name)
    except (RoleError, SettingsError) as fault:
        print(f"as_role: {fault}", file=sys.stderr)  # noqa: T201
        return 2
    return _become(command, environment_of(keys, variables))


def _become(command: list[str], variables: Mapping[str, str]) -> int:
    try:
        os.execvpe(command[0], command, dict(variables))  # noqa: S606 - no shell is wanted
    except OSError as error:
        print(f"as_role: {command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 127


if __name__ == "__main__":
    sys.exit(main())
