"""The inference machine when SageMaker took a call and its answer was lost, or a change is late.

A repeated call is refused then, and what is billed is there all the same: it must be recognised, or
be taken away.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.contracts.machine_harness import Ending, TaskError, run
from tests.contracts.machine_inputs import (
    RUN_ID,
    described_endpoint,
    first_config,
    obliging_aws,
    resolved_manifest,
)
from tests.contracts.test_statemachines_inference import ENDPOINT, OLD_CONFIG
from tests.contracts.test_statemachines_training import faults

PROBE = f"signalbox-dev-probe-{RUN_ID}-1"
SHADOW_CONFIG = f"signalbox-dev-shadow-{RUN_ID}-1-0"
# Of the SDK's integration, and of the optimised one.
NOT_ANSWERED = ("SageMaker.SdkClientException", "SageMaker.AmazonSageMakerException")
ROLLING = {"rollout": {"strategy": "rolling"}}
SHADOW = {"rollout": {"strategy": "shadow"}}


def refused(message: str, name: str) -> TaskError:
    """SageMaker's way to refuse anything about endpoints."""
    base = NOT_ANSWERED[1] if "create" in message else "SageMaker.SageMakerException"
    return TaskError(base, f'{message} "arn:aws:sagemaker:us-east-1:123456789012:endpoint/{name}".')


@dataclass
class Hosting:
    """Endpoints that change as SageMaker's do; a change lasts so many looks, or vain deletions.

    `losing` are calls, as `create:<endpoint>`, whose answers are lost once each.
    """

    losing: set[str] = field(default_factory=set)
    configs: dict[str, str] = field(default_factory=dict)
    under_way: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    looks: int = 2
    refuses: dict[str, TaskError] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def _called(self, call: str) -> None:
        if call in self.refuses:
            raise self.refuses[call]

    def _answer(self, call: str, answer: Any) -> Any:
        self.log.append(call)
        if call in self.losing:
            self.losing.remove(call)
            raise TaskError(NOT_ANSWERED[call.startswith("create")])
        return answer

    def _exists(self, name: str) -> bool:
        return name in self.configs or name in self.under_way

    def create(self, parameters: dict[str, Any]) -> Any:
        """CreateEndpoint."""
        name = parameters["EndpointName"]
        self._called(f"create:{name}")
        if self._exists(name):
            raise refused("Cannot create already existing endpoint", name)
        self.under_way[name] = ("Creating", parameters["EndpointConfigName"], self.looks)
        return self._answer(f"create:{name}", {"EndpointArn": f"arn:aws:x:y:z:endpoint/{name}"})

    def update(self, parameters: dict[str, Any]) -> Any:
        """UpdateEndpoint."""
        name, config = parameters["EndpointName"], parameters["EndpointConfigName"]
        self._called(f"update:{config}")
        if name in self.under_way:
            raise refused("Cannot update in-progress endpoint", name)
        self.under_way[name] = ("Updating", config, self.looks)
        return self._answer(f"update:{config}", {"EndpointArn": "arn"})

    def delete(self, parameters: dict[str, Any]) -> Any:
        """DeleteEndpoint."""
        name = parameters["EndpointName"]
        self._called(f"delete:{name}")
        if not self._exists(name):
            raise refused("Could not find endpoint", name)
        if name in self.under_way:
            self.describe(parameters)
            raise refused("Cannot update in-progress endpoint", name)
        self.under_way[name] = ("Deleting", self.configs.pop(name), self.looks)
        return self._answer(f"delete:{name}", {})

    def describe(self, parameters: dict[str, Any]) -> Any:
        """DescribeEndpoint; each look brings a change nearer to its end."""
        name = parameters["EndpointName"]
        self._called(f"describe:{name}")
        if not self._exists(name):
            raise refused("Could not find endpoint", name)
        if name not in self.under_way:
            return described_endpoint("InService", self.configs[name])
        status, config, left = self.under_way.pop(name)
        if left > 1:
            self.under_way[name] = (status, config, left - 1)
        elif status != "Deleting":
            self.configs[name] = config
        shown = described_endpoint(status, self.configs.get(name, config))
        return shown | {"PendingDeploymentSummary": {"EndpointConfigName": config}}

    def list_all(self, _: dict[str, Any]) -> Any:
        """ListEndpoints."""
        return {"Endpoints": [{"EndpointName": name} for name in (*self.configs, *self.under_way)]}


def infer(hosting: Hosting, inference: dict[str, Any] | None = None, **instead: Any) -> Ending:
    """A run in mode endpoint on these endpoints."""
    answers = {
        "createEndpoint": hosting.create,
        "updateEndpoint": hosting.update,
        "deleteEndpoint": hosting.delete,
        "describeEndpoint": hosting.describe,
        "listEndpoints": hosting.list_all,
        **instead,
    }
    manifest = resolved_manifest(mode="endpoint", inference=inference)
    ending = run("inference", manifest, obliging_aws(**answers))
    assert faults(ending.calls) == []
    return ending


def serving(**more: Any) -> Hosting:
    """The endpoint as an earlier run left it."""
    return Hosting(configs={ENDPOINT: OLD_CONFIG}, **more)


# --- answers that are lost


@pytest.mark.parametrize("looks", [2, 40])
@pytest.mark.parametrize("call", [f"create:{PROBE}", f"delete:{PROBE}", f"update:{first_config()}"])
def test_an_update_goes_on_when_an_answer_is_lost(call: str, looks: int) -> None:
    hosting = serving(losing={call}, looks=looks)
    ending = infer(hosting, ROLLING)

    assert ending.status == "SUCCEEDED", ending.cause
    assert hosting.configs == {ENDPOINT: first_config()}
    assert hosting.log == [f"create:{PROBE}", f"delete:{PROBE}", f"update:{first_config()}"]


def test_a_first_endpoint_is_recognised_when_the_answer_is_lost() -> None:
    hosting = Hosting(losing={f"create:{ENDPOINT}"})
    ending = infer(hosting)

    assert ending.status == "SUCCEEDED", ending.cause
    assert hosting.configs == {ENDPOINT: first_config()}


def test_a_first_endpoint_whose_answer_was_lost_is_still_deleted_when_its_probe_fails() -> None:
    hosting = Hosting(losing={f"create:{ENDPOINT}"})
    functions = obliging_aws()["lambda:invoke"]

    def invoke(parameters: dict[str, Any]) -> Any:
        if parameters["Payload"].get("step") == "send":
            raise TaskError("ProbeFailed")
        return functions(parameters)

    ending = infer(hosting, invoke=invoke)

    assert ending.error == "ProbeFailed"
    assert hosting.log[-1] == f"delete:{ENDPOINT}"


@pytest.mark.parametrize("call", [f"update:{SHADOW_CONFIG}", f"update:{first_config()}"])
def test_a_shadow_goes_on_when_an_answer_is_lost(call: str) -> None:
    hosting = serving(losing={call}, looks=10)
    ending = infer(hosting, SHADOW)

    assert ending.status == "SUCCEEDED", ending.cause
    assert hosting.configs == {ENDPOINT: first_config()}


def test_an_endpoint_that_somebody_else_made_meanwhile_is_left_alone() -> None:
    hosting = serving()
    ending = infer(hosting, listEndpoints=lambda _: {"Endpoints": []})

    assert ending.error == "EndpointTaken"
    assert f"does not have its config {first_config()}" in (ending.cause or "")
    assert hosting.configs == {ENDPOINT: OLD_CONFIG}
    assert hosting.log == []


def test_a_refusal_is_told_in_its_own_words() -> None:
    full = TaskError("SageMaker.ResourceLimitExceededException", "limit is 0 Instances")
    for call in (f"create:{PROBE}", f"update:{first_config()}"):
        ending = infer(serving(refuses={call: full}))
        assert (ending.error, ending.cause) == (full.error, full.cause)


# --- what may be left


def test_a_probe_that_may_exist_is_deleted_though_nobody_could_look() -> None:
    blind = TaskError("SageMaker.AccessDeniedException", "not authorized")
    hosting = serving(refuses={f"describe:{PROBE}": blind})

    def create(parameters: dict[str, Any]) -> Any:
        hosting.configs[parameters["EndpointName"]] = parameters["EndpointConfigName"]
        raise TaskError("States.Timeout")

    ending = infer(hosting, createEndpoint=create)

    assert ending.status == "FAILED"
    assert hosting.log == [f"delete:{PROBE}"]
    assert "could not be deleted" not in (ending.cause or "")


def test_a_probe_that_does_not_come_into_service_is_deleted_as_soon_as_it_can_be() -> None:
    hosting = serving(looks=20)
    ending = infer(hosting, {"maxRuntimeSeconds": 60})

    assert ending.error == "EndpointTimedOut", ending.cause
    assert hosting.log == [f"create:{PROBE}", f"delete:{PROBE}"]
    assert "WaitToDelete" in ending.states
    assert "could not be deleted" not in (ending.cause or "")


def test_a_probe_that_cannot_be_deleted_at_all_is_named_with_its_cost() -> None:
    denied = TaskError("SageMaker.AccessDeniedException", "not authorized")
    hosting = serving(refuses={f"delete:{PROBE}": denied})
    ending = infer(hosting, ROLLING)

    assert ending.error == denied.error
    assert f"Endpoint {PROBE} could not be deleted and costs money" in (ending.cause or "")


# --- a shadow that is late


def test_a_shadow_that_comes_too_late_is_taken_away_again() -> None:
    hosting = serving(looks=7)
    ending = infer(hosting, {**SHADOW, "probe": False, "maxRuntimeSeconds": 60})

    assert ending.error == "EndpointTimedOut"
    assert hosting.log == [f"update:{SHADOW_CONFIG}", f"update:{OLD_CONFIG}"]
    assert hosting.configs == {ENDPOINT: OLD_CONFIG}
    assert "may still run" not in (ending.cause or "")


def test_a_shadow_that_cannot_be_taken_away_is_named_with_its_cost() -> None:
    hosting = serving(looks=10**6)
    ending = infer(hosting, {**SHADOW, "probe": False, "maxRuntimeSeconds": 60})

    assert ending.error == "EndpointTimedOut"
    assert f"did not return to config {OLD_CONFIG} in time" in (ending.cause or "")
    assert f"(config {SHADOW_CONFIG}) may still run and costs as much" in (ending.cause or "")


@pytest.mark.parametrize("looks", [2, 12])
def test_a_return_from_the_shadow_goes_on_when_its_answer_is_lost(looks: int) -> None:
    alarms = iter([[], [{"StateValue": "ALARM"}]])
    hosting = serving(losing={f"update:{OLD_CONFIG}"}, looks=looks)
    ending = infer(
        hosting,
        SHADOW,
        describeAlarms=lambda _: {"MetricAlarms": next(alarms), "CompositeAlarms": []},
    )

    assert ending.error == "EndpointRolledBack"
    assert hosting.configs == {ENDPOINT: OLD_CONFIG}
    assert hosting.log[-1] == f"update:{OLD_CONFIG}"
    assert "may still run" not in (ending.cause or "")
