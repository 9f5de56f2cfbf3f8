"""Events get lost; the reconciler's next run finishes what they left behind."""

import pytest

from signalbox_cli.runs import read_manifest, read_run
from tests.scenarios import exercise_reconciler, stories
from tests.scenarios.conftest import Laptop
from tests.scenarios.exercise_reconciler import lost, reconcile

MANUAL = {**stories.MANIFEST["approvals"], "approveModel": "manual"}


def test_a_run_whose_gates_nobody_heard_of_is_finished(served: Laptop) -> None:
    with lost(served, *exercise_reconciler.GATE_RULES):
        execution_id = stories.start(served, stories.smallest())

        run = exercise_reconciler.finish(served, execution_id)

    assert run.status == "Succeeded", run.error


@pytest.mark.parametrize(("status", "ends"), [("Approved", "Succeeded"), ("Rejected", "Failed")])
def test_a_decision_in_the_registry_that_nobody_heard_of_settles_the_gate(
    served: Laptop, status: str, ends: str
) -> None:
    with lost(served, "model-decided", *exercise_reconciler.GATE_RULES):
        execution_id = stories.start(
            served, stories.with_manifest(approvals={**MANUAL, "uploadSourceData": "automatic"})
        )
        stories.await_stage(served, execution_id, "UploadSourceData")
        reconcile(served)
        run = stories.await_stage(served, execution_id, "ApproveModel")
        stories.decide_version(served, run, status, "seen by the board")

        reconcile(served)

    gate = read_run(served.target, execution_id).action("ApproveModel")
    assert gate is not None
    assert "seen by the board" in gate.summary
    assert stories.await_end(served, execution_id).status == ends


def test_the_end_of_a_machine_that_was_killed_is_in_the_manifest_after_the_next_run(
    served: Laptop,
) -> None:
    slow = stories.smallest(train_py="import time\ntime.sleep(60)\n")
    execution_id = stories.start(served, slow)
    arn = stories.await_state(served, execution_id, "Train", "Train")
    served.target.client("stepfunctions").stop_execution(executionArn=arn, cause="by hand")
    run = stories.await_end(served, execution_id)

    for _ in range(2):
        reconcile(served)

    (ended,) = [e for e in read_manifest(served.target, run)["history"] if e["status"] == "failed"]
    assert (ended["detail"]["cause"], ended["detail"]["recordedBy"]) == ("by hand", "reconciler")


def test_its_schedule_wakes_it_without_anybody(served: Laptop) -> None:
    """Every four hours, which pass in 24 seconds here."""
    logs = served.target.client("logs")
    group = f"/aws/lambda/{served.target.prefix}-reconciler"

    def has_run() -> bool:
        events = logs.filter_log_events(logGroupName=group)["events"]
        return sum("reconciled" in event["message"] for event in events) > before

    before = sum(
        "reconciled" in event["message"]
        for event in logs.filter_log_events(logGroupName=group)["events"]
    )
    stories.await_true(has_run, "the schedule woke the reconciler")
