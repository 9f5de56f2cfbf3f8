"""Taking a version into use in its target: the inference machine, or the target's own pipeline."""

import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from signalbox.aws import clients, failures, storage
from signalbox.aws.promotion_target import TargetSession
from signalbox.manifest_resolved import ResolvedManifest, Run, to_input
from signalbox.promotion_manifest import Surroundings, bundle_key

if TYPE_CHECKING:
    from types_boto3_codepipeline.literals import SourceRevisionTypeType

_COMMIT = re.compile(r"[0-9a-f]{40}")
_CAUSE_LIMIT = 2000


class Ending(StrEnum):
    """What became of an execution in the target."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    MISSING = "missing"


@dataclass(frozen=True)
class Watched:
    """An execution in the target; error and cause are empty unless it failed."""

    ending: Ending
    error: str = ""
    cause: str = ""


def execution_arn(there: Surroundings, name: str) -> str:
    """The ARN of an execution of the target's inference machine."""
    machine = there.inference_machine_arn.replace(":stateMachine:", ":execution:")
    return f"{machine}:{name}"


def look(execution: str, session: TargetSession) -> Watched:
    """How an execution of the target's inference machine stands."""
    try:
        found = session.stepfunctions.describe_execution(executionArn=execution)
    except ClientError as error:
        if failures.code_of(error) == "ExecutionDoesNotExist":
            return Watched(Ending.MISSING)
        raise
    if found["status"] in ("RUNNING", "SUCCEEDED"):
        return Watched(Ending(found["status"].lower()))
    cause = found.get("cause", "") or f"the execution is {found['status']}"
    return Watched(Ending.FAILED, found.get("error", "") or found["status"], cause[:_CAUSE_LIMIT])


def start(manifest: ResolvedManifest, name: str, machine_arn: str) -> None:
    """In the target: start the inference machine on a manifest, once under a name."""
    try:
        clients.stepfunctions().start_execution(
            stateMachineArn=machine_arn,
            name=name,
            input=to_input(manifest).decode(),
        )
    except ClientError as error:
        if failures.code_of(error) != "ExecutionAlreadyExists":
            raise


# ------------------------------------------------------------------------------- code promotion


def bundle(files: Mapping[str, bytes]) -> bytes:
    """The workload's archive; equal for equal files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return packed.getvalue()


@dataclass(frozen=True)
class Released:
    """Code on its way to a target; `run_id` names its archive, `token` its one execution."""

    run: Run
    files: Mapping[str, bytes]
    run_id: str
    token: str


def release(given: Released, there: Surroundings, session: TargetSession) -> str:
    """Start the target's pipeline on the code of a run; its execution, the same for one token."""
    started = session.codepipeline.start_pipeline_execution(
        name=there.platform.pipeline,
        clientRequestToken=given.token,
        variables=[{"name": "Options", "value": _options(given.run)}],
        sourceRevisions=[
            {"actionName": "Source", "revisionType": kind, "revisionValue": value}
            for kind, value in _revisions(given, there, session)
        ],
    )
    return started["pipelineExecutionId"]


def _options(run: Run) -> str:
    return json.dumps(run.options, separators=(",", ":"))


def _revisions(
    given: Released, there: Surroundings, session: TargetSession
) -> "list[tuple[SourceRevisionTypeType, str]]":
    """A commit where the run came from Git, else the archive of exactly its files."""
    revision = given.run.source.revision_id
    if _COMMIT.fullmatch(revision):
        return [("COMMIT_ID", revision)]
    key = bundle_key(given.run_id)
    version = _store(given.files, there.source_bucket, key, session)
    return [("S3_OBJECT_KEY", key), ("S3_OBJECT_VERSION_ID", version)]


def _store(files: Mapping[str, bytes], bucket: str, key: str, where: TargetSession) -> str:
    """The archive in the target's source bucket, written once; its version."""
    storage.create(bucket, key, bundle(files), content_type="application/zip", s3=where.s3)
    return where.s3.head_object(Bucket=bucket, Key=key)["VersionId"]
