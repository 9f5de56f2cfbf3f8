"""From the author's manifest to the resolved one: every name, image, place and default decided.

Rules only: imports no AWS client, reads no clock.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from signalbox import isolation, naming, rollout
from signalbox.json_documents import JsonObject, pointer
from signalbox.manifest import AuthorManifest, Workload
from signalbox.manifest_history import timestamp
from signalbox.manifest_inference import InferenceSection
from signalbox.manifest_resolved import (
    ChannelPlan,
    Images,
    InferencePlan,
    Locations,
    Names,
    ProcessingPlan,
    Registration,
    ResolvedManifest,
    Roles,
    Run,
    ServerlessPlan,
    Source,
    Steps,
    TrainPlan,
)
from signalbox.manifest_sections import (
    EvaluateSection,
    InferenceMode,
    PreprocessSection,
)
from signalbox.training_wrapper import SCRIPT_VARIABLE

CODE_MOUNT = "/opt/ml/processing/input/code"
TRANSFORM_INSTANCE_TYPE = "ml.m5.large"


@dataclass(frozen=True)
class Platform:
    """What the environment gives every run."""

    app: str
    environment: str
    region: str
    pipeline: str
    workflow_bucket: str
    image: str
    job_role_arn: str
    hosting_role_arn: str
    kms_key_arn: str
    is_isolated: bool = False
    """Whether containers have no network, and code has to be brought to them."""

    @property
    def prefix(self) -> str:
        """What every name begins with."""
        return naming.prefix(self.app, self.environment)


@dataclass(frozen=True)
class Release:
    """What is particular to this run; `started_at` is that of the pipeline execution."""

    run_id: str
    execution_id: str
    started_at: datetime
    source: Source
    code_digest: str
    released_by: str = ""


@dataclass(frozen=True)
class Authored:
    """The author's manifest: verbatim, after the run's Options, and as a model."""

    written: JsonObject
    patched: JsonObject
    options: JsonObject
    manifest: AuthorManifest


def resolve(authored: Authored, platform: Platform, release: Release) -> ResolvedManifest:
    """The manifest of a run; a function of its arguments alone."""
    workload = _workload(authored.manifest)
    locations = _locations(workload, platform.workflow_bucket, release.run_id)
    return ResolvedManifest(
        schema_version="1",
        author=authored.written,
        defaults=default_pointers(workload.model_dump(mode="json"), authored.patched),
        workload=workload,
        run=_run(platform, release, authored.options),
        names=_names(platform.prefix, workload.name, release.run_id),
        images=_images(workload, platform.image),
        locations=locations,
        roles=Roles(job=platform.job_role_arn, hosting=platform.hosting_role_arn),
        kms_key_arn=platform.kms_key_arn,
        steps=_steps(workload, locations, platform),
        registration=_registration(workload, platform, release),
    )


def default_pointers(filled: JsonObject, written: JsonObject) -> list[str]:
    """Pointers of the values in `filled` that `written` does not have, leaf by leaf.

    >>> default_pointers({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 2}})
    ['/a', '/b/d']
    """
    found: list[str] = []
    for key, value in filled.items():
        here = pointer((key,))
        inner = written.get(key)
        if isinstance(value, dict) and value and (key not in written or isinstance(inner, dict)):
            below = default_pointers(value, inner if isinstance(inner, dict) else {})
            found.extend(here + rest for rest in below)
        elif key not in written:
            found.append(here)
    return found


def _workload(manifest: AuthorManifest) -> Workload:
    sections = {name: getattr(manifest, name) for name in Workload.model_fields}
    return Workload.model_construct(**sections)


def _run(platform: Platform, release: Release, options: JsonObject) -> Run:
    return Run(
        id=release.run_id,
        environment=platform.environment,
        prefix=platform.prefix,
        pipeline=platform.pipeline,
        execution_id=release.execution_id,
        created_at=timestamp(release.started_at),
        source=release.source,
        options=options,
        code_digest=release.code_digest,
        released_by=release.released_by,
    )


def _names(prefix: str, workload: str, run: str) -> Names:
    resource = naming.workload_resource(prefix, workload)
    jobs = {step.value: naming.job_name_base(prefix, step, run) for step in naming.Step}
    return Names(**jobs, endpoint=resource, model_package_group=resource)


def _images(workload: Workload, image: str) -> Images:
    return Images(
        preprocess=workload.preprocess.image or image,
        train=workload.train.image or image,
        evaluate=workload.evaluate.image or image,
        inference=workload.inference.image or image,
    )


def _locations(workload: Workload, bucket: str, run: str) -> Locations:
    run_uri = naming.s3_uri(bucket, naming.run_prefix(run))
    standing, standing_inference = workload.data.source, workload.inference.source
    return Locations(
        run=run_uri,
        manifest=naming.s3_uri(bucket, naming.manifest_key(run)),
        scripts=f"{run_uri}/code/scripts",
        sourcedir=f"{run_uri}/code/sourcedir.tar.gz",
        source=naming.s3_uri(bucket, standing) if standing else f"{run_uri}/source",
        preprocess=f"{run_uri}/preprocess",
        training=f"{run_uri}/training",
        evaluation=f"{run_uri}/evaluation",
        inference=(
            naming.s3_uri(bucket, standing_inference)
            if standing_inference
            else f"{run_uri}/inference"
        ),
        predictions=f"{run_uri}/predictions",
        report=f"{run_uri}/report",
    )


def _steps(workload: Workload, locations: Locations, platform: Platform) -> Steps:
    return Steps(
        preprocess=_processing(workload.preprocess),
        train=_train(workload, locations, platform),
        evaluate=_processing(workload.evaluate),
        inference=_inference(workload, locations, platform),
    )


def _processing(section: PreprocessSection | EvaluateSection) -> ProcessingPlan:
    return ProcessingPlan(
        entrypoint=["python3", f"{CODE_MOUNT}/{section.script}", *section.arguments],
        instance_type=section.instance_type,
        volume_size_gb=section.volume_size_gb,
        max_runtime_seconds=section.max_runtime_seconds,
        environment=section.environment,
    )


def _train(workload: Workload, locations: Locations, platform: Platform) -> TrainPlan:
    section = workload.train
    # The names and the JSON texts are those of SageMaker's script mode (sagemaker-training
    # toolkit, README "Use your own training script", read 2026-11-20).
    script_mode = {
        "sagemaker_program": isolation.WRAPPER if platform.is_isolated else section.script,
        "sagemaker_submit_directory": (
            isolation.CODE_IN_CHANNEL if platform.is_isolated else locations.sourcedir
        ),
        "sagemaker_container_log_level": 20,
        "sagemaker_region": platform.region,
    }
    values = {**section.hyperparameters, **script_mode}
    channels = [*section.channels, *([isolation.CODE_CHANNEL] if platform.is_isolated else [])]
    return TrainPlan(
        hyperparameters={key: json.dumps(value) for key, value in values.items()},
        instance_type=section.instance_type,
        instance_count=section.instance_count,
        volume_size_gb=section.volume_size_gb,
        max_runtime_seconds=section.max_runtime_seconds,
        environment={
            **section.environment,
            **({SCRIPT_VARIABLE: section.script} if platform.is_isolated else {}),
        },
        channels=[ChannelPlan(name=name, path=name) for name in channels],
        metric_definitions=[{"Name": m.name, "Regex": m.regex} for m in section.metric_definitions],
    )


def _inference(workload: Workload, locations: Locations, platform: Platform) -> InferencePlan:
    section = workload.inference
    environment = {
        **section.environment,
        "SAGEMAKER_PROGRAM": section.script,
        "SAGEMAKER_SUBMIT_DIRECTORY": (
            isolation.CODE_IN_MODEL if platform.is_isolated else locations.sourcedir
        ),
        "SAGEMAKER_REGION": platform.region,
    }
    return InferencePlan(
        mode=section.mode,
        environment=environment,
        content_type=section.content_type,
        accept=section.accept,
        instance_type=section.instance_type,
        instance_count=section.instance_count,
        max_payload_mb=section.max_payload_mb,
        max_concurrent_transforms=section.max_concurrent_transforms,
        max_runtime_seconds=section.max_runtime_seconds,
        serverless=ServerlessPlan(
            memory_mb=section.serverless.memory_mb,
            max_concurrency=section.serverless.max_concurrency,
        ),
        content_types=[section.content_type],
        response_types=[section.accept],
        realtime_instance_types=[section.instance_type],
        transform_instance_types=[_transform_type(section)],
        rollout=rollout.plan(
            section,
            endpoint=naming.workload_resource(platform.prefix, workload.name),
            bucket=platform.workflow_bucket,
            kms_key_arn=platform.kms_key_arn,
        ),
    )


def _transform_type(section: InferenceSection) -> str:
    """A type for the registry's list of transforms, which takes no empty list.

    Most types that serve an endpoint are none of a transform, and one such in the list would have
    the registry refuse the model after it was trained.
    """
    return section.instance_type if section.mode is InferenceMode.BATCH else TRANSFORM_INSTANCE_TYPE


def _registration(workload: Workload, platform: Platform, release: Release) -> Registration:
    metadata = {
        "workload": workload.name,
        "environment": platform.environment,
        "run_id": release.run_id,
        "execution_id": release.execution_id,
        "source_revision": release.source.revision_id[:256] or "unknown",
        "source_digest": release.source.digest,
        "code_digest": release.code_digest,
    }
    description = f"{workload.name} ({workload.problem}) of run {release.run_id}"
    return Registration(metadata=metadata, description=description)
