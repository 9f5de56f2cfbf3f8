"""The CodeBuild actions: start a build and hear of its end through EventBridge.

StartBuild and BatchGetBuilds are decided for the action's role; the artifacts, which no request
carries, are handed over inside the process and read and written by the project's service role.
CodePipeline user guide, "AWS CodeBuild build and test action reference" (read 2026-11-21).
"""

import threading
from collections.abc import Callable
from typing import Any

from localaws.codebuild import service as codebuild
from localaws.codebuild.model import Handover, S3Object
from localaws.pipelines import action_types as pipeline_action_types
from localaws.pipelines.actions import client
from localaws.pipelines.machines import Progress
from localaws.pipelines.model import ActionStatus, Artifact, Result, Work, failed


class Builds:
    """Builds that actions wait for; `look` reads one that has ended, on a worker thread."""

    def __init__(self, progress: Progress, look: Callable[[Work, str], None]) -> None:
        self._progress = progress
        self._look = look
        self._lock = threading.Lock()
        self._waiting: dict[str, Work] = {}

    def heard(self, event: dict[str, Any]) -> None:
        """A listener of all events: wakes the action whose build has ended."""
        if event["source"] != "aws.codebuild" or "build-status" not in event["detail"]:
            return
        if event["detail"]["build-status"] == "IN_PROGRESS":
            return
        arn = event["detail"]["build-id"]
        work = self._forget(arn)
        if work is not None:
            self._look(work, arn)

    def start(self, work: Work) -> Result | None:
        """Start the build; the same action never starts two."""
        handover = _handover(work)
        codebuild.hand_over(work.run_id, handover)
        try:
            build = client(work, "codebuild").start_build(**_request(work))["build"]
        finally:
            codebuild.take_back(work.run_id)
        self._progress(work, build["id"], _url(work, build["id"]))
        with self._lock:
            self._waiting[build["arn"]] = work
        # It may have ended before anyone listened.
        if self._read(work, build["arn"])["buildComplete"] and self._forget(build["arn"]):
            return self.result(work, build["arn"])
        return None

    def result(self, work: Work, arn: str) -> Result:
        """What an ended build came to."""
        build = self._read(work, arn)
        told = {"external_id": build["id"], "external_url": _url(work, build["id"])}
        if build["buildStatus"] != "SUCCEEDED":
            return failed("JobFailed", _cause(build), **told)
        exported = build.get("exportedEnvironmentVariables") or []
        return Result(
            ActionStatus.SUCCEEDED,
            summary=f"The build {build['id']} succeeded",
            variables={item["name"]: item["value"] for item in exported},
            **told,
        )

    def _read(self, work: Work, arn: str) -> dict[str, Any]:
        found = client(work, "codebuild").batch_get_builds(ids=[arn])["builds"]
        if not found:
            gone = {"id": arn.rpartition("/")[2], "buildStatus": "DELETED", "buildComplete": True}
            return gone | {"phases": []}
        return dict(found[0])

    def _forget(self, arn: str) -> Work | None:
        with self._lock:
            return self._waiting.pop(arn, None)


def _handover(work: Work) -> Handover:
    primary = work.configuration.get("PrimarySource") or work.inputs[0].name
    return Handover(
        initiator=f"codepipeline/{work.pipeline}",
        primary=primary,
        inputs={each.name: _place(each) for each in work.inputs},
        outputs={each.name: _place(each) for each in work.outputs},
        key_id=work.store.key_id,
        revision=work.revisions.get(primary, ""),
    )


def _place(artifact: Artifact) -> S3Object:
    return S3Object(artifact.bucket, artifact.key)


def _request(work: Work) -> dict[str, Any]:
    configuration = work.configuration
    request: dict[str, Any] = {
        "projectName": configuration["ProjectName"],
        "idempotencyToken": work.run_id,
    }
    variables = pipeline_action_types.environment_of(configuration)
    if variables:
        request["environmentVariablesOverride"] = variables
    if configuration.get("BuildspecOverride"):
        request["buildspecOverride"] = configuration["BuildspecOverride"]
    return request


def _url(work: Work, build_id: str) -> str:
    project = build_id.partition(":")[0]
    console = f"https://console.aws.amazon.com/codesuite/codebuild/projects/{project}/build"
    return f"{console}/{build_id}/log?region={work.region}"


def _cause(build: dict[str, Any]) -> str:
    text = f"Build terminated with state: {build['buildStatus']}"
    for phase in build["phases"]:
        if phase.get("phaseStatus", "SUCCEEDED") != "SUCCEEDED":
            told = phase["contexts"][0]
            code, message = told["statusCode"], told["message"]
            return f"{text}. Phase: {phase['phaseType']}, Code: {code}, Message: {message}"
    return text
