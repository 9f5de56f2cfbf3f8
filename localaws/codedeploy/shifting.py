"""Carries a deployment out: moves an alias from version to version, with an eye on the alarms.

Everything is done as the group's service role, so its permissions decide. A deployment that fails
or is stopped may be followed by one that takes the alias back, as on AWS a deployment of its own.
Its words are those of published output of real deployments (read 2026-11-21).
"""

import threading
import time

from localaws import clock
from localaws.codedeploy import appspec as codedeploy_appspec
from localaws.codedeploy import calls as codedeploy_calls
from localaws.codedeploy import configs as codedeploy_configs
from localaws.codedeploy import events as codedeploy_events
from localaws.codedeploy.calls import Ended
from localaws.codedeploy.store import STORE, Deployment, Plan, Status
from localaws.monitoring import alarms as alarm_evaluation

_ROLLBACK = "codeDeployRollback"
_LOOK_EVERY_S = 10.0
"""AWS's seconds between two looks at the alarms; real ones are kept within bounds."""
_LEAST_LOOK_S, _MOST_LOOK_S = 0.05, 0.5
_EVENTS = ("BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")
_CAUSES = {"MANUAL_STOP": "STOP_ON_REQUEST", "ALARM_ACTIVE": "STOP_ON_ALARM"}


class Abandoned(Exception):
    """The laptop's AWS ends."""


class _Running:
    def __init__(self) -> None:
        self.closing = threading.Event()
        self.threads: set[threading.Thread] = set()


_running = _Running()


def start() -> None:
    """Let deployments run."""
    _running.closing = threading.Event()


def abandon() -> None:
    """End every deployment where it is."""
    _running.closing.set()
    for deployment in list(STORE.deployments.values()):
        deployment.stop.set()
    for thread in list(_running.threads):
        thread.join(timeout=10)


def begin(deployment: Deployment) -> None:
    """Carry a deployment out in the background."""
    shift = _Shift(deployment, _running.closing)
    thread = threading.Thread(target=shift.run, name=f"codedeploy-{deployment.id}", daemon=True)
    _running.threads.add(thread)
    thread.start()


class _Shift:
    """One deployment from its beginning to whatever end it takes."""

    def __init__(self, deployment: Deployment, closing: threading.Event) -> None:
        self._deployment = deployment
        self._closing = closing
        self._group = deployment.group
        self._plan = deployment.plan
        self._appspec = deployment.plan.appspec

    def run(self) -> None:
        """Carry it out, in this thread."""
        try:
            self._shift()
        except Ended as end:
            self._end(end)
        except Abandoned:
            self._deployment.finished.set()
        except Exception as error:  # noqa: BLE001 - the thread's edge: no deployment may stay in progress
            message = f"{type(error).__name__}: {error}"
            self._end(Ended(Status.FAILED, "INTERNAL_ERROR", message))
        else:
            self._become(Status.SUCCEEDED)
        finally:
            _running.threads.discard(threading.current_thread())

    def _shift(self) -> None:
        self._become(Status.IN_PROGRESS)
        codedeploy_calls.check_role(self._group)
        self._check_alias()
        self._look()
        self._enter("BeforeAllowTraffic", "Succeeded")
        self._enter("AllowTraffic", "InProgress")
        config = codedeploy_configs.config(self._plan.config_name)
        for percent in config.steps():
            self._check_stop()
            self._send(percent)
            if percent < 100:
                self._bake(config.minutes * 60.0)
        self._enter("AllowTraffic", "Succeeded")
        self._enter("AfterAllowTraffic", "Succeeded")

    def _check_alias(self) -> None:
        """What has to be true of the alias before anything is moved."""
        alias = self._appspec.alias
        with codedeploy_calls.calling(self._group, "lambda") as client:
            found = client.get_alias(FunctionName=self._appspec.function, Name=alias)
        if self._plan.creator == _ROLLBACK:
            return
        if found["FunctionVersion"] != self._appspec.current:
            raise _misconfigured(
                "The Lambda function alias version does not match the current version in AppSpec "
                f"file. (It is {found['FunctionVersion']}, not {self._appspec.current}.)"
            )
        if (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights"):
            raise _misconfigured(f"The alias {alias} points to two versions already.")

    def _send(self, percent: int) -> None:
        """Let the target version have so many per cent of the traffic."""
        appspec, whole = self._appspec, percent == 100
        weights = {} if whole else {appspec.target: percent / 100}
        with codedeploy_calls.calling(self._group, "lambda") as client:
            client.update_alias(
                FunctionName=appspec.function,
                Name=appspec.alias,
                FunctionVersion=appspec.target if whole else appspec.current,
                RoutingConfig={"AdditionalVersionWeights": weights},
            )
        with STORE.lock:
            self._deployment.weight = percent / 100

    def _bake(self, wait_s: float) -> None:
        """Wait, and watch the alarms meanwhile; raises Ended."""
        ends = time.monotonic() + clock.scaled_s(wait_s)
        look_s = min(max(clock.scaled_s(_LOOK_EVERY_S), _LEAST_LOOK_S), _MOST_LOOK_S)
        while True:
            self._look()
            left_s = ends - time.monotonic()
            if left_s <= 0:
                return
            self._deployment.stop.wait(min(left_s, look_s))
            self._check_stop()

    def _check_stop(self) -> None:
        if self._closing.is_set():
            raise Abandoned
        if self._deployment.stop.is_set():
            message = "The deployment was stopped on request."
            raise Ended(Status.STOPPED, "MANUAL_STOP", message)

    def _look(self) -> None:
        """Raise Ended when an alarm fires, or when that cannot be told and has to be known."""
        configuration = self._plan.alarms
        if not configuration.get("enabled"):
            return
        names = [alarm["name"] for alarm in configuration["alarms"]]
        alarm_evaluation.firing(self._group.place, names)
        try:
            states = self._states(names)
        except Ended:
            if configuration.get("ignorePollAlarmFailure"):
                return
            raise
        firing = " ".join(f"<{name}>" for name in names if states.get(name) == "ALARM")
        if firing:
            message = (
                "One or more alarms have been activated according to the Amazon CloudWatch metrics "
                f"you selected, and the affected deployments have been stopped. Activated alarms: "
                f"{firing}"
            )
            raise Ended(Status.STOPPED, "ALARM_ACTIVE", message)

    def _states(self, names: list[str]) -> dict[str, str]:
        with codedeploy_calls.calling(self._group, "cloudwatch") as client:
            found = client.describe_alarms(AlarmNames=names)["MetricAlarms"]
        states = {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
        missing = ", ".join(name for name in names if name not in states)
        if missing:
            code = "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND"
            raise Ended(Status.FAILED, code, f"CloudWatch has no alarm {missing}")
        return states

    def _enter(self, event: str, status: str) -> None:
        with STORE.lock:
            self._deployment.events[event] = status

    def _become(self, status: Status) -> None:
        deployment = self._deployment
        with STORE.lock:
            if status is Status.IN_PROGRESS:
                deployment.started = clock.now()
                deployment.events = dict.fromkeys(_EVENTS, "Pending")
            else:
                deployment.ended = clock.now()
            deployment.status = status
        codedeploy_events.state_changed(deployment)
        if status.is_over:
            deployment.finished.set()

    def _end(self, end: Ended) -> None:
        """The deployment has failed or was stopped; the way back begins."""
        deployment = self._deployment
        ends = {"InProgress": "Failed", "Pending": "Skipped"}
        with STORE.lock:
            deployment.events = {k: ends.get(v, v) for k, v in deployment.events.items()}
            deployment.error = {"code": end.code, "message": end.message}
            rollback = _way_back(deployment) if _rolls_back(deployment, end.code) else None
            if rollback is not None:
                STORE.deployments[rollback.id] = rollback
        self._become(end.status)
        if rollback is not None:
            begin(rollback)


def _misconfigured(why: str) -> Ended:
    message = (
        "The deployment failed because the AppSpec file that specifies the AWS Lambda deployment "
        f"configuration is missing or has an invalid configuration. {why}"
    )
    return Ended(Status.FAILED, "INVALID_LAMBDA_CONFIGURATION", message)


def _rolls_back(deployment: Deployment, code: str) -> bool:
    """Whether a deployment that ended with this error is followed by one that takes it back."""
    plan, stated = deployment.plan, deployment.stop_rolls_back
    if plan.creator == _ROLLBACK:
        return False
    if code == "MANUAL_STOP" and stated is not None:
        return stated
    event = f"DEPLOYMENT_{_CAUSES.get(code, 'FAILURE')}"
    return bool(plan.rollback.get("enabled")) and event in plan.rollback.get("events", ())


def _way_back(deployment: Deployment) -> Deployment:
    """The deployment that takes the alias back, which both records tell of."""
    back = deployment.plan.appspec.reversed()
    plan = Plan(
        appspec=back,
        revision=codedeploy_appspec.revision_of(back.content()),
        config_name=codedeploy_configs.DEFAULT,
        alarms={"enabled": False},
        rollback={"enabled": False},
        creator=_ROLLBACK,
    )
    made = Deployment(deployment.group, plan)
    made.rollback_info = {
        "rollbackTriggeringDeploymentId": deployment.id,
        "rollbackMessage": f"Deployment {made.id} is triggered to roll back deployment "
        f"{deployment.id}.",
    }
    deployment.rollback_info = {
        "rollbackDeploymentId": made.id,
        "rollbackMessage": f"Deployment {deployment.id} terminated. Automatic rollback is "
        f"triggered with a DeploymentId {made.id}.",
    }
    return made
