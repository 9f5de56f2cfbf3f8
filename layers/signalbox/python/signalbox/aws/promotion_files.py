"""The files of a promotion: checked against what was approved, copied by exact version."""

from signalbox import naming, promotion_check, promotion_manifest
from signalbox.aws import promotion_copies, storage
from signalbox.aws.promotion_context import Promotion, Source
from signalbox.aws.promotion_copies import Copy
from signalbox.promotion_check import ObjectVersion


def check(source: Source) -> dict[str, bytes]:
    """The scripts by name; raises ArtifactChanged or CodeChanged."""
    wanted = source.approved
    bucket, key = naming.split_s3_uri(wanted.artifact_uri)
    promotion_check.check_artifact(wanted, promotion_copies.current(bucket, key))
    scripts, sourcedir = promotion_copies.scripts(source.home.workflow_bucket, wanted.run_id)
    at = f"{source.manifest.locations.run}/code"
    promotion_check.check_code(wanted, scripts, sourcedir, at)
    return scripts


def copy_all(going: Promotion) -> int:
    """Everything that the promoted run needs and people want to see; how many objects it is."""
    places = promotion_manifest.copy_plan(going.source.manifest, going.made, going.source.approved)
    found = [
        (prefix + listed.name, promotion_copies.listed(listed), to + listed.name)
        for prefix, to in places.prefixes
        for listed in storage.current_objects(going.source.home.workflow_bucket, prefix)
    ]
    for one in found:
        promotion_copies.make(_copy(going, *one), going.session)
    copy_artifact(going)
    return len(found) + 1


def copy_artifact(going: Promotion) -> tuple[str, ObjectVersion]:
    """URI and version of the model file in the target."""
    wanted = going.source.approved
    places = promotion_manifest.copy_plan(going.source.manifest, going.made, wanted)
    key = naming.split_s3_uri(wanted.artifact_uri)[1]
    to_key = naming.split_s3_uri(places.artifact_uri)[1]
    made = promotion_copies.make(_copy(going, key, wanted.artifact, to_key), going.session)
    return places.artifact_uri, made


def _copy(going: Promotion, key: str, version: ObjectVersion, to_key: str) -> Copy:
    platform = going.there.platform
    return Copy(
        bucket=going.source.home.workflow_bucket,
        key=key,
        version=version,
        to_bucket=platform.workflow_bucket,
        to_key=to_key,
        kms_key_arn=platform.kms_key_arn,
    )
