"""Decisions at both doors, and what is left when their events are lost, once each on a laptop."""

from signalbox.naming import LIVE
from signalbox_cli.deciding import decide
from signalbox_cli.runs import RunView
from tests.scenarios import stories
from tests.scenarios.conftest import Laptop

MANUAL = {**stories.MANIFEST["approvals"], "approveModel": "manual"}
# The question then shows what the champion measured.
WITH_CHAMPION = {
    **stories.MANIFEST["evaluate"],
    "champion": {"metric": "regression_metrics.rmse.value", "better": "lower"},
}


def walk(served: Laptop) -> None:
    """A rejection at the gate, an approval in the registry, a decision whose event is lost."""
    run = _at_model_gate(served)
    decide(served.target, run, "ApproveModel", approve=False, reason="by the exercise")
    assert stories.await_end(served, run.execution_id).status == "Failed"
    stories.await_version(served, run, "Rejected")
    run = _at_model_gate(served)
    stories.decide_version(served, run, "Approved", "by the exercise")
    assert stories.await_end(served, run.execution_id).status == "Succeeded"
    _lose_the_event_of_a_gate(served)
    _fail_the_handler(served)


def _at_model_gate(served: Laptop) -> RunView:
    execution_id = stories.start(
        served, stories.with_manifest(approvals=MANUAL, evaluate=WITH_CHAMPION)
    )
    run = stories.await_stage(served, execution_id, "ApproveModel")
    stories.await_asked(served, run)
    return run


def _lose_the_event_of_a_gate(served: Laptop) -> None:
    """Without approval_notifier it is update_schema that settles the version."""
    events, rule = served.target.client("events"), f"{served.target.prefix}-gate-changed"
    run = _at_model_gate(served)
    events.disable_rule(Name=rule)
    decide(served.target, run, "ApproveModel", approve=True, reason="good")
    run = stories.await_stage(served, run.execution_id, "UploadInferenceData")
    events.enable_rule(Name=rule)
    decide(served.target, run, "UploadInferenceData", approve=True, reason="none is needed")
    assert stories.await_end(served, run.execution_id).status == "Succeeded"


def _fail_the_handler(served: Laptop) -> None:
    """An event that cannot be understood ends in the dead-letter queue, by the function's role."""
    served.target.client("lambda").invoke(
        FunctionName=f"{served.target.prefix}-promotion-handler",
        Qualifier=LIVE,
        InvocationType="Event",
        Payload=b'{"detail": "not an event"}',
    )
    stories.await_dead_letter(served, "not an event")
