"""Training jobs run script mode as the scikit-learn container does."""

import json
import os
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.localaws.sagemaker_world import BUCKET, World, laptop, members

SHOW = """
    import json, os, sys
    with open(os.path.join(os.environ["SM_MODEL_DIR"], "model.txt"), "w") as file:
        file.write("model")
    print("ARGV " + json.dumps(sys.argv[1:]))
    print("ENV " + json.dumps(dict(os.environ)))
    print("CWD " + os.getcwd())
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with laptop(tmp_path_factory.mktemp("state")) as served:
        yield served


def channel(name: str, uri: str) -> dict[str, object]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def printed(world: World, job: str, word: str) -> str:
    lines = world.log("TrainingJobs", f"{job}/")
    return next(line for line in lines if line.startswith(word + " ")).removeprefix(word + " ")


def test_hyperparameters_are_decoded_and_become_sorted_arguments(world: World) -> None:
    # sagemaker-training: names sorted, one letter takes one dash, values as str() of the JSON.
    given = {
        "max_iter": "300",
        "alpha": "0.5",
        "c": '"text"',
        "flag": "true",
        "plain": "not json",
        "sizes": "[1, 2]",
    }
    described = world.train("arguments", {"train.py": SHOW}, hyperparameters=given)
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    arguments = json.loads(printed(world, "arguments", "ARGV"))
    assert arguments == [
        *("--alpha", "0.5", "-c", "text", "--flag", "True"),
        *("--max_iter", "300", "--plain", "not json", "--sizes", "[1, 2]"),
    ]


def test_sagemaker_variables_say_where_everything_is(world: World) -> None:
    world.put("train/x.csv", "1\n")
    world.train(
        "variables",
        {"train.py": SHOW},
        hyperparameters={"depth": "3"},
        InputDataConfig=[channel("train", f"s3://{BUCKET}/train/")],
        Environment={"OWN": "yes"},
    )
    environment = json.loads(printed(world, "variables", "ENV"))
    expected = {
        "SM_MODEL_DIR": "/opt/ml/model",
        "SM_CHANNEL_TRAIN": "/opt/ml/input/data/train",
        "SM_OUTPUT_DATA_DIR": "/opt/ml/output/data",
        "SM_HPS": '{"depth": 3}',
        "SM_HP_DEPTH": "3",
        "SM_HOSTS": '["algo-1"]',
        "SM_CURRENT_HOST": "algo-1",
        "SM_CHANNELS": '["train"]',
        "SM_USER_ENTRY_POINT": "train.py",
        "SM_MODULE_NAME": "train",
        "SM_NUM_GPUS": "0",
        "TRAINING_JOB_NAME": "variables",
        "OWN": "yes",
    }
    assert {name: environment.get(name) for name in expected} == expected
    assert int(environment["SM_NUM_CPUS"]) >= 1
    assert json.loads(environment["SM_TRAINING_ENV"])["hyperparameters"] == {"depth": 3}
    assert printed(world, "variables", "CWD") == "/opt/ml/code"


def test_hard_coded_paths_and_configuration_files_work(world: World) -> None:
    world.put("train/x.csv", "7\n")
    script = """
        import json
        hyperparameters = json.load(open("/opt/ml/input/config/hyperparameters.json"))
        channels = json.load(open("/opt/ml/input/config/inputdataconfig.json"))
        resources = json.load(open("/opt/ml/input/config/resourceconfig.json"))
        value = int(open("/opt/ml/input/data/training/x.csv").read())
        with open("/opt/ml/model/weights.json", "w") as file:
            json.dump([value, hyperparameters["k"], sorted(channels), resources["hosts"]], file)
    """
    described = world.train(
        "hard-coded",
        {"train.py": script},
        hyperparameters={"k": "5"},
        InputDataConfig=[channel("training", f"s3://{BUCKET}/train/")],
    )
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    packed = members(world.get("training/hard-coded/output/model.tar.gz"))
    assert json.loads(packed["weights.json"]) == [7, "5", ["training"], ["algo-1"]]


def test_artifacts_lie_where_sagemaker_puts_them(world: World) -> None:
    script = """
        import os
        os.makedirs("/opt/ml/model/sub")
        open("/opt/ml/model/sub/m.bin", "wb").write(b"123")
        open("/opt/ml/output/data/report.txt", "w").write("fine")
    """
    described = world.train("artifacts", {"train.py": script})
    uri = f"s3://{BUCKET}/training/artifacts/output/model.tar.gz"
    assert described["ModelArtifacts"] == {"S3ModelArtifacts": uri}
    assert members(world.get("training/artifacts/output/model.tar.gz")) == {"sub/m.bin": b"123"}
    output = members(world.get("training/artifacts/output/output.tar.gz"))
    assert output == {"report.txt": b"fine"}


def test_metrics_are_the_last_values_that_the_patterns_find(world: World) -> None:
    script = """
        for loss in (3.5, 2.25, 1e-3):
            print(f"epoch done; loss={loss};")
        print("accuracy: not measured")
    """
    described = world.train(
        "metrics",
        {"train.py": script},
        metrics=[
            {"Name": "loss", "Regex": "loss=([0-9.e+-]+);"},
            {"Name": "accuracy", "Regex": "accuracy: (.+)"},
        ],
    )
    final = {m["MetricName"]: m["Value"] for m in described["FinalMetricDataList"]}
    assert final == {"loss": pytest.approx(0.001)}


def test_a_script_that_writes_no_model_completes_with_an_empty_archive(world: World) -> None:
    described = world.train("no-model", {"train.py": "print('trained nothing')"})
    assert described["TrainingJobStatus"] == "Completed"
    assert members(world.get("training/no-model/output/model.tar.gz")) == {}


def test_a_failing_script_fails_the_job_with_its_error_and_no_model(world: World) -> None:
    script = """
        open("/opt/ml/model/half", "w").write("half")
        raise RuntimeError("learning rate must be positive, got -1")
    """
    described = world.train("raises", {"train.py": script})
    assert described["TrainingJobStatus"] == described["SecondaryStatus"] == "Failed"
    assert "AlgorithmError: ExecuteUserScriptError" in described["FailureReason"]
    assert "RuntimeError: learning rate must be positive, got -1" in described["FailureReason"]
    assert "ModelArtifacts" not in described or not described["ModelArtifacts"]


def test_a_failure_file_is_the_reason_cut_to_1024_characters(world: World) -> None:
    script = """
        open("/opt/ml/output/failure", "w").write("the data is empty " + "x" * 2000)
        raise SystemExit(2)
    """
    described = world.train("failure-file", {"train.py": script})
    assert described["FailureReason"].startswith("AlgorithmError: the data is empty xxx")
    assert len(described["FailureReason"]) == 1024


def test_a_job_past_its_time_is_stopped_and_keeps_the_model_it_had(world: World) -> None:
    script = """
        import time
        open("/opt/ml/model/checkpoint", "w").write("epoch 1")
        time.sleep(600)
    """
    described = world.train(
        "too-long", {"train.py": script}, StoppingCondition={"MaxRuntimeInSeconds": 1}
    )
    assert described["TrainingJobStatus"] == "Stopped"
    assert described["SecondaryStatus"] == "MaxRuntimeExceeded"
    packed = members(world.get("training/too-long/output/model.tar.gz"))
    assert packed == {"checkpoint": b"epoch 1"}


def test_secondary_states_follow_each_other_without_gaps(world: World) -> None:
    described = world.train("steps", {"train.py": SHOW})
    steps = described["SecondaryStatusTransitions"]
    names = [step["Status"] for step in steps]
    assert names == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    for before, after in pairwise(steps):
        assert before["EndTime"] == after["StartTime"]


def test_satisfied_requirements_are_accepted_and_others_fail_clearly(world: World) -> None:
    fine = {"train.py": SHOW, "requirements.txt": "# ours\nnumpy>=1.20,<99\npandas\n"}
    assert world.train("met", fine)["TrainingJobStatus"] == "Completed"
    missing = {"train.py": SHOW, "requirements.txt": "numpy>=1.20\nno-such-package==1.0\n"}
    described = world.train("unmet", missing)
    assert described["TrainingJobStatus"] == "Failed"
    assert "no-such-package==1.0" in described["FailureReason"]


def test_a_module_of_the_users_wins_over_a_preloaded_one_of_that_name(world: World) -> None:
    files = {
        "train.py": "import joblib\nopen('/opt/ml/model/m', 'w').write(joblib.MINE)",
        "joblib.py": "MINE = 'mine'",
    }
    assert world.train("shadow", files)["TrainingJobStatus"] == "Completed"
    assert members(world.get("training/shadow/output/model.tar.gz")) == {"m": b"mine"}


def test_a_package_in_a_sub_folder_is_importable(world: World) -> None:
    files = {
        "train.py": "from lib.features import NAME\nopen('/opt/ml/model/m', 'w').write(NAME)",
        "lib/__init__.py": "",
        "lib/features.py": "NAME = 'from lib'",
    }
    world.train("package", files)
    assert members(world.get("training/package/output/model.tar.gz")) == {"m": b"from lib"}


def test_a_missing_program_and_a_missing_code_archive_fail_by_name(world: World) -> None:
    described = world.train("no-program", {"other.py": "pass"})
    assert "train.py" in described["FailureReason"]
    gone = f"s3://{BUCKET}/gone/sourcedir.tar.gz"
    described = world.train(
        "no-code", {"train.py": SHOW}, hyperparameters={"sagemaker_submit_directory": gone}
    )
    assert gone in described["FailureReason"]


def test_a_code_archive_that_climbs_out_is_refused(world: World) -> None:
    from tests.localaws.sagemaker_world import archive

    uri = world.put("evil/sourcedir.tar.gz", archive({"../../escape.py": "pass"}))
    described = world.train(
        "climbs", {"train.py": SHOW}, hyperparameters={"sagemaker_submit_directory": uri}
    )
    assert described["TrainingJobStatus"] == "Failed"
    assert "outside its folder" in described["FailureReason"]
    # not rglob: the job's folder is being removed, and os.walk passes over what has gone
    found = [name for _, _, names in os.walk(world.state_dir) for name in names]
    assert "escape.py" not in found


def test_random_numbers_differ_between_jobs_unless_seeded(world: World) -> None:
    script = """
        import random
        import numpy as np
        print("RANDOM", random.random(), np.random.rand())
        np.random.seed(1)
        print("SEEDED", np.random.rand())
    """
    for name in ("first", "second"):
        world.train(name, {"train.py": script})
    one, two = (printed(world, name, "RANDOM").split() for name in ("first", "second"))
    assert one[0] != two[0]
    assert one[1] != two[1]
    assert printed(world, "first", "SEEDED") == printed(world, "second", "SEEDED")
