"""EventBridge Scheduler: what lost events have left behind is put right, the rest is told once.

SageMaker's and Step Functions' events are best effort, so registry, endpoints, executions, gates
and manifests are compared. What can be proved is repaired, by the same code that the event would
have woken; everything else is told to people. Nothing is ever deleted.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from signalbox import costs, events, hosting, naming, observability, reconciliation, settings
from signalbox.aws import messages, repairs, survey, survey_hosting
from signalbox.aws.promotions import Environment
from signalbox.aws.repairs import Following
from signalbox.aws.survey import Policy
from signalbox.errors import EventError
from signalbox.gates import Gate
from signalbox.reconciliation import Finding, Version

logger = observability.logger("reconciler")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Compare everything once; raises on failure, so that the schedule runs it again."""
    if events.kind_of(event) != events.TIMED:
        raise EventError("only its schedule wakes the reconciler")
    done = reconcile(datetime.now(UTC), owner=str(getattr(context, "aws_request_id", "")))
    logger.info("reconciled", extra=done)
    return done


def reconcile(now: datetime, *, owner: str) -> dict[str, Any]:
    """What was repaired, by kind, and how many findings people were told of."""
    waiting = list(survey.waiting_gates(_policy(), now))
    ends = list(survey.ended_machines(_machines(), _settings().workflow_bucket, now))
    versions = list(survey.versions(_prefix()))
    gates = _decide_gates(waiting, now)
    runs = _write_ends(ends)
    bucket = _settings().workflow_bucket
    known = [survey.with_promotion(version, bucket, now) for version in versions]
    due = reconciliation.to_follow(known, now)
    followed = repairs.follow(due, _following())
    asked = [gate.waiting.run_id for gate in waiting]
    findings = [
        *(f for gate in waiting for f in reconciliation.gate_findings(gate.waiting)),
        *(f for end in ends for f in reconciliation.end_findings(end.manifest, end.ended)),
        *reconciliation.pending_findings(versions, asked, now),
        *_hosting_findings(versions, asked, now),
    ]
    told = repairs.tell(findings, messages.channel(_settings(), owner))
    return {
        "gates": gates,
        "runs": runs,
        "promotions": followed,
        "findings": len(findings),
        "told": told,
    }


def _decide_gates(waiting: list[survey.GateAtRun], now: datetime) -> list[str]:
    ruled = ((gate, reconciliation.rule_on_gate(gate.waiting, now)) for gate in waiting)
    return [
        f"{gate.waiting.gate} of {gate.waiting.run_id}: {repairs.decide(gate, ruling)}"
        for gate, ruling in ruled
        if ruling is not None
    ]


def _write_ends(ends: list[survey.EndOfRun]) -> list[str]:
    found = ((end, reconciliation.missing_end(end.manifest, end.ended)) for end in ends)
    return [
        f"{end.ended.phase} of {end.manifest.run.id}: {entry.status}"
        for end, entry in found
        if entry is not None and repairs.write_end(end, entry)
    ]


def _hosting_findings(
    versions: list[Version], asked: list[str], now: datetime
) -> Iterator[Finding]:
    bucket = _settings().workflow_bucket
    found = survey_hosting.read(_prefix(), bucket)
    yield from hosting.unlike_the_record(found, now)
    yield from hosting.left_over(found, now, costs.USD_PER_HOUR)
    deployed = {d.run_id for record in found.records.values() for d in record.deployments}
    referenced = {version.run_id for version in versions} | set(asked) | deployed
    old = hosting.old_runs(survey_hosting.run_ids(bucket), referenced, now)
    yield from hosting.run_findings(survey_hosting.sizes(bucket, old), bucket)


def _policy() -> Policy:
    found = _settings()
    upload = timedelta(minutes=found.upload_gate_timeout_minutes)
    return Policy(
        pipeline=found.pipeline_name,
        bucket=found.workflow_bucket,
        timeouts={
            Gate.UPLOAD_SOURCE_DATA: upload,
            Gate.APPROVE_MODEL: timedelta(minutes=found.approve_model_timeout_minutes),
            Gate.UPLOAD_INFERENCE_DATA: upload,
        },
        two_people=found.two_person_rule,
    )


def _following() -> Following:
    found = _settings()
    where = Environment(found.app_name, found.environment_name, found.workflow_bucket)
    return Following(where, found.promotion_state_machine_arn, found.two_person_rule)


def _machines() -> dict[str, str]:
    found = _settings()
    return {"training": found.training_machine_arn, "inference": found.inference_machine_arn}


def _prefix() -> str:
    return naming.prefix(_settings().app_name, _settings().environment_name)


@cache
def _settings() -> settings.ReconcilerSettings:
    return settings.load(settings.ReconcilerSettings)
