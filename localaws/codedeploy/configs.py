"""The deployment configurations that AWS has for Lambda: how much traffic shifts, and when. Pure.

Names and steps: CodeDeploy user guide, "Predefined deployment configurations for an AWS Lambda
compute platform" (read 2026-11-21).
"""

import re
from dataclasses import dataclass

from localaws.errors import UnsupportedByLocalAws
from localaws.sagemaker.store import Document
from localaws.wire import AwsError

_PREFIX = "CodeDeployDefault.Lambda"
DEFAULT = f"{_PREFIX}AllAtOnce"
NAMES = (
    DEFAULT,
    *(f"{_PREFIX}Canary10Percent{minutes}Minutes" for minutes in (5, 10, 15, 30)),
    *(f"{_PREFIX}Linear10PercentEvery{text}" for text in ("1Minute", "2Minutes", "3Minutes")),
    f"{_PREFIX}Linear10PercentEvery10Minutes",
)
_STEPPED = re.compile(r".*Lambda(Canary|Linear)(\d+)Percent(?:Every)?(\d+)Minutes?")


@dataclass(frozen=True)
class Config:
    """How traffic shifts: by `percent` at a time, after every `minutes`."""

    name: str
    kind: str
    """`AllAtOnce`, `TimeBasedCanary` or `TimeBasedLinear`."""
    percent: int = 100
    minutes: int = 0

    def steps(self) -> tuple[int, ...]:
        """Per cent of the traffic at the new version, step by step.

        >>> config("CodeDeployDefault.LambdaCanary10Percent5Minutes").steps()
        (10, 100)
        >>> config("CodeDeployDefault.LambdaLinear10PercentEvery1Minute").steps()[:3]
        (10, 20, 30)
        """
        if self.kind == "TimeBasedLinear":
            return (*range(self.percent, 100, self.percent), 100)
        return (self.percent, 100) if self.percent < 100 else (100,)

    def document(self) -> Document:
        """As GetDeploymentConfig shows it."""
        routing: Document = {"type": self.kind}
        if self.kind == "TimeBasedCanary":
            routing["timeBasedCanary"] = {
                "canaryPercentage": self.percent,
                "canaryInterval": self.minutes,
            }
        if self.kind == "TimeBasedLinear":
            routing["timeBasedLinear"] = {
                "linearPercentage": self.percent,
                "linearInterval": self.minutes,
            }
        return {
            "deploymentConfigName": self.name,
            "computePlatform": "Lambda",
            "trafficRoutingConfig": routing,
        }


def config(name: str) -> Config:
    """A configuration by its name; raises AwsError, UnsupportedByLocalAws."""
    if name not in NAMES:
        if name.startswith("CodeDeployDefault.") and not name.startswith(_PREFIX):
            raise UnsupportedByLocalAws("codedeploy", "GetDeploymentConfig", f"{name}: Lambda only")
        raise AwsError(
            "DeploymentConfigDoesNotExistException",
            f"No Deployment Configuration found for name: {name}",
        )
    stepped = _STEPPED.fullmatch(name)
    if stepped is None:
        return Config(name, "AllAtOnce")
    kind, percent, minutes = stepped.groups()
    return Config(name, f"TimeBased{kind}", int(percent), int(minutes))
