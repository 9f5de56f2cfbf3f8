"""What the reconciler compares: gates, ended executions and model versions, as AWS has them now.

Every listing has an end: what is older or more than the bounds below is left to people.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from signalbox import decisions, intake, json_documents, naming, promotion, registration
from signalbox.aws import (
    actions,
    clients,
    model_gate,
    promotions,
    registry,
    run_records,
    runs,
    storage,
)
from signalbox.aws.actions import OpenGate
from signalbox.errors import ManifestError, ModelVersionMissingError, ObjectMissingError
from signalbox.gates import Gate, gate_named
from signalbox.intake import Arrival
from signalbox.json_documents import JsonObject
from signalbox.manifest_resolved import ResolvedManifest
from signalbox.reconciliation import FOLLOWED_FOR, LATE, EndedMachine, Version, WaitingGate

# An end that was not written for this long is not going to be.
ENDED_WITHIN = timedelta(days=2)
EXECUTIONS = 50
GROUPS = 100
VERSIONS = 50


@dataclass(frozen=True)
class Policy:
    """What the environment asks of its gates."""

    pipeline: str
    bucket: str
    timeouts: Mapping[Gate, timedelta]
    two_people: bool


@dataclass(frozen=True)
class GateAtRun:
    """A gate that waits, and the run that waits there."""

    waiting: WaitingGate
    manifest: ResolvedManifest


def waiting_gates(policy: Policy, now: datetime) -> Iterator[GateAtRun]:
    """Every gate that waits in the pipeline and whose run has a manifest."""
    for found in actions.open_gates(policy.pipeline):
        gate = gate_named(found.action)
        one = _gate(found, gate, policy, now) if gate is not None else None
        if one is not None:
            yield one


def _gate(found: OpenGate, gate: Gate, policy: Policy, now: datetime) -> GateAtRun | None:
    record = run_records.read(policy.pipeline, found.execution_id, policy.bucket)
    action = record.action(found.action_execution_id)
    if record.manifest is None or action is None:
        return None
    waiting = WaitingGate(
        gate=gate,
        run_id=record.id,
        since=action.started_at.astimezone(UTC),
        timeout=policy.timeouts[gate],
        settled=_settled(gate, record.manifest, two_people=policy.two_people),
        undecided=tuple(_undecided(gate, record.manifest, now)),
    )
    return GateAtRun(waiting, record.manifest)


def _settled(
    gate: Gate, manifest: ResolvedManifest, *, two_people: bool
) -> tuple[bool, str] | None:
    """What is decided elsewhere; where two people are asked for, not by the author alone."""
    try:
        settled = model_gate.settled(gate, manifest)
        if not two_people or gate is not Gate.APPROVE_MODEL or settled is None or not settled[0]:
            return settled
        version = registry.describe(registration.registered_version(manifest))
    except ModelVersionMissingError:
        return None
    return None if decisions.is_author(manifest, version.modified_by) else settled


def _undecided(gate: Gate, manifest: ResolvedManifest, now: datetime) -> Iterator[str]:
    """Names of uploaded objects that data_intake should have decided on by now."""
    part = intake.part_for(gate)
    if part is None:
        return
    bucket = naming.split_s3_uri(manifest.locations.manifest)[0]
    prefix = f"{naming.run_prefix(manifest.run.id)}/{part}/"
    for found in storage.current_objects(bucket, prefix):
        arrived = Arrival(
            bucket, manifest.run.id, part, found.name, found.version_id, found.size_bytes, ""
        )
        is_old = found.modified_at is not None and now - found.modified_at > LATE
        if is_old and intake.is_read(manifest, arrived) and not intake.decided(manifest, arrived):
            yield found.name


@dataclass(frozen=True)
class EndOfRun:
    """An execution that ended, and the manifest of its run."""

    ended: EndedMachine
    manifest: ResolvedManifest


def ended_machines(machines: Mapping[str, str], bucket: str, now: datetime) -> Iterator[EndOfRun]:
    """Executions that ended lately, by phase and ARN of the machine; those of no run left out."""
    for phase, machine in machines.items():
        for arn, status, ended_at in _ended(machine, now):
            described: Any = clients.stepfunctions().describe_execution(executionArn=arn)
            manifest = _manifest(described.get("input", ""), bucket)
            if manifest is not None:
                yield EndOfRun(_end(phase, status, ended_at, described), manifest)


def _ended(machine: str, now: datetime) -> Iterator[tuple[str, str, datetime]]:
    pages = (
        clients.stepfunctions()
        .get_paginator("list_executions")
        .paginate(
            stateMachineArn=machine,
            PaginationConfig={"MaxItems": EXECUTIONS, "PageSize": EXECUTIONS},
        )
    )
    for one in (one for page in pages for one in page["executions"]):
        stopped = one.get("stopDate")
        if stopped is not None and now - stopped <= ENDED_WITHIN:
            yield one["executionArn"], one["status"], stopped


def _end(phase: str, status: str, ended_at: datetime, described: Mapping[str, Any]) -> EndedMachine:
    return EndedMachine(
        arn=described["executionArn"],
        phase=phase,
        status=status,
        error=described.get("error", ""),
        cause=described.get("cause", ""),
        output=_object(described.get("output", "")),
        ended_at=ended_at,
    )


def _manifest(text: str, bucket: str) -> ResolvedManifest | None:
    run = _object(text).get("run")
    run_id = run.get("id") if isinstance(run, dict) else None
    if not isinstance(run_id, str):
        return None
    try:
        return runs.read(naming.s3_uri(bucket, naming.manifest_key(run_id)))
    except (ObjectMissingError, ManifestError):
        return None


def _object(text: str) -> JsonObject:
    try:
        found = json_documents.parse(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def versions(prefix: str) -> Iterator[Version]:
    """The newest versions of every model group of the environment."""
    client = clients.sagemaker()
    for group in _groups(prefix):
        pages = client.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group,
            SortBy="CreationTime",
            SortOrder="Descending",
            PaginationConfig={"MaxItems": VERSIONS, "PageSize": VERSIONS},
        )
        for summary in (s for page in pages for s in page["ModelPackageSummaryList"]):
            yield _version(
                client.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
            )


def _groups(prefix: str) -> Iterator[str]:
    pages = (
        clients.sagemaker()
        .get_paginator("list_model_package_groups")
        .paginate(NameContains=prefix, PaginationConfig={"MaxItems": GROUPS, "PageSize": 100})
    )
    names = (
        g["ModelPackageGroupName"] for page in pages for g in page["ModelPackageGroupSummaryList"]
    )
    return (name for name in names if name.startswith(f"{prefix}-"))


def _version(described: Mapping[str, Any]) -> Version:
    metadata = described.get("CustomerMetadataProperties", {})
    return Version(
        arn=described["ModelPackageArn"],
        approval=described.get("ModelApprovalStatus", "PendingManualApproval"),
        changed_at=described.get("LastModifiedTime", described["CreationTime"]),
        run_id=metadata.get("run_id", ""),
        is_rolled_back=bool(metadata.get("rolled_back")),
        is_promoted=bool(metadata.get("source_arn")),
        is_superseded=described.get("ModelLifeCycle", {}).get("StageStatus") == "Superseded",
    )


def with_promotion(version: Version, bucket: str, now: datetime) -> Version:
    """The same with what is written down of its promotion, where that can matter."""
    is_old = now - version.changed_at > FOLLOWED_FOR
    if version.approval != promotion.APPROVED or version.is_promoted or is_old:
        return version
    record = promotions.read(bucket, version.arn)
    if record is None or record.status != promotion.APPROVED:
        return version
    name = promotion.execution_name(version.arn, record.decision)
    return replace(
        version,
        decided_at=datetime.fromisoformat(record.decided_at),
        has_begun=record.execution.endswith(f":{name}"),
    )
