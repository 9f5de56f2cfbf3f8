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
GROUP = "signalbox-dev-diabetes"


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


def register(world: Any, evaluation_uri: str, status: str = "Approved") -> str:
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
    answer = world.sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus=status,
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": "s3://b/m.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        ModelMetrics={
            "ModelQuality": {
                "Statistics": {"ContentType": "application/json", "S3Uri": evaluation_uri}
            }
        },
    )
    arn: str = answer["ModelPackageArn"]
    return arn


@pytest.fixture
def group(world):
    """A workload whose group exists and is empty."""
    world.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    return world


def judge(world: Any, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = judge_model.handler({**world.event("judge_model"), **changes}, None)
    return answer


def test_the_first_version_is_judged_by_its_gates(group):
    uri = put_evaluation(group, rmse(54.25))

    answer = judge(group)

    assert answer == {
        "accepted": True,
        "reasons": [
            "regression_metrics.rmse.value is 54.25, as asked: at most 65",
            "No approved model version yet: this is the first.",
        ],
        "metrics": {"regression_metrics.rmse.value": 54.25, "regression_metrics.r2.value": 0.5},
        "champion": None,
        "evaluationUri": uri,
    }


def test_a_workload_without_a_group_has_no_champion(world):
    put_evaluation(world, rmse(54.25))

    assert judge(world)["champion"] is None


def test_a_gate_that_does_not_hold_refuses_with_value_and_bound(group):
    put_evaluation(group, rmse(70.5))

    answer = judge(group)

    assert answer["accepted"] is False
    assert answer["reasons"][0] == (
        "regression_metrics.rmse.value is 70.5, above the most accepted 65"
    )


def test_a_challenger_worse_than_the_champion_is_refused(group):
    arn = register(group, put_evaluation(group, rmse(50.0), run="261120-080000-abcdef"))
    put_evaluation(group, rmse(51.0))

    answer = judge(group)

    assert answer["accepted"] is False
    assert answer["champion"] == {"modelPackageArn": arn}
    assert "51 is worse than the champion's 50" in answer["reasons"][1]


def test_a_challenger_within_the_tolerance_is_accepted(group):
    register(group, put_evaluation(group, rmse(50.0), run="261120-080000-abcdef"))
    put_evaluation(group, rmse(50.5))

    assert judge(group)["accepted"] is True


def test_only_approved_versions_are_champions(group):
    best = put_evaluation(group, rmse(1.0), run="261120-080000-abcdef")
    register(group, best, status="PendingManualApproval")
    register(group, best, status="Rejected")
    put_evaluation(group, rmse(54.0))

    assert judge(group)["champion"] is None


def test_a_champion_whose_metrics_expired_is_not_compared(group):
    arn = register(group, f"s3://{WORKFLOW}/runs/gone/evaluation/1/evaluation.json")
    put_evaluation(group, rmse(54.0))

    answer = judge(group)

    assert answer["accepted"] is True
    assert (
        answer["reasons"][1]
        == f"{arn} left no regression_metrics.rmse.value: not compared with it."
    )


def test_without_a_champion_rule_the_registry_is_not_asked(world):
    """The call would need a permission and time for nothing."""
    put_evaluation(world, rmse(54.0))
    calls = []
    world.sagemaker.meta.events.register("before-call.sagemaker", lambda **k: calls.append(k))

    judge(world, evaluate={"gates": [], "champion": None})

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
