"""Everything that serves one endpoint configuration: its variants, their fleets, their traffic."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from localaws.endpoints.capture import Capture
from localaws.endpoints.fleet import Fleet
from localaws.endpoints.meter import METERS, Meter
from localaws.models.process import INVOCATION_LIMIT_S, STARTUP_LIMIT_S, FleetPlan
from localaws.sagemaker.models import find_config, resolve_model
from localaws.sagemaker.store import Document, Place

ASYNC_LIMIT_S = 3600.0
"""An asynchronous invocation may take an hour (InvokeEndpointAsync, InvocationTimeoutSeconds)."""


@dataclass
class Variant:
    """One variant that serves, with the traffic and capacity it has now."""

    document: Document
    fleet: Fleet
    meter: Meter
    weight: float
    instances: int
    credit: float = 0.0
    """How far its share of the requests so far is behind its weight."""

    @property
    def name(self) -> str:
        """The variant's name."""
        return str(self.document["VariantName"])

    @property
    def is_serverless(self) -> bool:
        """Whether it has no instances of its own."""
        return "ServerlessConfig" in self.document

    @property
    def images(self) -> list[str]:
        """The images of its containers."""
        return [container.image for container in self.fleet.plan.model.containers]


@dataclass(frozen=True)
class Retained:
    """What an update takes over from the variants that serve, see RetainAllVariantProperties."""

    weights: dict[str, float] = field(default_factory=dict)
    instances: dict[str, int] = field(default_factory=dict)
    capture: Document | None = None


NOTHING_RETAINED = Retained()


class Serving:
    """The fleets of one configuration, all started. Raises FleetFailed, AwsError."""

    def __init__(
        self, place: Place, endpoint: str, config_name: str, folder: Path, retained: Retained
    ) -> None:
        self.config_name = config_name
        self.document: Document = dict(find_config(place, config_name).document)
        if retained.capture is not None:
            self.document["DataCaptureConfig"] = retained.capture
        self.variants: list[Variant] = []
        self.shadows: list[Variant] = []
        self._place, self._endpoint, self._folder = place, endpoint, folder
        self._lock = threading.Lock()
        self.capture: Capture | None = None
        try:
            for document in self.document["ProductionVariants"]:
                self.variants.append(self._start(document, retained))
            for document in self.document.get("ShadowProductionVariants") or []:
                self.shadows.append(self._start(document, retained))
        except BaseException:
            self.close()
            raise
        courier = self.variants[0].fleet.plan.model.courier
        self.capture = Capture.of(endpoint, self.document, courier)

    @property
    def async_config(self) -> Document | None:
        """The AsyncInferenceConfig, of an endpoint that has one."""
        found: Document | None = self.document.get("AsyncInferenceConfig")
        return found

    @property
    def instances(self) -> int:
        """Instances of all production variants."""
        return sum(variant.instances for variant in self.variants)

    def variant(self, name: str) -> Variant | None:
        """The production variant of that name."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def pick(self) -> Variant:
        """The variant for the next request: over time each gets the share of its weight."""
        if len(self.variants) == 1:
            return self.variants[0]
        with self._lock:
            total = sum(variant.weight for variant in self.variants)
            for variant in self.variants:
                variant.credit += variant.weight
            chosen = max(self.variants, key=lambda variant: variant.credit)
            chosen.credit -= total
            return chosen

    def close(self, *, patience_s: float = INVOCATION_LIMIT_S) -> None:
        """End all fleets once what they do is done, or `patience_s` have passed."""
        for variant in [*self.variants, *self.shadows]:
            variant.fleet.close(patience_s=patience_s)
            METERS.drop(variant.meter)
        if self.capture is not None:
            self.capture.flush()

    def _start(self, document: Document, retained: Retained) -> Variant:
        name = document["VariantName"]
        stated: int = document.get("InitialInstanceCount", 1)
        instances = retained.instances.get(name, stated)
        is_async = "AsyncInferenceConfig" in self.document
        startup_s = document.get("ContainerStartupHealthCheckTimeoutInSeconds", STARTUP_LIMIT_S)
        plan = FleetPlan(
            endpoint=self._endpoint,
            variant=name,
            model=resolve_model(self._place, document["ModelName"]),
            instances=instances,
            startup_limit_s=float(startup_s),
            invocation_limit_s=ASYNC_LIMIT_S if is_async else INVOCATION_LIMIT_S,
        )
        fleet = Fleet(plan, self._folder)
        meter = Meter(self._place, self._endpoint, name, self.config_name)
        meter.instances = max(1, instances)
        METERS.add(meter)
        stated_weight = float(document.get("InitialVariantWeight", 1.0))
        weight = retained.weights.get(name, stated_weight)
        return Variant(document, fleet, meter, weight, instances)
