"""An environment of another account, entered through its deploy role."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from signalbox import promotion_manifest
from signalbox.aws import clients, failures
from signalbox.errors import AwsCallFailed, TargetRefused, TargetUnreachable
from signalbox.promotion import PromotionTarget
from signalbox.promotion_manifest import Surroundings

if TYPE_CHECKING:
    from types_boto3_codepipeline import CodePipelineClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client
    from types_boto3_sagemaker import SageMakerClient
    from types_boto3_stepfunctions import SFNClient

SESSION_S = 3600
# S3 answers a copy when it is made: a gigabyte, perhaps from another region, takes minutes.
COPY_CONFIG = clients.CONFIG.merge(Config(read_timeout=300))
# A session is left before it ends: longer than the function may run.
_LEFT_EARLY = timedelta(minutes=16)


@dataclass
class TargetSession:
    """Clients of one target, each made when it is first asked for."""

    target: PromotionTarget
    expires_at: datetime
    _session: boto3.Session
    _made: dict[str, Any] = field(default_factory=dict)

    def _client(self, service: str, config: Config = clients.CONFIG) -> Any:
        if service not in self._made:
            self._made[service] = self._session.client(
                service,  # type: ignore[call-overload]
                region_name=self.target.region,
                config=config,
            )
        return self._made[service]

    @property
    def s3(self) -> "S3Client":
        """S3, as the deploy role."""
        client: S3Client = self._client("s3", COPY_CONFIG)
        return client

    @property
    def sagemaker(self) -> "SageMakerClient":
        """SageMaker, as the deploy role."""
        client: SageMakerClient = self._client("sagemaker")
        return client

    @property
    def stepfunctions(self) -> "SFNClient":
        """Step Functions, as the deploy role."""
        client: SFNClient = self._client("stepfunctions")
        return client

    @property
    def codepipeline(self) -> "CodePipelineClient":
        """CodePipeline, as the deploy role."""
        client: CodePipelineClient = self._client("codepipeline")
        return client

    @property
    def functions(self) -> "LambdaClient":
        """Lambda, as the deploy role."""
        client: LambdaClient = self._client("lambda")
        return client

    def wiring(self, app: str) -> dict[str, str]:
        """What a promotion has to know of the environment, by the last part of the names."""
        path = f"/{app}/{self.target.environment}"
        names = [f"{path}/{name}" for name in promotion_manifest.WIRED]
        found = self._client("ssm").get_parameters(Names=names)["Parameters"]
        return {p["Name"].removeprefix(f"{path}/"): p["Value"] for p in found}


_SESSIONS: dict[str, TargetSession] = {}


def forget() -> None:
    """Drop the sessions, so that the next use assumes its role anew."""
    _SESSIONS.clear()


def enter(target: PromotionTarget) -> TargetSession:
    """A session under the target's deploy role, kept until shortly before it ends.

    Raises TargetUnreachable when the role does not let us in.
    """
    known = _SESSIONS.get(target.deploy_role_arn)
    if known and known.target == target and known.expires_at > datetime.now(UTC) + _LEFT_EARLY:
        return known
    made = _assume(target)
    _SESSIONS[target.deploy_role_arn] = made
    return made


def _assume(target: PromotionTarget) -> TargetSession:
    try:
        answer = clients.sts().assume_role(
            RoleArn=target.deploy_role_arn,
            RoleSessionName=f"promotion-to-{target.environment}",
            DurationSeconds=SESSION_S,
        )
    except ClientError as error:
        if failures.code_of(error) not in failures.DENIED:
            raise
        raise TargetUnreachable(
            f"{target.deploy_role_arn} of {target.environment} cannot be assumed: "
            f"{_message(error)}. Deploy the template there with PromotionSourceAccounts naming "
            "this account, and here with PromotionTargetAccounts naming that one"
        ) from error
    given = answer["Credentials"]
    session = boto3.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        region_name=target.region,
    )
    return TargetSession(target, given["Expiration"], session)


def surroundings(app: str, session: TargetSession) -> Surroundings:
    """The environment as its parameters tell it; raises TargetUnreachable when they do not."""
    return promotion_manifest.surroundings(app, session.target, session.wiring(app))


@contextmanager
def calls_told_apart(where: str) -> Iterator[None]:
    """AWS's errors as those that the promotion machine branches on.

    A denial, by a role, a bucket or a key, is TargetRefused and final; throttling, a conflict and
    a fault of the service are AwsCallFailed and tried again; any other error goes on as it is.
    """
    try:
        yield
    except ClientError as error:
        code, status = failures.code_of(error), failures.status_of(error)
        said = f"{where}: {error.operation_name} failed with {code}: {_message(error)}"
        if code in failures.DENIED or code.startswith("KMS") or status == 403:
            raise TargetRefused(f"{said}. Nothing that serves was touched") from error
        if code in failures.THROTTLED | failures.CONCURRENT_WRITE or status >= 500:
            raise AwsCallFailed(said) from error
        raise
    except HTTPClientError as error:  # no answer at all: a time-out, a connection that broke
        raise AwsCallFailed(f"{where}: {error}") from error


def _message(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Message", "") or "no message"
