"""What an isolated environment makes of a run, and the wrapper around the author's training."""

import io
import json
import subprocess
import sys
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from signalbox import (
    archive,
    isolation,
    promotion_check,
    promotion_manifest,
    schedules,
    training_wrapper,
)
from signalbox.archive import WorkloadFiles
from signalbox.errors import CodeChanged, ManifestError, NetworkRefused
from signalbox.job_network import JobNetwork
from signalbox.manifest_resolution import Platform
from signalbox.promotion_check import Approved, ObjectVersion
from signalbox.promotion_manifest import Surroundings
from signalbox.release import RunPlan, Started, plan_run

SCRIPTS = {name: b"pass\n" for name in ("preprocess.py", "train.py", "evaluate.py", "inference.py")}
SUBNETS = JobNetwork(("subnet-0a1b2c3d",), ("sg-0a1b2c3d",), is_isolated=False)
NO_NETWORK = JobNetwork((), (), is_isolated=True)


def plan(
    author: dict[str, Any], platform: Platform, started: Started, *, is_isolated: bool = True
) -> RunPlan:
    files = {**SCRIPTS, "manifest.json": json.dumps(author).encode()}
    workload = WorkloadFiles("diabetes", files)
    return plan_run(workload, replace(platform, is_isolated=is_isolated), started)


def packed(made: RunPlan) -> set[str]:
    (content,) = [one for key, one in made.code.items() if key.endswith("sourcedir.tar.gz")]
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return set(tar.getnames())


def test_code_is_brought_to_containers_that_cannot_fetch_it(author, platform, started):
    made = plan(author, platform, started)

    steps = made.manifest.steps
    given = {k: json.loads(v) for k, v in steps.train.hyperparameters.items()}
    assert given["sagemaker_submit_directory"] == "/opt/ml/input/data/code/sourcedir.tar.gz"
    assert given["sagemaker_program"] == "signalbox_training.py"
    assert steps.train.environment["SIGNALBOX_TRAIN_SCRIPT"] == "train.py"
    assert [channel.name for channel in steps.train.channels][-1] == "code"
    assert steps.inference.environment["SAGEMAKER_SUBMIT_DIRECTORY"] == "/opt/ml/model/code"
    assert packed(made) == {*SCRIPTS, "manifest.json", "signalbox_training.py"}


def test_elsewhere_nothing_of_it_is_there(author, platform, started):
    made = plan(author, platform, started, is_isolated=False)

    assert packed(made) == {*SCRIPTS, "manifest.json"}
    assert "SIGNALBOX_TRAIN_SCRIPT" not in made.manifest.steps.train.environment
    assert [channel.name for channel in made.manifest.steps.train.channels] == ["train"]


def test_a_file_of_the_wrappers_name_is_refused(author, platform, started, monkeypatch):
    monkeypatch.setitem(SCRIPTS, "signalbox_training.py", b"pass\n")

    with pytest.raises(ManifestError, match=r"signalbox_training.py is the platform's own here"):
        plan(author, platform, started)


@pytest.mark.parametrize("network", [SUBNETS, NO_NETWORK])
def test_a_serverless_endpoint_has_no_place_in_such_a_network(author, platform, started, network):
    author["inference"] = {"mode": "serverless"}
    made = plan(author, platform, started)

    with pytest.raises(NetworkRefused, match="use mode endpoint, async or batch"):
        isolation.check(made.manifest, network)


def test_subnets_alone_need_no_other_way_for_the_code(author, platform, started):
    isolation.check(plan(author, platform, started, is_isolated=False).manifest, SUBNETS)


VERSION = Approved(
    arn="arn:aws:sagemaker:us-east-1:123456789012:model-package/signalbox-dev-diabetes/3",
    artifact_uri="s3://b/k",
    artifact=ObjectVersion("v", "e", 1),
    image="i",
    image_digest="d",
    code_digest=archive.code_digest(SCRIPTS),
    run_id="r",
    attempt="1",
    workload="diabetes",
    evaluation_uri="s3://b/e",
)


@pytest.mark.parametrize("is_isolated", [True, False])
def test_a_version_keeps_its_way_to_the_code_wherever_it_is_used(
    author, platform, started, is_isolated
):
    """Its archive is copied as it is, whatever the environment is like."""
    author["inference"] = {"mode": "batch", "source": "datasets/new"}
    origin = plan(author, platform, started, is_isolated=is_isolated).manifest
    there = replace(platform, is_isolated=not is_isolated)

    scheduled = schedules.batch(origin, VERSION.arn, "i", there, datetime(2026, 11, 21, tzinfo=UTC))
    surroundings = Surroundings(there, "210987654321", "source", "arn:aws:states:machine")
    promoted = promotion_manifest.promoted(origin, VERSION, surroundings, "i")

    for made in (scheduled, promoted):
        assert isolation.carries_code(made) is is_isolated


def test_the_approved_code_may_have_the_wrapper_beside_it_and_nothing_else():
    for files in (SCRIPTS, isolation.with_wrapper(SCRIPTS)):
        promotion_check.check_code(VERSION, SCRIPTS, archive.source_archive(files), "there")
    changed = {**SCRIPTS, isolation.WRAPPER: b"import os\n"}
    with pytest.raises(CodeChanged, match="holds other files"):
        promotion_check.check_code(VERSION, SCRIPTS, archive.source_archive(changed), "there")


def wrapped(
    tmp_path: Path, script: str, *arguments: str
) -> tuple["subprocess.CompletedProcess[str]", Path]:
    """Run a script as an isolated training does; what it said, and the model's folder."""
    code, model = tmp_path / "code", tmp_path / "model"
    (code / "parts").mkdir(parents=True)
    model.mkdir()
    (code / isolation.WRAPPER).write_bytes(isolation.wrapper())
    (code / "train.py").write_text(script)
    (code / "helper.py").write_text("VALUE = 41\n")
    (code / "parts" / "inference.py").write_text("")
    environment = {training_wrapper.SCRIPT_VARIABLE: "train.py", "SM_MODEL_DIR": str(model)}
    done = subprocess.run(
        [sys.executable, str(code / isolation.WRAPPER), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done, model


def test_the_script_runs_as_itself_and_its_code_stays_with_the_model(tmp_path):
    script = """
import sys
from pathlib import Path
import helper
if __name__ == "__main__":
    print(Path(sys.argv[0]).name, sys.argv[1:], helper.VALUE + 1, Path(__file__).name)
    sys.exit(0)
"""
    done, model = wrapped(tmp_path, script, "--alpha", "0.5")

    assert done.stdout == "train.py ['--alpha', '0.5'] 42 train.py\n", done.stderr
    kept = sorted(str(p.relative_to(model)) for p in model.rglob("*") if p.is_file())
    assert kept == ["code/helper.py", "code/parts/inference.py", "code/train.py"]


@pytest.mark.parametrize(("script", "code"), [("raise ValueError('no rows')", 1), ("exit(7)", 7)])
def test_a_script_that_fails_fails_the_training_and_keeps_nothing(tmp_path, script, code):
    done, model = wrapped(tmp_path, script)

    assert done.returncode == code
    assert list(model.iterdir()) == []


def test_a_code_folder_of_the_authors_own_stays_as_it_is(tmp_path):
    script = """
import os
from pathlib import Path
own = Path(os.environ["SM_MODEL_DIR"]) / "code"
own.mkdir()
(own / "inference.py").write_text("mine")
"""
    done, model = wrapped(tmp_path, script)

    assert done.returncode == 0, done.stderr
    assert [p.name for p in (model / "code").iterdir()] == ["inference.py"]
