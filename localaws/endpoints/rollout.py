"""How endpoints change: creation, an update in steps with its watch over alarms, the way back.

An update starts the new configuration beside the old one and shifts requests step by step. If it
does not become healthy, if an alarm fires or if it takes too long, all requests go to the old
fleets again and the endpoint is InService with its old configuration: AWS does it just so, and a
caller who only looks at the status takes it for success.
"""

import time

from localaws import clock, faults
from localaws.endpoints.plan import DeploymentPlan, Step
from localaws.endpoints.service import SETTINGS, Endpoint, Pending, Stage, Status, in_background
from localaws.endpoints.serving import NOTHING_RETAINED, Retained, Serving
from localaws.faults import Ending, EndingFault
from localaws.models.process import FleetFailed
from localaws.monitoring import alarms
from localaws.sagemaker.store import Document
from localaws.wire import AwsError

_LOOK_EVERY_S = 5.0
"""AWS's seconds between two looks at the alarms; real ones are kept within bounds below."""


class RolledBack(Exception):
    """The update cannot go on; the message is the endpoint's FailureReason."""


class Stopped(Exception):
    """The laptop's AWS ends."""


def create(endpoint: Endpoint) -> None:
    """Start to serve."""
    from localaws.endpoints import views as endpoint_views

    endpoint_views.announce(endpoint)
    in_background(endpoint, _create)


def update(endpoint: Endpoint, config_name: str, plan: DeploymentPlan, retained: Retained) -> None:
    """Start to move to another configuration."""
    stage = Stage("Creating", "Launching instance(s).")
    with endpoint.lock:
        endpoint.pending = Pending(config_name, stage)
    endpoint.become(Status.UPDATING)
    in_background(endpoint, lambda e: Rollout(e, config_name, plan, retained).run())


def rescale(endpoint: Endpoint, changes: list[Document]) -> None:
    """Start to give variants other weights and numbers of instances."""
    endpoint.become(Status.UPDATING)
    in_background(endpoint, lambda e: _rescale(e, changes))


def _create(endpoint: Endpoint) -> None:
    fault = faults.ending(endpoint.name)
    try:
        _hang(fault)
        if fault is not None and fault.deployment is Ending.FAILED:
            raise FleetFailed(fault.reason)
        endpoint.blue = Serving(
            endpoint.place, endpoint.name, endpoint.config_name, SETTINGS.folder, NOTHING_RETAINED
        )
    except (FleetFailed, AwsError) as failure:
        endpoint.become(Status.FAILED, _reason(failure))
    except Stopped:
        return
    else:
        _settle(endpoint, fault)


def _settle(endpoint: Endpoint, fault: EndingFault | None) -> None:
    """InService, after the patch that a fault may ask for."""
    if fault is not None and fault.deployment is Ending.SYSTEM_UPDATING:
        endpoint.become(Status.SYSTEM_UPDATING)
        clock.wait(fault.seconds, cancelled=SETTINGS.stopping)
    endpoint.become(Status.IN_SERVICE)


def _hang(fault: EndingFault | None) -> None:
    if fault is None or fault.deployment is not Ending.STUCK:
        return
    if clock.wait(fault.seconds, cancelled=SETTINGS.stopping):
        raise Stopped


def _rescale(endpoint: Endpoint, changes: list[Document]) -> None:
    serving = endpoint.blue
    if serving is None:
        return
    before = {variant.name: variant.instances for variant in serving.variants}
    try:
        for change in changes:
            _change_variant(serving, change)
    except FleetFailed as failure:
        endpoint.become(Status.ROLLING_BACK, str(failure))
        for variant in serving.variants:
            variant.instances = before[variant.name]
            variant.meter.instances = max(1, variant.instances)
        endpoint.become(Status.IN_SERVICE, str(failure))
        return
    endpoint.become(Status.IN_SERVICE)


def _change_variant(serving: Serving, change: Document) -> None:
    variant = serving.variant(change["VariantName"])
    if variant is None:
        return
    if "DesiredInstanceCount" in change:
        variant.fleet.resize(change["DesiredInstanceCount"])
        variant.instances = change["DesiredInstanceCount"]
        variant.meter.instances = max(1, variant.instances)
    if "DesiredWeight" in change:
        variant.weight = float(change["DesiredWeight"])
    if "ServerlessUpdateConfig" in change:
        stated = variant.document["ServerlessConfig"]
        changed = {**stated, **change["ServerlessUpdateConfig"]}
        variant.document = {**variant.document, "ServerlessConfig": changed}


def _reason(failure: Exception) -> str:
    return failure.message if isinstance(failure, AwsError) else str(failure)


class _Budget:
    """MaximumExecutionTimeoutInSeconds: waits count in AWS's seconds, work in real ones."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._started = time.monotonic()
        self._waited_s = self._waited_real_s = 0.0

    def left_s(self) -> float:
        """AWS's seconds that are left."""
        worked_s = time.monotonic() - self._started - self._waited_real_s
        return self._limit_s - worked_s - self._waited_s

    def waited(self, wait_s: float, real_s: float) -> None:
        """Count one wait."""
        self._waited_s += wait_s
        self._waited_real_s += real_s


class Rollout:
    """One update from its beginning to whatever end it takes."""

    def __init__(
        self, endpoint: Endpoint, config_name: str, plan: DeploymentPlan, retained: Retained
    ) -> None:
        self._endpoint = endpoint
        self._config_name = config_name
        self._plan = plan
        self._retained = retained
        self._fault = faults.ending(endpoint.name)
        self._budget = _Budget(plan.limit_s)

    def run(self) -> None:
        """Carry it out, in this thread."""
        self._end_leftovers()
        try:
            _hang(self._fault)
            green = self._start()
            for step in self._plan.steps:
                self._shift(green, step)
                self._bake(green, step)
            self._fail_if_asked()
        except (FleetFailed, AwsError, RolledBack) as failure:
            self._roll_back(_reason(failure))
        except Stopped:
            return
        else:
            self._finish(green)

    def _end_leftovers(self) -> None:
        """After UpdateRollbackFailed two fleets serve; an update begins with the old one alone."""
        with self._endpoint.lock:
            left, self._endpoint.green, self._endpoint.share = self._endpoint.green, None, 0.0
        if left is not None:
            left.close()

    def _start(self) -> Serving:
        place, name = self._endpoint.place, self._endpoint.name
        blue = self._endpoint.blue
        count = blue.instances if blue is not None else 1
        self._endpoint.enter(Stage("Creating", f"Launching {count} instance(s)."), 0)
        green = Serving(place, name, self._config_name, SETTINGS.folder, self._retained)
        with self._endpoint.lock:
            self._endpoint.green, self._endpoint.share = green, 0.0
        return green

    def _shift(self, green: Serving, step: Step) -> None:
        capacity = self._capacity(green, step)
        self._endpoint.enter(
            Stage("ActivatingTraffic", f"Activating traffic on {capacity}."),
            _instances(green, step),
        )
        with self._endpoint.lock:
            self._endpoint.share = step.share

    def _bake(self, green: Serving, step: Step) -> None:
        """Wait and watch the alarms; raises RolledBack."""
        if step.wait_s <= 0:
            return
        message = (
            f"Baking for {step.wait_s:g} seconds ({step.wait_name}) with traffic enabled on "
            f"{self._capacity(green, step)}."
        )
        self._endpoint.enter(Stage("Baking", message), _instances(green, step))
        wait_s = min(step.wait_s, self._budget.left_s())
        started = time.monotonic()
        ends = started + clock.scaled_s(wait_s)
        look_s = min(max(clock.scaled_s(_LOOK_EVERY_S), 0.02), 0.25)
        while True:
            self._check_alarms()
            left_s = ends - time.monotonic()
            if left_s <= 0:
                break
            if SETTINGS.stopping.wait(min(look_s, left_s)):
                raise Stopped
        self._budget.waited(wait_s, time.monotonic() - started)
        if wait_s < step.wait_s:
            raise RolledBack(
                "The deployment did not complete within MaximumExecutionTimeoutInSeconds "
                f"({self._plan.limit_s:g})."
            )

    def _capacity(self, green: Serving, step: Step) -> str:
        if step.share >= 1.0:
            return f"full capacity of {green.instances} instance(s)"
        kind = "batch" if self._plan.is_rolling else "canary"
        return f"{kind} capacity of {_instances(green, step)} instance(s)"

    def _check_alarms(self) -> None:
        if not self._plan.alarms:
            return
        fired = alarms.firing(self._endpoint.place, list(self._plan.alarms))
        if fired:
            raise RolledBack(
                "The deployment was rolled back because these alarms were in ALARM: "
                f"{', '.join(fired)}."
            )

    def _fail_if_asked(self) -> None:
        asked = self._fault.deployment if self._fault is not None else None
        if asked in (
            Ending.FAILED,
            Ending.ROLLBACK,
            Ending.SILENT_ROLLBACK,
            Ending.UPDATE_ROLLBACK_FAILED,
        ):
            raise RolledBack(self._fault.reason if self._fault is not None else "")

    def _roll_back(self, reason: str) -> None:
        endpoint = self._endpoint
        asked = self._fault.deployment if self._fault is not None else None
        if asked is Ending.UPDATE_ROLLBACK_FAILED and endpoint.green is not None:
            with endpoint.lock:
                endpoint.share, endpoint.pending = 0.5, None
            endpoint.become(Status.UPDATE_ROLLBACK_FAILED, reason)
            return
        endpoint.become(Status.ROLLING_BACK, reason)
        with endpoint.lock:
            green, endpoint.green, endpoint.share = endpoint.green, None, 0.0
        if green is not None:
            green.close()
        with endpoint.lock:
            endpoint.pending = None
        if asked is Ending.FAILED:
            endpoint.become(Status.FAILED, reason)
            return
        endpoint.become(Status.IN_SERVICE, None if asked is Ending.SILENT_ROLLBACK else reason)

    def _finish(self, green: Serving) -> None:
        endpoint = self._endpoint
        with endpoint.lock:
            old, endpoint.blue = endpoint.blue, green
            endpoint.green, endpoint.share = None, 0.0
            endpoint.config_name = self._config_name
        if old is not None:
            message = f"Terminating {old.instances} instance(s)."
            endpoint.enter(Stage("Deleting", message), green.instances)
        with endpoint.lock:
            endpoint.pending = None
        _settle(endpoint, self._fault)
        if old is not None:
            old.close()


def _instances(green: Serving, step: Step) -> int:
    return max(1, round(green.instances * step.share))
