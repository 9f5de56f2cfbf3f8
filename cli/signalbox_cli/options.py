"""Options that every command has, and the process edge where faults become messages."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from signalbox_cli.console import Output
from signalbox_cli.errors import CommandError, TargetUnreachableError
from signalbox_cli.target import Target, app_here, resolve_target

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Session:
    """What a command works with: where, and how to answer."""

    target: Target
    output: Output

    @property
    def flag(self) -> str:
        """What leads the next command to the same place, for hints."""
        return " --local" if self.target.is_announced else ""


ENVIRONMENTS = ("dev", "staging", "prod")

app_option = click.option(
    "--app",
    default=app_here,
    show_default="this checkout's",
    help="The template's AppName.",
)
environment_option = click.option(
    "-e",
    "--environment",
    default="dev",
    show_default=True,
    envvar="SIGNALBOX_ENVIRONMENT",
    type=click.Choice(ENVIRONMENTS),
    help="One deployed stack.",
)


def json_option(command: Command) -> Command:
    """`--json`: results as JSON on standard output."""
    option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    return option(command)


def with_session(command: Command) -> Callable[..., Any]:
    """Give a command its Session from the target options and `--json`."""

    @json_option
    @app_option
    @environment_option
    @click.option("--region", help="AWS region; otherwise the AWS configuration's.")
    @click.option("--endpoint-url", help="Another AWS endpoint; otherwise AWS_ENDPOINT_URL.")
    @click.option("--local", is_flag=True, help="The laptop that `signalbox up` serves here.")
    @functools.wraps(command)
    def run(
        *args: Any,
        local: bool,
        endpoint_url: str | None,
        region: str | None,
        environment: str,
        app: str,
        as_json: bool,
        **kwargs: Any,
    ) -> Any:
        target = resolve_target(
            local=local, endpoint_url=endpoint_url, region=region, environment=environment, app=app
        )
        session = Session(target, Output(as_json=as_json))
        return command(session, *args, **kwargs)

    return run


def explain_fault(fault: Exception) -> CommandError | None:
    """The message for a fault of a file or of botocore, or None for one that is ours."""
    if isinstance(fault, OSError) and fault.filename is not None:
        return CommandError(f"{fault.filename}: {(fault.strerror or str(fault)).lower()}")
    return _explain_client_fault(fault)


_ENDED_SESSION = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId"}
_ENDED_SESSION |= {"UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


def _explain_client_fault(fault: Exception) -> CommandError | None:
    from botocore import exceptions

    if isinstance(fault, exceptions.NoRegionError):
        return TargetUnreachableError(
            "no AWS region is chosen: give --region, set AWS_DEFAULT_REGION, or use --local for "
            "the laptop that `signalbox up` serves"
        )
    if isinstance(fault, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return TargetUnreachableError(
            "no AWS credentials were found: sign in (`aws sso login`), or use --local for the "
            "laptop that `signalbox up` serves"
        )
    if isinstance(fault, exceptions.EndpointConnectionError | exceptions.ConnectionClosedError):
        return TargetUnreachableError(f"nobody answers: {fault}")
    if isinstance(fault, exceptions.ProfileNotFound | exceptions.TokenRetrievalError):
        return TargetUnreachableError(f"no AWS credentials: {fault}")
    if isinstance(fault, exceptions.ClientError):
        if fault.response["Error"]["Code"] in _ENDED_SESSION:
            return TargetUnreachableError(
                f"AWS refused the credentials: {_refusal(fault)}. Sign in again, or use --local"
            )
        return CommandError(f"AWS refused {fault.operation_name}: {_refusal(fault)}")
    return None


def _refusal(fault: Any) -> str:
    answer = fault.response["Error"]
    return f"{answer['Code']}: {answer.get('Message', '')}"
