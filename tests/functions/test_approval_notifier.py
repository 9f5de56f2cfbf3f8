"""approval_notifier: gates whose rule is met are opened, all others wait for a person."""

import json
from typing import Any

import pytest

from functions import approval_notifier, create_schema
from signalbox.errors import EventError


def release(world: Any, workload: dict[str, str], author: dict[str, Any]) -> None:
    world.put_archive({**workload, "manifest.json": json.dumps(author)})
    create_schema.handler(world.event("create_schema"), None)
    world.pipeline.answers.clear()


def notify(world: Any, gate: str, **detail: Any) -> str:
    world.pipeline.gate = gate
    event = world.event("approval_notifier")
    event["detail"] |= {"stage": gate, "action": gate, **detail}
    outcome: str = approval_notifier.handler(event, None)["outcome"]
    return outcome


@pytest.fixture
def endpoint_run(world, workload, author):
    """A run that serves an endpoint, so nobody uploads inference data."""
    author["inference"] = {"mode": "endpoint"}
    release(world, workload, author)
    return world


def test_a_gate_that_the_mode_does_not_need_opens_and_says_why(endpoint_run):
    outcome = notify(endpoint_run, "UploadInferenceData")

    assert outcome == "opening made"
    ((_, request),) = endpoint_run.pipeline.answers
    assert request["pipelineName"] == "signalbox-dev-workflow"
    assert (request["stageName"], request["actionName"]) == ("UploadInferenceData",) * 2
    assert request["result"] == {
        "status": "Approved",
        "summary": "Opened by Signalbox: inference mode endpoint takes no uploaded data.",
    }


def test_an_automatic_gate_opens(world, workload, author):
    author["approvals"] = {"approveModel": "automatic"}
    release(world, workload, author)

    assert notify(world, "ApproveModel") == "opening made"
    assert "the manifest says automatic" in world.pipeline.answers[0][1]["result"]["summary"]


@pytest.mark.parametrize("gate", ["UploadSourceData", "ApproveModel", "UploadInferenceData"])
def test_gates_wait_for_a_person_unless_told_otherwise(world, workload, author, gate):
    release(world, workload, author)

    assert notify(world, gate) == "waits for a person"
    assert world.pipeline.answers == []


def test_the_same_event_twice_is_one_decision(endpoint_run):
    first = notify(endpoint_run, "UploadInferenceData")
    second = notify(endpoint_run, "UploadInferenceData")

    assert (first, second) == ("opening made", "opening made before")
    assert len(endpoint_run.pipeline.answers) == 1


def test_a_decision_made_between_look_and_act_stands(endpoint_run):
    def decide_first(**_: object) -> None:
        endpoint_run.pipeline.gate_status = "Succeeded"

    from signalbox.aws import clients

    hooks = clients.codepipeline().meta.events
    hooks.register_first("before-call.codepipeline.PutApprovalResult", decide_first)

    assert notify(endpoint_run, "UploadInferenceData") == "opening made before"
    assert endpoint_run.pipeline.answers == []


def test_a_gate_of_another_execution_is_left_alone(endpoint_run):
    endpoint_run.pipeline.execution_id = "99999999-0000-4000-8000-000000000000"

    assert notify(endpoint_run, "UploadInferenceData") == "opening made before"
    assert endpoint_run.pipeline.answers == []


def test_a_gate_without_its_token_yet_is_asked_again(endpoint_run):
    """Raised, so that Lambda delivers the event again a minute later."""
    endpoint_run.pipeline.token = ""

    with pytest.raises(EventError, match="its token is not published yet"):
        notify(endpoint_run, "UploadInferenceData")


def test_an_event_that_is_faster_than_the_pipelines_state_is_asked_again(endpoint_run):
    """Taken for a decision of somebody else it would leave the run waiting for ever."""
    endpoint_run.pipeline.is_state_late = True

    with pytest.raises(EventError, match="its token is not published yet"):
        notify(endpoint_run, "UploadInferenceData")


@pytest.mark.parametrize(
    "detail",
    [
        {"state": "SUCCEEDED"},
        {"type": {"category": "Invoke", "provider": "Lambda", "owner": "AWS", "version": "1"}},
        {"action": "LegalReview"},
    ],
)
def test_what_is_no_waiting_gate_of_ours_is_left_alone(endpoint_run, detail):
    assert notify(endpoint_run, "UploadInferenceData", **detail) == "not a gate"


def test_an_event_without_an_execution_is_refused_by_name(world):
    event = world.event("approval_notifier")
    del event["detail"]["execution-id"]

    with pytest.raises(EventError, match="/detail/execution-id: Field required"):
        approval_notifier.handler(event, None)
