"""A promoted version in its target: the group, the version, the manifest of its run."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from signalbox import naming, promotion_manifest, registration
from signalbox.aws import failures, registry, storage
from signalbox.aws.promotion_target import TargetSession
from signalbox.aws.registry import ModelVersion
from signalbox.json_documents import JsonObject
from signalbox.manifest_resolved import ResolvedManifest, from_json, to_json


def register(request: JsonObject, decision: int, session: TargetSession) -> str:
    """The version's ARN in the target, pending; asked for again, the same one."""
    make_group(str(request["ModelPackageGroupName"]), session)
    asked: Mapping[str, Any] = request
    answer = session.sagemaker.create_model_package(**asked, ClientToken=_token(request, decision))
    return answer["ModelPackageArn"]


def _token(request: JsonObject, decision: int) -> str:
    """1 to 36 characters (API reference, CreateModelPackage); other words are another request."""
    text = json.dumps([request, decision], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def make_group(name: str, session: TargetSession) -> None:
    """The group of the workload, unless the target has it."""
    try:
        session.sagemaker.create_model_package_group(ModelPackageGroupName=name)
    except ClientError as error:
        # Which error says that it is there is documented nowhere; whether it is there is asked.
        passing = failures.code_of(error) in failures.THROTTLED or failures.status_of(error) >= 500
        if passing or failures.code_of(error) in failures.DENIED:
            raise
        session.sagemaker.describe_model_package_group(ModelPackageGroupName=name)


def is_there(arn: str, session: TargetSession) -> bool:
    """Whether the target's registry still has a version."""
    try:
        describe(arn, session)
    except ClientError as error:
        # Which error says that it is gone is documented nowhere; a denial is none.
        if failures.code_of(error) != "ValidationException":
            raise
        return False
    return True


def describe(arn: str, session: TargetSession) -> ModelVersion:
    """The version as the target's registry has it."""
    return registry.describe(arn, session.sagemaker)


def store_manifest(made: ResolvedManifest, session: TargetSession) -> None:
    """Write the promoted run's manifest; what has happened in the run since stays."""
    bucket, key = naming.split_s3_uri(made.locations.manifest)
    if storage.create(bucket, key, to_json(made), content_type="application/json", s3=session.s3):
        return
    change_manifest(
        made.locations.manifest, lambda known: promotion_manifest.merged(known, made), session
    )


def with_serving(made: ResolvedManifest, arn: str, session: TargetSession) -> ResolvedManifest:
    """The promoted run's manifest with its inference part, stored."""
    now = datetime.now(UTC)
    return change_manifest(
        made.locations.manifest,
        lambda known: registration.with_serving(known, arn, at=now),
        session,
    )


def change_manifest(
    uri: str, rule: Callable[[ResolvedManifest], ResolvedManifest], session: TargetSession
) -> ResolvedManifest:
    """Apply a rule to a manifest in the target; it may run several times."""
    bucket, key = naming.split_s3_uri(uri)

    def on_bytes(content: bytes) -> bytes:
        before = from_json(content, source=uri)
        after = rule(before)
        return content if after == before else to_json(after)

    stored = storage.update(bucket, key, on_bytes, s3=session.s3)
    return from_json(stored.content, source=uri)
