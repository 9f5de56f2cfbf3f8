"""A promotion that fails says why, leaves the champion serving, and finishes when it is repeated.

Every version here has an endpoint. What fails is the world: what was approved has changed, a door
is shut, a quota is used up, a deployment ends badly, a call fails once, a process is killed.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.scenarios import fault_world, stories
from tests.scenarios import promotion_stories as three
from tests.scenarios.fault_world import ENDPOINT, World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """dev and staging of one laptop, with a champion."""
    with fault_world.two_environments(tmp_path_factory.mktemp("diabetes")) as made:
        yield made


def fails(world: World, arn: str, error: str, cause: str) -> dict[str, Any]:
    """Approve a version whose promotion must end with an error; the champion serves on."""
    before = world.serving()
    ended = world.promoted(arn)
    assert (ended["status"], ended["error"]) == ("FAILED", error), ended.get("cause")
    entry = world.entry(arn)
    assert entry["status"] == "failed"
    assert cause in entry["cause"]
    assert cause in ended["cause"]
    stories.await_true(lambda: cause in world.told(arn), f"people were told of {cause}")
    assert world.serving() == before
    return entry


def finishes(world: World, arn: str, how: str = "command") -> None:
    """The same command, or the same word, brings the version into use."""
    if how == "command":
        assert world.command(arn) == ""
    else:
        assert world.promoted(arn, 2)["status"] == "SUCCEEDED"
    left = world.left(arn)
    assert left["status"] == "promoted"
    assert left["versions"] == [("Approved", "Serving")]
    assert left["serves"]
    assert left["endpoints"] == [ENDPOINT]


def container_of(world: World, arn: str) -> dict[str, Any]:
    """What the version is made of."""
    found = world.dev.target.client("sagemaker").describe_model_package(ModelPackageName=arn)
    (container,) = found["InferenceSpecification"]["Containers"]
    return dict(container)


# ---------------------------------------------------------------------- what was approved changed


def test_an_artifact_that_changed_after_its_approval_is_not_promoted(world: World) -> None:
    arn = world.version()
    uri = container_of(world, arn)["ModelDataUrl"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    s3 = world.dev.target.client("s3")
    other = s3.put_object(Bucket=bucket, Key=key, Body=b"another model")["VersionId"]
    try:
        fails(world, arn, "ArtifactChanged", "Put the approved version back")
    finally:
        s3.delete_object(Bucket=bucket, Key=key, VersionId=other)
    finishes(world, arn)


def test_an_image_whose_tag_was_moved_is_not_promoted(world: World) -> None:
    arn = world.version()
    image = container_of(world, arn)["Image"]
    three.point_image(world.dev, image, f"sha256:{'b' * 64}")
    try:
        fails(world, arn, "ImageChanged", "b" * 64)
    finally:
        three.point_image(world.dev, image, "")
    finishes(world, arn, "approve")


# ------------------------------------------------------------------------------- doors that shut


@contextmanager
def trust_removed(world: World) -> Iterator[None]:
    """staging's deploy role lets nobody of dev in; functions have no session left."""
    iam, name = world.staging.target.client("iam"), "signalbox-staging-deploy-us-east-1"
    before = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    own = {"Effect": "Allow", "Principal": {"AWS": "210987654321"}, "Action": "sts:AssumeRole"}
    closed = {"Version": "2012-10-17", "Statement": [own]}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(closed))
    world.make_cold("promote-version")
    try:
        yield
    finally:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(before))


def test_a_role_that_cannot_be_assumed_is_named(world: World) -> None:
    arn = world.version()
    with trust_removed(world):
        fails(world, arn, "TargetUnreachable", "signalbox-staging-deploy-us-east-1")
    finishes(world, arn)


@contextmanager
def key_closed(world: World) -> Iterator[None]:
    """dev's key does not name the deploy roles of its path any more."""
    kms = world.dev.target.client("kms")
    name = "/signalbox/dev/kms-key-arn"
    key = world.dev.target.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    before = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    document = json.loads(before)
    left = [s for s in document["Statement"] if s.get("Sid") != "DeployRolesOfThePromotionPath"]
    assert len(left) == len(document["Statement"]) - 1
    closed = json.dumps({**document, "Statement": left})
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=closed)
    try:
        yield
    finally:
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=before)


def test_a_key_that_refuses_leaves_nothing_registered(world: World) -> None:
    arn = world.version()
    with key_closed(world):
        entry = fails(world, arn, "TargetRefused", "kms:Decrypt")
    assert entry["modelPackageArn"] == ""
    finishes(world, arn)


@pytest.mark.parametrize("call", ["CreateModel", "CreateEndpoint", "UpdateEndpoint"])
def test_a_used_up_quota_of_the_target_is_told_and_nothing_stays(world: World, call: str) -> None:
    arn = world.version()
    full = {
        "operation": f"sagemaker:{call}",
        "role": "signalbox-staging-inference",
        "times": 0,
        "code": "ResourceLimitExceeded",
        "message": "The account-level service limit is 0 Instances",
    }
    with world.faults(full):
        fails(world, arn, "DeploymentFailed", "The account-level service limit is 0 Instances")
    finishes(world, arn, "approve" if call == "CreateModel" else "command")


# -------------------------------------------------------------------- deployments that end badly


def test_an_endpoint_that_becomes_failed_serves_on_and_is_made_anew_once_deleted(
    world: World,
) -> None:
    arn = world.version()
    with world.faults({"deployment": "Failed", "endpoint": ENDPOINT, "reason": "no capacity"}):
        answer = world.answer()
        ended = world.promoted(arn)
    assert (ended["status"], ended["error"]) == ("FAILED", "DeploymentFailed")
    assert "no capacity" in world.entry(arn)["cause"]
    stories.await_true(lambda: "no capacity" in world.told(arn), "people were told")
    assert world.answer() == answer
    sagemaker = world.staging.target.client("sagemaker")
    assert sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointStatus"] == "Failed"
    assert "Delete the endpoint" in world.command(arn)
    sagemaker.delete_endpoint(EndpointName=ENDPOINT)
    stories.await_no_endpoint(world.staging, ENDPOINT)
    finishes(world, arn)


def allow_again(world: World, arn: str) -> None:
    """A person takes the mark off the version that was rolled back in staging."""
    world.staging.target.client("sagemaker").update_model_package(
        ModelPackageArn=world.entry(arn)["modelPackageArn"],
        CustomerMetadataPropertiesToRemove=["rolled_back"],
    )


@pytest.mark.parametrize("ending", ["SilentRollback", "Rollback"])
def test_a_rollback_is_no_success_and_is_not_repeated_unasked(world: World, ending: str) -> None:
    arn = world.version()
    with world.faults({"deployment": ending, "endpoint": ENDPOINT}):
        entry = fails(world, arn, "EndpointRolledBack", "SageMaker rolled the update back")
    assert entry["error"] == "EndpointRolledBack"
    assert "was rolled back" in world.command(arn)
    allow_again(world, arn)
    finishes(world, arn)


def test_a_rollback_that_fails_is_told_and_the_same_command_finishes(world: World) -> None:
    arn, sagemaker = world.version(), world.staging.target.client("sagemaker")
    with world.faults({"deployment": "UpdateRollbackFailed", "endpoint": ENDPOINT}):
        ended = world.promoted(arn)
    assert (ended["status"], ended["error"]) == ("FAILED", "DeploymentFailed")
    assert "EndpointRollbackFailed" in world.entry(arn)["cause"]
    stories.await_true(lambda: "EndpointRollbackFailed" in world.told(arn), "people were told")
    assert world.answer()
    status = sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointStatus"]
    assert status == "UpdateRollbackFailed"
    assert "Delete the endpoint" in world.command(arn)
    sagemaker.delete_endpoint(EndpointName=ENDPOINT)
    stories.await_no_endpoint(world.staging, ENDPOINT)
    finishes(world, arn)


def test_an_endpoint_that_aws_patches_is_waited_for(world: World) -> None:
    first, second = world.version(), world.version()
    with world.faults({"deployment": "SystemUpdating", "endpoint": ENDPOINT, "seconds": 600}):
        assert world.promoted(first)["status"] == "SUCCEEDED"
    assert world.promoted(second)["status"] == "SUCCEEDED"
    assert world.left(second)["serves"]


# ------------------------------------------------------------------------- calls that fail once


READS = ("Get", "Head", "List", "Describe", "Invoke")
EVERY = bool(os.environ.get("SIGNALBOX_EVERY_CALL"))


def chosen(calls: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Which calls fail when; without SIGNALBOX_EVERY_CALL every seventh of them."""
    late = [call for call in calls if not call[0].partition(":")[2].startswith(READS)]
    every = [(*call, "before") for call in calls] + [(*call, "after") for call in late]
    return every if EVERY else every[::7]


def extra(expected: dict[str, Any], operation: str, when: str) -> dict[str, int]:
    """Names of models and configurations count tries: of a lost answer one is left that is unused.

    It costs nothing, and the reconciler names it.
    """
    kept = {"sagemaker:CreateModel": "models", "sagemaker:CreateEndpointConfig": "configs"}
    name = kept.get(operation) if when == "after" else None
    return {name: expected[name] + 1} if name else {}


def test_whichever_call_fails_once_the_end_is_the_same(world: World) -> None:
    undisturbed = world.version()
    calls = world.calls_of(undisturbed)
    expected = world.left(undisturbed)
    assert len(calls) > 30, calls

    wrong = {}
    for operation, role, when in chosen(calls):
        arn = world.version()
        if operation == "sts:AssumeRole":
            world.make_cold("promote-version")
        failing = {"operation": operation, "role": role, "when": when, "status": 500}
        with world.faults({**failing, "code": "InternalFailure"}):
            ended, fired = world.promoted(arn), world.fired()
        left = world.left(arn)
        wanted = expected | extra(expected, operation, when)
        if ended["status"] != "SUCCEEDED" or left != wanted or fired != 1:
            differs = {k: v for k, v in left.items() if v != wanted[k]}
            wrong[operation, role, when] = (ended.get("cause"), differs, fired)
    assert wrong == {}


# ------------------------------------------------------------------------------ processes killed


def kill_while_busy(world: World, function: str, times: int) -> int:
    """Kill a function's process in the middle of so many invocations; how many it were."""
    killed: set[int] = set()
    deadline = time.monotonic() + stories.PATIENCE_S
    while len(killed) < times and time.monotonic() < deadline:
        for pid in set(world.processes(function, "busy")) - killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
    return len(killed)


@pytest.mark.parametrize("function", ["promotion-handler", "promote-version"])
def test_a_killed_function_changes_nothing_in_the_end(world: World, function: str) -> None:
    undisturbed = world.version()
    assert world.promoted(undisturbed)["status"] == "SUCCEEDED"
    expected = world.left(undisturbed)
    arn = world.version()

    three.decide(world.dev, arn, "Approved")
    assert kill_while_busy(world, function, 2) == 2

    assert three.await_promotion_end(world.dev, arn, 1)["status"] == "SUCCEEDED"
    assert world.left(arn) == expected
