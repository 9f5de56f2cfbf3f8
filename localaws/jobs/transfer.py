"""Moves a job's files between S3 and its folder, with the job role's credentials.

S3 answers as it would to the role, so a missing permission ends the job as on AWS: in its
FailureReason, with what was refused to whom.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws import clients
from localaws.errors import AccessDeniedByLocalAws
from localaws.jobs import archives as job_archives
from localaws.jobs.archives import ArchiveRefused

SERVICE = "sagemaker.amazonaws.com"
_PART_BYTES = 1 << 20


class JobFailed(Exception):
    """The job cannot go on; the message is its FailureReason."""


@dataclass(frozen=True)
class S3Uri:
    """An s3:// address."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> "S3Uri":
        """`s3://bucket/key`; the key may be empty."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return cls(bucket, key)

    def joined(self, suffix: str) -> "S3Uri":
        """The address of `suffix` below this one."""
        base = self.key.rstrip("/")
        return S3Uri(self.bucket, f"{base}/{suffix}" if base else suffix)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def source_arn(region: str, account: str) -> str:
    """What a trust policy reads as `aws:SourceArn` when SageMaker assumes a role."""
    # parity: AWS gives the ARN of the job or endpoint; one for all keeps one client per role.
    return f"arn:aws:sagemaker:{region}:{account}:job/any"


@dataclass(frozen=True)
class Courier:
    """Carries files for one role."""

    role_arn: str
    region: str
    account: str

    def client(self, service: str) -> Any:
        """A client that acts as the role; raises JobFailed if the role cannot be assumed."""
        try:
            return clients.client_as(
                self.role_arn,
                SERVICE,
                service,
                region=self.region,
                session_name="SageMaker",
                source_arn=source_arn(self.region, self.account),
            )
        except AccessDeniedByLocalAws as error:
            raise JobFailed(
                f"ClientError: SageMaker could not assume the role {self.role_arn}: {error}"
            ) from error

    def download_prefix(self, uri: str, folder: Path) -> int:
        """Fetch every object below the prefix into `folder`; returns how many there were."""
        source = S3Uri.parse(uri)
        folder.mkdir(parents=True, exist_ok=True)
        count = 0
        for key in self.keys(source):
            target = _local_path(folder, source.key, key)
            if target is not None:
                self._fetch(S3Uri(source.bucket, key), target)
                count += 1
        if count == 0:
            raise JobFailed(
                f'ClientError: No S3 objects found under S3 URL "{uri}" given in input data '
                f"source. Check that the bucket is in {self.region}, that objects exist under "
                f"the prefix and that the role {self.role_arn} may s3:ListBucket on "
                f"{source.bucket}"
            )
        return count

    def keys(self, source: S3Uri) -> Iterator[str]:
        """Keys below the prefix, in S3's order."""
        pages = self.client("s3").get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=source.bucket, Prefix=source.key):
                yield from (entry["Key"] for entry in page.get("Contents", []))
        except ClientError as error:
            raise _download_failed(source, error) from error

    def fetch(self, uri: str, target: Path) -> Path:
        """Fetch one object into the file `target`."""
        self._fetch(S3Uri.parse(uri), target)
        return target

    def fetch_archive(self, uri: str, folder: Path, *, scratch: Path) -> None:
        """Fetch a tar.gz and unpack it into `folder`."""
        archive = self.fetch(uri, scratch / "archive.tar.gz")
        try:
            job_archives.unpack(archive, folder)
        except ArchiveRefused as error:
            raise JobFailed(f"ClientError: {uri}: {error}") from error
        finally:
            archive.unlink(missing_ok=True)

    def _fetch(self, source: S3Uri, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            answer = self.client("s3").get_object(Bucket=source.bucket, Key=source.key)
        except ClientError as error:
            raise _download_failed(source, error) from error
        with target.open("wb") as file:
            for part in answer["Body"].iter_chunks(_PART_BYTES):
                file.write(part)

    def store(self, file: Path, target: S3Uri, *, kms_key: str | None = None) -> None:
        """Upload one file, encrypted with the key if one is given."""
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
        try:
            with file.open("rb") as body:
                self.client("s3").put_object(
                    Bucket=target.bucket, Key=target.key, Body=body, **encryption
                )
        except ClientError as error:
            raise _upload_failed(target, error) from error

    def store_folder(self, folder: Path, target: S3Uri, *, kms_key: str | None = None) -> int:
        """Upload every file of the folder below the prefix; returns how many."""
        files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
        for file in files:
            self.store(file, target.joined(file.relative_to(folder).as_posix()), kms_key=kms_key)
        return len(files)

    def store_archive(
        self, folder: Path, target: S3Uri, *, scratch: Path, kms_key: str | None = None
    ) -> None:
        """Pack the folder and upload it as one tar.gz."""
        archive = scratch / "packed.tar.gz"
        job_archives.pack(folder, archive)
        self.store(archive, target, kms_key=kms_key)
        archive.unlink()


def _local_path(folder: Path, prefix: str, key: str) -> Path | None:
    """Where SageMaker puts an object: below the prefix's last slash; None for folder markers."""
    if key.endswith("/"):
        return None
    parent = prefix.rpartition("/")[0]
    if prefix == key:
        relative = key.rpartition("/")[2]
    elif key.startswith(prefix + "/"):
        relative = key[len(prefix) + 1 :]
    else:
        relative = key[len(parent) + 1 :] if parent else key
    target = folder / relative
    if ".." in Path(relative).parts:
        raise JobFailed(f"ClientError: the S3 key {key!r} would leave its folder")
    return target


def _download_failed(source: S3Uri, error: ClientError) -> JobFailed:
    return JobFailed(f"ClientError: Data download failed: {source}: {_told(error)}")


def _upload_failed(target: S3Uri, error: ClientError) -> JobFailed:
    return JobFailed(f"ClientError: Data upload failed: {target}: {_told(error)}")


def _told(error: ClientError) -> str:
    told = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return f"{told.get('Code')} ({status}): {told.get('Message')}"
