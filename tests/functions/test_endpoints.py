"""Endpoints as a client calls them, where an answer does not come."""

from types import SimpleNamespace
from typing import Any

import pytest

from signalbox.aws import clients, endpoints
from signalbox.aws.endpoints import Kinds
from signalbox.errors import ProbeFailed
from tests.functions.conftest import WORKFLOW

CSV = Kinds("text/csv", "text/csv")
ROWS = f"s3://{WORKFLOW}/rows.csv"


@pytest.fixture
def asynchronous(world):
    """An endpoint that takes requests and says where it will leave its answers."""
    places = {
        "OutputLocation": f"s3://{WORKFLOW}/async/answer.out",
        "FailureLocation": f"s3://{WORKFLOW}/async/failure.out",
    }
    clients.sagemaker_runtime().meta.events.register_first(
        "before-call.sagemaker-runtime.InvokeEndpointAsync",
        lambda **_: (SimpleNamespace(status_code=202), places),
    )
    return world


def leave(world: Any, name: str, text: str) -> None:
    world.s3.put_object(Bucket=WORKFLOW, Key=f"async/{name}.out", Body=text.encode())


def test_an_answer_is_waited_for(asynchronous):
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            leave(asynchronous, "answer", "1.5")

    assert endpoints.invoke_from_s3("e", ROWS, CSV, wait=wait) == "1.5"
    assert waited == [endpoints.LOOK_EVERY_S] * 3


def test_a_failure_of_the_model_is_no_answer(asynchronous):
    leave(asynchronous, "failure", "RuntimeError")

    with pytest.raises(ProbeFailed, match="endpoint e refused the rows of s3://"):
        endpoints.invoke_from_s3("e", ROWS, CSV, wait=lambda _: None)


def test_the_wait_for_an_answer_has_an_end(asynchronous):
    waited: list[float] = []

    with pytest.raises(ProbeFailed, match=r"left no answer to s3://.* within 90 s"):
        endpoints.invoke_from_s3("e", ROWS, CSV, wait=waited.append)
    assert sum(waited) == 90
