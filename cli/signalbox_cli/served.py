"""The endpoints of an environment: what each serves, on how much, with which alarms."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from signalbox_cli.documents import serving_record
from signalbox_cli.errors import NotFoundError
from signalbox_cli.target import Target


@dataclass(frozen=True)
class VariantView:
    """One variant: its share of the traffic, and what it runs on (no instances: serverless)."""

    name: str
    weight: float
    instances: int
    wanted_instances: int
    is_shadow: bool = False

    def document(self) -> dict[str, Any]:
        """The variant as JSON."""
        return {
            "variant": self.name,
            "weight": self.weight,
            "instances": self.instances,
            "wantedInstances": self.wanted_instances,
            "shadow": self.is_shadow,
        }


@dataclass(frozen=True)
class AlarmView:
    """An alarm that guards an endpoint."""

    name: str
    state: str
    reason: str


@dataclass(frozen=True)
class EndpointView:
    """One endpoint at one moment; `rollout` says how far an update is, empty when there is none."""

    name: str
    status: str
    config: str
    version_arn: str
    changed_at: datetime
    variants: tuple[VariantView, ...]
    alarms: tuple[AlarmView, ...]
    rollout: str = ""
    reason: str = ""

    @property
    def version(self) -> str:
        """The version's number and group, or what little is known."""
        return "/".join(self.version_arn.split("/")[-2:]) if self.version_arn else "not recorded"

    def document(self) -> dict[str, Any]:
        """The endpoint as JSON."""
        return {
            "endpoint": self.name,
            "status": self.status,
            "config": self.config,
            "modelPackageArn": self.version_arn or None,
            "changedAt": self.changed_at,
            "rollout": self.rollout or None,
            "reason": self.reason or None,
            "variants": [variant.document() for variant in self.variants],
            "alarms": [vars(alarm) for alarm in self.alarms],
        }


def endpoint_names(target: Target) -> list[str]:
    """The endpoints of the environment, by name."""
    pages = (
        target.client("sagemaker")
        .get_paginator("list_endpoints")
        .paginate(NameContains=target.prefix)
    )
    names = (e["EndpointName"] for page in pages for e in page["Endpoints"])
    return sorted(name for name in names if name.startswith(f"{target.prefix}-"))


def find_endpoint(target: Target, name: str | None) -> str:
    """The endpoint that is meant: a workload or an endpoint's name; without one, the only one."""
    known = endpoint_names(target)
    if name is None and len(known) == 1:
        return known[0]
    wanted = [n for n in known if name and n in (name, f"{target.prefix}-{name}")]
    if wanted:
        return wanted[0]
    if not known:
        raise NotFoundError(
            f"{target.describe()} has no endpoint; release a workload with "
            "`--set inference.mode=endpoint` first"
        )
    said = f"no endpoint '{name}'" if name else f"{len(known)} endpoints; say which"
    raise NotFoundError(f"{target.describe()} has {said}. There are: {', '.join(known)}")


def endpoints(target: Target) -> Iterator[EndpointView]:
    """Every endpoint of the environment as it is now."""
    return (read_endpoint(target, name) for name in endpoint_names(target))


def read_endpoint(target: Target, name: str) -> EndpointView:
    """One endpoint as it is now."""
    from signalbox import serving

    found = target.client("sagemaker").describe_endpoint(EndpointName=name)
    config = found.get("EndpointConfigName", "")
    record = serving_record(target, name)
    deployed = [d for d in record.deployments if d.endpoint_config == config]
    current = serving.serving(record)
    known = deployed[-1] if deployed else current
    return EndpointView(
        name=name,
        status=found["EndpointStatus"],
        config=config,
        version_arn=known.model_package_arn if known else "",
        changed_at=found["LastModifiedTime"],
        variants=tuple(_variants(found)),
        alarms=tuple(_alarms(target, name)),
        rollout=rollout_of(found),
        reason=found.get("FailureReason", ""),
    )


def _variants(found: Mapping[str, Any]) -> Iterator[VariantView]:
    for key, is_shadow in (("ProductionVariants", False), ("ShadowProductionVariants", True)):
        for variant in found.get(key, []):
            yield VariantView(
                name=variant["VariantName"],
                weight=float(variant.get("CurrentWeight", 1.0)),
                instances=int(variant.get("CurrentInstanceCount", 0)),
                wanted_instances=int(variant.get("DesiredInstanceCount", 0)),
                is_shadow=is_shadow,
            )


def _alarms(target: Target, name: str) -> Iterator[AlarmView]:
    pages = (
        target.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=name)
    )
    for alarm in (a for page in pages for a in page["MetricAlarms"]):
        # Another workload's name may begin with this one's: the dimension decides.
        dimensions = {d["Name"]: d["Value"] for d in alarm.get("Dimensions", [])}
        if dimensions.get("EndpointName", name) == name:
            yield AlarmView(alarm["AlarmName"], alarm["StateValue"], alarm.get("StateReason", ""))


def rollout_of(found: Mapping[str, Any]) -> str:
    """How far an update is, in words: the stages that SageMaker gives for the new fleet."""
    pending = found.get("PendingDeploymentSummary")
    if not pending:
        return ""
    stages = [
        f"{variant['VariantName']} {status['Status']}"
        for variant in pending.get("ProductionVariants", [])
        for status in variant.get("VariantStatus", [])[-1:]
    ]
    return f"to {pending.get('EndpointConfigName', '?')}: {', '.join(stages) or 'begun'}"
