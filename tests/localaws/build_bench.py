"""What the tests of CodeBuild share: a project with its role and bucket, and a way to wait."""

import uuid
from typing import Any

from localaws.clients import developer_client
from localaws.codebuild import service as codebuild
from localaws.events import service as events
from tests.localaws.account_world import REGION
from tests.localaws.iam_roles import allow, document, trust
from tests.localaws.pipeline_bench import ACCOUNT, PATIENCE_S

IMAGE = "aws/codebuild/amazonlinux-aarch64-standard:3.0"
ENVIRONMENT = {
    "type": "ARM_CONTAINER",
    "image": IMAGE,
    "computeType": "BUILD_GENERAL1_SMALL",
}


def build_role(name: str, *statements: dict[str, Any], account: str = ACCOUNT) -> str:
    """A role that CodeBuild may assume and that may write the logs of its builds."""
    iam = developer_client("iam", account=account)
    trusted = trust({"Service": "codebuild.amazonaws.com"})
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)
    put_policy(name, *statements, logs(), account=account)
    return str(made["Role"]["Arn"])


def put_policy(role: str, *statements: dict[str, Any], account: str = ACCOUNT) -> None:
    """Replace what a role may do."""
    developer_client("iam", account=account).put_role_policy(
        RoleName=role,
        PolicyName="inline",
        PolicyDocument=document(*statements),
    )


def logs() -> dict[str, Any]:
    """What every build needs for its log."""
    actions = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    return allow(actions, f"arn:aws:logs:{REGION}:*:log-group:/aws/codebuild/*")


class BuildBench:
    """One project made for one test."""

    def __init__(self, name: str) -> None:
        self.name = f"{name[:60]}-{uuid.uuid4().hex[:6]}"
        self.role = build_role(self.name)
        self.client = developer_client("codebuild")
        self.heard: list[dict[str, Any]] = []
        self._unsubscribe = events.subscribe(self._take)

    def _take(self, event: dict[str, Any]) -> None:
        about = event["detail"].get("project-name")
        if event["source"] == "aws.codebuild" and about == self.name:
            self.heard.append(event)

    def close(self) -> None:
        """Hear no more events."""
        self._unsubscribe()

    def grant(self, *statements: dict[str, Any]) -> None:
        """Let the role do this and write logs, nothing else."""
        put_policy(self.name, *statements, logs())

    def create(self, buildspec: str, **more: Any) -> None:
        """A project without a source that runs this buildspec."""
        request: dict[str, Any] = {
            "name": self.name,
            "source": {"type": "NO_SOURCE", "buildspec": buildspec},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": ENVIRONMENT,
            "serviceRole": self.role,
        }
        self.client.create_project(**{**request, **more})

    def start(self, **more: Any) -> str:
        """Start a build; its id."""
        return str(self.client.start_build(projectName=self.name, **more)["build"]["id"])

    def ended(self, build_id: str) -> dict[str, Any]:
        """The build, once it is over."""
        store = codebuild.running()
        found = next(build for build in store.builds.values() if build.id == build_id)
        assert found.finished.wait(PATIENCE_S), self.log(build_id)
        return dict(self.client.batch_get_builds(ids=[build_id])["builds"][0])

    def build(self, buildspec: str, **more: Any) -> dict[str, Any]:
        """Make the project, build once, and wait for the end."""
        self.create(buildspec, **more)
        return self.ended(self.start())

    def log(self, build_id: str, group: str = "") -> str:
        """What the build has printed, as CloudWatch Logs has it."""
        told = developer_client("logs").get_log_events(
            logGroupName=group or f"/aws/codebuild/{self.name}",
            logStreamName=build_id.partition(":")[2],
            startFromHead=True,
        )
        return "\n".join(event["message"] for event in told["events"])


def printed(log: str) -> list[str]:
    """The lines that commands have printed, without CodeBuild's own."""
    return [line for line in log.splitlines() if not line.startswith("[Container]")]


def phases(build: dict[str, Any]) -> dict[str, str]:
    """Phases that were gone through, with their status."""
    return {phase["phaseType"]: phase.get("phaseStatus", "") for phase in build["phases"]}


def context(build: dict[str, Any], phase: str) -> dict[str, str]:
    """What is told of a phase that failed."""
    found = next(each for each in build["phases"] if each["phaseType"] == phase)
    return dict(found["contexts"][0])
