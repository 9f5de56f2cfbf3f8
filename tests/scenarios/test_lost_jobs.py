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


# The job whose answer is lost lasts until it is stopped; its next attempt has another name.
LASTS = """
import json, os, time
name = os.environ.get("TRAINING_JOB_NAME")
if name is None:
    with open("/opt/ml/config/processingjobconfig.json") as file:
        name = json.load(file)["ProcessingJobName"]
if name.endswith("-1-0"):
    time.sleep(600)
"""


def test_a_run_goes_on_and_no_job_of_it_runs_twice(served: Laptop) -> None:
    with answers_lost(served, "CreateProcessingJob", "CreateTrainingJob"):
        lasting = {"preprocess_py": LASTS + stories.PREPROCESS, "train_py": LASTS + stories.TRAIN}
        run = stories.run_to_end(served, stories.smallest(**lasting))

    assert run.status == "Succeeded", run.error
    for kind, name in (("processing", "preprocess"), ("training", "train")):
        wanted = [(f"{name}-RUN-1-0", "Stopped"), (f"{name}-RUN-1-1", "Completed")]
        stories.await_true(
            lambda kind=kind, wanted=wanted: jobs_of(served, run.run_id, kind)[:2] == wanted,
            f"the first {kind} job was stopped, the second one ended",
        )
    assert len(jobs_of(served, run.run_id, "training")) == 2
