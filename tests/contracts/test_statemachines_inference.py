"""The inference machine in moto's interpreter: every mode and every way an endpoint can end."""

from typing import Any

import pytest

from tests.contracts.machine_harness import Ending, TaskError, in_turn, run
from tests.contracts.machine_inputs import (
    PACKAGE_ARN,
    RUN_ID,
    RUN_URI,
    described_endpoint,
    first_config,
    known_endpoint,
    obliging_aws,
    resolved_manifest,
)
from tests.contracts.test_statemachines_training import faults, outcomes

ENDPOINT = "signalbox-dev-diabetes"
OLD_CONFIG = "signalbox-dev-config-261120-101500-ffff00-1-0"
SERVING = described_endpoint("InService", first_config())


def infer(mode: str, **instead: Any) -> Ending:
    """An execution in one mode, some answers replaced."""
    return run("inference", resolved_manifest(mode=mode), obliging_aws(**instead))


def update(*descriptions: Any, **instead: Any) -> Ending:
    """An execution on an endpoint that exists; what it is described as, look by look."""
    return infer("endpoint", **known_endpoint(*descriptions), **instead)


def old(status: str, **more: str) -> dict[str, Any]:
    """The endpoint as it was before the run."""
    return described_endpoint(status, OLD_CONFIG, **more)


def new(status: str, **more: str) -> dict[str, Any]:
    """The endpoint with the config that the run asked for."""
    return described_endpoint(status, first_config(), **more)


def test_batch_predicts_line_by_line_into_a_folder_of_the_attempt() -> None:
    ending = infer("batch")
    assert ending.status == "SUCCEEDED"
    assert ending.output["predictionsUri"] == f"{RUN_URI}/predictions/1"
    (job,) = ending.requests("sagemaker:createTransformJob.sync")
    assert job["TransformInput"]["SplitType"] == job["TransformOutput"]["AssembleWith"] == "Line"
    assert job["BatchStrategy"] == "MultiRecord"
    source = job["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    assert source == f"{RUN_URI}/inference/"
    assert not job["TransformOutput"]["S3OutputPath"].startswith(source)


@pytest.mark.parametrize(
    ("mode", "role"), [("batch", "job"), ("endpoint", "hosting"), ("serverless", "hosting")]
)
def test_a_model_has_the_role_for_what_it_will_do(mode: str, role: str) -> None:
    (model,) = infer(mode).requests("sagemaker:createModel")
    assert model["ExecutionRoleArn"].endswith(f"role/signalbox-dev-{role}")
    assert model["Containers"] == [{"ModelPackageName": PACKAGE_ARN}]


def test_mode_none_creates_nothing_and_says_so() -> None:
    ending = infer("none")
    assert ending.status == "SUCCEEDED"
    assert {call.action for call in ending.calls} == {"lambda:invoke"}
    assert [outcome["status"] for outcome in outcomes(ending)] == ["started", "succeeded"]


def test_an_unknown_mode_is_refused_by_name() -> None:
    manifest = resolved_manifest()
    manifest["inference"]["mode"] = "quantum"
    ending = run("inference", manifest, obliging_aws())
    assert ending.error == "InferenceModeUnsupported"
    assert "Inference mode quantum is not known" in (ending.cause or "")
    assert {call.action for call in ending.calls} == {"lambda:invoke"}


def test_a_new_endpoint_is_created_and_waited_for() -> None:
    ending = infer(
        "endpoint", describeEndpoint=in_turn(new("Creating"), new("Creating"), new("InService"))
    )
    assert ending.status == "SUCCEEDED"
    assert ending.output["endpoint"] == ENDPOINT
    assert ending.output["endpointConfig"] == first_config()
    assert ending.states.count("WaitForEndpoint") == 3
    assert outcomes(ending)[-1]["detail"] == ending.output


def test_an_existing_endpoint_is_updated_in_place_to_a_new_config() -> None:
    ending = update(old("InService"), new("Updating"), new("InService"))
    assert ending.status == "SUCCEEDED"
    created = [one["EndpointName"] for one in ending.requests("sagemaker:createEndpoint")]
    assert created == [f"signalbox-dev-probe-{RUN_ID}-1"]
    (update_request,) = ending.requests("aws-sdk:sagemaker:updateEndpoint")
    assert update_request["EndpointName"] == ENDPOINT
    assert update_request["EndpointConfigName"] == first_config()


def test_the_variant_keeps_its_name_from_config_to_config() -> None:
    names = {
        variant["VariantName"]
        for mode in ("endpoint", "serverless", "async")
        for config in infer(mode).requests("aws-sdk:sagemaker:createEndpointConfig")
        for variant in config["ProductionVariants"]
    }
    assert names == {"primary"}


def test_serverless_asks_for_memory_and_no_instances() -> None:
    (config,) = infer("serverless").requests("aws-sdk:sagemaker:createEndpointConfig")
    assert config["ProductionVariants"] == [
        {
            "VariantName": "primary",
            "ModelName": f"signalbox-dev-model-{RUN_ID}-1-0",
            "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
        }
    ]


@pytest.mark.parametrize("mode", ["batch", "endpoint", "serverless", "async"])
def test_every_request_is_within_the_limits_of_the_service(mode: str) -> None:
    manifest = resolved_manifest(mode=mode, app="a" * 15, environment="staging", name="w" * 31)
    config = f"{'a' * 15}-staging-config-{RUN_ID}-1-0"
    serving = in_turn(described_endpoint("InService", config))
    ending = run("inference", manifest, obliging_aws(describeEndpoint=serving))
    assert ending.status == "SUCCEEDED"
    assert faults(ending.calls) == []


def test_the_request_of_an_update_is_within_the_limits_of_the_service() -> None:
    assert faults(update(old("InService"), SERVING).calls) == []


def test_a_silent_rollback_is_not_success() -> None:
    ending = update(
        old("InService"),
        new("Updating"),
        old("RollingBack"),
        old("InService", FailureReason="The primary container did not pass the ping"),
    )
    assert ending.error == "EndpointRolledBack"
    assert f"serves config {OLD_CONFIG}, not the requested {first_config()}" in (ending.cause or "")
    assert "did not pass the ping" in (ending.cause or "")
    assert outcomes(ending)[-1]["status"] == "rolled-back"


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        ("Failed", "EndpointFailed", "is in status Failed"),
        ("OutOfService", "EndpointFailed", "is in status OutOfService"),
        ("Deleting", "EndpointFailed", "is in status Deleting"),
        ("InventedLater", "EndpointFailed", "is in status InventedLater"),
        ("UpdateRollbackFailed", "EndpointRollbackFailed", "may serve both versions"),
    ],
)
def test_a_status_without_return_ends_the_wait(status: str, error: str, said: str) -> None:
    ending = update(old("InService"), new(status, FailureReason="no capacity"))
    assert ending.error == error
    assert said in (ending.cause or "")
    assert "no capacity" in (ending.cause or "")


def test_a_status_without_a_reason_is_reported_all_the_same() -> None:
    ending = infer("endpoint", describeEndpoint=in_turn(new("Failed")))
    assert "Reason: none given by SageMaker" in (ending.cause or "")


def limited(limit_s: int, *, exists: bool, status: str) -> Ending:
    """An endpoint that keeps one status, in a run that waits so many seconds."""
    manifest = resolved_manifest(mode="endpoint")
    manifest["steps"]["inference"]["rollout"]["creationSeconds"] = limit_s
    known = known_endpoint(described_endpoint(status, "c"))
    if not exists:
        del known["listEndpoints"]
    return run("inference", manifest, obliging_aws(**known))


@pytest.mark.parametrize("status", ["Creating", "Updating", "SystemUpdating", "RollingBack"])
def test_the_wait_for_an_endpoint_ends_at_the_limit_of_the_author(status: str) -> None:
    ending = limited(60, exists=False, status=status)
    assert ending.error == "EndpointTimedOut"
    assert f"still in status {status} after 60 seconds" in (ending.cause or "")
    assert ending.states.count("WaitForEndpoint") == 4


@pytest.mark.parametrize("status", ["Creating", "Updating", "SystemUpdating", "RollingBack"])
def test_an_endpoint_in_change_is_waited_for_before_its_update(status: str) -> None:
    ending = update(old(status), old(status), old("InService"), SERVING)
    assert ending.status == "SUCCEEDED"
    assert ending.states.count("WaitUntilIdle") == 2


@pytest.mark.slow
def test_an_endpoint_that_stays_in_change_is_not_updated() -> None:
    ending = limited(60, exists=True, status="SystemUpdating")
    assert ending.error == "EndpointBusy"
    assert ending.states.count("WaitUntilIdle") == 120
    assert ending.requests("aws-sdk:sagemaker:updateEndpoint") == []


@pytest.mark.parametrize("status", ["Failed", "OutOfService", "UpdateRollbackFailed", "Deleting"])
def test_an_endpoint_that_takes_no_update_is_left_to_a_person(status: str) -> None:
    ending = update(old(status, FailureReason="bad image"))
    assert ending.error == "EndpointFailed"
    assert "bad image" in (ending.cause or "")
    assert "Delete the endpoint, then retry the stage" in (ending.cause or "")
    assert ending.requests("aws-sdk:sagemaker:updateEndpoint") == []


def test_an_endpoint_of_a_similar_name_is_not_taken_for_it() -> None:
    similar = {"Endpoints": [{"EndpointName": f"{ENDPOINT}-2"}]}
    ending = infer("endpoint", listEndpoints=in_turn(similar))
    assert len(ending.requests("sagemaker:createEndpoint")) == 1


@pytest.mark.parametrize("mode", ["batch", "endpoint"])
def test_a_failure_is_recorded_and_ends_with_its_own_cause(mode: str) -> None:
    denied = TaskError("SageMaker.AccessDeniedException", "not authorized")
    ending = infer(mode, createModel=in_turn(denied))
    assert ending.states[-1] == "InferenceFailed"
    assert (ending.error, ending.cause) == (denied.error, denied.cause)


def test_a_throttled_config_is_tried_again_and_the_later_name_must_serve() -> None:
    create = obliging_aws()["aws-sdk:sagemaker:createEndpointConfig"]
    ending = infer(
        "endpoint",
        createEndpointConfig=in_turn(TaskError("ThrottlingException"), create),
        describeEndpoint=in_turn(described_endpoint("InService", first_config(retry=1))),
    )
    assert ending.output["endpointConfig"] == first_config(retry=1)
