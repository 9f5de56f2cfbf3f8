"""Errors of a deployment.

LocalAwsError
└── DeploymentError
    ├── TemplateInvalid     found before anything was created; carries every problem
    ├── DeploymentFailed    a resource could not be made; carries the first cause and the roll-back
    ├── RolloutFailed       CodeDeploy did not bring a resource to its new version
    └── StackInUse          destroy refused, for instance because a bucket holds objects
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localaws.errors import LocalAwsError


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a template, and where (a JSON pointer into the expanded template)."""

    pointer: str
    message: str
    logical_id: str = ""
    type_name: str = ""

    def __str__(self) -> str:
        subject = f"{self.logical_id} ({self.type_name}): " if self.logical_id else ""
        return f"{subject}{self.message} [{self.pointer or '/'}]"


class DeploymentError(LocalAwsError):
    """Root of what a deployment raises."""


class TemplateInvalid(DeploymentError):
    """The template cannot be deployed here; nothing was created or changed."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"the template cannot be deployed ({len(problems)} problem(s)):\n{lines}")


class DeploymentFailed(DeploymentError):
    """A resource failed; what this deployment had made or changed was taken back."""

    def __init__(
        self,
        logical_id: str,
        type_name: str,
        cause: BaseException,
        stuck: tuple[Any, ...],
        remains: Mapping[str, Any] | None = None,
    ) -> None:
        self.logical_id = logical_id
        self.type_name = type_name
        self.cause = cause
        self.stuck = stuck
        """What could not be taken back (localaws.deployer.rollback.Stuck)."""
        self.left_behind = left_behind = tuple(str(item) for item in stuck)
        self.remains: Mapping[str, Any] = remains or {}
        """The members (localaws.deployer.state) that there are afterwards."""
        left = f"; could not take back: {', '.join(left_behind)}" if left_behind else ""
        super().__init__(f"{logical_id} ({type_name}) failed: {cause}{left}")


class RolloutFailed(DeploymentError):
    """CodeDeploy ended without having moved all traffic; says what CloudFormation would."""


class StackInUse(DeploymentError):
    """The stack cannot be destroyed as it is."""


def invalid(pointer: str, message: str) -> TemplateInvalid:
    """A TemplateInvalid with one problem."""
    return TemplateInvalid((Problem(pointer, message),))
