"""Which repositories a request to ECR is decided on.

Source: Service Authorization Reference, the page of Amazon Elastic Container Registry (read
2026-11).
"""

from collections.abc import Mapping
from typing import Any

from localaws.iam.requirement import Place


def resources(operation: str, parameters: Mapping[str, Any], place: Place) -> list[str]:
    """A repository is in the registry of the caller's account, unless another one is named."""
    del operation
    registry = str(parameters.get("registryId") or place.account)
    return [f"arn:aws:ecr:{place.region}:{registry}:repository/{parameters['repositoryName']}"]
