"""What image tags point to: the digests that the registry notes when a version is registered.

The laptop has no images, so that a digest is one of the image's name: equal in every registry that
has it, as a copy's would be. A test (or a person) points a tag elsewhere with

    PUT /_localaws/image-digests  {"image": "<registry>/<name>:<tag>", "digest": "sha256:..."}

and back with an empty digest. Versions that are registered already keep what they noted.

parity: AWS asks ECR, and refuses an image that it cannot read.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from threading import Lock
from typing import Any

PATH = "/_localaws/image-digests"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_lock = Lock()
_pointed: dict[str, str] = {}


def digest_of(image: str) -> str:
    """The digest that an image has now; one that names its digest has that."""
    named = image.partition("@")[2]
    if named:
        return named
    with _lock:
        pointed = _pointed.get(image)
    if pointed is not None:
        return pointed
    name = image.partition("/")[2] or image
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def resolved(specification: Mapping[str, Any]) -> dict[str, Any]:
    """An inference specification whose containers have the digests of their images now."""
    containers = [
        {"ImageDigest": digest_of(one["Image"]), **one} if "Image" in one else one
        for one in specification.get("Containers", [])
    ]
    return {**specification, "Containers": containers}


def point(image: str, digest: str) -> None:
    """Let a tag point to other bytes from now on; an empty digest takes that back.

    Raises ValueError for what is no digest.
    """
    if digest and not _DIGEST.fullmatch(digest):
        raise ValueError(f'"{digest}" is no digest; expected sha256: and 64 hexadecimal digits')
    with _lock:
        if digest:
            _pointed[image] = digest
        else:
            _pointed.pop(image, None)


def serve(environ: dict[str, Any]) -> tuple[int, dict[str, str]]:
    """One PUT: its status, and what is answered."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    try:
        asked = json.loads(environ["wsgi.input"].read(length))
        point(str(asked["image"]), str(asked["digest"]))
    except (ValueError, KeyError, TypeError) as error:
        return 400, {"error": f"not an image and a digest: {error}"}
    return 200, {"status": "pointed"}


def forget() -> None:
    """Every tag points to what it did at first."""
    with _lock:
        _pointed.clear()
