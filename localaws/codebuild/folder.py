"""The folders of one build: sources fetched, caches linked, artifacts sent.

Everything goes through the service role's clients, so IAM decides each object as on AWS.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws.codebuild import artifacts
from localaws.codebuild.artifacts import NothingMatched
from localaws.codebuild.buildspec import Buildspec, Output
from localaws.codebuild.caches import Caches
from localaws.codebuild.log import courier_of
from localaws.codebuild.model import Build, S3Object, Stored
from localaws.jobs.transfer import JobFailed, S3Uri

_PIECE_BYTES = 1 << 20


class SourceFailed(Exception):
    """A source cannot be had; the message says which and why."""


@dataclass
class Folder:
    """Where one build works."""

    build: Build
    root: Path
    others: dict[str, Path] = field(default_factory=dict)
    """Folders of further input artifacts by name."""

    @property
    def source(self) -> Path:
        """CODEBUILD_SRC_DIR."""
        return self.root / "src"

    @property
    def home(self) -> Path:
        """The home of the commands."""
        return self.root / "home"

    def make(self) -> None:
        """The empty folders."""
        for folder in (self.source, self.home):
            folder.mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        """Leave nothing; what is behind linked caches stays."""
        shutil.rmtree(self.root, ignore_errors=True)

    def download(self) -> None:
        """Fetch every source; raises SourceFailed."""
        handover = self.build.handover
        if handover is not None:
            for name, place in handover.inputs.items():
                folder = self.source
                if name != handover.primary:
                    folder = self.others[name] = self.root / f"src-{name}"
                self._fetch_zip(place, folder)
            return
        source = self.build.settings["source"]
        if source["type"] == "S3":
            self._fetch_from_s3(str(source["location"]))

    def _fetch_from_s3(self, location: str) -> None:
        bucket, _, key = location.removeprefix("arn:aws:s3:::").partition("/")
        if not key.endswith("/") and key:
            self._fetch_zip(S3Object(bucket, key), self.source, self.build.source_version)
            return
        courier = courier_of(self.build)
        with _sourced(S3Object(bucket, key)):
            for each in courier.keys(S3Uri(bucket, key)):
                if not each.endswith("/"):
                    self._fetch(S3Object(bucket, each), self.source / each.removeprefix(key))

    def _fetch_zip(self, place: S3Object, folder: Path, version: str = "") -> None:
        archive = self.root / "source.zip"
        with _sourced(place):
            self._fetch(place, archive, version)
            artifacts.unpack(archive, folder)
        archive.unlink()

    def _fetch(self, place: S3Object, target: Path, version: str = "") -> None:
        if self.root not in target.resolve().parents:
            raise SourceFailed(f"the key {place.key!r} would leave the build's folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        s3: Any = courier_of(self.build).client("s3")
        of_version = {"VersionId": version} if version else {}
        body = s3.get_object(Bucket=place.bucket, Key=place.key, **of_version)["Body"]
        with target.open("wb") as file:
            for piece in body.iter_chunks(_PIECE_BYTES):
                file.write(piece)

    def provide_caches(self, buildspec: Buildspec, kept: Path) -> None:
        """The cached folders, when the project keeps some (LOCAL_CUSTOM_CACHE)."""
        if self.build.settings.get("cache", {}).get("type") == "LOCAL":
            Caches(self.source, self.home, kept).provide(buildspec.cache_paths)

    def upload(self, outputs: Mapping[str, Output], places: Mapping[str, S3Object]) -> list[Stored]:
        """Pack and send each artifact; raises NothingMatched, ClientError."""
        stored = []
        for name, place in places.items():
            files = artifacts.chosen(self.source, outputs[name])
            archive = self.root / "artifact.zip"
            artifacts.pack(files, archive)
            stored.append(self.send(archive, place, name))
            archive.unlink()
        return stored

    def upload_files(self, output: Output, place: S3Object) -> Stored:
        """Send the files of an artifact as they are, below a prefix."""
        for path, name in artifacts.chosen(self.source, output):
            self.send(path, S3Object(place.bucket, f"{place.key}/{name}"), "")
        return Stored(place)

    def send(self, file: Path, place: S3Object, identifier: str) -> Stored:
        """Write one object, encrypted as the build says."""
        settings = self.build.settings["artifacts"]
        encryption: dict[str, str] = {}
        if not settings.get("encryptionDisabled"):
            key = self.build.key_id
            encryption = {"ServerSideEncryption": "aws:kms"} | ({"SSEKMSKeyId": key} if key else {})
        s3: Any = courier_of(self.build).client("s3")
        with file.open("rb") as body:
            s3.put_object(Bucket=place.bucket, Key=place.key, Body=body, **encryption)
        sha256, md5 = artifacts.digests(file)
        return Stored(place, identifier, sha256, md5)


class _sourced:
    """Around the fetching of a source: whatever goes wrong is told with its place."""

    def __init__(self, place: S3Object) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, ClientError | JobFailed | artifacts.ArchiveRefused):
            raise SourceFailed(
                f"{error} for primary source and source version {self._place.arn}"
            ) from error


__all__ = ["Folder", "NothingMatched", "SourceFailed"]
