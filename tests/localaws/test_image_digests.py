"""A version notes what its image is when it is registered; a tag can be pointed elsewhere."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from localaws import image_digests
from tests.localaws.sagemaker_world import World, laptop

REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
IMAGE = f"{REGISTRY}/sagemaker-scikit-learn:1.4-2"
ELSEWHERE = f"sha256:{'b' * 64}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with laptop(tmp_path_factory.mktemp("state")) as served:
        served.sagemaker.create_model_package_group(ModelPackageGroupName="digests")
        yield served


def digest_of_new(world: World, image: str) -> str:
    arn = world.sagemaker.create_model_package(
        ModelPackageGroupName="digests",
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": "s3://b/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    return digest_in(world, arn)


def digest_in(world: World, arn: str) -> str:
    found = world.sagemaker.describe_model_package(ModelPackageName=arn)
    digest: str = found["InferenceSpecification"]["Containers"][0]["ImageDigest"]
    return digest


def put(world: World, body: Any) -> int:
    request = urllib.request.Request(
        f"{world.sagemaker.meta.endpoint_url}{image_digests.PATH}",
        data=json.dumps(body).encode(),
        method="PUT",
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_a_copy_in_another_registry_has_the_same_digest_and_another_tag_has_not(
    world: World,
) -> None:
    copy = IMAGE.replace("683313688378", "210987654321").replace("us-east-1", "eu-west-1")

    first = digest_of_new(world, IMAGE)

    assert first.startswith("sha256:")
    assert digest_of_new(world, copy) == first
    assert digest_of_new(world, IMAGE.replace("1.4-2", "1.5-1")) != first


def test_an_image_named_by_its_digest_has_that(world: World) -> None:
    assert digest_of_new(world, f"{REGISTRY}/sagemaker-scikit-learn@{ELSEWHERE}") == ELSEWHERE


def test_a_tag_that_is_moved_changes_later_versions_only(world: World) -> None:
    before = digest_of_new(world, IMAGE)

    assert put(world, {"image": IMAGE, "digest": ELSEWHERE}) == 200
    moved = digest_of_new(world, IMAGE)
    assert put(world, {"image": IMAGE, "digest": ""}) == 200

    assert moved == ELSEWHERE
    assert digest_of_new(world, IMAGE) == before


@pytest.mark.parametrize("body", [{"image": IMAGE}, {"image": IMAGE, "digest": "latest"}, 3])
def test_what_is_no_digest_is_refused(world: World, body: Any) -> None:
    assert put(world, body) == 400
