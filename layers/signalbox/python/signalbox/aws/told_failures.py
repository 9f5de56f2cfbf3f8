"""Tells people how runs and gates end: reads the cause where it is, sends the one message.

A failure is heard of up to four times, as a state machine, an action, a stage and a pipeline. All
four lead to the same action, and so to the same message.
"""

import json
from collections.abc import Iterable
from dataclasses import replace

from signalbox import messages_outcomes
from signalbox.aws import job_history, job_logs, machine_failures, messages, run_records
from signalbox.aws.actions import ActionRun
from signalbox.aws.machine_failures import EndedExecution
from signalbox.aws.messages import Channel
from signalbox.aws.run_records import RunRecord
from signalbox.decisions import GateDecision
from signalbox.delivery import Standing
from signalbox.jobs import Job, JobName
from signalbox.messages_outcomes import Failure, Run


def tell(record: RunRecord, action: ActionRun, channel: Channel) -> str:
    """A failed action that is no gate."""
    ended = machine_failures.describe(action.machine) if action.machine else None
    if ended is not None:
        return _tell(record, _of_machine(action.id, action.stage, ended), channel)
    error, _, cause = action.error.partition(": ")
    return _tell(record, Failure(action.id, action.stage, error, cause or action.summary), channel)


def tell_machine(record: RunRecord, ended: EndedExecution, channel: Channel) -> str:
    """A state machine that ended without success, for the action that had started it."""
    action = next((a for a in record.actions if a.external_id == ended.arn), None)
    if action is not None:
        return _tell(record, _of_machine(action.id, action.stage, ended), channel)
    name = ended.arn.rpartition(":")[2]
    return _tell(record, _of_machine(name, f"execution {name}", ended), channel)


def _of_machine(key: str, stage: str, ended: EndedExecution) -> Failure:
    return Failure(key, stage, ended.error, ended.cause, ended.state, ended.arn)


def _tell(record: RunRecord, failure: Failure, channel: Channel) -> str:
    key = messages_outcomes.end_key(failure.action_execution_id)
    if messages.is_sent(channel, record.id, key):  # three of a failure's four events end here
        return Standing.SENT
    run = _run(record, channel)
    failure = _with_log(failure, run.jobs)
    champion = run_records.champion(record.manifest, "refused") if record.manifest else None
    return messages.tell(messages_outcomes.failed(run, failure, champion), channel)


def _with_log(failure: Failure, jobs: Iterable[Job]) -> Failure:
    """The failure with its job and what that printed last.

    A job that ran out of time, or whose execution was stopped, is not in the cause: then it is
    the job of the state that failed.
    """
    job = messages_outcomes.failed_job(failure.cause) or _of_state(failure.state, jobs)
    if job is None or failure.error == messages_outcomes.REFUSED:
        return failure
    return replace(failure, job=job, log=tuple(job_logs.last_lines(job)))


def _of_state(state: str, jobs: Iterable[Job]) -> JobName | None:
    failed = [job.named for job in jobs if job.state == state and not job.is_completed]
    return failed[-1] if failed else None


def tell_gate(record: RunRecord, decision: GateDecision, channel: Channel) -> str:
    """A gate that was rejected, or that nobody decided."""
    return messages.tell(messages_outcomes.ended_at_gate(_run(record, channel), decision), channel)


def tell_success(record: RunRecord, channel: Channel) -> str:
    """A run that came to its end."""
    return messages.tell(messages_outcomes.succeeded(_run(record, channel)), channel)


def _run(record: RunRecord, channel: Channel) -> Run:
    return Run(
        id=record.id,
        execution_id=record.execution_id,
        pipeline=record.pipeline,
        environment=channel.environment,
        region=channel.region,
        manifest=record.manifest,
        jobs=job_history.of_actions(record.actions),
    )


def machine_run(arn: str, text: str | None) -> tuple[EndedExecution | None, str, str]:
    """An ended execution, and of the manifest that is its input the pipeline execution and the run.

    A run of a schedule has no pipeline execution.
    """
    ended = machine_failures.describe(arn)
    given = text or (ended.input if ended else "")
    try:
        run = json.loads(given or "{}").get("run", {})
    except (ValueError, AttributeError):
        return ended, "", ""
    if not isinstance(run, dict):
        return ended, "", ""
    scheduled = str(run.get("id", "")) if run.get("scheduledFor") else ""
    return ended, str(run.get("executionId", "")), scheduled
