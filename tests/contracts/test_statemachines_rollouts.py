"""The inference machine on an endpoint that exists: probe, alarms, strategies, tidying up."""

from typing import Any

import pytest

from signalbox.events import read
from signalbox.machine_requests import OutcomeReport, ProbeRequest
from tests.contracts.machine_harness import Ending, TaskError, in_turn, run
from tests.contracts.machine_inputs import (
    OLD_VARIANT,
    PACKAGE_ARN,
    RUN_ID,
    VERDICT,
    described_endpoint,
    first_config,
    known_endpoint,
    obliging_aws,
    resolved_manifest,
)
from tests.contracts.test_statemachines_inference import ENDPOINT, OLD_CONFIG, SERVING, new, old
from tests.contracts.test_statemachines_training import faults, outcomes, payloads_of

PROBE = f"signalbox-dev-probe-{RUN_ID}-1"
SHADOW_CONFIG = f"signalbox-dev-shadow-{RUN_ID}-1-0"


def alarms(*states: str) -> dict[str, Any]:
    """What DescribeAlarms answers, with every alarm's state."""
    return {"MetricAlarms": [{"StateValue": state} for state in states], "CompositeAlarms": []}


FIRING, QUIET = alarms("OK", "ALARM"), alarms("OK", "INSUFFICIENT_DATA")
MISMATCH = TaskError("ProbeFailed", '{"errorMessage":"row 2 of the probe: ..."}')
DENIED = TaskError("CloudWatch.AccessDeniedException", "not authorized")
OLD_VERSION = PACKAGE_ARN.replace("/1", "/0")


def roll(inference: dict[str, Any], *descriptions: Any, **instead: Any) -> Ending:
    """An update of an endpoint, by an author who wrote this inference section."""
    manifest = resolved_manifest(mode="endpoint", inference=inference)
    aws = obliging_aws(**{**known_endpoint(*descriptions), **instead})
    return run("inference", manifest, aws)


def update(*descriptions: Any, **instead: Any) -> Ending:
    """An update without any wish of the author's."""
    return roll({}, *(descriptions or (old("InService"), SERVING)), **instead)


def create(**instead: Any) -> Ending:
    """A first endpoint."""
    return run("inference", resolved_manifest(mode="endpoint"), obliging_aws(**instead))


def probing(answer: Any, **instead: Any) -> dict[str, Any]:
    """Answers in which the probe's rows are sent and this comes back."""
    functions = obliging_aws()["lambda:invoke"]

    def invoke(parameters: dict[str, Any]) -> Any:
        if parameters["Payload"].get("step") == "send":
            return in_turn(answer)(parameters)
        return functions(parameters)

    return {"invoke": invoke, **instead}


def deleted(ending: Ending, kind: str = "Endpoint") -> list[str]:
    """Names of what was deleted."""
    requests = ending.requests(f"aws-sdk:sagemaker:delete{kind}")
    return [one[f"{kind}Name"] for one in requests]


def updated_to(ending: Ending) -> list[str]:
    """The configs to which the endpoint was taken, in order."""
    requests = ending.requests("aws-sdk:sagemaker:updateEndpoint")
    assert {one["EndpointName"] for one in requests} <= {ENDPOINT}
    return [one["EndpointConfigName"] for one in requests]


# --- the version


def test_a_version_that_was_rolled_back_is_refused_before_anything_is_made() -> None:
    marked = {"CustomerMetadataProperties": {"rolled_back": "2026-11-20T10:00:00Z errors"}}
    ending = update(describeModelPackage=in_turn(marked))

    assert ending.error == "VersionRolledBack"
    assert "2026-11-20T10:00:00Z errors" in (ending.cause or "")
    assert {call.action.split(":")[-1] for call in ending.calls} == {
        "invoke",
        "describeModelPackage",
    }


def test_a_release_may_ask_for_a_rolled_back_version_by_name() -> None:
    marked = {"CustomerMetadataProperties": {"rolled_back": "2026-11-20T10:00:00Z errors"}}
    ending = roll(
        {"redeploy": True}, old("InService"), SERVING, describeModelPackage=in_turn(marked)
    )

    assert ending.status == "SUCCEEDED"
    unmark, stamp = ending.requests("aws-sdk:sagemaker:updateModelPackage")
    assert unmark["CustomerMetadataPropertiesToRemove"] == ["rolled_back"]
    assert stamp["ModelLifeCycle"]["StageStatus"] == "Serving"
    assert faults(ending.calls) == []


# --- the probe


def test_a_new_version_answers_known_rows_before_it_gets_traffic() -> None:
    ending = update()

    assert ending.status == "SUCCEEDED"
    visited = ending.states
    assert visited.index("ProbeEndpoint") < visited.index("UpdateEndpoint")
    assert visited.index("DeleteProbeEndpoint") < visited.index("UpdateEndpoint")
    assert ending.requests("sagemaker:createEndpoint") == [
        {"EndpointName": PROBE, "EndpointConfigName": first_config()}
    ]
    assert deleted(ending) == [PROBE]
    _, sent = payloads_of(ending, "ProbeEndpoint")
    assert (sent["endpoint"], sent["evaluations"]) == (PROBE, [VERDICT["evaluationUri"]])
    assert ending.output["probe"] == {"rows": 20, "maxDifference": 0.0}


def test_the_functions_understand_what_they_are_told() -> None:
    ending = update()

    for payload in payloads_of(ending, "ProbeEndpoint"):
        assert read(ProbeRequest, payload).rows == 20
    for payload in payloads_of(ending, "RecordOutcome"):
        assert read(OutcomeReport, payload).phase == "inference"


def test_a_version_that_predicts_otherwise_gets_no_traffic_and_leaves_nothing() -> None:
    ending = update(**probing(MISMATCH))

    assert (ending.error, ending.cause) == (MISMATCH.error, MISMATCH.cause)
    assert updated_to(ending) == []
    assert deleted(ending) == [PROBE]
    detail = outcomes(ending)[-1]["detail"]
    assert detail["deployment"] == {
        "endpoint": ENDPOINT,
        "endpointConfig": first_config(),
        "model": f"signalbox-dev-model-{RUN_ID}-1-0",
        "modelPackageArn": PACKAGE_ARN,
    }


def test_a_first_endpoint_that_predicts_otherwise_is_taken_away_again() -> None:
    ending = create(**probing(MISMATCH))

    assert ending.error == "ProbeFailed"
    assert deleted(ending) == [ENDPOINT]


@pytest.mark.parametrize("status", ["Failed", "OutOfService"])
def test_a_first_endpoint_that_fails_is_taken_away_so_that_a_retry_can_create_it(
    status: str,
) -> None:
    failed = described_endpoint(status, first_config(), FailureReason="no such image")
    ending = create(describeEndpoint=in_turn(failed))

    assert ending.error == "EndpointFailed"
    assert "no such image" in (ending.cause or "")
    assert deleted(ending) == [ENDPOINT]


def test_what_cannot_be_deleted_is_named_in_the_cause() -> None:
    refused = TaskError("SageMaker.SageMakerException", "Cannot delete: Creating")
    ending = create(**probing(MISMATCH, deleteEndpoint=in_turn(refused)))

    assert ending.error == "ProbeFailed"
    assert f"Endpoint {ENDPOINT} could not be deleted and costs money" in (ending.cause or "")


def test_a_first_endpoint_stays_once_it_has_answered() -> None:
    ending = create()

    assert ending.status == "SUCCEEDED"
    assert deleted(ending) == []
    assert "CreateProbeEndpoint" not in ending.states


@pytest.mark.parametrize("wish", [{"probe": False}, {"probe": {"rows": 0}}])
def test_without_a_probe_no_other_endpoint_is_paid_for(wish: dict[str, Any]) -> None:
    ending = roll(wish, old("InService"), SERVING)

    assert ending.status == "SUCCEEDED"
    assert ending.requests("sagemaker:createEndpoint") == []
    assert payloads_of(ending, "ProbeEndpoint") == []


def test_an_evaluation_without_a_probe_starts_no_other_endpoint() -> None:
    functions = obliging_aws()["lambda:invoke"]

    def invoke(parameters: dict[str, Any]) -> Any:
        is_find = parameters["Payload"].get("step") == "find"
        return {"Payload": {"rows": 0}} if is_find else functions(parameters)

    ending = update(invoke=invoke)

    assert ending.status == "SUCCEEDED"
    assert ending.requests("sagemaker:createEndpoint") == []


def test_an_endpoint_of_a_probe_that_does_not_start_ends_the_run() -> None:
    broken = described_endpoint("Failed", first_config(), FailureReason="bad script")
    ending = update(describeEndpoint=in_turn(broken))

    assert ending.error == "EndpointFailed"
    assert f"Endpoint {PROBE} is in status Failed" in (ending.cause or "")
    assert deleted(ending) == [PROBE]
    assert updated_to(ending) == []


# --- alarms


def test_alarms_stand_before_the_update_and_roll_it_back() -> None:
    ending = update()

    errors, latency = ending.requests("aws-sdk:cloudwatch:putMetricAlarm")
    assert (errors["AlarmName"], errors["MetricName"]) == (
        f"{ENDPOINT}-errors",
        "Invocation5XXErrors",
    )
    assert (errors["Statistic"], errors["Threshold"]) == ("Average", 0.01)
    assert (latency["ExtendedStatistic"], latency["Threshold"]) == ("p99", 500_000)
    assert latency["Dimensions"] == [
        {"Name": "EndpointName", "Value": ENDPOINT},
        {"Name": "VariantName", "Value": "primary"},
    ]
    (request,) = ending.requests("aws-sdk:sagemaker:updateEndpoint")
    assert request["DeploymentConfig"]["AutoRollbackConfiguration"] == {
        "Alarms": [{"AlarmName": f"{ENDPOINT}-errors"}, {"AlarmName": f"{ENDPOINT}-latency"}]
    }
    assert ending.states.index("PutErrorAlarm") < ending.states.index("UpdateEndpoint")


def test_an_endpoint_whose_alarm_fires_already_is_not_updated() -> None:
    ending = update(describeAlarms=in_turn(FIRING))

    assert ending.error == "EndpointAlarmed"
    assert f'["{ENDPOINT}-errors","{ENDPOINT}-latency"] fires' in (ending.cause or "")
    assert updated_to(ending) == []
    (asked,) = ending.requests("aws-sdk:cloudwatch:describeAlarms")
    assert asked["AlarmNames"] == [f"{ENDPOINT}-errors", f"{ENDPOINT}-latency"]


def test_alarms_that_the_author_switched_off_are_neither_made_nor_asked() -> None:
    ending = roll({"alarms": False}, old("InService"), SERVING)

    assert ending.status == "SUCCEEDED"
    assert not [call for call in ending.calls if "cloudwatch" in call.action]
    (request,) = ending.requests("aws-sdk:sagemaker:updateEndpoint")
    assert "AutoRollbackConfiguration" not in request["DeploymentConfig"]


def test_alarms_that_cannot_be_made_end_the_run_before_the_update() -> None:
    ending = update(putMetricAlarm=in_turn(DENIED))

    assert (ending.error, updated_to(ending)) == (DENIED.error, [])


# --- strategies

STEP = {"Type": "CAPACITY_PERCENT", "Value": 20}
POLICIES = [
    ("canary", {"Type": "CANARY", "WaitIntervalInSeconds": 120, "CanarySize": STEP}),
    ("linear", {"Type": "LINEAR", "WaitIntervalInSeconds": 120, "LinearStepSize": STEP}),
    ("all-at-once", {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}),
]


@pytest.mark.parametrize(("strategy", "routing"), POLICIES)
def test_traffic_moves_as_the_author_wrote(strategy: str, routing: dict[str, Any]) -> None:
    wish = {"strategy": strategy, "percent": 20, "waitSeconds": 120, "bakeSeconds": 60}
    ending = roll({"rollout": wish}, old("InService"), SERVING)

    (request,) = ending.requests("aws-sdk:sagemaker:updateEndpoint")
    assert request["DeploymentConfig"]["BlueGreenUpdatePolicy"] == {
        "TrafficRoutingConfiguration": routing,
        "TerminationWaitInSeconds": 60,
        "MaximumExecutionTimeoutInSeconds": 3600,
    }
    assert faults(ending.calls) == []
    assert ending.output["strategy"] == strategy


def test_a_rolling_update_takes_batches_and_its_way_back_at_once() -> None:
    ending = roll({"rollout": {"strategy": "rolling", "percent": 25}}, old("InService"), SERVING)

    (request,) = ending.requests("aws-sdk:sagemaker:updateEndpoint")
    assert request["DeploymentConfig"]["RollingUpdatePolicy"] == {
        "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 25},
        "WaitIntervalInSeconds": 300,
        "MaximumExecutionTimeoutInSeconds": 3600,
        "RollbackMaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 100},
    }
    assert faults(ending.calls) == []


def shadow(section: dict[str, Any] | None = None, **instead: Any) -> Ending:
    """A rollout with a shadow on an endpoint that goes where it is told."""
    configs = [OLD_CONFIG]

    def describe(parameters: dict[str, Any]) -> Any:
        is_probe = "-probe-" in parameters["EndpointName"]
        return described_endpoint("InService", first_config() if is_probe else configs[-1])

    def take(parameters: dict[str, Any]) -> Any:
        configs.append(parameters["EndpointConfigName"])
        return {"EndpointArn": "arn"}

    answers = {"describeEndpoint": describe, "updateEndpoint": take, **instead}
    return roll({"rollout": {"strategy": "shadow", "percent": 30}, **(section or {})}, **answers)


def test_a_shadow_gets_copies_first_and_then_takes_over() -> None:
    ending = shadow()

    assert ending.status == "SUCCEEDED"
    assert updated_to(ending) == [SHADOW_CONFIG, first_config()]
    config = ending.requests("aws-sdk:sagemaker:createEndpointConfig")[1]
    assert config["ProductionVariants"] == [OLD_VARIANT]
    (copy,) = config["ShadowProductionVariants"]
    assert (copy["VariantName"], copy["InitialVariantWeight"]) == ("shadow", 0.3)
    assert copy["ModelName"] == f"signalbox-dev-model-{RUN_ID}-1-0"
    assert deleted(ending, "EndpointConfig") == [SHADOW_CONFIG]
    assert len(ending.requests("aws-sdk:cloudwatch:putMetricAlarm")) == 4
    assert faults(ending.calls) == []


def test_a_shadow_whose_alarm_fires_never_takes_over() -> None:
    ending = shadow(describeAlarms=in_turn(QUIET, FIRING))

    assert ending.error == "EndpointRolledBack"
    assert updated_to(ending) == [SHADOW_CONFIG, OLD_CONFIG]
    assert outcomes(ending)[-1]["status"] == "rolled-back"
    asked = ending.requests("aws-sdk:cloudwatch:describeAlarms")[1]
    assert asked["AlarmNames"] == [f"{ENDPOINT}-shadow-errors", f"{ENDPOINT}-shadow-latency"]


def test_a_shadow_whose_alarms_cannot_be_asked_is_taken_away() -> None:
    ending = shadow(describeAlarms=in_turn(QUIET, DENIED))

    assert ending.error == DENIED.error
    assert updated_to(ending) == [SHADOW_CONFIG, OLD_CONFIG]


def test_a_shadow_whose_version_cannot_take_over_is_taken_away() -> None:
    worked = {"EndpointArn": "arn"}
    at = [described_endpoint("InService", name) for name in (OLD_CONFIG, SHADOW_CONFIG)]
    left = [*at, at[1], at[1], described_endpoint("InService", OLD_CONFIG)]
    ending = roll(
        {"rollout": {"strategy": "shadow"}},
        **{**known_endpoint(*left), "updateEndpoint": in_turn(worked, DENIED, worked)},
    )

    assert ending.error == DENIED.error
    assert updated_to(ending) == [SHADOW_CONFIG, first_config(), OLD_CONFIG]


def test_a_shadow_that_does_not_start_is_reported_and_nothing_else_is_done() -> None:
    ending = roll({"rollout": {"strategy": "shadow"}}, old("InService"))

    assert ending.error == "EndpointRolledBack"
    assert updated_to(ending) == [SHADOW_CONFIG]


# --- what follows


def stamps(ending: Ending) -> list[tuple[str, str]]:
    """Versions and what the registry was told of them."""
    requests = ending.requests("aws-sdk:sagemaker:updateModelPackage")
    return [(one["ModelPackageArn"], one["ModelLifeCycle"]["StageStatus"]) for one in requests]


def after(ending_of: Any, **consequences: Any) -> Ending:
    """An ending in which record_outcome says that this follows."""
    functions = obliging_aws(consequences=consequences)["lambda:invoke"]
    return ending_of(invoke=functions)  # type: ignore[no-any-return]


def test_the_registry_is_told_what_serves_and_what_does_not_any_more() -> None:
    ending = after(update, superseded=[OLD_VERSION])

    assert stamps(ending) == [(PACKAGE_ARN, "Serving"), (OLD_VERSION, "Superseded")]
    assert faults(ending.calls) == []


def test_a_version_that_was_rolled_back_is_marked() -> None:
    def roll_back(**instead: Any) -> Ending:
        return update(old("InService"), new("Updating"), old("InService"), **instead)

    ending = after(roll_back, marks=["2026-11-21T10:00:00Z alarm"])

    assert ending.error == "EndpointRolledBack"
    (request,) = ending.requests("aws-sdk:sagemaker:updateModelPackage")
    assert request["CustomerMetadataProperties"] == {"rolled_back": "2026-11-21T10:00:00Z alarm"}
    assert request["ModelLifeCycle"]["StageStatus"] == "RolledBack"
    assert faults(ending.calls) == []


def test_a_failed_version_is_stamped_and_not_marked() -> None:
    def fail(**instead: Any) -> Ending:
        return update(old("InService"), updateEndpoint=in_turn(DENIED), **instead)

    assert stamps(after(fail, failed=[PACKAGE_ARN])) == [(PACKAGE_ARN, "Failed")]


def test_a_registry_that_takes_no_stamp_ends_nothing() -> None:
    ending = update(updateModelPackage=in_turn(DENIED))

    assert ending.status == "SUCCEEDED"


RETIRED = [{"config": "c-1", "model": "m-1"}, {"config": "c-2", "model": "m-2"}]


def tidying(neighbours: Any, **instead: Any) -> Ending:
    """An update after which two configs are one too many, beside other endpoints."""
    functions = obliging_aws(consequences={"retired": RETIRED})["lambda:invoke"]
    known = known_endpoint(old("InService"), SERVING)
    own = known["listEndpoints"]({})
    describe = known["describeEndpoint"]

    def described(parameters: dict[str, Any]) -> Any:
        other = neighbours.get(parameters["EndpointName"])
        return other if other is not None else describe(parameters)

    listed = {"Endpoints": [{"EndpointName": name} for name in (ENDPOINT, *neighbours)]}
    answers = {
        "invoke": functions,
        "listEndpoints": in_turn(own, listed),
        "describeEndpoint": described,
        **instead,
    }
    return roll({}, **answers)


def test_old_configs_and_their_models_are_deleted() -> None:
    ending = tidying({})

    assert deleted(ending, "EndpointConfig") == ["c-1", "c-2"]
    assert deleted(ending, "Model") == ["m-1", "m-2"]


def test_a_config_that_another_endpoint_uses_is_left_with_its_model() -> None:
    ending = tidying({"signalbox-dev-mine": described_endpoint("InService", "c-1")})

    assert deleted(ending, "EndpointConfig") == ["c-2"]
    assert deleted(ending, "Model") == ["m-2"]


def test_nothing_is_deleted_while_one_endpoint_is_unknown() -> None:
    def describe(_: Any) -> Any:
        raise TaskError("SageMaker.SageMakerException", "gone")

    known = known_endpoint(old("InService"), SERVING)
    looks = {ENDPOINT: known["describeEndpoint"], PROBE: known["describeEndpoint"]}
    ending = tidying(
        {"signalbox-dev-mine": {}},
        describeEndpoint=lambda p: looks.get(p["EndpointName"], describe)(p),
    )

    assert ending.status == "SUCCEEDED"
    assert deleted(ending, "EndpointConfig") == []


def test_nothing_is_deleted_where_not_every_endpoint_was_listed() -> None:
    more = {"Endpoints": [{"EndpointName": ENDPOINT}], "NextToken": "t"}
    own = {"Endpoints": [{"EndpointName": ENDPOINT}]}
    ending = tidying({}, listEndpoints=in_turn(own, more))

    assert ending.status == "SUCCEEDED"
    assert deleted(ending, "EndpointConfig") == []


def test_a_config_that_is_gone_already_ends_nothing() -> None:
    gone = TaskError("SageMaker.SageMakerException", "Could not find endpoint configuration")
    ending = tidying({}, deleteEndpointConfig=in_turn(gone))

    assert ending.status == "SUCCEEDED"
    assert deleted(ending, "Model") == ["m-1", "m-2"]


SCALING = {"scaling": {"minInstances": 1, "maxInstances": 4, "invocationsPerInstance": 200}}


@pytest.mark.parametrize("alarms", [in_turn(QUIET), in_turn(QUIET, FIRING)])
def test_what_scaling_has_made_of_an_endpoint_outlives_a_shadow(alarms: Any) -> None:
    ending = shadow(SCALING, describeAlarms=alarms)

    requests = ending.requests("aws-sdk:sagemaker:updateEndpoint")
    assert [one["RetainAllVariantProperties"] for one in requests] == [True, True]
    assert faults(ending.calls) == []


def test_an_endpoint_scales_and_keeps_its_instances_through_an_update() -> None:
    ending = roll(SCALING, old("InService"), SERVING)

    (target,) = ending.requests("aws-sdk:applicationautoscaling:registerScalableTarget")
    assert target["ResourceId"] == f"endpoint/{ENDPOINT}/variant/primary"
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)
    (policy,) = ending.requests("aws-sdk:applicationautoscaling:putScalingPolicy")
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 200
    (request,) = ending.requests("aws-sdk:sagemaker:updateEndpoint")
    assert request["RetainAllVariantProperties"] is True
    assert ending.output["scaling"] == {"status": "on"}
    assert faults(ending.calls) == []


def test_scaling_that_fails_is_told_and_ends_nothing() -> None:
    ending = roll(SCALING, old("InService"), SERVING, putScalingPolicy=in_turn(DENIED))

    assert ending.status == "SUCCEEDED"
    assert ending.output["scaling"]["status"] == "failed"
    assert ending.output["scaling"]["failure"]["Cause"] == DENIED.cause


NOT_SCALED = TaskError("ApplicationAutoScaling.ObjectNotFoundException", "No scalable target")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (lambda _: {}, "off"),
        (in_turn(NOT_SCALED), "not asked for"),
        (in_turn(DENIED), "not removed"),
    ],
)
def test_scaling_that_is_not_asked_for_any_more_ends(answer: Any, status: str) -> None:
    ending = roll({}, old("InService"), SERVING, deregisterScalableTarget=answer)

    (request,) = ending.requests("aws-sdk:applicationautoscaling:deregisterScalableTarget")
    assert request["ResourceId"] == f"endpoint/{ENDPOINT}/variant/primary"
    assert ending.status == "SUCCEEDED"
    assert ending.output["scaling"]["status"] == status
    assert faults(ending.calls) == []


def test_captured_data_and_asynchronous_answers_have_their_place() -> None:
    ending = roll({"dataCapture": {"percent": 15}}, old("InService"), SERVING)
    (config,) = ending.requests("aws-sdk:sagemaker:createEndpointConfig")
    assert config["DataCaptureConfig"]["InitialSamplingPercentage"] == 15
    assert config["DataCaptureConfig"]["EnableCapture"] is True

    ending = run("inference", resolved_manifest(mode="async"), obliging_aws())
    (config,) = ending.requests("aws-sdk:sagemaker:createEndpointConfig")
    assert config["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"].endswith(
        f"/async/{ENDPOINT}/answers"
    )
    assert "DataCaptureConfig" not in config
