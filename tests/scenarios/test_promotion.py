"""A version approved in dev goes to staging and waits in prod: three accounts, one process."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios import promotion_stories as three
from tests.scenarios import stories
from tests.scenarios.promotion_stories import Environments

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def all_three() -> Iterator[Environments]:
    """dev, staging and prod of one laptop."""
    with three.three_environments() as served:
        yield served


@pytest.fixture(scope="module")
def rows(all_three: Environments, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows to predict; the data of every run is in place then."""
    return three.put_sample(all_three.dev, tmp_path_factory.mktemp("diabetes"))


@pytest.fixture(scope="module")
def promoted(all_three: Environments, rows: Path) -> str:
    """A version that was approved in dev, then in prod, and serves everywhere."""
    dev = all_three.dev
    run, arn = three.release(dev)
    three.decide(dev, arn, "Approved")
    three.await_status(dev, arn, "staging", "promoted")
    waiting = three.await_status(dev, arn, "prod", "waiting")
    three.decide(all_three.prod, waiting["modelPackageArn"], "Approved")
    three.await_status(dev, arn, "prod", "promoted")
    assert three.await_promotion_end(dev, arn, 1)["status"] == "SUCCEEDED"
    assert stories.await_end(dev, run.execution_id).status == "Succeeded"
    return arn


def test_the_same_model_answers_in_every_environment(
    all_three: Environments, rows: Path, promoted: str
) -> None:
    answers = [
        json.loads(each.signalbox("predict", str(rows), "--workload", "diabetes", "--json").stdout)[
            "predictions"
        ]
        for each in (all_three.dev, all_three.staging, all_three.prod)
    ]

    assert len(answers[0]) == len(rows.read_text().splitlines())
    assert answers[0] == answers[1] == answers[2]


def test_each_registry_tells_where_its_version_comes_from(
    all_three: Environments, promoted: str
) -> None:
    targets = three.record(all_three.dev, promoted)["targets"]
    for served in (all_three.staging, all_three.prod):
        arn = targets[served.target.environment]["modelPackageArn"]
        found = served.target.client("sagemaker").describe_model_package(ModelPackageName=arn)
        assert found["CustomerMetadataProperties"]["source_arn"] == promoted
        (container,) = found["InferenceSpecification"]["Containers"]
        bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
        model = served.target.client("s3").head_object(Bucket=bucket, Key=key)
        assert model["SSEKMSKeyId"].split(":")[4] == arn.split(":")[4]


def test_a_model_file_replaced_after_training_is_refused_and_told(
    all_three: Environments, rows: Path
) -> None:
    dev = all_three.dev
    _, arn = three.release(dev, {**three.STANDING, "inference": {"mode": "none"}})
    uri = dev.target.client("sagemaker").describe_model_package(ModelPackageName=arn)[
        "InferenceSpecification"
    ]["Containers"][0]["ModelDataUrl"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    s3 = dev.target.client("s3")
    approved = s3.get_object(Bucket=bucket, Key=key)
    s3.put_object(Bucket=bucket, Key=key, Body=b"another model")

    three.decide(dev, arn, "Approved")
    ended = three.await_promotion_end(dev, arn, 1)

    assert (ended["status"], ended["error"]) == ("FAILED", "ArtifactChanged")
    assert "Put the approved version back" in ended["cause"]
    assert three.status_in(dev, arn, "staging") == "failed"
    # The approved version back in place (the other one deleted), the same word promotes it.
    replaced = s3.head_object(Bucket=bucket, Key=key)["VersionId"]
    s3.delete_object(Bucket=bucket, Key=key, VersionId=replaced)
    assert s3.head_object(Bucket=bucket, Key=key)["VersionId"] == approved["VersionId"]
    three.decide(dev, arn, "Approved", "once more")
    three.await_status(dev, arn, "staging", "promoted")
    three.decide(dev, arn, "Rejected", "the story is over")
    assert three.await_promotion_end(dev, arn, 2)["status"] in ("ABORTED", "FAILED")


def test_an_image_whose_tag_was_moved_is_refused_and_nothing_is_registered(
    all_three: Environments, rows: Path
) -> None:
    dev, staging = all_three.dev, all_three.staging
    _, arn = three.release(dev, {**three.STANDING, "inference": {"mode": "none"}})
    image = dev.target.client("sagemaker").describe_model_package(ModelPackageName=arn)[
        "InferenceSpecification"
    ]["Containers"][0]["Image"]
    sagemaker = staging.target.client("sagemaker")
    group = f"{staging.target.prefix}-diabetes"
    before = _count(sagemaker, group)
    three.point_image(dev, image, f"sha256:{'b' * 64}")

    three.decide(dev, arn, "Approved")
    ended = three.await_promotion_end(dev, arn, 1)

    assert (ended["status"], ended["error"]) == ("FAILED", "ImageChanged")
    assert _count(sagemaker, group) == before
    three.point_image(dev, image, "")
    three.decide(dev, arn, "Approved", "the tag is back")
    three.await_status(dev, arn, "staging", "promoted")
    three.decide(dev, arn, "Rejected", "the story is over")


def _count(sagemaker: Any, group: str) -> int:
    found = sagemaker.list_model_packages(ModelPackageGroupName=group)
    return len(found["ModelPackageSummaryList"])
