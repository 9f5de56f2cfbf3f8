"""What a request to CodeBuild or ECR is decided on: projects, repositories.

Sources: Service Authorization Reference, the pages of AWS CodeBuild and Amazon Elastic Container
Registry (read 2026-11).
"""

from collections.abc import Mapping
from typing import Any

from localaws.iam_requirement import Place

Parameters = Mapping[str, Any]


def codebuild(operation: str, parameters: Parameters, place: Place) -> list[str]:
    """Builds are decided on their project; an id is `project:uuid`, maybe within an ARN."""
    given = [str(each) for each in parameters.get("ids") or parameters.get("names") or ()]
    if operation in ("StopBuild", "RetryBuild"):
        given = [str(parameters.get("id", ""))]
    names = (each.rpartition("/")[2].partition(":")[0] for each in given)
    return [place.arn("codebuild", f"project/{name}") for name in dict.fromkeys(names)]


def ecr(operation: str, parameters: Parameters, place: Place) -> list[str]:
    """A repository is in the registry of the caller's account, unless another one is named."""
    del operation
    registry = str(parameters.get("registryId") or place.account)
    return [f"arn:aws:ecr:{place.region}:{registry}:repository/{parameters['repositoryName']}"]
