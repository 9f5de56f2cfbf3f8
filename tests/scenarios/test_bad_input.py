"""Bad input ends a run with a message that names it, and leaves nothing half done."""

import io
import json
import stat
import zipfile

import pytest

from signalbox_cli.runs import read_manifest
from tests.scenarios import stories
from tests.scenarios.conftest import Laptop


def _with_link() -> bytes:
    buffer = io.BytesIO(stories.smallest())
    with zipfile.ZipFile(buffer, "a") as packed:
        link = zipfile.ZipInfo("secrets.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")
    return buffer.getvalue()


def _with_zeros(size_bytes: int) -> bytes:
    buffer = io.BytesIO(stories.smallest())
    block = bytes(64 * 1024 * 1024)
    with (
        zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as packed,
        packed.open("zeros.bin", "w", force_zip64=True) as member,
    ):
        for _ in range(size_bytes // len(block)):
            member.write(block)
    return buffer.getvalue()


def _without(name: str) -> bytes:
    return stories.archive({k: v for k, v in stories.FILES.items() if k != name})


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (stories.smallest(manifest_json='{"name": '), ("manifest.json", "line 1", "not JSON")),
        (stories.with_manifest(inferrence={}), ("/inferrence", 'did you mean "inference"')),
        (stories.with_manifest(inference={"mode": "batch", "instanceCount": "two"}),
         ("/inference/instanceCount", '"two"')),
        (stories.with_manifest(schemaVersion="7"), ("/schemaVersion", '"7"', "newer")),
        (_without("train.py"), ("/train/script", "train.py")),
        (stories.archive({**stories.FILES, "../escape.py": "x"}), ("../escape.py",)),
        (_with_link(), ("secrets.txt",)),
        (b"this is no archive", ("zip",)),
    ],
    ids=["not-json", "unknown-key", "wrong-type", "newer-schema", "missing-script", "escape",
         "link", "not-a-zip"],
)  # fmt: skip
def test_a_bad_release_is_refused_by_name_before_anything_is_stored(
    served: Laptop, packed: bytes, words: tuple[str, ...]
) -> None:
    before = _stored(served)

    run = stories.run_to_end(served, packed)

    assert run.status == "Failed"
    for word in words:
        assert word in run.error
    assert _stored(served) == before


def _stored(served: Laptop) -> list[str]:
    """What runs have left, but for the notes of what people were told."""
    return [key for key in stories.objects_under(served, "runs/") if "/messages/" not in key]


@pytest.mark.slow
def test_an_archive_of_many_zeros_is_refused_without_unpacking_it(served: Laptop) -> None:
    # 10 GB of zeros deflate to 10 MB; one tenth shows the same and is made ten times faster.
    run = stories.run_to_end(served, _with_zeros(1024**3))

    assert run.status == "Failed"
    assert "zeros.bin" in run.error


def test_a_script_that_exits_1_ends_the_run_with_its_last_words(served: Laptop) -> None:
    script = "raise SystemExit('column bmi is missing in data.csv')"

    run = stories.run_to_end(served, stories.smallest(preprocess_py=script))

    assert run.status == "Failed"
    assert "column bmi is missing in data.csv" in run.error
    history = read_manifest(served.target, run)["history"]
    assert (history[-1]["phase"], history[-1]["status"]) == ("training", "failed")


@pytest.mark.slow
def test_a_script_that_prints_100_mb_neither_stalls_nor_fills_the_memory(served: Laptop) -> None:
    noisy = f"for _ in range(100_000): print('x' * 1_000)\n{stories.PREPROCESS}"

    run = stories.run_to_end(served, stories.smallest(preprocess_py=noisy))

    assert run.status == "Succeeded", run.error


def test_a_script_that_never_ends_is_stopped_with_its_run(served: Laptop) -> None:
    endless = "import time\nprint('begun', flush=True)\nwhile True: time.sleep(1)"
    execution_id = stories.start(served, stories.smallest(train_py=endless))
    run = stories.await_stage(served, execution_id, "Train")
    _await_training_job(served, run.run_id)

    served.target.client("codepipeline").stop_pipeline_execution(
        pipelineName=served.target.wiring().pipeline,
        pipelineExecutionId=execution_id,
        abandon=True,
        reason="it never ends",
    )
    served.target.client("stepfunctions").stop_execution(
        executionArn=_execution_arn(served, execution_id), error="Stopped", cause="by the test"
    )

    assert stories.await_end(served, execution_id).status in ("Stopped", "Failed")
    assert _await_training_job(served, run.run_id, ended=True) == "Stopped"


def _execution_arn(served: Laptop, execution_id: str) -> str:
    run = stories.await_stage(served, execution_id, "Train")
    train = run.action("Train")
    assert train is not None
    return train.external_id


def _await_training_job(served: Laptop, run_id: str, *, ended: bool = False) -> str:
    def statuses() -> list[str]:
        jobs = served.target.client("sagemaker").list_training_jobs(NameContains=run_id)
        found = [str(job["TrainingJobStatus"]) for job in jobs["TrainingJobSummaries"]]
        return [one for one in found if not ended or one in ("Stopped", "Failed", "Completed")]

    stories.await_true(lambda: bool(statuses()), "a training job came so far")
    return statuses()[0]


def test_a_script_that_writes_no_model_ends_the_run_and_registers_nothing(served: Laptop) -> None:
    run = stories.run_to_end(
        served, stories.smallest(manifest_json=_named("no-model"), train_py="print('nothing')")
    )

    assert run.status == "Failed"
    assert "ModelMissing" in run.error
    groups = served.target.client("sagemaker").list_model_packages(
        ModelPackageGroupName="signalbox-dev-no-model"
    )
    assert groups["ModelPackageSummaryList"] == []


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ('{"regression_metrics": {}}', ("/regression_metrics/rmse", "evaluation.json")),
        ('{"regression_metrics": {"rmse": {"value": NaN}}}', ("/regression_metrics/rmse/value",)),
        ("not json", ("evaluation.json",)),
    ],
    ids=["missing", "nan", "not-json"],
)
def test_an_evaluation_that_cannot_be_judged_ends_the_run_by_name(
    served: Laptop, metrics: str, words: tuple[str, ...]
) -> None:
    script = stories.EVALUATE.replace("json.dumps(metrics)", json.dumps(metrics))

    run = stories.run_to_end(served, stories.smallest(evaluate_py=script))

    assert run.status == "Failed"
    assert "EvaluationInvalid" in run.error
    for word in words:
        assert word in run.error


def test_an_evaluation_that_writes_nothing_ends_the_run_by_name(served: Laptop) -> None:
    run = stories.run_to_end(served, stories.smallest(evaluate_py="print('nothing')"))

    assert run.status == "Failed"
    assert "EvaluationInvalid" in run.error
    assert "evaluation.json does not exist" in run.error


def test_a_model_that_misses_its_gate_is_refused_with_the_numbers(served: Laptop) -> None:
    run = stories.run_to_end(
        served, stories.smallest(evaluate_py=stories.EVALUATE.replace("0.5", "2.5"))
    )

    assert run.is_refused
    assert "2.5" in run.error
    history = read_manifest(served.target, run)["history"]
    assert history[-1]["status"] == "refused"


def _named(name: str) -> str:
    return json.dumps({**stories.MANIFEST, "name": name})
