"""probe_endpoint: known rows to an endpoint, compared with what the evaluation predicted."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions import probe_endpoint
from signalbox.aws import clients
from signalbox.errors import EventError, ProbeFailed, ProbeInvalid
from tests.functions.conftest import WORKFLOW

PLACE = "runs/261121-093005-2867b0/evaluation/1/probe"
ROWS, PREDICTIONS = "1,2\n3,4\n5,6\n", "10.5\n11.5\n12.5"


@pytest.fixture
def probed(world):
    """An evaluation that left a probe of three rows."""
    put(world, "rows.csv", ROWS)
    put(world, "predictions.csv", PREDICTIONS)
    return world


def put(world: Any, name: str, text: str) -> None:
    world.s3.put_object(Bucket=WORKFLOW, Key=f"{PLACE}/{name}", Body=text.encode())


def answers(text: str) -> list[dict[str, Any]]:
    """The endpoint answers so from now on; returns what it is sent."""
    sent: list[dict[str, Any]] = []

    def answer(params: dict[str, Any], **_: object) -> Any:
        sent.append({"url": params["url_path"], "body": params["body"], **params["headers"]})
        body = SimpleNamespace(read=text.encode, __enter__=None)
        return SimpleNamespace(status_code=200), {"Body": _Stream(body.read()), "ContentType": "x"}

    hooks = clients.sagemaker_runtime().meta.events
    hooks.register_first("before-call.sagemaker-runtime.InvokeEndpoint", answer)
    return sent


class _Stream:
    """The body of an answer."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __enter__(self) -> "_Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.content = b""

    def read(self) -> bytes:
        return self.content


def ask(world: Any, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = probe_endpoint.handler(
        {**world.event("probe_endpoint"), **changes}, None
    )
    return answer


def test_answers_as_at_the_evaluation_pass(probed):
    sent = answers("10.5\n11.5\n12.5000001\n")

    assert ask(probed, tolerance=1e-6)["rows"] == 3
    assert sent[0]["body"] == b"1,2\n3,4\n5,6"
    assert sent[0]["url"].endswith("signalbox-dev-probe-261121-093005-2867b0-1/invocations")
    assert sent[0]["Content-Type"] == "text/csv"


def test_no_more_rows_are_sent_than_the_author_wants(probed):
    sent = answers("10.5\n11.5")

    assert ask(probed, rows=2) == {"rows": 2, "maxDifference": 0.0}
    assert sent[0]["body"] == b"1,2\n3,4"


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        ("10.5\n11.6\n12.5", "row 2 of the probe: the endpoint answered 11.6, the evaluation pred"),
        ("10.5\n11.5", "answered 2 predictions to 3 known rows"),
        ("10.5\n11.5\n12.5\n13.5", "answered 4 predictions to 3 known rows"),
        ("10.5\nnan\n12.5", "row 2"),
        ("a\nb\nc", "row 1"),
    ],
)
def test_other_answers_fail_the_probe(probed, answered, said):
    answers(answered)

    with pytest.raises(ProbeFailed, match=said):
        ask(probed)


def test_a_model_that_refuses_the_rows_fails_the_probe(probed):
    def refuse(**_: object) -> Any:
        error = {"Error": {"Code": "ModelError", "Message": "500 from the container"}}
        raise ClientError(error, "InvokeEndpoint")  # type: ignore[arg-type]

    hooks = clients.sagemaker_runtime().meta.events
    hooks.register_first("before-call.sagemaker-runtime.InvokeEndpoint", refuse)

    with pytest.raises(ProbeFailed, match="500 from the container"):
        ask(probed)


def test_the_rows_are_counted_before_anything_is_started(probed):
    assert ask(probed, step="find", rows=2) == {"rows": 2}


def test_an_evaluation_without_a_probe_asks_for_none(world):
    assert ask(world, step="find") == {"rows": 0}
    assert ask(world, step="find", evaluations=[]) == {"rows": 0}


@pytest.mark.parametrize(
    ("rows", "predictions", "said"),
    [
        (ROWS, "1\n2", "rows.csv has 3 rows and probe/predictions.csv has 2"),
        ("", "", "has 0 rows"),
        (ROWS, None, "predictions.csv does not exist"),
    ],
)
def test_a_probe_that_cannot_be_used_is_told_before_anything_is_started(
    world, rows, predictions, said
):
    put(world, "rows.csv", rows)
    if predictions is not None:
        put(world, "predictions.csv", predictions)

    with pytest.raises(ProbeInvalid, match=said):
        ask(world, step="find")


def test_an_asynchronous_endpoint_reads_the_rows_itself(probed):
    place = {"OutputLocation": f"s3://{WORKFLOW}/async/e/answers/1.out"}

    def accept(params: dict[str, Any], **_: object) -> Any:
        assert params["headers"]["X-Amzn-SageMaker-InputLocation"].endswith("/probe/rows.csv")
        key = place["OutputLocation"].removeprefix(f"s3://{WORKFLOW}/")
        probed.s3.put_object(Bucket=WORKFLOW, Key=key, Body=PREDICTIONS.encode())
        return SimpleNamespace(status_code=202), place

    hooks = clients.sagemaker_runtime().meta.events
    hooks.register_first("before-call.sagemaker-runtime.InvokeEndpointAsync", accept)

    assert ask(probed, mode="async", rows=1) == {"rows": 3, "maxDifference": 0.0}


def test_what_is_no_request_is_named(probed):
    with pytest.raises(EventError, match="/step"):
        ask(probed, step="guess")


def test_the_example_is_what_the_machine_sends(world):
    assert set(world.event("probe_endpoint")) == {
        "step",
        "runId",
        "evaluations",
        "rows",
        "tolerance",
        "endpoint",
        "mode",
        "contentType",
        "accept",
    }
    assert json.dumps(world.event("probe_endpoint"))
