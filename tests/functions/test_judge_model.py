"""judge_model: metrics file, gates and champion in, verdict out."""

import io
import json
import tarfile
from typing import Any

import pytest

from functions import judge_model
from signalbox.errors import EvaluationInvalid, ModelMissing

RUN = "261121-093005-2867b0"
WORKFLOW = "signalbox-dev-workflow-123456789012-us-east-1"


def put_evaluation(world: Any, text: str, run: str = RUN) -> str:
    key = f"runs/{run}/evaluation/1/evaluation.json"
    world.s3.put_object(Bucket=WORKFLOW, Key=key, Body=text)
    return f"s3://{WORKFLOW}/{key}"


def put_model(world: Any, *names: str) -> str:
    """An archive with these files where the event says that the training left its model."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    uri: str = world.event("judge_model")["modelDataUrl"]
    key = uri.removeprefix(f"s3://{WORKFLOW}/")
    world.s3.put_object(Bucket=WORKFLOW, Key=key, Body=packed.getvalue())
    return uri


@pytest.fixture
def world(world):
    """A training that left a model."""
    put_model(world, "model.joblib")
    return world


def rmse(value: float) -> str:
    return json.dumps({"regression_metrics": {"rmse": {"value": value}, "r2": {"value": 0.5}}})


def judge(world: Any, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = judge_model.handler({**world.event("judge_model"), **changes}, None)
    return answer


def put_champion(world: Any, text: str) -> None:
    """What the champion's evaluation on this run's rows left."""
    key = f"runs/{RUN}/evaluation/1/champion/evaluation.json"
    world.s3.put_object(Bucket=WORKFLOW, Key=key, Body=text)


def put_predictions(world: Any, predicted: list[float], folder: str = "") -> None:
    """Predictions of the rows 0, 1, 2 ...; every second one in group b."""
    lines = [f"{row},{one},{'ab'[row % 2]}" for row, one in enumerate(predicted)]
    text = "\n".join(["expected,predicted,group", *lines])
    key = f"runs/{RUN}/evaluation/1/{folder}predictions.csv"
    world.s3.put_object(Bucket=WORKFLOW, Key=key, Body=text)


def judged_artifact(world: Any) -> dict[str, str]:
    """Which object version the model is, as S3 itself tells it."""
    key = world.event("judge_model")["modelDataUrl"].removeprefix(f"s3://{WORKFLOW}/")
    found = world.s3.head_object(Bucket=WORKFLOW, Key=key)
    etag, size = found["ETag"].strip('"'), str(found["ContentLength"])
    return {"version": found["VersionId"], "etag": etag, "bytes": size}


NO_CHAMPION = {"modelPackageArn": ""}
CHAMPION = "arn:aws:sagemaker:us-east-1:123456789012:model-package/signalbox-dev-diabetes/7"


def test_the_first_version_is_judged_by_its_gates(world):
    uri = put_evaluation(world, rmse(54.25))

    answer = judge(world, champion=NO_CHAMPION)

    assert answer.pop("artifact") == judged_artifact(world)
    assert answer == {
        "accepted": True,
        "reasons": [
            "regression_metrics.rmse.value is 54.25, as asked: at most 65",
            "No approved model version yet: this is the first.",
        ],
        "unmet": [],
        "metrics": {"regression_metrics.rmse.value": 54.25, "regression_metrics.r2.value": 0.5},
        "rows": None,
        "champion": None,
        "comparisons": [],
        "slices": [],
        "evaluationUri": uri,
    }


def test_a_gate_that_does_not_hold_refuses_with_value_and_bound(world):
    put_evaluation(world, rmse(70.5))

    answer = judge(world)

    assert answer["accepted"] is False
    assert answer["reasons"][0] == (
        "regression_metrics.rmse.value is 70.5, above the most accepted 65"
    )


def test_a_challenger_worse_than_the_champion_is_refused(world):
    put_evaluation(world, rmse(51.0))
    put_champion(world, rmse(50.0))

    answer = judge(world)

    assert answer["accepted"] is False
    assert answer["champion"] == {"modelPackageArn": CHAMPION, "problem": ""}
    assert "51 is worse than the champion's 50" in answer["reasons"][1]
    assert answer["unmet"] == [answer["reasons"][1]]


def test_a_challenger_within_the_tolerance_is_accepted(world):
    put_evaluation(world, rmse(50.5))
    put_champion(world, rmse(50.0))

    assert judge(world)["accepted"] is True


def test_a_champion_whose_evaluation_failed_is_not_compared_and_the_reason_is_given(world):
    put_evaluation(world, rmse(54.0))
    failure = {"Error": "States.TaskFailed", "Cause": '{"FailureReason": "KeyError: bmi"}'}

    answer = judge(world, champion={"modelPackageArn": CHAMPION, "failure": failure})

    assert answer["accepted"] is True
    assert answer["reasons"][1] == (
        f"Not compared with {CHAMPION}: its evaluation failed (KeyError: bmi)"
    )


def test_a_champion_whose_evaluation_left_nothing_is_not_compared(world):
    put_evaluation(world, rmse(54.0))

    answer = judge(world)

    assert answer["accepted"] is True
    assert "left no readable s3://" in answer["reasons"][1]


def test_predictions_of_both_give_an_interval_that_is_the_same_every_time(world):
    put_evaluation(world, rmse(1.0))
    put_champion(world, rmse(2.0))
    put_predictions(world, [row + 1 + row / 100 for row in range(60)])
    put_predictions(world, [row + 2 for row in range(60)], "champion/")

    first, second = judge(world), judge(world)

    interval = first["comparisons"][0]["interval"]
    assert interval["rows"] == 60
    assert -1 < interval["low"] < interval["high"] < 0
    assert "95 % interval" in first["reasons"][1]
    assert first == second


def test_a_slice_that_leaves_its_bounds_refuses_and_is_named(world):
    put_evaluation(world, rmse(5.0))
    put_predictions(world, [row + 10 * (row % 2) for row in range(80)])
    rules = {"slices": [{"column": "group", "metric": "regression_metrics.rmse.value", "max": 5}]}

    answer = judge(world, evaluate=rules, champion=NO_CHAMPION)

    assert answer["accepted"] is False
    assert answer["unmet"] == [
        "regression_metrics.rmse.value for group b (40 rows) is 10, above the most accepted 5"
    ]
    assert [(one["value"], one["measured"], one["kept"]) for one in answer["slices"]] == [
        ("a", 0.0, True),
        ("b", 10.0, False),
    ]
    assert answer["rows"] == 80


def test_slices_without_predictions_cannot_be_judged(world):
    put_evaluation(world, rmse(5.0))
    rules = {"slices": [{"column": "group", "metric": "rmse", "max": 5}]}

    with pytest.raises(EvaluationInvalid, match=r"no predictions\.csv"):
        judge(world, evaluate=rules, champion=NO_CHAMPION)


def test_the_registry_is_not_asked(world):
    """The machine has found the champion; a permission to look again would be one too many."""
    put_evaluation(world, rmse(54.0))
    calls = []
    world.sagemaker.meta.events.register("before-call.sagemaker", lambda **k: calls.append(k))

    judge(world)

    assert calls == []


BAD_EVALUATIONS = [
    ('{"regression_metrics": {}}', "missing at /regression_metrics/rmse"),
    ('{"regression_metrics": {"rmse": {"value": NaN}}}', "/regression_metrics/rmse/value is nan"),
    ('{"regression_metrics": {"rmse": {"value": "54"}}}', "is a string, not a number"),
    ("[1, 2]", "holds a JSON array"),
    ("rmse=54", "is not JSON"),
]


@pytest.mark.parametrize(("text", "expected"), BAD_EVALUATIONS)
def test_an_evaluation_that_cannot_be_judged_is_named(world, text, expected):
    uri = put_evaluation(world, text)

    with pytest.raises(EvaluationInvalid) as raised:
        judge(world)

    assert expected in str(raised.value)
    assert uri in str(raised.value)


def test_an_evaluation_that_was_not_written_is_named(world):
    with pytest.raises(EvaluationInvalid, match=r"evaluation\.json does not exist"):
        judge(world)


def test_a_training_that_left_no_model_is_named_before_its_evaluation(world):
    uri = put_model(world)

    with pytest.raises(ModelMissing) as raised:
        judge(world)

    assert f"{uri} holds no file" in str(raised.value)


def test_an_archive_that_is_not_there_is_no_model(world):
    world.s3.delete_object(Bucket=WORKFLOW, Key=put_model(world).removeprefix(f"s3://{WORKFLOW}/"))

    with pytest.raises(ModelMissing, match=r"SM_MODEL_DIR"):
        judge(world)
