"""Both machines, their first and last states: what happened enters the manifest's history.

`started` also says which attempt this is, which data it is about to read, which version serves, and
in which network jobs and models run.
What an endpoint came to serve, or did not, enters its serving record, too. Told twice, it is
written once.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from signalbox import (
    deployments,
    isolation,
    job_network,
    naming,
    observability,
    outcomes,
    platforms,
    serving,
    settings,
)
from signalbox.aws import runs, storage
from signalbox.aws import serving as records
from signalbox.events import read
from signalbox.job_network import JobNetwork
from signalbox.machine_requests import OutcomeReport
from signalbox.manifest_history import append
from signalbox.manifest_resolved import HistoryEntry, ResolvedManifest
from signalbox.outcomes import DataRead

logger = observability.logger("record-outcome")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Record one report of a state machine."""
    report = read(OutcomeReport, event)
    outcomes.check_address(report)
    answer = record_start(report) if report.status == outcomes.STARTED else record(report)
    logger.info(
        "recorded", extra={"run_id": report.run_id, "phase": report.phase, "status": report.status}
    )
    return answer


def record(report: OutcomeReport) -> dict[str, Any]:
    """Append the outcome; `recorded` is false when the history had it.

    The rest of the answer says what to stamp in the registry and what may be deleted.
    """
    new = outcomes.entry_of(report, at=datetime.now(UTC))
    changed = runs.change(report.manifest_uri, lambda current: append(current, new))
    return {"recorded": changed.was_changed, **_deploy(report, changed.manifest, new)}


def _deploy(
    report: OutcomeReport, manifest: ResolvedManifest, entry: HistoryEntry
) -> dict[str, Any]:
    deployment = deployments.deployment_of(report, entry)
    plan = manifest.steps.inference.rollout
    if report.phase != outcomes.INFERENCE or deployment is None or plan is None:
        return dict(deployments.NOTHING)
    record = records.change(
        _bucket(report), manifest.names.endpoint, lambda known: serving.deployed(known, deployment)
    )
    return deployments.consequences(record, deployment, keep=plan.keep)


def _bucket(report: OutcomeReport) -> str:
    return naming.split_s3_uri(report.manifest_uri)[0]


def record_start(report: OutcomeReport) -> dict[str, Any]:
    """Append the start with what its data is; the answer also says in which network jobs run.

    Raises SourceDataMissing or InferenceDataMissing when there is nothing to read, ManifestError
    when the run was resolved for an earlier machine, NetworkRefused when it needs a network.
    """
    manifest = runs.read(report.manifest_uri)
    isolation.check(manifest, _network())
    if report.phase == outcomes.INFERENCE:
        deployments.check_plan(manifest)
    prefix_uri = outcomes.data_location(manifest, report.phase)
    data = _data_at(prefix_uri) if prefix_uri else outcomes.NO_DATA
    outcomes.check_data(data, report.phase, prefix_uri)
    new = outcomes.entry_of(report, at=datetime.now(UTC), data=data)
    changed = runs.change(report.manifest_uri, lambda current: append(current, new))
    start = outcomes.start_of(changed.manifest, new.key)
    return {
        **start,
        "champion": _champion(report, changed.manifest),
        "network": job_network.described(_network()),
    }


@cache
def _network() -> JobNetwork:
    return platforms.network(settings.load(settings.NetworkSettings))


def _champion(report: OutcomeReport, manifest: ResolvedManifest) -> list[str]:
    """The version that serves, for a training to be compared with; none where nothing does."""
    if report.phase != outcomes.TRAINING:
        return []
    now = serving.serving(records.read(_bucket(report), manifest.names.endpoint))
    return [now.model_package_arn] if now else []


def _data_at(prefix_uri: str) -> DataRead:
    bucket, prefix = naming.split_s3_uri(f"{prefix_uri}/")
    objects = storage.current_objects(bucket, prefix)
    return DataRead(
        digest=storage.digest_of(objects),
        objects=len(objects),
        size_bytes=sum(found.size_bytes for found in objects),
        versions={found.name: found.version_id for found in objects[: outcomes.LISTED_OBJECTS]},
    )
