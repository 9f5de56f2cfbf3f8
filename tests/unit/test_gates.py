"""Gates: which open by themselves, and why."""

import pytest

from signalbox import manifest
from signalbox.gates import Gate, gate_named, opens_by_itself

SOURCE, MODEL, INFERENCE = Gate


# (gate, mode, rule of that gate, whether it opens)
CASES = [
    (SOURCE, "batch", "manual", False),
    (SOURCE, "batch", "on-upload", False),
    (SOURCE, "batch", "automatic", True),
    (SOURCE, "endpoint", "on-upload", False),
    (MODEL, "batch", "manual", False),
    (MODEL, "batch", "automatic", True),
    (MODEL, "none", "manual", False),
    (INFERENCE, "batch", "manual", False),
    (INFERENCE, "batch", "on-upload", False),
    (INFERENCE, "batch", "automatic", True),
    (INFERENCE, "endpoint", "manual", True),
    (INFERENCE, "serverless", "on-upload", True),
    (INFERENCE, "none", "on-upload", True),
]


@pytest.mark.parametrize(("gate", "mode", "rule", "opens"), CASES)
def test_a_gate_opens_when_its_rule_is_met(author, gate, mode, rule, opens):
    key = gate.value[0].lower() + gate.value[1:]
    workload = manifest.validate(author | {"inference": {"mode": mode}, "approvals": {key: rule}})

    assert (opens_by_itself(gate, workload) is not None) is opens


def test_the_reason_fits_a_pipeline_summary(author):
    """PutApprovalResult takes 512 characters."""
    workload = manifest.validate(author | {"inference": {"mode": "serverless"}})

    reason = opens_by_itself(INFERENCE, workload)

    assert reason == "Opened by Signalbox: inference mode serverless takes no uploaded data."
    assert len(reason) <= 512


def test_an_approval_that_is_none_of_ours_is_no_gate():
    assert gate_named("ApproveModel") is MODEL
    assert gate_named("LegalReview") is None
