"""EventBridge, an approval action began to wait: gates whose rule is met are opened.

All other gates stay with a person. The same event twice is one decision: the second finds the
gate decided.
"""

from functools import cache
from typing import Any

from signalbox import gates, naming, observability, settings
from signalbox.aws import intake as data
from signalbox.aws import pipeline, runs
from signalbox.aws.pipeline import Decision
from signalbox.events import ActionDetail, ActionStateChanged, read
from signalbox.gates import Gate

logger = observability.logger("approval-notifier")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Decide one gate, or leave it; raises on failure, so that Lambda delivers the event again."""
    change = read(ActionStateChanged, event)
    gate = gates.gate_named(change.detail.action) if change.asks_a_person else None
    outcome = decide(change.detail, gate) if gate else "not a gate"
    logger.info(
        "gate seen",
        extra={
            "action": change.detail.action,
            "execution_id": change.detail.execution_id,
            "outcome": outcome,
        },
    )
    return {"gate": change.detail.action, "outcome": outcome}


def decide(detail: ActionDetail, gate: Gate) -> str:
    """Open the gate when the run's manifest says that nobody is needed."""
    manifest = runs.read(_manifest_uri(detail))
    reason = gates.opens_by_itself(gate, manifest.workload) or data.reason_to_open(gate, manifest)
    return "waits for a person" if reason is None else f"opening {_open(detail, reason)}"


def _open(detail: ActionDetail, reason: str) -> Decision:
    token = pipeline.approval_token(
        detail.pipeline, detail.execution_id, stage=detail.stage, action=detail.action
    )
    if token is None:
        return Decision.MADE_BEFORE
    return pipeline.approve(
        detail.pipeline, token, stage=detail.stage, action=detail.action, summary=reason
    )


def _manifest_uri(detail: ActionDetail) -> str:
    started = pipeline.started_at(detail.pipeline, detail.execution_id)
    run_id = naming.run_id(detail.execution_id, started)
    return naming.s3_uri(_settings().workflow_bucket, naming.manifest_key(run_id))


@cache
def _settings() -> settings.RunSettings:
    return settings.load(settings.RunSettings)
