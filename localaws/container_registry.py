"""ECR, as far as a look at one image goes: whether it is there, and the digest of its tag.

The laptop has no images. Those of SageMaker's own registries are all taken to be there, in the
region of the request, until one is taken away; an account of the laptop has none.

parity: AWS knows which tags there are; here a tag that was never published is found as well.
"""

import json
import threading

from localaws import image_digests
from localaws.accounts import BY_ID
from localaws.context import Context
from localaws.sagemaker.api import mount
from localaws.sagemaker.store import Document, Place
from localaws.small_services import application
from localaws.wire import AwsError


class _Images:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.gone: set[str] = set()


_images = _Images()
_MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
PUBLIC_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AnyAccountPulls",
                "Effect": "Allow",
                "Principal": "*",
                "Action": [
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchGetImage",
                    "ecr:GetDownloadUrlForLayer",
                ],
            }
        ],
    }
)
"""What the repositories of SageMaker's registries say, which every account may pull from."""


def install(context: Context) -> None:
    """Serve the API from here, with every image in place."""
    restore()
    mount(context, "ecr", application("ecr", {"BatchGetImage": _batch_get_image}))


def take_away(image: str) -> None:
    """Let an image (registry/name:tag) be missing from now on."""
    with _images.lock:
        _images.gone.add(image)


def restore() -> None:
    """Every image is in place again."""
    with _images.lock:
        _images.gone.clear()


def policy(repository_arn: str) -> str | None:
    """The policy of a repository: the public one outside the accounts of the laptop."""
    return None if repository_arn.split(":")[4] in BY_ID else PUBLIC_POLICY


def _batch_get_image(place: Place, request: Document) -> Document:
    registry = request.get("registryId") or place.account
    repository = request["repositoryName"]
    if registry in BY_ID:
        raise AwsError(
            "RepositoryNotFoundException",
            f"The repository with name '{repository}' does not exist in the registry with id "
            f"'{registry}'",
        )
    host = f"{registry}.dkr.ecr.{place.region}.amazonaws.com"
    images: list[Document] = []
    failures: list[Document] = []
    for wanted in request["imageIds"]:
        name = f"{host}/{repository}:{wanted.get('imageTag', '')}"
        with _images.lock:
            is_gone = name in _images.gone
        if is_gone:
            failures.append(
                {
                    "imageId": wanted,
                    "failureCode": "ImageNotFound",
                    "failureReason": "Requested image not found",
                }
            )
            continue
        digest = wanted.get("imageDigest") or image_digests.digest_of(name)
        images.append(
            {
                "registryId": registry,
                "repositoryName": repository,
                "imageId": {**wanted, "imageDigest": digest},
                "imageManifest": json.dumps({"schemaVersion": 2, "mediaType": _MEDIA_TYPE}),
                "imageManifestMediaType": _MEDIA_TYPE,
            }
        )
    return {"images": images, "failures": failures}
