"""Walks every path of the workflow once, so that the IAM record holds everything a role needs."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from signalbox_cli.deciding import decide
from signalbox_cli.packaging import pack
from signalbox_cli.releasing import release_archive
from signalbox_cli.runs import RunView, find_run
from signalbox_cli.sample_data import export
from signalbox_cli.uploading import upload
from tests.scenarios import stories
from tests.scenarios.conftest import REPOSITORY, Laptop

_AUTOMATIC = dict.fromkeys(("uploadSourceData", "approveModel", "uploadInferenceData"), "automatic")
_SLOW = "import time\ntime.sleep(60)\n"


def walk_every_path(served: Laptop) -> None:
    """Success in every mode, refusal, failure, stop, an upload, decisions by hand."""
    with tempfile.TemporaryDirectory() as name:
        sample = export("diabetes", Path(name))
        options = _standing_data(served, sample.source, sample.inference)
        _release_on_arrival(served, sample.source, sample.inference)
        for mode in ("batch", "endpoint", "endpoint", "serverless"):
            _succeeds(served, {**options, "inference": {**options["inference"], "mode": mode}})
    refused = stories.run_to_end(
        served, stories.smallest(evaluate_py=stories.EVALUATE.replace("0.5", "7.5"))
    )
    assert refused.is_refused
    _stop_each_kind_of_job(served, options)
    _fail_the_notifier(served)


def _diabetes() -> bytes:
    return pack(REPOSITORY / "workloads" / "diabetes")


def _standing_data(served: Laptop, source: Path, inference: Path) -> dict[str, Any]:
    bucket, s3 = served.target.wiring().workflow_bucket, served.target.client("s3")
    s3.upload_file(str(source), bucket, "datasets/exercise/source/data.csv")
    s3.upload_file(str(inference), bucket, "datasets/exercise/inference/rows.csv")
    return {
        "data": {"source": "datasets/exercise/source"},
        "inference": {"source": "datasets/exercise/inference"},
        "approvals": _AUTOMATIC,
    }


def _succeeds(served: Laptop, options: dict[str, Any]) -> RunView:
    started = release_archive(
        served.target, _diabetes(), key="workloads/exercise.zip", options=options
    )
    run = stories.await_end(served, started.execution_id)
    assert run.status == "Succeeded", run.error
    return run


def _release_on_arrival(served: Laptop, source: Path, inference: Path) -> None:
    """The archive's arrival starts the run; people bring data and decide."""
    wiring = served.target.wiring()
    served.target.client("s3").put_object(
        Bucket=wiring.source_bucket, Key=wiring.source_key, Body=_diabetes()
    )
    run = _await_gate(served, "UploadSourceData")
    upload(served.target, run, "UploadSourceData", (source,))
    decide(served.target, run, None, approve=True, reason="uploaded")
    run = _await_gate(served, "ApproveModel")
    decide(served.target, run, None, approve=True, reason="good")
    run = _await_gate(served, "UploadInferenceData")
    upload(served.target, run, "UploadInferenceData", (inference,))
    decide(served.target, run, None, approve=True, reason="uploaded")
    ended = stories.await_end(served, run.execution_id)
    assert ended.status == "Succeeded", ended.error


def _await_gate(served: Laptop, gate: str) -> RunView:
    from signalbox_cli.errors import NotFoundError

    deadline = time.monotonic() + 60
    while True:
        try:
            return find_run(served.target, None, waiting_at=gate)
        except NotFoundError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _stop_each_kind_of_job(served: Laptop, options: dict[str, Any]) -> None:
    """Stopping an execution stops its job: each kind needs a permission of its own."""
    _stop_while(served, stories.smallest(preprocess_py=_SLOW), "Train", "Preprocess")
    _stop_while(served, stories.smallest(train_py=_SLOW), "Train", "Train")
    slow_model = {
        path.name: path.read_text()
        for path in (REPOSITORY / "workloads" / "diabetes").iterdir()
        if path.is_file()
    }
    slow_model["inference.py"] += "\n_predict = predict_fn\n\n\ndef predict_fn(rows, model):\n"
    slow_model["inference.py"] += "    import time\n    time.sleep(60)\n"
    slow_model["inference.py"] += "    return _predict(rows, model)\n"
    slow_model["evaluate.py"] = stories.EVALUATE.replace(
        '{"rmse": {"value": 0.5}}', '{"rmse": {"value": 50.0}, "r2": {"value": 0.5}}'
    )
    manifest = json.loads(slow_model["manifest.json"])
    slow_model["manifest.json"] = json.dumps({**manifest, "name": "slow"})
    _stop_while(served, stories.archive(slow_model), "Inference", "Transform", options)


def _stop_while(
    served: Laptop,
    packed: bytes,
    stage: str,
    state: str,
    options: dict[str, Any] | None = None,
) -> None:
    execution_id = stories.start(served, packed, options=options)
    arn = stories.await_state(served, execution_id, stage, state)
    served.target.client("stepfunctions").stop_execution(
        executionArn=arn, error="Stopped", cause="by the exercise"
    )
    assert stories.await_end(served, execution_id).status == "Failed"


def _fail_the_notifier(served: Laptop) -> None:
    """An event that cannot be understood ends in the dead-letter queue, by the function's role."""
    served.target.client("lambda").invoke(
        FunctionName=f"{served.target.prefix}-approval-notifier",
        InvocationType="Event",
        Payload=b'{"detail": "not an event"}',
    )
    sqs = served.target.client("sqs")
    queue = sqs.list_queues(QueueNamePrefix=served.target.prefix)["QueueUrls"][0]
    for _ in range(200):
        if sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=0).get("Messages"):
            return
        time.sleep(0.05)
    raise AssertionError("the failed event did not come to the dead-letter queue")
