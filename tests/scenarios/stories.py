"""What the stories have in common: a smallest workload to spoil, and following a run to its end."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from signalbox_cli.releasing import release_archive
from signalbox_cli.run_states import read_states
from signalbox_cli.runs import RunView, read_manifest, read_run
from tests.scenarios.conftest import Laptop

PATIENCE_S = 180.0
"""Seconds that anything may take: a machine that does much else at once is slow, not wrong."""
PREPROCESS = """
from pathlib import Path
for part in ("train", "test"):
    folder = Path("/opt/ml/processing/output") / part
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.csv").write_text("1,2")
print("prepared")
"""
TRAIN = """
from pathlib import Path
Path("/opt/ml/model/model.txt").write_text("a model")
"""
EVALUATE = """
import json
from pathlib import Path
folder = Path("/opt/ml/processing/output/evaluation")
folder.mkdir(parents=True, exist_ok=True)
metrics = {"regression_metrics": {"rmse": {"value": 0.5}}}
(folder / "evaluation.json").write_text(json.dumps(metrics))
"""
MANIFEST: dict[str, Any] = {
    "schemaVersion": "1",
    "name": "smallest",
    "problem": "regression",
    "data": {"format": "other", "source": "datasets/smallest"},
    "evaluate": {"gates": [{"metric": "regression_metrics.rmse.value", "max": 1.0}]},
    "inference": {"mode": "none"},
    "approvals": {
        "uploadSourceData": "automatic",
        "approveModel": "automatic",
        "uploadInferenceData": "automatic",
    },
}
FILES = {
    "manifest.json": json.dumps(MANIFEST),
    "preprocess.py": PREPROCESS,
    "train.py": TRAIN,
    "evaluate.py": EVALUATE,
    "inference.py": "",
}


def smallest(**changes: str) -> bytes:
    """The smallest workload as an archive; `train_py="..."` replaces train.py."""
    named = {name.replace("_py", ".py").replace("_json", ".json"): v for name, v in changes.items()}
    return archive({**FILES, **named})


def with_manifest(**changes: Any) -> bytes:
    """The smallest workload with keys of its manifest replaced."""
    return archive({**FILES, "manifest.json": json.dumps({**MANIFEST, **changes})})


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """A zip of files by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def put_standing_data(served: Laptop) -> None:
    """The data that the smallest workload's manifest names."""
    served.target.client("s3").put_object(
        Bucket=served.target.wiring().workflow_bucket, Key="datasets/smallest/rows.csv", Body=b"1\n"
    )


def start(served: Laptop, packed: bytes, *, options: dict[str, Any] | None = None) -> str:
    """Release an archive as it is; the execution's id."""
    put_standing_data(served)
    return release_archive(
        served.target, packed, key="workloads/story.zip", options=options or {}
    ).execution_id


def await_end(served: Laptop, execution_id: str, limit_s: float = PATIENCE_S) -> RunView:
    """The run once it has ended."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        run = read_run(served.target, execution_id)
        if run.is_finished:
            return run
        time.sleep(0.05)
    return pytest.fail(f"the run did not end within {limit_s} s: {run}")


def await_stage(
    served: Laptop, execution_id: str, stage: str, limit_s: float = PATIENCE_S
) -> RunView:
    """The run once it is at a stage."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        run = read_run(served.target, execution_id)
        if run.action(stage) is not None:
            return run
        assert not run.is_finished, run
        time.sleep(0.05)
    return pytest.fail(f"the run did not come to {stage} within {limit_s} s: {run}")


def run_to_end(served: Laptop, packed: bytes, *, options: dict[str, Any] | None = None) -> RunView:
    """Release an archive and wait until its run has ended."""
    return await_end(served, start(served, packed, options=options))


def objects_under(served: Laptop, prefix: str) -> list[str]:
    """Keys of the workflow bucket under a prefix."""
    listed = served.target.client("s3").list_objects_v2(
        Bucket=served.target.wiring().workflow_bucket, Prefix=prefix
    )
    return [o["Key"] for o in listed.get("Contents", [])]


def await_state(served: Laptop, execution_id: str, stage: str, state: str) -> str:
    """The ARN of the stage's execution once the state's job has been started."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        run = read_run(served.target, execution_id)
        assert not run.is_finished, run.error
        action = run.action(stage)
        if action is not None and action.external_id:
            states = read_states(served.target, action.external_id)
            if any(s.name == state and s.job_name for s in states):
                return action.external_id
        time.sleep(0.05)
    return pytest.fail(f"the run did not come to {state} of {stage}")


def states_of(served: Laptop, run: RunView, stage: str) -> list[str]:
    """Names of the states that the stage's execution has visited, in order."""
    action = run.action(stage)
    assert action is not None
    return [state.name for state in read_states(served.target, action.external_id)]


def output_of(served: Laptop, run: RunView, stage: str) -> dict[str, Any]:
    """What the stage's execution returned."""
    action = run.action(stage)
    assert action is not None
    found = served.target.client("stepfunctions").describe_execution(
        executionArn=action.external_id
    )
    output: dict[str, Any] = json.loads(found["output"])
    return output


def await_true(is_so: Callable[[], bool], what: str, limit_s: float = PATIENCE_S) -> None:
    """Come back once it is so."""
    deadline = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline, f"not within {limit_s} s: {what}"
        time.sleep(0.05)


def await_no_endpoint(served: Laptop, part_of_name: str = "") -> None:
    """Until no endpoint is listed: SageMaker lists one that is being deleted until it is gone."""
    sagemaker = served.target.client("sagemaker")
    await_true(
        lambda: not sagemaker.list_endpoints(NameContains=part_of_name)["Endpoints"],
        f"no endpoint {part_of_name} is left",
    )


def version_of(served: Laptop, run: RunView) -> str:
    """The ARN of the model version that a run registered."""
    history = read_manifest(served.target, run)["history"]
    return next(str(entry["arn"]) for entry in history if entry["status"] == "registered")


def decide_version(served: Laptop, run: RunView, status: str, reason: str) -> None:
    """Decide the run's version in the registry."""
    served.target.client("sagemaker").update_model_package(
        ModelPackageArn=version_of(served, run),
        ModelApprovalStatus=status,
        ApprovalDescription=reason,
    )


def await_version(served: Laptop, run: RunView, status: str, limit_s: float = PATIENCE_S) -> str:
    """The description of the run's version once it has a status."""
    deadline, arn = time.monotonic() + limit_s, version_of(served, run)
    while time.monotonic() < deadline:
        found = served.target.client("sagemaker").describe_model_package(ModelPackageName=arn)
        if found["ModelApprovalStatus"] == status:
            return str(found.get("ApprovalDescription", ""))
        time.sleep(0.05)
    return pytest.fail(f"{arn} did not become {status}: {found}")


def await_asked(served: Laptop, run: RunView, limit_s: float = PATIENCE_S) -> None:
    """Until people have been asked at the gate where a run waits: its event has been heard."""
    deadline = time.monotonic() + limit_s
    while not objects_under(served, f"runs/{run.run_id}/messages/ask-"):
        assert time.monotonic() < deadline, "nobody was asked"
        time.sleep(0.05)


def await_accepted(served: Laptop, run: RunView, gate: str) -> None:
    """Until data_intake has accepted what was uploaded for a gate."""
    phase = {"UploadSourceData": "source-data", "UploadInferenceData": "inference-data"}[gate]
    await_true(
        lambda: (
            (phase, "accepted")
            in [(e["phase"], e["status"]) for e in read_manifest(served.target, run)["history"]]
        ),
        f"the data for {gate} was accepted",
    )


def await_dead_letter(served: Laptop, mark: str, limit_s: float = PATIENCE_S) -> str:
    """The message of the dead-letter queue that has a mark, taken out of it; others stay."""
    sqs = served.target.client("sqs")
    queue = sqs.get_queue_url(QueueName=f"{served.target.prefix}-dead-letters")["QueueUrl"]
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=0).get("Messages", []):
            if mark in message["Body"]:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                return str(message["Body"])
        time.sleep(0.05)
    return pytest.fail(f"nothing with {mark} came to the dead-letter queue")
