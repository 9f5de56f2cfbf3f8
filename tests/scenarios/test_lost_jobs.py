"""Jobs that SageMaker starts without its answer arriving: none runs twice on the whole laptop."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.scenarios import stories
from tests.scenarios.conftest import Laptop

pytestmark = pytest.mark.slow


@contextmanager
def answers_lost(served: Laptop, *operations: str) -> Iterator[None]:
    """The next call of each operation by a machine is carried out and answered with a fault."""
    url = f"{served.up.url}/_localaws/faults"
    each = {"when": "after", "status": 500, "code": "InternalFailure", "role": "-training-"}
    faults = [{"operation": f"sagemaker:{one}", **each} for one in operations]
    body = json.dumps({"faults": faults}).encode()
    urllib.request.urlopen(urllib.request.Request(url, body, method="PUT")).close()
    try:
        yield
        with urllib.request.urlopen(url) as answer:
            met = [fault["fired"] for fault in json.load(answer)["faults"]]
        assert met == [1] * len(operations)
    finally:
        urllib.request.urlopen(urllib.request.Request(url, method="DELETE")).close()


def jobs_of(served: Laptop, run_id: str, kind: str) -> list[tuple[str, str]]:
    """Ends of the names of the run's jobs, oldest first, with their statuses."""
    client = served.target.client("sagemaker")
    listed: Any = getattr(client, f"list_{kind}_jobs")(NameContains=run_id, SortOrder="Ascending")
    title = f"{kind.capitalize()}Job"
    return [
        (job[f"{title}Name"].rpartition("-dev-")[2].replace(run_id, "RUN"), job[f"{title}Status"])
        for job in listed[f"{title}Summaries"]
    ]


def test_a_run_goes_on_and_no_job_of_it_runs_twice(served: Laptop) -> None:
    with answers_lost(served, "CreateProcessingJob", "CreateTrainingJob"):
        run = stories.run_to_end(served, stories.smallest())

    assert run.status == "Succeeded", run.error
    processing = jobs_of(served, run.run_id, "processing")
    assert processing[:2] == [
        ("preprocess-RUN-1-0", "Stopped"),
        ("preprocess-RUN-1-1", "Completed"),
    ]
    assert jobs_of(served, run.run_id, "training") == [
        ("train-RUN-1-0", "Stopped"),
        ("train-RUN-1-1", "Completed"),
    ]
