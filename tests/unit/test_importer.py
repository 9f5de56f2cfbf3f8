"""Flat manifests of 2023 become manifests of today."""

import json
from typing import Any

import pytest

from signalbox.errors import ManifestError
from signalbox.importer import import_flat

FLAT: dict[str, Any] = {
    "InstanceType": "ml.m5.xlarge",
    "TrainingInstanceType": "ml.m5.2xlarge",
    "ProcessingJobName": "prices-preprocessing-job-21-11-2023-09-30",
    "ProcessingImageUri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:0.2",
    "ProcessingInputLocation": "s3://old-bucket/21-11-2023-09-30/source/",
    "ProcessingCodeUri": "s3://old-source/code/clean.py",
    "TrainingImageUri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tensorflow-training:2.4",
    "TrainingCodeUri": "s3://old-source/code/sourcedir.tar.gz",
    "TrainingHyperParameters": json.dumps(
        {
            "epochs": "100",
            "optimizer": "adam",
            "sagemaker_program": "fit.py",
            "sagemaker_region": "eu-west-1",
            "model_dir": "s3://old-bucket/model",
        }
    ),
    "EvaluationCodeUri": "s3://old-source/code/evaluation.py",
    "EvaluationJobName": "",
    "ModelName": "House_Prices-21-11-2023-09-30",
    "EndpointType": "SageMakerEndpoint",
    "SageMakerSubmitDirectory": "s3://old-source/code/sourcedir.tar.gz",
    "FavouriteColour": "blue",
}


def convert(flat: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    imported = import_flat(json.dumps(flat).encode())
    return imported.manifest, imported.dropped


def test_what_the_author_decided_is_taken_over():
    manifest, _ = convert(FLAT)

    tensorflow = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/tensorflow-training:2.4"
    assert manifest == {
        "schemaVersion": "1",
        "name": "house-prices",
        "problem": "regression",
        "data": {"format": "csv"},
        "preprocess": {"instanceType": "ml.m5.xlarge", "script": "clean.py"},
        "train": {
            "instanceType": "ml.m5.2xlarge",
            "image": tensorflow,
            "script": "fit.py",
            "hyperparameters": {"epochs": 100, "optimizer": "adam"},
        },
        "evaluate": {"instanceType": "ml.m5.xlarge", "script": "evaluation.py"},
        "inference": {"mode": "endpoint", "instanceType": "ml.m5.xlarge"},
    }


def test_what_is_left_out_has_a_reason():
    _, dropped = convert(FLAT)

    assert dropped["ProcessingJobName"].startswith("every run names its own jobs")
    assert dropped["ProcessingImageUri"].startswith("a built-in image")
    assert dropped["TrainingCodeUri"].startswith("names no script")
    assert dropped["EvaluationJobName"] == "empty"
    assert dropped["FavouriteColour"] == "not known from flat manifests"
    assert dropped["problem"].startswith("not in a flat manifest")


def test_every_key_is_taken_over_or_has_a_reason():
    manifest, dropped = convert(FLAT)
    taken = {
        "InstanceType",
        "TrainingInstanceType",
        "ProcessingCodeUri",
        "TrainingImageUri",
        "TrainingHyperParameters",
        "EvaluationCodeUri",
        "EndpointType",
    }

    assert taken.isdisjoint(dropped)
    assert taken | dropped.keys() >= FLAT.keys()
    assert manifest["inference"]["mode"] == "endpoint"


@pytest.mark.parametrize(
    ("flat", "mode"),
    [
        ({"EndpointType": "Batch", "InstanceType": ""}, "batch"),
        ({"EndpointName": "x"}, "endpoint"),
        ({"TransformJobName": "x"}, "batch"),
        ({"EndpointType": "Carrier"}, "batch"),
    ],
)
def test_the_mode_follows_the_endpoint_type(flat, mode):
    assert convert(flat)[0]["inference"]["mode"] == mode


def test_a_name_is_made_where_the_flat_manifest_has_none():
    assert convert({"ModelName": "2023"})[0]["name"] == "imported"


# (text, what is said)
REFUSED = [
    (b'{"schemaVersion": "1"}', "this is a Signalbox manifest already"),
    (b'{"name": "x"}', "no key of a flat manifest"),
    (b"[]", "expected an object"),
    (b'{"TrainingHyperParameters": "epochs=3"}', "/TrainingHyperParameters: expected an object"),
    (b'{"InstanceType": "m5"}', "/preprocess/instanceType: String should match pattern"),
]


@pytest.mark.parametrize(("text", "expected"), REFUSED)
def test_what_cannot_be_imported_is_refused_by_name(text, expected):
    with pytest.raises(ManifestError) as raised:
        import_flat(text, source="old.json")

    assert expected in str(raised.value)
