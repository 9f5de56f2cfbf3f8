"""Pipeline action Prepare/CreateSchema: the author's manifest becomes a run.

Reads the workload archive, stores `runs/<run_id>/manifest.json` and the code beside it, and hands
the manifest on as the output artifact. Delivered twice it finds its own run and answers the same.
"""

import io
from functools import cache
from typing import Any

from signalbox import archive, naming, observability, platforms, settings
from signalbox.archive import Limits, WorkloadArchive
from signalbox.aws import pipeline, pipeline_jobs, runs, storage
from signalbox.aws.pipeline_jobs import JobAnswer
from signalbox.events import PipelineJob
from signalbox.manifest_resolution import Platform
from signalbox.manifest_resolved import ResolvedManifest, Source, to_input
from signalbox.release import RunPlan, Started, plan_run

logger = observability.logger("create-schema")


def handler(event: dict[str, Any], context: object) -> None:
    """Answer the pipeline's job."""
    pipeline_jobs.answer(event, logger, create_run)


def create_run(job: PipelineJob) -> JobAnswer:
    """Store the run that a job asks for and describe it to the pipeline."""
    platform = _platform()
    plan = _plan(job, platform)
    manifest = _store(plan, platform.workflow_bucket)
    storage.write(job.output.bucket, job.output.key, archive.artifact(to_input(manifest)))
    return _answer(manifest)


@cache
def _platform() -> Platform:
    return platforms.platform(settings.load(settings.PlatformSettings))


def _plan(job: PipelineJob, platform: Platform) -> RunPlan:
    execution = pipeline.execution(platform.pipeline, job.execution_id)
    packed = storage.read(
        job.input.bucket, job.input.key, limit_bytes=Limits().archive_bytes
    ).content
    workload = WorkloadArchive(io.BytesIO(packed)).pick(
        execution.variables.get("Workload", archive.AUTO)
    )
    revision = execution.revisions.get(job.input_name, pipeline.Revision("", ""))
    started = Started(
        execution_id=job.execution_id,
        at=pipeline.started_at(platform.pipeline, job.execution_id),
        options=execution.variables.get("Options", "{}"),
        source=Source(
            revision_id=revision.id,
            revision_summary=revision.summary,
            digest=archive.digest(packed),
        ),
        released_by=execution.started_by,
    )
    return plan_run(workload, platform, started)


def _store(plan: RunPlan, bucket: str) -> ResolvedManifest:
    """The manifest first: it claims the run id, so that no other run's code is ever touched."""
    manifest = runs.claim(plan.manifest)
    for key, content in plan.code.items():
        storage.create(bucket, key, content)
    return manifest


def _answer(manifest: ResolvedManifest) -> JobAnswer:
    run, workload = manifest.run, manifest.workload
    return JobAnswer(
        summary=f"Run {run.id} of {workload.name}: {naming.manifest_key(run.id)}",
        external_id=run.id,
        variables={
            "run_id": run.id,
            "manifest_uri": manifest.locations.manifest,
            "source_uri": manifest.locations.source,
            "inference_uri": manifest.locations.inference,
            "workload": workload.name,
        },
    )
