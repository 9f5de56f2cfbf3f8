"""Which projects a request to CodeBuild is decided on.

Source: Service Authorization Reference, the page of AWS CodeBuild (read 2026-11).
"""

from collections.abc import Mapping
from typing import Any

from localaws.iam.requirement import Place


def resources(operation: str, parameters: Mapping[str, Any], place: Place) -> list[str]:
    """Builds are decided on their project; an id is `project:uuid`, maybe within an ARN."""
    given = [str(each) for each in parameters.get("ids") or parameters.get("names") or ()]
    if operation in ("StopBuild", "RetryBuild"):
        given = [str(parameters.get("id", ""))]
    names = (each.rpartition("/")[2].partition(":")[0] for each in given)
    return [place.arn("codebuild", f"project/{name}") for name in dict.fromkeys(names)]
