"""EventBridge: what happens to runs becomes one message to people, and gates that may open do.

A gate whose rule is met is opened; for every other one, one message asks. The end of a gate is
written into the run's manifest and settles the model version. Failures and successes are told. A
schedule reminds, and repairs what a lost event left behind. The same event again changes nothing.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from signalbox import decisions, events, gates, messages_decisions, observability, settings
from signalbox.aws import (
    actions,
    job_history,
    messages,
    model_gate,
    pipeline,
    run_records,
    runs,
    told_failures,
)
from signalbox.aws.actions import ActionRun
from signalbox.aws.messages import Channel
from signalbox.aws.pipeline import Decision
from signalbox.aws.run_records import RunRecord
from signalbox.decisions import GateDecision, Outcome
from signalbox.errors import EventError
from signalbox.events import EventKind, read
from signalbox.gates import Gate
from signalbox.manifest_history import place
from signalbox.messages_decisions import Ask, Wait

logger = observability.logger("approval-notifier")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Act on one event; raises on failure, so that Lambda delivers the event again."""
    kind = events.kind_of(event)
    if kind not in _ANSWERS:
        raise EventError(f"nothing is told of {kind.source}, {kind.detail_type}")
    # Lambda's own retries keep the request id: that is how a sender knows its claim again.
    owner = str(getattr(context, "aws_request_id", ""))
    outcome = _ANSWERS[kind](event, owner)
    logger.info("event seen", extra={"detail_type": kind.detail_type, "outcome": outcome})
    return {"outcome": outcome}


def on_action(event: dict[str, Any], owner: str) -> str:
    """An action began or ended."""
    change = read(events.ActionStateChanged, event)
    detail = change.detail
    gate = gates.gate_named(detail.action) if change.is_approval else None
    has_ended = detail.state == "FAILED" or (gate is not None and detail.state == "SUCCEEDED")
    if not has_ended and not (gate and change.asks_a_person):
        return "nothing to tell"
    record = _record(detail.pipeline, detail.execution_id)
    action = record.action(detail.action_execution_id)
    if action is None:
        raise EventError(f"action {detail.action_execution_id} is not known yet; try again")
    if gate and not has_ended:
        return settle_or_ask(record, gate, action, owner)
    if not action.has_ended:
        raise EventError(f"the end of action {action.id} is not in the record yet; try again")
    return tell_end(record, action, owner)


def on_execution(event: dict[str, Any], owner: str) -> str:
    """A pipeline or a stage of it ended; what failed is told once for all three levels."""
    detail = read(events.ExecutionStateChanged, event).detail
    if detail.state not in ("FAILED", "SUCCEEDED"):
        return "nothing to tell"
    record = _record(detail.pipeline, detail.execution_id)
    if detail.state == "SUCCEEDED":
        is_stage = events.kind_of(event) == events.CODEPIPELINE_STAGE
        return (
            "nothing to tell" if is_stage else told_failures.tell_success(record, _channel(owner))
        )
    action = record.last_failure
    if action is None:
        return "nothing to tell: no action failed"
    return tell_end(record, action, owner)


def on_machine(event: dict[str, Any], owner: str) -> str:
    """A state machine ended without success; its pipeline action will fail of the same cause."""
    detail = read(events.MachineStatusChanged, event).detail
    if detail.status not in ("FAILED", "TIMED_OUT", "ABORTED"):
        return "nothing to tell"
    ended, execution_id, scheduled = told_failures.machine_run(detail.execution_arn, detail.input)
    if ended is None or not (execution_id or scheduled):
        return "nothing to tell: not an execution of a run"
    record = (
        run_records.of_schedule(_settings().pipeline_name, scheduled, _settings().workflow_bucket)
        if scheduled
        else _record(_settings().pipeline_name, execution_id)
    )
    return told_failures.tell_machine(record, ended, _channel(owner))


def on_schedule(_event: dict[str, Any], owner: str) -> str:
    """Ask where the event was lost, remind where time runs out."""
    outcomes = [
        _revisit(gate, waiting, owner)
        for waiting in actions.open_gates(_settings().pipeline_name)
        if (gate := gates.gate_named(waiting.action))
    ]
    return json.dumps(outcomes)


def settle_or_ask(record: RunRecord, gate: Gate, action: ActionRun, owner: str) -> str:
    """Open the gate when nobody is needed, else ask, once."""
    return _settle(record, gate) or _ask(record, gate, action, owner)


def _settle(record: RunRecord, gate: Gate) -> str:
    """Decide the gate if that needs nobody; empty when it does."""
    manifest = record.manifest
    if manifest is None:
        raise EventError(f"run {record.id} has no manifest, yet waits at {gate}")
    settled = model_gate.settled(gate, manifest, two_people=_settings().two_person_rule)
    if settled is None:
        return ""
    approved, reason = settled
    decision = _put(record, gate, approved=approved, reason=reason)
    return f"{'opening' if approved else 'closing'} {decision}"


def _put(record: RunRecord, gate: Gate, *, approved: bool, reason: str) -> Decision:
    where, name = record.pipeline, gate.value
    token = pipeline.approval_token(where, record.execution_id, stage=name, action=name)
    if token is None:
        return Decision.MADE_BEFORE
    return pipeline.decide(where, token, stage=name, action=name, approved=approved, summary=reason)


def _ask(
    record: RunRecord, gate: Gate, action: ActionRun, owner: str, *, reminder: int | None = None
) -> str:
    token = pipeline.approval_token(
        record.pipeline, record.execution_id, stage=gate.value, action=gate.value
    )
    if token is None or record.manifest is None:
        return "decided before"
    wait = Wait(gate, action.id, token, action.started_at, _deadline(gate, action.started_at))
    given = Ask(
        manifest=record.manifest,
        wait=wait,
        region=_settings().aws_region,
        app=_settings().app_name,
        previous=run_records.previous(record),
        champion=run_records.champion(record.manifest, "registered"),
        profile=run_records.profile(record),
        jobs=job_history.of_actions(record.actions),
    )
    if reminder is None:
        return messages.tell(messages_decisions.ask(given), _channel(owner))
    return messages.tell(messages_decisions.remind(given, reminder), _channel(owner))


def _revisit(gate: Gate, waiting: actions.OpenGate, owner: str) -> str:
    """One gate that waits, at the time of the schedule.

    What decides it may have been told by an event that was lost: SageMaker's are best effort
    (EventBridge User Guide, "Events from AWS services").
    """
    record = _record(_settings().pipeline_name, waiting.execution_id)
    action = record.action(waiting.action_execution_id)
    if action is None:
        return "not known yet"
    channel = _channel(owner)
    if decided := _settle(record, gate):
        return decided
    if not messages.is_sent(channel, record.id, messages_decisions.ask_key(action.id)):
        return _ask(record, gate, action, owner)
    due = messages_decisions.reminder_due(
        action.started_at, _deadline(gate, action.started_at), datetime.now(UTC)
    )
    return "waits" if due is None else _ask(record, gate, action, owner, reminder=due)


def tell_end(record: RunRecord, action: ActionRun, owner: str) -> str:
    """What the end of an action means: a decision to write down, a failure to tell."""
    gate = gates.gate_named(action.name)
    if gate is None:
        return told_failures.tell(record, action, _channel(owner))
    decision = model_gate.decision_of(gate, action)
    _write_down(record, decision)
    if decision.outcome is Outcome.APPROVED:
        return decision.outcome
    return told_failures.tell_gate(record, decision, _channel(owner))


def _write_down(record: RunRecord, decision: GateDecision) -> None:
    if record.manifest is None:
        return
    entry = decisions.entry_of(decision)
    runs.change(record.manifest.locations.manifest, lambda current: place(current, entry))
    if decision.gate is Gate.APPROVE_MODEL:
        model_gate.settle_version(record.manifest, decision, two_people=_settings().two_person_rule)


def _deadline(gate: Gate, since: datetime) -> datetime:
    found = _settings()
    minutes = (
        found.approve_model_timeout_minutes
        if gate is Gate.APPROVE_MODEL
        else found.upload_gate_timeout_minutes
    )
    return since.astimezone(UTC) + timedelta(minutes=minutes)


def _record(pipeline_name: str, execution_id: str) -> RunRecord:
    return run_records.read(pipeline_name, execution_id, _settings().workflow_bucket)


def _channel(owner: str) -> Channel:
    return messages.channel(_settings(), owner)


@cache
def _settings() -> settings.NotifierSettings:
    return settings.load(settings.NotifierSettings)


_ANSWERS: dict[EventKind, Callable[[dict[str, Any], str], str]] = {
    events.CODEPIPELINE_ACTION: on_action,
    events.CODEPIPELINE_STAGE: on_execution,
    events.CODEPIPELINE_PIPELINE: on_execution,
    events.MACHINE_EXECUTION: on_machine,
    events.SCHEDULE: on_schedule,
}
