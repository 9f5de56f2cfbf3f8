"""What a DeploymentConfig asks for, step by step, and which ones AWS does not accept.

Rules: Amazon SageMaker Developer Guide, "Deployment guardrails for updating models in production",
and the API reference of BlueGreenUpdatePolicy and RollingUpdatePolicy (read 2026-11). Values in,
values out.
"""

import math
from dataclasses import dataclass

from localaws.sagemaker.shapes import validation_error
from localaws.sagemaker.store import Document

DEFAULT_LIMIT_S = 28_800.0


@dataclass(frozen=True)
class Step:
    """One shift of traffic and the watch after it."""

    share: float
    """Of the requests, from 0 to 1, that the new fleet gets from now on."""
    wait_s: float
    """AWS's seconds until the next step."""
    wait_name: str
    """The member of the request that says so."""


@dataclass(frozen=True)
class DeploymentPlan:
    """A whole update."""

    steps: tuple[Step, ...]
    alarms: tuple[str, ...] = ()
    limit_s: float = DEFAULT_LIMIT_S
    """AWS's seconds for everything."""
    is_rolling: bool = False


def plan_deployment(config: Document | None, instances: int) -> DeploymentPlan:
    """The plan of a DeploymentConfig for a fleet of so many instances; without one, all at once."""
    config = config or {}
    alarms = (config.get("AutoRollbackConfiguration") or {}).get("Alarms") or []
    names = tuple(alarm["AlarmName"] for alarm in alarms if alarm.get("AlarmName"))
    rolling = config.get("RollingUpdatePolicy")
    policy = rolling or config.get("BlueGreenUpdatePolicy")
    if not policy:
        return DeploymentPlan((Step(1.0, 0.0, "TerminationWaitInSeconds"),), names)
    limit_s = float(policy.get("MaximumExecutionTimeoutInSeconds", DEFAULT_LIMIT_S))
    if rolling:
        return DeploymentPlan(_batches(rolling, instances), names, limit_s, is_rolling=True)
    return DeploymentPlan(_shifts(policy, instances), names, limit_s)


def _shifts(policy: Document, instances: int) -> tuple[Step, ...]:
    routing = policy["TrafficRoutingConfiguration"]
    wait_s = float(routing["WaitIntervalInSeconds"])
    final_s = float(policy.get("TerminationWaitInSeconds", 0))
    size = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}.get(routing["Type"])
    shares = [1.0]
    if size == "CanarySize":
        shares = [share_of(routing[size], instances), 1.0]
    elif size == "LinearStepSize":
        shares = _even(share_of(routing[size], instances))
    before = [Step(share, wait_s, "WaitIntervalInSeconds") for share in shares[:-1]]
    return (*before, Step(1.0, final_s, "TerminationWaitInSeconds"))


def _batches(policy: Document, instances: int) -> tuple[Step, ...]:
    shares = _even(share_of(policy["MaximumBatchSize"], instances))
    wait_s = float(policy["WaitIntervalInSeconds"])
    return tuple(Step(share, wait_s, "WaitIntervalInSeconds") for share in shares)


def _even(step: float) -> list[float]:
    """Shares from one step to all.

    >>> _even(0.4)
    [0.4, 0.8, 1.0]
    """
    count = math.ceil(1.0 / step - 1e-9)
    return [round(step * number, 6) for number in range(1, count)] + [1.0]


def share_of(size: Document, instances: int) -> float:
    """A CapacitySize as a part of the fleet."""
    if size["Type"] == "CAPACITY_PERCENT":
        return min(1.0, float(size["Value"]) / 100.0)
    return min(1.0, float(size["Value"]) / max(1, instances))


def check_deployment(config: Document | None, instances: int) -> None:
    """Raise ValidationException for a DeploymentConfig that botocore's model cannot refuse."""
    if not config:
        return
    policies = [n for n in ("BlueGreenUpdatePolicy", "RollingUpdatePolicy") if config.get(n)]
    if len(policies) != 1:
        raise validation_error(
            "DeploymentConfig must have exactly one of BlueGreenUpdatePolicy and "
            f"RollingUpdatePolicy, it has {' and '.join(policies) or 'neither'}"
        )
    if "RollingUpdatePolicy" in policies:
        policy = config["RollingUpdatePolicy"]
        _check_size("MaximumBatchSize", policy.get("MaximumBatchSize"), instances, (5, 50))
        rollback = policy.get("RollbackMaximumBatchSize")
        if rollback:
            _check_size("RollbackMaximumBatchSize", rollback, instances, (5, 100))
        return
    routing = config["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    if routing["Type"] == "CANARY":
        _check_size("CanarySize", routing.get("CanarySize"), instances, (1, 50))
    elif routing["Type"] == "LINEAR":
        _check_size("LinearStepSize", routing.get("LinearStepSize"), instances, (10, 50))


def _check_size(
    name: str, size: Document | None, instances: int, percents: tuple[int, int]
) -> None:
    if not size:
        raise validation_error(f"{name} is required for this type of deployment")
    least, most = percents
    if size["Type"] == "CAPACITY_PERCENT":
        if not least <= size["Value"] <= most:
            raise validation_error(
                f"{name} is {size['Value']} percent, it must be between {least} and {most} percent"
            )
    elif size["Value"] > max(1, instances * most // 100) or size["Value"] > instances:
        raise validation_error(
            f"{name} is {size['Value']} instance(s), it must be at most {most} percent of the "
            f"variant's {instances} instance(s)"
        )


def check_change(old: Document, new: Document, deployment: Document | None) -> None:
    """Raise ValidationException when no update leads from one configuration to the other so."""
    was, will_be = old["ProductionVariants"], new["ProductionVariants"]
    if _is_serverless(will_be) and not _is_serverless(was):
        raise validation_error(
            "An endpoint that has instances cannot be updated to a serverless endpoint."
        )
    if not deployment:
        return
    names = [sorted(v["VariantName"] for v in variants) for variants in (was, will_be)]
    if names[0] != names[1]:
        raise validation_error(
            f"The variant names of the new endpoint config ({', '.join(names[1])}) must be those "
            f"of the current one ({', '.join(names[0])}) when a DeploymentConfig is given."
        )
    if deployment.get("RollingUpdatePolicy") and (_is_serverless(will_be) or len(will_be) > 1):
        raise validation_error(
            "RollingUpdatePolicy is not supported for serverless and for multi-variant endpoints."
        )
    if _is_serverless(will_be) and (
        deployment.get("AutoRollbackConfiguration") or _routing(deployment) != "ALL_AT_ONCE"
    ):
        raise validation_error("Deployment guardrails are not supported for serverless endpoints.")


def _is_serverless(variants: list[Document]) -> bool:
    return any("ServerlessConfig" in variant for variant in variants)


def _routing(deployment: Document) -> str:
    policy = deployment.get("BlueGreenUpdatePolicy") or {}
    kind: str = (policy.get("TrafficRoutingConfiguration") or {}).get("Type", "ALL_AT_ONCE")
    return kind
