"""Copying a run's files into another account: exact versions, encrypted with the target's key.

Nothing is read through the function: S3 copies, under the target's deploy role. A copy that is
there already is left as it is, so that a promotion can be begun again anywhere.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from signalbox.aws import clients, failures, storage
from signalbox.aws.promotion_target import TargetSession
from signalbox.aws.storage import ListedObject
from signalbox.promotion_check import ObjectVersion

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import CopySourceTypeDef, HeadObjectOutputTypeDef, TaggingTypeDef

# CopyObject takes up to 5 GB, UploadPartCopy parts of up to 5 GB, 10,000 of them (S3 User Guide,
# "Amazon S3 multipart upload limits", read 2026-11-21). One call has to end before its time-out
# (promotion_target.COPY_CONFIG), also between regions, so less is asked of each.
LARGEST_COPY_BYTES = 1024**3
PART_BYTES = 1024**3
# As much as a workload's archive may hold (signalbox.archive).
_LARGEST_SCRIPT_BYTES = 50 * 1024 * 1024
# Key of the copy's own metadata: which version it is a copy of.
COPIED_FROM = "copied-from"
# On an object's version at home: an approved model needs it in a target. The bucket's policy
# opens such versions, and no other, to the roles of the promotion path.
OPEN: "TaggingTypeDef" = {"TagSet": [{"Key": "signalbox-promotion", "Value": "approved"}]}


@dataclass(frozen=True)
class Copy:
    """One object version, and where it goes."""

    bucket: str
    key: str
    version: ObjectVersion
    to_bucket: str
    to_key: str
    kms_key_arn: str

    @property
    def source(self) -> "CopySourceTypeDef":
        """The source as S3's copies name it."""
        return {"Bucket": self.bucket, "Key": self.key, "VersionId": self.version.version_id}

    @property
    def origin(self) -> str:
        """The source in one text, for the metadata of the copy."""
        return f"{self.bucket}/{self.key}?versionId={self.version.version_id}"


def current(bucket: str, key: str) -> ObjectVersion | None:
    """The version of an object that is current here; None when there is none."""
    try:
        found = clients.s3().head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if failures.code_of(error) in failures.MISSING_OBJECT:
            return None
        raise
    return _version(found)


def _version(found: "HeadObjectOutputTypeDef") -> ObjectVersion:
    return ObjectVersion(
        found.get("VersionId", ""), found["ETag"].strip('"'), found["ContentLength"]
    )


def listed(found: ListedObject) -> ObjectVersion:
    """The version of an object in a listing."""
    return ObjectVersion(found.version_id, found.etag, found.size_bytes)


def scripts(bucket: str, run_id: str) -> tuple[dict[str, bytes], bytes]:
    """The scripts of a run by name, and its sourcedir.tar.gz (empty when there is none)."""
    start = f"runs/{run_id}/code/"
    contents = {
        found.name: storage.read(
            bucket,
            start + found.name,
            version_id=found.version_id,
            limit_bytes=_LARGEST_SCRIPT_BYTES,
        ).content
        for found in storage.current_objects(bucket, start)
    }
    named = {
        name.removeprefix("scripts/"): content
        for name, content in contents.items()
        if name.startswith("scripts/")
    }
    return named, contents.get("sourcedir.tar.gz", b"")


def make(copy: Copy, session: TargetSession) -> ObjectVersion:
    """Copy one version unless the target has it; the version that the target has then.

    Opens the version at home to the target first.
    """
    known = _copied(copy, session)
    if known is not None:
        return known
    clients.s3().put_object_tagging(
        Bucket=copy.bucket, Key=copy.key, VersionId=copy.version.version_id, Tagging=OPEN
    )
    if copy.version.size_bytes > LARGEST_COPY_BYTES:
        _copy_in_parts(copy, session)
    else:
        _copy_whole(copy, session)
    made = _copied(copy, session)
    if made is None:
        raise storage.changed_meanwhile(copy.to_bucket, copy.to_key)
    return made


def _copied(copy: Copy, session: TargetSession) -> ObjectVersion | None:
    try:
        found = session.s3.head_object(Bucket=copy.to_bucket, Key=copy.to_key)
    except ClientError as error:
        # The deploy role may not list the target's bucket, so S3 says 403 of what is missing; where
        # that is a denial, the copy itself meets it and says which.
        if failures.code_of(error) in failures.MISSING_OBJECT or failures.status_of(error) == 403:
            return None
        raise
    is_it = (
        found.get("Metadata", {}).get(COPIED_FROM) == copy.origin
        and found["ContentLength"] == copy.version.size_bytes
    )
    return _version(found) if is_it else None


def _copy_whole(copy: Copy, session: TargetSession) -> None:
    session.s3.copy_object(
        Bucket=copy.to_bucket,
        Key=copy.to_key,
        CopySource=copy.source,
        CopySourceIfMatch=copy.version.etag,
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
        Metadata={COPIED_FROM: copy.origin},
        ContentType=_content_type(copy.to_key),
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=copy.kms_key_arn,
    )


def _content_type(key: str) -> str:
    kinds = {"json": "application/json", "html": "text/html; charset=utf-8", "csv": "text/csv"}
    return kinds.get(key.rpartition(".")[2], "application/octet-stream")


def _copy_in_parts(copy: Copy, session: TargetSession) -> None:
    upload = session.s3.create_multipart_upload(
        Bucket=copy.to_bucket,
        Key=copy.to_key,
        Metadata={COPIED_FROM: copy.origin},
        ContentType=_content_type(copy.to_key),
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=copy.kms_key_arn,
    )["UploadId"]
    parts = [
        {"PartNumber": number, "ETag": _copy_part(copy, session, upload, (number, start))}
        for number, start in enumerate(range(0, copy.version.size_bytes, PART_BYTES), 1)
    ]
    session.s3.complete_multipart_upload(
        Bucket=copy.to_bucket,
        Key=copy.to_key,
        UploadId=upload,
        MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
    )


def _copy_part(copy: Copy, session: TargetSession, upload: str, part: tuple[int, int]) -> str:
    number, start = part
    end = min(start + PART_BYTES, copy.version.size_bytes) - 1
    answer = session.s3.upload_part_copy(
        Bucket=copy.to_bucket,
        Key=copy.to_key,
        UploadId=upload,
        PartNumber=number,
        CopySource=copy.source,
        CopySourceRange=f"bytes={start}-{end}",
        CopySourceIfMatch=copy.version.etag,
    )
    return answer["CopyPartResult"]["ETag"]
