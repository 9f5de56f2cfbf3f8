"""The run of a promoted version in its target: the same words, resolved for other surroundings.

Rules only: imports no AWS client, reads no clock.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import JsonValue

from signalbox import isolation, manifest_history, receiving
from signalbox.errors import TargetUnreachable
from signalbox.json_documents import JsonObject
from signalbox.manifest import apply_options, validate
from signalbox.manifest_resolution import Authored, Platform, Release, resolve
from signalbox.manifest_resolved import HistoryEntry, ResolvedManifest
from signalbox.naming import s3_uri
from signalbox.promotion import PromotionTarget
from signalbox.promotion_check import Approved

# At most ten: GetParameters takes no more at once (API reference, read 2026-11-21).
WIRED = (
    "workflow-bucket",
    "source-bucket",
    "kms-key-arn",
    "job-role-arn",
    "hosting-role-arn",
    "image-uri",
    "pipeline-name",
    "inference-state-machine-arn",
)


@dataclass(frozen=True)
class Surroundings:
    """One environment, as its SSM parameters tell it."""

    platform: Platform
    account: str
    source_bucket: str
    inference_machine_arn: str


def surroundings(app: str, target: PromotionTarget, wiring: Mapping[str, str]) -> Surroundings:
    """The target from its parameters by last part of the name; raises TargetUnreachable."""
    missing = [name for name in WIRED if not wiring.get(name)]
    if missing:
        raise TargetUnreachable(
            f"{target.environment} in account {target.account} has no SSM parameter "
            f"/{app}/{target.environment}/{missing[0]}; deploy this version of the template there"
        )
    platform = Platform(
        app=app,
        environment=target.environment,
        region=target.region,
        pipeline=wiring["pipeline-name"],
        workflow_bucket=wiring["workflow-bucket"],
        image=wiring["image-uri"],
        job_role_arn=wiring["job-role-arn"],
        hosting_role_arn=wiring["hosting-role-arn"],
        kms_key_arn=wiring["kms-key-arn"],
    )
    machine = wiring["inference-state-machine-arn"]
    return Surroundings(platform, target.account, wiring["source-bucket"], machine)


def promoted_run_id(arn: str, source_run: str, environment: str) -> str:
    """The run of a version in a target: sorts with its source, and is the same every time.

    Its last part begins with `p`, which no run of the target's own has (naming.run_id ends in hex
    digits): policies name promoted runs by that, as `runs/??????-??????-p?????/`.

    >>> promoted_run_id("arn:aws:sagemaker:x:1:model-package/g/3", "261121-093005-b8dd2b", "prod")
    '261121-093005-pum3iu'
    """
    digest = hashlib.sha256(f"{arn}\0{environment}".encode()).digest()
    tail = base64.b32encode(digest).decode().lower()[:5]
    return f"{source_run[:13]}-p{tail}"


def image_there(image: str, source: tuple[str, str, str], target: tuple[str, str, str]) -> str:
    """The image as the target pulls it; `source` and `target` are (default image, account, region).

    An image of SageMaker's own is published by another account in each region, and one's own is
    pulled from the target's account. Any other image stays where it is. That the bytes are the
    same is checked by digest.
    """
    registry, slash, name = image.partition("/")
    ours, theirs = (f"{account}.dkr.ecr.{region}" for _, account, region in (source, target))
    if registry == source[0].partition("/")[0]:
        return f"{target[0].partition('/')[0]}{slash}{name}"
    if registry.startswith(ours):
        return f"{theirs}{registry.removeprefix(ours)}{slash}{name}"
    return image


def promoted(
    manifest: ResolvedManifest, version: Approved, there: Surroundings, image: str
) -> ResolvedManifest:
    """The manifest of the promoted run: without inference part, history told from the source's."""
    run, platform = manifest.run, there.platform
    run_id = promoted_run_id(version.arn, run.id, platform.environment)
    patched, options = apply_options(dict(manifest.author), json.dumps(run.options))
    release = Release(
        run_id=run_id,
        execution_id=run.execution_id,
        started_at=datetime.fromisoformat(run.created_at),
        source=run.source,
        code_digest=run.code_digest,
        released_by=run.released_by,
    )
    authored = Authored(manifest.author, patched, options, validate(patched))
    # The archive of the model is copied as it is: with its code in it, or without.
    same_code = replace(platform, is_isolated=isolation.carries_code(manifest))
    made = resolve(authored, same_code, release)
    moved = (manifest.locations.run, made.locations.run)
    return made.model_copy(
        update={
            "run": made.run.model_copy(update={"promoted_from": version.arn}),
            "images": made.images.model_copy(update={"inference": image}),
            "history": [_moved(entry, *moved) for entry in _registered(manifest)],
        }
    )


def _registered(manifest: ResolvedManifest) -> list[HistoryEntry]:
    entry = manifest_history.latest(manifest, "training", "registered")
    return [entry] if entry else []


def _moved(entry: HistoryEntry, old: str, new: str) -> HistoryEntry:
    detail = _replaced(entry.detail, old, new)
    return entry.model_copy(update={"detail": detail})


def _replaced(value: JsonValue, old: str, new: str) -> JsonValue:
    if isinstance(value, dict):
        return {key: _replaced(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, old, new) for item in value]
    return value.replace(old, new) if isinstance(value, str) else value


def with_version(manifest: ResolvedManifest, arn: str) -> ResolvedManifest:
    """The promoted run's manifest once its version is registered in the target."""
    history = [
        entry.model_copy(update={"arn": arn, "detail": {**entry.detail, "modelPackageArn": arn}})
        if (entry.phase, entry.status) == ("training", "registered")
        else entry
        for entry in manifest.history
    ]
    return manifest.model_copy(update={"history": history})


def merged(known: ResolvedManifest, made: ResolvedManifest) -> ResolvedManifest:
    """A manifest that was written before, resolved anew; what has happened since stays."""
    history = made.history
    for entry in known.history:
        if entry.key not in [one.key for one in history]:
            history = [*history, entry]
    return made.model_copy(update={"history": history, "inference": known.inference})


@dataclass(frozen=True)
class CopyPlan:
    """What is copied: keys of the source by the key that each gets in the target."""

    artifact_uri: str
    prefixes: tuple[tuple[str, str], ...]
    """(prefix in the source, prefix in the target), both with a slash at the end."""


def copy_plan(manifest: ResolvedManifest, there: ResolvedManifest, version: Approved) -> CopyPlan:
    """Where everything goes: the same names below the promoted run's prefix."""
    old, new = f"runs/{manifest.run.id}/", f"runs/{there.run.id}/"
    parts = ("code/", f"evaluation/{version.attempt}/", "report/")
    artifact = version.artifact_uri.partition(f"/{old}")[2]
    return CopyPlan(
        artifact_uri=f"{there.locations.run}/{artifact}",
        prefixes=tuple((f"{old}{part}", f"{new}{part}") for part in parts),
    )


def registration_request(
    made: ResolvedManifest, version: Approved, artifact_uri: str, artifact: Mapping[str, str]
) -> JsonObject:
    """CreateModelPackage in the target, without its token; the same at every try.

    `artifact` has artifact_version, artifact_etag and artifact_bytes of the copy.
    """
    plan = made.steps.inference
    description = f"{made.registration.description}, promoted from {version.arn}"
    statistics: JsonObject = {
        "ContentType": "application/json",
        "S3Uri": _evaluation(made, version),
    }
    container: JsonObject = {
        "Image": made.images.inference,
        "ModelDataUrl": artifact_uri,
        "Environment": dict(plan.environment),
    }
    return {
        "ModelPackageGroupName": made.names.model_package_group,
        "ModelPackageDescription": description[:1024],
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelLifeCycle": {
            "Stage": made.run.environment,
            "StageStatus": "Promoting",
            "StageDescription": version.arn[:256],
        },
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": list(plan.content_types),
            "SupportedResponseMIMETypes": list(plan.response_types),
            "SupportedRealtimeInferenceInstanceTypes": list(plan.realtime_instance_types),
            "SupportedTransformInstanceTypes": list(plan.transform_instance_types),
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": statistics}},
        "MetadataProperties": {
            "CommitId": made.run.source.revision_id,
            "GeneratedBy": version.arn,
        },
        "CustomerMetadataProperties": _lineage(made, version, artifact),
    }


def _lineage(made: ResolvedManifest, version: Approved, artifact: Mapping[str, str]) -> JsonObject:
    """Where the version comes from, and what somebody said yes to there."""
    return {
        **made.registration.metadata,
        **artifact,
        "attempt": version.attempt,
        "evaluation_uri": _evaluation(made, version),
        "source_arn": version.arn,
        "source_run_id": version.run_id,
        "source_account": version.arn.split(":")[4],
        "source_artifact_version": version.artifact.version_id,
        receiving.IMAGE_DIGEST: version.image_digest,
    }


def _evaluation(made: ResolvedManifest, version: Approved) -> str:
    name = version.evaluation_uri.partition(f"/runs/{version.run_id}/")[2]
    return f"{made.locations.run}/{name}"


def bundle_key(run_id: str) -> str:
    """Where the archive of a code promotion lies in the target's source bucket."""
    return f"promoted/{run_id}.zip"


def bundle_uri(there: Surroundings, run_id: str) -> str:
    """The URI of that archive."""
    return s3_uri(there.source_bucket, bundle_key(run_id))
