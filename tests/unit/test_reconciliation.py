"""What can be proved of a lost event, and what only a person can put right."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox import decisions, manifest_history, outcomes, reconciliation
from signalbox.archive import WorkloadFiles
from signalbox.decisions import Outcome
from signalbox.gates import Gate
from signalbox.machine_requests import OutcomeReport
from signalbox.manifest_resolved import ResolvedManifest
from signalbox.reconciliation import EndedMachine, Finding, Version, WaitingGate
from signalbox.release import plan_run

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
ARN = "arn:aws:states:us-east-1:123456789012:execution:signalbox-dev-training:train-1"
VERSION = "arn:aws:sagemaker:us-east-1:123456789012:model-package/signalbox-dev-diabetes/3"


@pytest.fixture
def manifest(author, platform, started) -> ResolvedManifest:
    """A run whose training has begun."""
    scripts = ("preprocess.py", "train.py", "evaluate.py", "inference.py")
    files = dict.fromkeys(scripts, b"print(1)\n")
    made = plan_run(WorkloadFiles("", files | {"manifest.json": _json(author)}), platform, started)
    return begun(made.manifest, "training")


def _json(author: object) -> bytes:
    import json

    return json.dumps(author).encode()


def begun(manifest: ResolvedManifest, phase: str, status: str = "started") -> ResolvedManifest:
    entry = manifest_history.entry(phase, status, ARN, at=NOW, detail={}, arn=ARN)
    return manifest_history.append(manifest, entry)


def ended(status: str = "ABORTED", phase: str = "training", **output: object) -> EndedMachine:
    return EndedMachine(ARN, phase, status, "", "stopped by hand", dict(output), NOW)  # type: ignore[arg-type]


def waiting(
    *, hours: float = 1, settled: tuple[bool, str] | None = None, undecided: tuple[str, ...] = ()
) -> WaitingGate:
    since = NOW - timedelta(hours=hours)
    return WaitingGate(Gate.APPROVE_MODEL, "261121-093005-2867b0", since, WEEK, settled, undecided)


def version(approval: str = "Approved", *, days: float = 1, **more: object) -> Version:
    return Version(VERSION, approval, NOW - timedelta(days=days), "r", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("approved", [True, False])
def test_what_is_settled_elsewhere_is_settled_at_the_gate_even_after_its_time(approved: bool):
    ruling = reconciliation.rule_on_gate(waiting(hours=900, settled=(approved, "seen")), NOW)

    assert (ruling.approved, ruling.reason) == (approved, "seen")


def test_a_gate_within_its_time_is_left_to_people():
    assert reconciliation.rule_on_gate(waiting(hours=167), NOW) is None
    assert reconciliation.rule_on_gate(waiting(hours=168.4), NOW) is None  # CodePipeline's own turn


def test_a_gate_past_its_time_is_ended_as_expired_and_not_as_rejected():
    ruling = reconciliation.rule_on_gate(waiting(hours=169), NOW)

    assert not ruling.approved
    outcome = decisions.outcome_of(
        succeeded=False, by="arn:aws:iam::1:role/r", reason=ruling.reason
    )
    assert outcome is Outcome.EXPIRED
    assert "2026-11-21T11:00:00Z" in ruling.reason


@given(st.integers(-400, 400), st.none() | st.tuples(st.booleans(), st.text(min_size=1)))
def test_a_gate_is_never_opened_by_the_clock(hours: int, settled: tuple[bool, str] | None):
    ruling = reconciliation.rule_on_gate(waiting(hours=hours, settled=settled), NOW)

    assert ruling is None or ruling.approved == (settled is not None and settled[0])


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT", "FAILED"])
def test_an_end_that_nobody_wrote_is_written_with_its_cause(manifest, status: str):
    entry = reconciliation.missing_end(manifest, ended(status))

    assert entry.status == "failed"
    assert entry.detail == {"error": status, "cause": "stopped by hand", "recordedBy": "reconciler"}


def test_it_is_the_same_fact_as_a_report_that_is_only_late(manifest):
    report = OutcomeReport(
        run_id=manifest.run.id,
        manifest_uri=manifest.locations.manifest,
        phase="training",
        status="failed",
        execution=ARN,
    )

    late = outcomes.entry_of(report, at=NOW)

    assert reconciliation.missing_end(manifest, ended()).key == late.key


@pytest.mark.parametrize("status", reconciliation.ENDINGS)
def test_an_end_that_is_written_is_left_as_it_is(manifest, status: str):
    assert reconciliation.missing_end(begun(manifest, "training", status), ended()) is None


def test_an_execution_that_never_began_in_the_manifest_is_not_of_the_run(manifest):
    assert reconciliation.missing_end(manifest, ended(phase="inference")) is None


def test_a_machine_that_runs_has_not_ended(manifest):
    assert reconciliation.missing_end(manifest, ended("RUNNING")) is None


def test_a_success_is_written_from_what_the_machine_returned(manifest):
    registered = reconciliation.missing_end(manifest, ended("SUCCEEDED", modelPackageArn=VERSION))
    served = reconciliation.missing_end(
        begun(manifest, "inference"), ended("SUCCEEDED", "inference", endpoint="e")
    )

    assert (registered.status, registered.arn) == ("registered", VERSION)
    assert (served.status, served.detail["endpoint"]) == ("succeeded", "e")


def test_a_training_that_does_not_say_what_it_registered_is_told_and_not_guessed(manifest):
    assert reconciliation.missing_end(manifest, ended("SUCCEEDED")) is None
    (finding,) = reconciliation.end_findings(manifest, ended("SUCCEEDED"))
    assert ARN in finding.sentence


@given(st.sampled_from(["FAILED", "ABORTED", "TIMED_OUT", "SUCCEEDED"]), st.integers(1, 4))
def test_to_write_an_end_again_changes_nothing(status: str, times: int):
    manifest = _EXAMPLE[0]
    for _ in range(times):
        entry = reconciliation.missing_end(manifest, ended(status, modelPackageArn=VERSION))
        manifest = manifest_history.place(manifest, entry) if entry else manifest

    ends = [e for e in manifest.history if e.status in reconciliation.ENDINGS]
    assert len(ends) == 1


_EXAMPLE: list[ResolvedManifest] = []


@pytest.fixture(autouse=True)
def _keep_an_example(manifest) -> None:
    _EXAMPLE[:] = [manifest]


def test_versions_that_changed_lately_are_followed_the_oldest_change_first():
    """One that waits may have been approved before, and its promotion may run."""
    young, waiting, old = (
        version("Rejected"),
        version("PendingManualApproval", days=2),
        version(days=6),
    )
    others = [
        version(is_promoted=True),
        version(is_rolled_back=True),
        version(days=8),
    ]

    assert reconciliation.to_follow([young, waiting, *others, old], NOW) == [old, waiting, young]


def test_of_several_approvals_in_a_group_only_the_last_is_promoted():
    """Version 3 may be approved after version 5: the moment counts, not the number."""
    five = replace(version(days=2), arn=VERSION.replace("/3", "/5"))
    three = version(days=1)
    other = replace(version(days=6), arn=VERSION.replace("diabetes/3", "wine/1"))

    assert reconciliation.to_follow([five, three, other], NOW) == [other, three]


def test_a_stamp_on_an_older_version_does_not_hide_a_lost_approval():
    """A stamp changes a version, too: one that was promoted, or superseded, is later in no way."""
    five = replace(version(days=2), arn=VERSION.replace("/3", "/5"))
    begun = version(days=1, decided_at=NOW - timedelta(days=6), has_begun=True)
    superseded = version(days=1, is_superseded=True)

    assert reconciliation.to_follow([five, begun], NOW) == [five]
    assert reconciliation.to_follow([five, superseded], NOW) == [five]


def test_an_approval_found_late_never_overtakes_a_promotion_that_has_begun():
    begun = replace(
        version(days=1, decided_at=NOW - timedelta(days=1), has_begun=True),
        arn=VERSION.replace("/3", "/5"),
    )
    assert reconciliation.to_follow([begun, version(days=2)], NOW) == []
    stamped = version(days=0.5, decided_at=NOW - timedelta(days=2))
    assert reconciliation.to_follow([begun, stamped], NOW) == []


def test_a_version_that_no_gate_asks_for_is_told_after_a_day():
    pending = version("PendingManualApproval", days=2)

    assert len(reconciliation.pending_findings([pending], [], NOW)) == 1
    assert reconciliation.pending_findings([pending], ["r"], NOW) == []
    assert (
        reconciliation.pending_findings([version("PendingManualApproval", days=0.9)], [], NOW) == []
    )
    promoted = version("PendingManualApproval", days=2, is_promoted=True)
    assert reconciliation.pending_findings([promoted], [], NOW) == []


def test_data_that_nobody_looked_at_is_told_by_its_name():
    (finding,) = reconciliation.gate_findings(waiting(undecided=("rows.csv",)))

    assert "rows.csv of run 261121-093005-2867b0" in finding.sentence


@given(st.lists(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
def test_each_finding_is_told_once(keys: list[str], told: set[str]):
    findings = [Finding("run", key, "text") for key in keys]

    new = reconciliation.fresh(findings, told)

    assert {finding.key for finding in new} == set(keys) - told
    assert len(new) == len({finding.key for finding in new})
    assert reconciliation.fresh(findings, told | {f.key for f in new}) == []
