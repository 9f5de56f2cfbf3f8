"""The whole story: release, upload, approve, and the same predictions three ways."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from signalbox_cli.demo import call_model, differing_rows, read_lines
from signalbox_cli.runs import find_run, read_manifest
from signalbox_cli.sample_data import SampleData
from tests.scenarios import stories
from tests.scenarios.conftest import REPOSITORY, Laptop


@pytest.mark.slow
@pytest.mark.parametrize("workload", ["diabetes", "breast_cancer"])
def test_batch_endpoint_and_the_registered_model_give_the_same_predictions(
    served: Laptop, sample: Callable[[str], SampleData], workload: str, tmp_path: Path
) -> None:
    files, folder = sample(workload), REPOSITORY / "workloads" / workload
    automatic = ["--set", "approvals.approveModel=automatic"]

    batch_id = _released(served, folder, "batch", automatic)
    served.signalbox("upload", str(files.source), "--run", batch_id)
    served.signalbox("watch", batch_id, "--until-gate")
    served.signalbox("upload", str(files.inference), "--inference", "--run", batch_id)
    served.signalbox("watch", batch_id)
    endpoint_id = _released(served, folder, "endpoint", automatic)
    served.signalbox("upload", str(files.source), "--run", endpoint_id)
    served.signalbox("watch", endpoint_id)

    run = find_run(served.target, batch_id)
    history = read_manifest(served.target, run)["history"]
    registered = next(e["detail"] for e in history if e["status"] == "registered")
    outcome = next(e for e in history if (e["phase"], e["status"]) == ("inference", "succeeded"))
    batch = read_lines(served.target, outcome["detail"]["predictionsUri"])
    bucket, _, key = registered["modelDataUrl"].removeprefix("s3://").partition("/")
    served.target.client("s3").download_file(bucket, key, str(tmp_path / "model.tar.gz"))
    direct = call_model(tmp_path / "model.tar.gz", folder / "inference.py", files.inference)
    answer = served.signalbox("predict", str(files.inference), "--workload", run.workload, "--json")
    assert len(batch) == len(files.inference.read_text().splitlines())
    assert differing_rows(batch, direct) == []
    assert differing_rows(batch, json.loads(answer.stdout)["predictions"]) == []


def _released(served: Laptop, folder: Path, mode: str, more: list[str]) -> str:
    done = served.signalbox(
        "release", str(folder), "--set", f"inference.mode={mode}", *more, "--json"
    )
    execution_id: str = json.loads(done.stdout)["executionId"]
    served.signalbox("watch", execution_id, "--until-gate")
    return execution_id


@pytest.mark.slow
def test_the_model_versions_are_listed_with_their_run(
    served: Laptop, sample: Callable[[str], SampleData]
) -> None:
    execution_id = _released(served, REPOSITORY / "workloads" / "diabetes", "none", [])
    served.signalbox("upload", str(sample("diabetes").source), "--run", execution_id)
    served.signalbox("watch", execution_id, "--until-gate")

    rejected = served.signalbox(
        "reject", "ApproveModel", "--run", execution_id, "--reason", "not today"
    )
    ended = served.signalbox("watch", execution_id, check=False)
    listed = json.loads(served.signalbox("models", "diabetes", "--json").stdout)

    assert "Rejected ApproveModel" in rejected.stdout
    assert ended.returncode == 4
    run = find_run(served.target, execution_id)
    assert listed[0]["metadata"]["run_id"] == run.run_id
    assert "not today" in stories.await_version(served, run, "Rejected")
