"""What each kind of action does, with the credentials of the pipeline's role.

`begin` is called on a worker thread; it answers with the result, or with None when the result
comes later (a Lambda job, a Step Functions execution, a person). Every call to S3, SNS, STS, Lambda
and Step Functions is decided by IAM for the role that the template gives the pipeline.
"""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localaws import clients, clock
from localaws.errors import LocalAwsError
from localaws.pipelines.model import ActionStatus, Artifact, Result, Revision, Work, failed

CODEPIPELINE = "codepipeline.amazonaws.com"
DEFAULT_APPROVAL_MINUTES = 7 * 24 * 60
MAX_FILE_BYTES = 262_144
"""What Step Functions takes as input."""

_DENIED = ("AccessDenied", "AuthorizationError", "403", "Forbidden")
_MISSING = ("NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404")


class ActionFailed(Exception):
    """The action cannot go on; carries the result to report."""

    def __init__(self, code: str, message: str) -> None:
        self.result = failed(code, message)
        super().__init__(message)


def guarded(work: Callable[[], Result | None]) -> Result | None:
    """Do the work; a refusal of AWS becomes a failed result."""
    try:
        return work()
    except ActionFailed as failure:
        return failure.result
    except ClientError as error:
        return failed(_code_of(error), str(error))
    except LocalAwsError as error:
        return failed("PermissionError", str(error))
    except BotoCoreError as error:
        return failed("ConfigurationError", str(error))


def _code_of(error: ClientError) -> str:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if any(part in code for part in _DENIED):
        return "PermissionError"
    return "RevisionUnavailable" if code in _MISSING else "ConfigurationError"


def client(work: Work, service: str) -> Any:
    """A client of the pipeline's role, or of the action's own role, which that role assumes."""
    if work.spec.role_arn and work.spec.role_arn != work.role_arn:
        keys = _pipeline_client(work, "sts").assume_role(
            RoleArn=work.spec.role_arn, RoleSessionName=work.pipeline[:64]
        )["Credentials"]
        return clients.new_client(
            service,
            work.region,
            keys["AccessKeyId"],
            keys["SecretAccessKey"],
            keys["SessionToken"],
        )
    return _pipeline_client(work, service)


def _pipeline_client(work: Work, service: str, region: str = "") -> Any:
    return clients.client_as(
        work.role_arn,
        CODEPIPELINE,
        service,
        region=region or work.region,
        session_name=work.pipeline[:64],
        source_arn=work.pipeline_arn,
    )


def brought_along(work: Work) -> Work:
    """The same with its input artifacts in the store of its region, to which they are copied.

    User guide, "Add a cross-Region action": CodePipeline copies them, as the pipeline's own role.
    """
    if work.region == work.home_region:
        return work
    for artifact in work.inputs:
        home = _pipeline_client(work, "s3", work.home_region)
        body = home.get_object(Bucket=artifact.bucket, Key=artifact.key)["Body"].read()
        key = {"SSEKMSKeyId": work.store.key_id} if work.store.key_id else {}
        _pipeline_client(work, "s3").put_object(
            Bucket=work.store.bucket,
            Key=artifact.key,
            Body=body,
            ContentType="application/zip",
            ServerSideEncryption="aws:kms",
            **key,
        )
    moved = tuple(replace(artifact, bucket=work.store.bucket) for artifact in work.inputs)
    return replace(work, inputs=moved)


def put_artifact(work: Work, artifact: Artifact, body: bytes) -> None:
    """Write a zip into the artifact store, encrypted as the store says."""
    key = {"SSEKMSKeyId": work.store.key_id} if work.store.key_id else {}
    client(work, "s3").put_object(
        Bucket=artifact.bucket,
        Key=artifact.key,
        Body=body,
        ContentType="application/zip",
        ServerSideEncryption="aws:kms",
        **key,
    )


def read_artifact_file(
    work: Work, artifact: Artifact, path: str, *, limit_bytes: int = MAX_FILE_BYTES
) -> str:
    """A text file out of an artifact; raises ActionFailed when it is not there or too large."""
    body = client(work, "s3").get_object(Bucket=artifact.bucket, Key=artifact.key)["Body"].read()
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            if archive.getinfo(path).file_size > limit_bytes:
                message = f"{path} in {artifact.name} is over {limit_bytes} bytes"
                raise ActionFailed("ConfigurationError", message)
            return archive.read(path).decode()
    except KeyError as error:
        message = f"The file {path} is not in the input artifact {artifact.name}"
        raise ActionFailed("ConfigurationError", message) from error
    except zipfile.BadZipFile as error:
        message = f"The input artifact {artifact.name} is not a zip"
        raise ActionFailed("ConfigurationError", message) from error


def zipped(name: str, text: str) -> bytes:
    """A zip with one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def fetch_from_s3(work: Work) -> Result:
    """The S3 source: the object as it is now, or the key and version asked for."""
    configuration = work.configuration
    bucket = configuration["S3Bucket"]
    key = work.overrides.get("S3_OBJECT_KEY", configuration["S3ObjectKey"])
    s3 = client(work, "s3")
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        message = f"The bucket {bucket} is not versioned; an S3 source needs versions"
        raise ActionFailed("ConfigurationError", message)
    version = work.overrides.get("S3_OBJECT_VERSION_ID")
    if version is None:
        version = s3.head_object(Bucket=bucket, Key=key)["VersionId"]
    found = s3.get_object(Bucket=bucket, Key=key, VersionId=version)
    put_artifact(work, work.outputs[0], found["Body"].read())
    summary = found["Metadata"].get(
        "codepipeline-artifact-revision-summary", f"Amazon S3 version id: {version}"
    )
    url = (
        f"https://console.aws.amazon.com/s3/object/{bucket}?region={work.region}"
        f"&prefix={key}&versionId={version}"
    )
    name = work.outputs[0].name
    return Result(
        ActionStatus.SUCCEEDED,
        summary=summary,
        external_id=version,
        external_url=url,
        variables={
            "BucketName": bucket,
            "ETag": found["ETag"].strip('"'),
            "ObjectKey": key,
            "VersionId": version,
        },
        revision=Revision(work.spec.name, name, version, summary, found["LastModified"], url),
    )


def approval_expires_at(work: Work, started: datetime) -> datetime:
    """When an open approval fails by itself."""
    return started + timedelta(minutes=work.spec.timeout_minutes or DEFAULT_APPROVAL_MINUTES)


def ask_for_approval(work: Work) -> None:
    """Send the question to the topic, if the action has one."""
    topic = work.configuration.get("NotificationArn")
    if not topic:
        return
    client(work, "sns").publish(
        TopicArn=topic,
        Subject=f"APPROVAL NEEDED: AWS CodePipeline {work.pipeline}"[:100],
        Message=json.dumps(approval_message(work, approval_expires_at(work, clock.now()))),
    )


def approval_message(work: Work, expires_at: datetime) -> dict[str, Any]:
    """CodePipeline user guide, "JSON data format for manual approval notifications"."""
    console = (
        f"https://console.aws.amazon.com/codesuite/codepipeline/pipelines/{work.pipeline}/view"
        f"?region={work.region}"
    )
    approval = {
        "pipelineName": work.pipeline,
        "stageName": work.stage,
        "actionName": work.spec.name,
        "token": work.token,
        "expires": expires_at.strftime("%Y-%m-%dT%H:%MZ"),
        "externalEntityLink": work.configuration.get("ExternalEntityLink"),
        "approvalReviewLink": f"{console}#/{work.stage}/{work.spec.name}/approve/{work.token}",
        "customData": work.configuration.get("CustomData"),
    }
    told = {name: value for name, value in approval.items() if value is not None}
    return {"region": work.region, "consoleLink": console, "approval": told}
