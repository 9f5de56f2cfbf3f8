"""What a build prints, sent to CloudWatch Logs with the service role, as on AWS."""

from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from localaws import clients, clock
from localaws.codebuild.model import CODEBUILD, Build, project_arn
from localaws.errors import LocalAwsError
from localaws.jobs.logs import LogStream, Recorder
from localaws.jobs.transfer import Courier

SESSION = "AWSCodeBuild"


@dataclass(frozen=True)
class BuildCourier(Courier):
    """Acts as the service role of one project."""

    project_arn: str = ""

    def client(self, service: str) -> object:
        """A client of the role; raises AccessDeniedByLocalAws if it cannot be assumed."""
        return clients.client_as(
            self.role_arn,
            CODEBUILD,
            service,
            region=self.region,
            session_name=SESSION,
            source_arn=self.project_arn,
        )


def courier_of(build: Build) -> BuildCourier:
    """Who carries what a build reads and writes."""
    place = build.place
    arn = project_arn(place, build.project)
    return BuildCourier(build.role_arn, place.region, place.account, arn)


class BuildStream(LogStream):
    """The stream of a build; a role that may not make it fails the build."""

    def __init__(self, courier: Courier, group: str, name: str) -> None:
        super().__init__(courier, group, name)
        self._early: list[dict[str, Any]] = []
        """What was said before there was a stream."""

    def open(self) -> None:
        """Make the stream, and its group if there is none; raises ClientError."""
        place = {"logGroupName": self.group, "logStreamName": self.name}
        try:
            self._logs.create_log_stream(**place)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            self._logs.create_log_group(logGroupName=self.group)
            self._logs.create_log_stream(**place)
        self._state = "open"
        self.write(self._early)

    def write(self, events: list[dict[str, Any]]) -> None:
        """Append events; lost when the role is gone, while the build goes on."""
        if self._state == "new":
            self._early += events
            return
        try:
            super().write(events)
        except LocalAwsError:
            self.silence()

    def silence(self) -> None:
        """Write nothing from now on."""
        self._state = "refused"


@dataclass
class BuildLog(Recorder):
    """The lines of a build; values of secrets are starred out."""

    secrets: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """A line of CodeBuild's own."""
        self.line(f"[Container] {clock.now():%Y/%m/%d %H:%M:%S.%f} {text}")

    def _append(self, text: str) -> None:
        for secret in self.secrets:
            text = text.replace(secret, "***")
        super()._append(text)
