"""promote_version: each step of a promotion, between two accounts."""

import json

import pytest

from functions import promotion_handler
from signalbox import promotion_requests
from signalbox.aws import clients, promotion_copies
from signalbox.errors import (
    ArtifactChanged,
    CodeChanged,
    EventError,
    ImageChanged,
    PromotionPathError,
    PromotionRefused,
    PromotionWithdrawn,
    ProvenanceMissing,
    TargetRefused,
    TargetUnreachable,
)
from tests.functions import promotion_world as two
from tests.functions.conftest import WORKFLOW
from tests.functions.gate_stories import RUN, deliver, version_event
from tests.functions.promotion_world import MODEL, MODEL_KEY, PROD, STAGING, step


@pytest.fixture
def there(world):
    """Staging, which asks nobody."""
    target = two.target_of("staging", STAGING, "none")
    two.put_path(target)
    return two.deploy_target(target)


@pytest.fixture
def prod(world):
    """Prod, which asks a person."""
    return two.deploy_target(two.target_of("prod", PROD, "manual"))


@pytest.fixture
def arn(world, there, workload, author):
    """A version of a hosted workload, approved at home, whose event has been heard."""
    return approved(world, two.arrive(world, workload, author, "endpoint"))


def approved(world, arn):
    two.decide(world, arn, "Approved")
    deliver(version_event(world, arn, "Approved"))
    return arn


def test_the_target_gets_the_version_with_its_lineage_and_serves_it(world, there, arn):
    two.take_over(arn, there)

    (version,) = there.versions()
    metadata = version["CustomerMetadataProperties"]
    run_id = two.record(arn)["targets"]["staging"]["runId"]
    assert version["ModelApprovalStatus"] == "Approved"
    assert metadata["source_arn"] == arn
    assert metadata["source_run_id"] == RUN
    assert metadata["source_account"] == "123456789012"
    assert metadata["run_id"] == run_id != RUN
    assert metadata["artifact_bytes"] == str(len(MODEL))
    (container,) = version["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == f"s3://{there.bucket}/{moved(MODEL_KEY, run_id)}"
    assert container["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"] == (
        f"s3://{there.bucket}/runs/{run_id}/code/sourcedir.tar.gz"
    )
    assert two.record(arn)["targets"]["staging"]["status"] == "promoted"


def moved(key, run_id):
    return key.replace(RUN, run_id)


def test_every_file_arrives_under_the_promoted_run_with_the_key_of_the_target(world, there, arn):
    step("copy", arn, there)

    run_id = step("verify", arn, there)["runId"]
    listed = there.session.s3.list_objects_v2(Bucket=there.bucket)["Contents"]
    parts = ("code", "evaluation/1", "report", "training")
    prefixes = tuple(f"runs/{RUN}/{part}/" for part in parts)
    at_home = world.s3.list_objects_v2(Bucket=WORKFLOW)["Contents"]
    wanted = {moved(o["Key"], run_id) for o in at_home if o["Key"].startswith(prefixes)}
    assert {one["Key"] for one in listed} == wanted
    assert len(wanted) > 8
    model = there.session.s3.get_object(Bucket=there.bucket, Key=moved(MODEL_KEY, run_id))
    assert model["Body"].read() == MODEL
    assert model["ServerSideEncryption"] == "aws:kms"
    assert model["SSEKMSKeyId"].split(":")[4] == STAGING


def test_the_manifest_there_is_resolved_for_the_target(world, there, arn):
    two.take_over(arn, there)

    made = there.manifest(two.record(arn)["targets"]["staging"]["runId"])
    assert made["author"] == world.manifest(RUN)["author"]
    assert made["run"]["environment"] == "staging"
    assert made["run"]["promotedFrom"] == arn
    assert made["names"]["endpoint"] == "signalbox-staging-diabetes"
    assert made["roles"]["hosting"] == f"arn:aws:iam::{STAGING}:role/signalbox-staging-hosting"
    assert made["inference"]["modelPackageArn"] == there.versions()[0]["ModelPackageArn"]
    (started,) = there.machines.started
    assert json.loads(started["input"])["run"]["promotedFrom"] == arn


def test_both_ends_know_and_people_are_told(world, there, arn):
    two.take_over(arn, there)

    run_id = two.record(arn)["targets"]["staging"]["runId"]
    for manifest in (world.manifest(RUN), there.manifest(run_id)):
        (entry,) = [e for e in manifest["history"] if e["phase"] == "promotion"]
        assert entry["status"] == "promoted"
        assert entry["detail"]["promotedRunId"] == run_id
    (told,) = world.told()
    assert told["subject"] == "[dev] diabetes version 1 promoted to staging"
    described = world.sagemaker.describe_model_package(ModelPackageName=arn)
    stamped = described["CustomerMetadataProperties"]["promoted_staging"]
    assert stamped == there.versions()[0]["ModelPackageArn"]


def test_a_promotion_repeated_step_by_step_changes_nothing(world, there, arn):
    two.take_over(arn, there)
    versions = there.session.s3.list_object_versions(Bucket=there.bucket)["Versions"]

    for name in ("verify", "copy", "register", "approve", "record"):
        step(name, arn, there)

    assert len(there.versions()) == 1
    copies = [v for v in versions if "manifest" not in v["Key"]]
    again = there.session.s3.list_object_versions(Bucket=there.bucket)["Versions"]
    assert [v for v in again if "manifest" not in v["Key"]] == copies
    assert len(world.told()) == 1
    history = world.manifest(RUN)["history"]
    assert len([e for e in history if e["phase"] == "promotion"]) == 1


@pytest.mark.parametrize("mode", ["batch", "none"])
def test_without_hosting_the_version_is_registered_and_nothing_is_run(
    world, there, workload, author, mode
):
    arn = approved(world, two.arrive(world, workload, author, mode))

    two.take_over(arn, there)

    assert there.machines.started == []
    (told,) = world.told()
    assert "nothing serves it" in " ".join(told["summary"])


# --------------------------------------------------------------------------- what was approved


def test_a_model_file_that_was_replaced_is_refused(world, there, arn):
    world.s3.put_object(Bucket=WORKFLOW, Key=MODEL_KEY, Body=b"another model")

    with pytest.raises(ArtifactChanged, match=r"approved was version .*Put the approved version"):
        step("verify", arn, there)
    with pytest.raises(ArtifactChanged):
        step("copy", arn, there)


def test_a_model_file_that_is_gone_is_refused_as_changed(world, there, arn):
    world.s3.delete_object(Bucket=WORKFLOW, Key=MODEL_KEY)

    with pytest.raises(ArtifactChanged, match="holds nothing"):
        step("verify", arn, there)


@pytest.mark.parametrize("name", ["scripts/inference.py", "sourcedir.tar.gz"])
def test_code_that_was_replaced_is_refused(world, there, arn, name):
    world.s3.put_object(Bucket=WORKFLOW, Key=f"runs/{RUN}/code/{name}", Body=b"print(2)\n")

    with pytest.raises(CodeChanged, match="approved was sha256:"):
        step("verify", arn, there)


def test_an_image_that_is_another_one_there_is_refused_and_leaves_no_version(world, there, arn):
    there.digest = f"sha256:{'b' * 64}"

    with pytest.raises(ImageChanged, match=f"approved was {two.DIGEST}"):
        step("register", arn, there)

    assert there.versions() == []
    there.digest = two.DIGEST
    two.take_over(arn, there)
    assert len(there.versions()) == 1


def test_a_version_that_does_not_say_what_was_approved_is_refused(world, there, workload, author):
    two.arrive(world, workload, author, "endpoint")
    bare = approved(world, two.version(world, {"run_id": RUN}))

    with pytest.raises(ProvenanceMissing, match="artifact_version"):
        two.plan(bare)


def test_a_version_that_was_rolled_back_is_not_promoted(world, there, arn):
    two.decide(world, arn, "Approved", rolled_back="2026-11-21T10:00:00Z alarm")

    with pytest.raises(PromotionRefused, match="rolled back"):
        two.plan(arn)


# ------------------------------------------------------------------------------------ decisions


def test_version_1_is_promoted_after_version_2_exists(world, there, workload, author):
    first = two.arrive(world, workload, author, "endpoint")
    described = world.sagemaker.describe_model_package(ModelPackageName=first)
    second = two.version(world, described["CustomerMetadataProperties"])
    approved(world, second)
    approved(world, first)

    two.take_over(first, there)

    (version,) = there.versions()
    assert version["CustomerMetadataProperties"]["source_arn"] == first


def test_a_version_rejected_meanwhile_goes_no_further(world, there, arn):
    step("register", arn, there)
    two.decide(world, arn, "Rejected")

    for name in ("copy", "approve", "deploy", "look"):
        with pytest.raises(PromotionWithdrawn, match="Rejected"):
            step(name, arn, there, decision=1)
    assert there.machines.started == []


def test_a_rejection_after_traffic_is_reached_is_too_late_for_that_target(world, there, arn):
    for name in ("register", "approve", "deploy"):
        step(name, arn, there)
    two.decide(world, arn, "Rejected")

    there.end("SUCCEEDED")
    assert step("watch", arn, there, decision=1)["status"] == "succeeded"
    step("record", arn, there, decision=1)

    assert two.record(arn)["targets"]["staging"]["status"] == "promoted"


def test_a_plan_leaves_out_what_the_decision_has_reached(world, there, prod, arn):
    two.put_path(there.target, prod.target)
    two.take_over(arn, there)

    planned = two.plan(arn)

    assert [target["environment"] for target in planned["targets"]] == ["prod"]
    assert planned["count"] == 1


def test_a_target_asked_for_by_name_is_gone_to_again(world, there, arn):
    two.take_over(arn, there)
    again = f"{two.MACHINE}:by-hand"

    assert [t["environment"] for t in two.plan(arn, to=["staging"])["targets"]] == ["staging"]
    two.take_over(arn, there, execution=again)

    first, second = there.machines.started
    assert (first["name"][-2:], second["name"][-2:]) == ("-1", "-2")
    assert len(there.versions()) == 1


def test_a_plan_may_name_its_targets(world, there, prod, arn):
    two.put_path(there.target, prod.target)

    assert [t["environment"] for t in two.plan(arn, to=["prod"])["targets"]] == ["prod"]
    with pytest.raises(PromotionPathError, match="staging, prod, not to dev"):
        two.plan(arn, to=["dev"])


# ------------------------------------------------------------------------- people in the target


def test_prod_waits_for_its_own_approval(world, prod, arn):
    for name in ("copy", "register", "ask"):
        step(name, arn, prod)
    assert step("look", arn, prod)["status"] == "pending"
    with pytest.raises(PromotionRefused, match="PendingManualApproval in prod"):
        step("deploy", arn, prod)

    prod.decide("Approved")

    assert step("look", arn, prod)["status"] == "approved"
    (told,) = world.told()
    line = told["commands"][0]["line"]
    assert line.startswith(
        "aws sagemaker update-model-package --model-package-arn "
        f"{prod.versions()[0]['ModelPackageArn']} --model-approval-status Approved"
    )


def test_a_rejection_in_the_target_is_never_overruled(world, there, arn):
    step("register", arn, there)
    there.decide("Rejected")

    assert step("approve", arn, there)["status"] == "rejected"
    assert there.versions()[0]["ModelApprovalStatus"] == "Rejected"


WITHDRAWN = "Withdrawn in dev by decision 2: it is Rejected there"


def waiting(world, prod, arn):
    """A version that waits for a person in prod, until it is rejected at home."""
    two.put_path(prod.target)
    for name in ("copy", "register", "ask"):
        step(name, arn, prod)
    two.decide(world, arn, "Rejected")


def said_in(there):
    (version,) = there.versions()
    return version["ModelApprovalStatus"], version.get("ApprovalDescription", "")


def test_a_version_withdrawn_at_home_does_not_wait_in_its_target(world, prod, arn):
    waiting(world, prod, arn)
    outcomes = [deliver_promotion(world, arn, "Rejected") for _ in range(2)]
    started = world.machines.started[-1]

    plans = [two.plan(arn, decision=2) for _ in range(2)]

    assert outcomes == ["promotion stopped", "withdrawn from where it waits"]
    assert json.loads(started["input"]) == {"modelPackageArn": arn, "decision": 2}
    assert [(one["count"], one["targets"]) for one in plans] == [(0, [])] * 2
    assert said_in(prod) == ("Rejected", WITHDRAWN)
    assert two.record(arn)["targets"]["prod"]["status"] == "withdrawn"


@pytest.mark.parametrize("word", ["Approved", "Rejected"])
def test_what_a_person_said_in_the_target_is_not_withdrawn(world, prod, arn, word):
    waiting(world, prod, arn)
    prod.decide(word)
    deliver(version_event(world, arn, "Rejected"))

    two.plan(arn, decision=2)

    assert said_in(prod) == (word, "by the owner")


def test_a_promotion_that_finds_itself_withdrawn_takes_its_version_back(world, prod, arn):
    waiting(world, prod, arn)
    with pytest.raises(PromotionWithdrawn):
        step("look", arn, prod, decision=1)
    failure = {"Error": "PromotionWithdrawn", "Cause": "it is Rejected"}

    step("fail", arn, prod, decision=1, failure=failure)

    assert said_in(prod) == ("Rejected", WITHDRAWN)


def test_a_version_approved_once_more_waits_once_more(world, prod, arn):
    waiting(world, prod, arn)
    deliver(version_event(world, arn, "Rejected"))
    two.plan(arn, decision=2)
    approved(world, arn)

    for name in ("copy", "register", "ask"):
        step(name, arn, prod)

    assert said_in(prod) == ("PendingManualApproval", "Approved once more: decision 3")
    assert step("look", arn, prod)["status"] == "pending"
    prod.decide("Rejected")
    step("register", arn, prod)
    assert said_in(prod) == ("Rejected", "by the owner")


def deliver_promotion(world, arn, word):
    return promotion_handler.handler(version_event(world, arn, word), None)["promotion"]


def test_a_wait_is_bounded(world, prod, arn):
    for name in ("register", "ask"):
        step(name, arn, prod)
    looks = sum(count for count, _ in promotion_requests.APPROVAL_PACE)

    assert step("look", arn, prod, polls=0)["waitSeconds"] == 30
    assert step("look", arn, prod, polls=looks - 1)["waitSeconds"] == 1800
    assert step("look", arn, prod, polls=looks)["status"] == "expired"


# -------------------------------------------------------------------------- killed, begun again


def test_a_deployment_that_failed_is_tried_anew_by_another_execution_only(world, there, arn):
    for name in ("register", "approve", "deploy"):
        step(name, arn, there)
    there.end("FAILED", "EndpointFailed", "no capacity")
    step("deploy", arn, there)
    watched = step("watch", arn, there)

    assert (watched["status"], watched["error"]) == ("failed", "EndpointFailed")
    assert len(there.machines.started) == 1
    step("deploy", arn, there, execution="arn:aws:states:us-east-1:1:execution:m:again")
    assert len(there.machines.started) == 2
    assert step("watch", arn, there)["status"] == "pending"


def test_a_deployment_that_runs_is_waited_for_and_not_begun_twice(world, there, arn):
    for name in ("register", "approve", "deploy"):
        step(name, arn, there)

    step("deploy", arn, there, execution="arn:aws:states:us-east-1:1:execution:m:again")

    assert len(there.machines.started) == 1


@pytest.mark.parametrize("execution", ["", f"{two.MACHINE}:by-hand"])
def test_a_version_that_serves_and_was_not_written_down_is_not_rolled_out_again(
    world, there, arn, execution
):
    for name in ("register", "approve", "deploy"):
        step(name, arn, there)
    there.end("SUCCEEDED")
    serves(there)  # and here the promotion was killed

    for name in ("verify", "copy", "register", "approve"):
        step(name, arn, there, execution=execution)
    answer = step("deploy", arn, there, execution=execution)
    step("record", arn, there, execution=execution)

    assert answer["status"] == "registered"
    assert len(there.machines.started) == 1
    assert two.record(arn)["targets"]["staging"]["status"] == "promoted"


def test_a_version_that_another_has_taken_over_from_is_rolled_out_again(world, there, arn):
    for name in ("register", "approve", "deploy"):
        step(name, arn, there)
    there.end("SUCCEEDED")
    serves(there, "Superseded")

    step("deploy", arn, there, execution=f"{two.MACHINE}:by-hand")

    assert len(there.machines.started) == 2


def serves(there, status="Serving"):
    """What the target's record_outcome stamps; moto has no life cycle of a version."""
    there.session.sagemaker.meta.events.register_last(
        "after-call.sagemaker.DescribeModelPackage",
        lambda parsed, **_: parsed.update(
            ModelLifeCycle={"Stage": "staging", "StageStatus": status}
        ),
    )


def test_a_deployment_recorded_and_never_begun_is_begun(world, there, arn):
    for name in ("register", "approve", "deploy"):
        step(name, arn, there)
    there.machines.ended.clear()

    step("deploy", arn, there)

    assert [one["name"] for one in there.machines.started] == [
        there.machines.started[0]["name"]
    ] * 2


def test_a_failure_is_recorded_and_told_once(world, there, arn):
    failure = {"Error": "ArtifactChanged", "Cause": '{"errorMessage": "it holds another"}'}
    for _ in range(2):
        step("fail", arn, there, failure=failure)

    (told,) = world.told()
    assert told["subject"] == "[dev] diabetes version 1 was not promoted to staging"
    assert "it holds another" in told["summary"][0]
    entry = two.record(arn)["targets"]["staging"]
    assert (entry["status"], entry["cause"]) == ("failed", "it holds another")
    statuses = [e["status"] for e in world.manifest(RUN)["history"] if e["phase"] == "promotion"]
    assert statuses == ["failed"]


# --------------------------------------------------------------------------------- code promotion


def test_code_is_released_in_the_target_once(world, workload, author):
    target = two.target_of("staging", STAGING, "manual", "code")
    two.put_path(target)
    there = two.deploy_target(target)
    arn = approved(world, two.arrive(world, workload, author, "endpoint"))

    for _ in range(2):
        step("release", arn, there)

    first, second = there.pipeline_starts
    assert first == second
    assert first["name"] == "signalbox-staging-workflow"
    kinds = {one["revisionType"]: one["revisionValue"] for one in first["sourceRevisions"]}
    bucket = f"signalbox-staging-source-{STAGING}-us-east-1"
    stored = there.session.s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [(v["Key"], v["VersionId"]) for v in stored] == [
        (kinds["S3_OBJECT_KEY"], kinds["S3_OBJECT_VERSION_ID"])
    ]
    assert len(world.told()) == 1
    assert two.record(arn)["targets"]["staging"]["status"] == "released"


# --------------------------------------------------------------------------------------- refusals


def test_a_role_that_cannot_be_assumed_says_what_to_deploy(world, there, arn):
    denied = {"Error": {"Code": "AccessDenied", "Message": "not authorized to assume"}}
    two.promotion_target.forget()
    clients.sts().meta.events.register_first(
        "before-call.sts.AssumeRole", lambda **_: (_Answer(403), denied)
    )

    with pytest.raises(TargetUnreachable, match="PromotionSourceAccounts"):
        step("verify", arn, there)


class _Answer:
    def __init__(self, status_code):
        self.status_code = status_code


def test_a_key_that_refuses_is_named(world, there, arn):
    denied = {
        "Error": {"Code": "AccessDenied", "Message": "kms:GenerateDataKey on resource key/1"},
        "ResponseMetadata": {"HTTPStatusCode": 403},
    }
    there.session.s3.meta.events.register_first(
        "before-call.s3.CopyObject", lambda **_: (_Answer(403), denied)
    )

    with pytest.raises(TargetRefused, match="CopyObject failed with AccessDenied: kms"):
        step("copy", arn, there)


def test_a_target_without_its_parameters_is_told_by_name(world, there, arn):
    there.session._client("ssm").delete_parameter(Name="/signalbox/staging/kms-key-arn")

    with pytest.raises(TargetUnreachable, match="no SSM parameter /signalbox/staging/kms-key-arn"):
        step("verify", arn, there)


def test_a_step_about_a_target_needs_one(world, there, arn):
    request = {"step": "copy", "execution": "e", "modelPackageArn": arn}

    with pytest.raises(EventError, match="needs modelPackageArn, decision and target"):
        two.promote_version.handler(request, None)


def test_a_file_too_large_for_one_copy_is_copied_in_parts(world, there, arn, monkeypatch):
    monkeypatch.setattr(promotion_copies, "LARGEST_COPY_BYTES", 1000)
    monkeypatch.setattr(promotion_copies, "PART_BYTES", 5 * 1024 * 1024)
    step("copy", arn, there)
    run_id = step("verify", arn, there)["runId"]

    found = there.session.s3.get_object(Bucket=there.bucket, Key=moved(MODEL_KEY, run_id))

    assert found["Body"].read() == MODEL
    assert found["ETag"].endswith('-1"')


def test_one_call_of_a_copy_has_time_to_end(there):
    """S3 answers when the copy is made; between regions that may go at 5 MB a second."""
    largest = max(promotion_copies.LARGEST_COPY_BYTES, promotion_copies.PART_BYTES)

    assert largest / 5e6 < there.session.s3.meta.config.read_timeout


def test_the_documented_event_is_understood(world, there, arn):
    event = world.event("promote_version")
    event["modelPackageArn"] = arn

    assert two.promote_version.handler(event, None)["runId"].startswith(RUN[:13])
