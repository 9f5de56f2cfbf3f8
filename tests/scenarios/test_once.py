"""Whatever comes twice, at once or again is done once, and no name is ever used twice."""

import json
from concurrent.futures import ThreadPoolExecutor

from signalbox_cli.releasing import release_archive
from signalbox_cli.runs import read_manifest
from tests.scenarios import stories
from tests.scenarios.conftest import Laptop


def test_runs_released_within_the_same_second_are_runs_of_their_own(served: Laptop) -> None:
    packed = stories.smallest()
    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(lambda _: stories.start(served, packed), range(4)))

    runs = [stories.await_end(served, execution_id) for execution_id in started]

    assert [run.status for run in runs] == ["Succeeded"] * 4
    assert len({run.run_id for run in runs}) == 4
    manifests = [read_manifest(served.target, run) for run in runs]
    names = [job for manifest in manifests for job in _job_names(served, manifest["run"]["id"])]
    assert len(names) == len(set(names)) == 12


def _job_names(served: Laptop, run_id: str) -> list[str]:
    client = served.target.client("sagemaker")
    processing = client.list_processing_jobs(NameContains=run_id)["ProcessingJobSummaries"]
    training = client.list_training_jobs(NameContains=run_id)["TrainingJobSummaries"]
    return [j["ProcessingJobName"] for j in processing] + [j["TrainingJobName"] for j in training]


def test_the_same_token_twice_starts_one_run(served: Laptop) -> None:
    stories.put_standing_data(served)
    packed = stories.smallest()

    def start() -> str:
        return release_archive(
            served.target, packed, key="workloads/token.zip", options={}, token="one-release"
        ).execution_id

    first, second = start(), start()

    assert first == second
    assert stories.await_end(served, first).status == "Succeeded"


def test_a_retried_stage_is_the_same_run_with_the_next_attempt(served: Laptop) -> None:
    flag = "datasets/retried/stumble"
    s3, bucket = served.target.client("s3"), served.target.wiring().workflow_bucket
    s3.put_object(Bucket=bucket, Key="datasets/retried/rows.csv", Body=b"1\n")
    s3.put_object(Bucket=bucket, Key=flag, Body=b"1")
    stumbling = (
        "from pathlib import Path\n"
        "assert not list(Path('/opt/ml/processing/input/source').rglob('stumble')), 'stumbled'\n"
        + stories.PREPROCESS
    )
    manifest = {**stories.MANIFEST, "data": {"format": "other", "source": "datasets/retried"}}
    packed = stories.smallest(preprocess_py=stumbling, manifest_json=json.dumps(manifest))
    failed = stories.run_to_end(served, packed)
    assert failed.status == "Failed"
    assert "stumbled" in failed.error

    s3.delete_object(Bucket=bucket, Key=flag)
    served.target.client("codepipeline").retry_stage_execution(
        pipelineName=served.target.wiring().pipeline,
        stageName="Train",
        pipelineExecutionId=failed.execution_id,
        retryMode="FAILED_ACTIONS",
    )
    run = stories.await_end(served, failed.execution_id)

    assert run.status == "Succeeded", run.error
    assert run.run_id == failed.run_id
    history = read_manifest(served.target, run)["history"]
    training = [entry["status"] for entry in history if entry["phase"] == "training"]
    assert training == ["started", "failed", "started", "registered"]
    names = _job_names(served, run.run_id)
    assert len(names) == len(set(names))
    assert any(name.endswith("-2-0") for name in names)
