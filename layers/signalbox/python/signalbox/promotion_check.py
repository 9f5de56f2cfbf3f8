"""What was approved, and whether it is still the same: model file, code, image.

Rules only: imports no AWS client.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from signalbox import archive, isolation
from signalbox.errors import ArtifactChanged, CodeChanged, ImageChanged, ProvenanceMissing

# Keys of CustomerMetadataProperties, written when the version is registered.
VERSION, ETAG, SIZE = "artifact_version", "artifact_etag", "artifact_bytes"
CODE = "code_digest"
RUN, ATTEMPT, WORKLOAD, EVALUATION = "run_id", "attempt", "workload", "evaluation_uri"


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object; the ETag has no quotation marks."""

    version_id: str
    etag: str
    size_bytes: int


@dataclass(frozen=True)
class Approved:
    """A version of the registry: exactly what somebody said yes to."""

    arn: str
    artifact_uri: str
    artifact: ObjectVersion
    image: str
    image_digest: str
    code_digest: str
    run_id: str
    attempt: str
    workload: str
    evaluation_uri: str


@dataclass(frozen=True)
class Container:
    """The container of a version as the registry describes it."""

    image: str = ""
    image_digest: str = ""
    model_data_url: str = ""


def approved(arn: str, container: Container, metadata: Mapping[str, str]) -> Approved:
    """What was approved; raises ProvenanceMissing when the version does not say."""
    asked = (VERSION, ETAG, SIZE, CODE, RUN, ATTEMPT, WORKLOAD, EVALUATION)
    missing = [key for key in asked if not metadata.get(key)]
    missing += [] if container.image_digest else ["ImageDigest"]
    if missing or not metadata[SIZE].isdigit():
        raise ProvenanceMissing(
            f"{arn} does not say what was approved ({', '.join(missing) or SIZE} missing); it was "
            "registered by an older Signalbox or by hand. Release the workload again"
        )
    return Approved(
        arn=arn,
        artifact_uri=container.model_data_url,
        artifact=ObjectVersion(metadata[VERSION], metadata[ETAG], int(metadata[SIZE])),
        image=container.image,
        image_digest=container.image_digest,
        code_digest=metadata[CODE],
        run_id=metadata[RUN],
        attempt=metadata[ATTEMPT],
        workload=metadata[WORKLOAD],
        evaluation_uri=metadata[EVALUATION],
    )


def artifact_metadata(found: ObjectVersion) -> dict[str, str]:
    """How the registry is told which object version a model file is."""
    return {VERSION: found.version_id, ETAG: found.etag, SIZE: str(found.size_bytes)}


def check_artifact(wanted: Approved, found: ObjectVersion | None) -> None:
    """Raises ArtifactChanged unless the object that is current is the approved one."""
    if found == wanted.artifact:
        return
    now = "nothing" if found is None else f"version {found.version_id}, {found.size_bytes} bytes"
    raise ArtifactChanged(
        f"{wanted.artifact_uri} holds {now}; approved was version {wanted.artifact.version_id}, "
        f"{wanted.artifact.size_bytes} bytes. Put the approved version back, or release again"
    )


def check_code(wanted: Approved, scripts: Mapping[str, bytes], sourcedir: bytes, at: str) -> None:
    """Raises CodeChanged unless the scripts, and the archive that serves, are the approved ones.

    `scripts` has the contents by name; `at` is where they lie.
    """
    files = dict(scripts)
    found = archive.code_digest(files)
    if found != wanted.code_digest:
        raise CodeChanged(f"the scripts below {at} have digest {found}; {_approved_code(wanted)}")
    packed = (files, isolation.with_wrapper(files))
    if sourcedir not in map(archive.source_archive, packed):
        raise CodeChanged(
            f"sourcedir.tar.gz below {at} holds other files than the scripts beside it; "
            f"{_approved_code(wanted)}"
        )


def _approved_code(wanted: Approved) -> str:
    return f"approved was {wanted.code_digest}. Put the approved files back, or release again"


def check_image(wanted: Approved, found: Container) -> None:
    """Raises ImageChanged unless the target resolves the image to the approved bytes."""
    if found.image_digest == wanted.image_digest:
        return
    raise ImageChanged(
        f"{found.image} is {found.image_digest or 'unknown'} now; approved was "
        f"{wanted.image_digest}. Point the tag at the approved image again, or release again"
    )
