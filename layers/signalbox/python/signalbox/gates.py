"""Gates: where a run waits for a decision, and when it need not.

Rules only: imports no AWS client.
"""

from enum import StrEnum

from signalbox.manifest import Workload
from signalbox.manifest_sections import ApprovalsSection, GateRule, InferenceMode


class Gate(StrEnum):
    """The gates, by the name that stage and action of the pipeline have."""

    UPLOAD_SOURCE_DATA = "UploadSourceData"
    APPROVE_MODEL = "ApproveModel"
    UPLOAD_INFERENCE_DATA = "UploadInferenceData"


def gate_named(name: str) -> Gate | None:
    """The gate of an approval action; None for an action that is none of ours."""
    return next((gate for gate in Gate if gate == name), None)


def rule_of(gate: Gate, approvals: ApprovalsSection) -> GateRule:
    """Who opens the gate, according to the manifest."""
    rules = {
        Gate.UPLOAD_SOURCE_DATA: approvals.upload_source_data,
        Gate.APPROVE_MODEL: approvals.approve_model,
        Gate.UPLOAD_INFERENCE_DATA: approvals.upload_inference_data,
    }
    return rules[gate]


def opens_by_itself(gate: Gate, workload: Workload) -> str | None:
    """Why the gate needs nobody, in a sentence for the pipeline's record; None when it waits."""
    mode = workload.inference.mode
    if gate is Gate.UPLOAD_INFERENCE_DATA and mode is not InferenceMode.BATCH:
        return f"Opened by Signalbox: inference mode {mode} takes no uploaded data."
    if rule_of(gate, workload.approvals) is GateRule.AUTOMATIC:
        return f"Opened by Signalbox: the manifest says automatic for {gate}."
    return None
