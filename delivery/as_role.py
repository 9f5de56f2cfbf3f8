"""Run a command with the credentials of an assumed role.

    python -m delivery.as_role ROLE [--session-name NAME] -- COMMAND [ARGUMENT ...]

ROLE is an ARN, or ENVIRONMENT/KIND of delivery/environments (dev/delivery, staging/acceptance) with
a further region of the environment at the end (prod/delivery/eu-west-1); by that name the command
gets the region, too, as its default. The caller comes from boto3's default chain: a build's role, a
workflow's web identity, a profile.

A session of a role that assumes another ends after an hour (IAM User Guide, "Role chaining"), and
work may take longer. So the command gets no keys but a way to them: an AWS configuration whose
`credential_process` is `python -m delivery.as_role --credentials`, which AWS's SDKs call again
before a session ends. How the caller itself is known is carried along under other names, and given
back to that process alone. It lasts as long as the caller's own credentials do.
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from delivery import settings
from delivery.model import Settings
from delivery.toml_reading import SettingsError

DURATION_S = 3600
# Left in place they would win over, or mix with, the assumed role.
_OTHER_WAYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_SESSION_NAME",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SECURITY_TOKEN",
)
_CALLERS = "SIGNALBOX_CALLER_"
_ROLE_VARIABLE, _SESSION_VARIABLE = "SIGNALBOX_ROLE", "SIGNALBOX_ROLE_SESSION"
STATE = Path(".signalbox") / "roles"
"""Where configurations lie; there is no secret in them."""
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


def environment_of(arn: str, name: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process that acts as the role, and as nobody else."""
    hidden = {f"{_CALLERS}{key}": variables[key] for key in _OTHER_WAYS if key in variables}
    kept = {key: value for key, value in variables.items() if key not in _OTHER_WAYS}
    return {
        **kept,
        **hidden,
        _ROLE_VARIABLE: arn,
        _SESSION_VARIABLE: name,
        "AWS_CONFIG_FILE": str(_configuration()),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def callers(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of the caller, of those of a process that acts as a role."""
    own = {
        key: value
        for key, value in variables.items()
        if key not in _OTHER_WAYS and not key.startswith(_CALLERS)
    }
    given = {k: v for k, v in variables.items() if k.startswith(_CALLERS)}
    return {**own, **{key.removeprefix(_CALLERS): value for key, value in given.items()}}


def _configuration() -> Path:
    """An AWS configuration file that asks this module for credentials."""
    place = f"PYTHONPATH={Path(__file__).resolve().parents[1]}"
    words = ["env", place, sys.executable, "-m", "delivery.as_role", "--credentials"]
    text = f"[default]\ncredential_process = {shlex.join(words)}\n"
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = STATE.resolve() / f"{name}.ini"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{name}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    return partial.replace(path)


def assume(arn: str, name: str) -> dict[str, str]:
    """AccessKeyId, SecretAccessKey, SessionToken and Expiration (ISO 8601); raises RoleError."""
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
    named = {name: keys[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
    return {**named, "Expiration": keys["Expiration"].isoformat()}


def _print_credentials() -> int:
    """What an SDK asks a credential_process for; 2 when they cannot be had."""
    own = callers(os.environ)
    os.environ.clear()
    os.environ.update(own)
    try:
        keys = assume(own[_ROLE_VARIABLE], own[_SESSION_VARIABLE])
    except RoleError as fault:
        print(f"as_role: {fault}", file=sys.stderr)  # noqa: T201
        return 2
    sys.stdout.write(json.dumps({"Version": 1, **keys}))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Become the command; 2 when it cannot be started, 127 when there is no such command."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--credentials"]:
        return _print_credentials()
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
        if _ROLE_VARIABLE in os.environ:
            raise RoleError(f"this acts as {os.environ[_ROLE_VARIABLE]} already")
        arn = role_arn(chosen.role)
        variables = {**os.environ, **region_of(chosen.role)}
        assume(arn, chosen.session_name)  # who may not is told before anything is begun
    except (RoleError, SettingsError) as fault:
        print(f"as_role: {fault}", file=sys.stderr)  # noqa: T201
        return 2
    return _become(command, environment_of(arn, chosen.session_name, variables))


def _become(command: list[str], variables: Mapping[str, str]) -> int:
    try:
        os.execvpe(command[0], command, dict(variables))  # noqa: S606 - no shell is wanted
    except OSError as error:
        print(f"as_role: {command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 127


if __name__ == "__main__":
    sys.exit(main())
