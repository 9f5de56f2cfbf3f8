"""reconciler: what lost events left behind is repaired, the rest told once, nothing deleted."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from functions import reconciler, record_outcome
from signalbox import settings
from signalbox.aws import clients, promotions, survey_hosting
from signalbox.errors import EventError
from tests.functions import gate_stories as stories
from tests.functions import intake_world
from tests.functions.conftest import WORKFLOW
from tests.functions.gate_stories import RUN

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:training:train-1"
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def reconcile(world: Any, now: datetime = NOW) -> dict[str, Any]:
    del world
    return reconciler.reconcile(now, owner="one")


@pytest.fixture
def version(world, workload, author):
    """The version of a run that waits at ApproveModel since 09:31."""
    return stories.at_model_gate(world, workload, author)


def aborted(world: Any, run_id: str, status: str = "ABORTED") -> None:
    """An execution that began in the manifest and ended without a word."""
    uri = f"s3://{WORKFLOW}/runs/{run_id}/manifest.json"
    report = {
        "runId": run_id,
        "manifestUri": uri,
        "phase": "training",
        "status": "started",
        "execution": EXECUTION,
    }
    world.s3.put_object(Bucket=WORKFLOW, Key=f"runs/{run_id}/source/d.csv", Body=b"1\n")
    record_outcome.handler(report, None)
    machine = settings.load(settings.ReconcilerSettings).training_machine_arn
    world.machines.ended[EXECUTION] = {
        "executionArn": EXECUTION,
        "stateMachineArn": machine,
        "status": status,
        "input": json.dumps({"run": {"id": run_id}}),
        "startDate": NOW,
        "stopDate": datetime.now(UTC) + timedelta(seconds=5),
        "cause": "stopped by hand",
    }


@pytest.mark.parametrize(("status", "gate"), [("Approved", "Succeeded"), ("Rejected", "Failed")])
def test_a_model_gate_whose_version_is_decided_is_settled(world, version, status, gate):
    stories.decide_in_registry(world, version, status, "seen by the board")

    first, second = reconcile(world), reconcile(world)

    assert [found.rpartition(": ")[2] for found in first["gates"]] == ["made"]
    assert second["gates"] == []
    assert world.pipeline.gate_status == gate
    assert "seen by the board" in world.pipeline.summary


def test_a_gate_that_waits_for_a_person_is_left_to_wait(world, version):
    assert reconcile(world)["gates"] == []
    assert world.pipeline.answers == []


def test_an_author_s_own_approval_settles_nothing_where_two_people_are_asked_for(
    world, version, monkeypatch
):
    lead_to_staging()
    monkeypatch.setenv("TWO_PERSON_RULE", "true")
    reconciler._settings.cache_clear()
    stories.decide_in_registry(world, version, "Approved", "mine")
    author = "arn:aws:iam::123456789012:user/grace"
    key, document = f"runs/{RUN}/manifest.json", world.manifest(RUN)
    document["run"]["releasedBy"] = author
    world.s3.put_object(Bucket=WORKFLOW, Key=key, Body=json.dumps(document).encode())
    world.sagemaker.meta.events.register(
        "after-call.sagemaker.DescribeModelPackage",
        lambda parsed, **_: parsed.update(LastModifiedBy={"IamIdentity": {"Arn": author}}),
    )

    found = reconcile(world)

    assert found["gates"] == []
    assert found["promotions"] == [f"{version}: approved by its author alone, withheld"]


def test_a_gate_past_its_time_is_ended_and_says_so(world, version):
    reconcile(world, NOW + timedelta(days=8))

    assert world.pipeline.gate_status == "Failed"
    assert world.pipeline.summary.startswith("Expired by Signalbox: nobody decided until")


def test_data_that_was_accepted_opens_its_gate(world, workload, author):
    uploads = intake_world.waiting_run(world, workload, author)
    uploads.gate_waits(is_there=False)
    uploads.upload("rows.csv", intake_world.GOOD)
    uploads.gate_waits()

    found = reconcile(world)

    assert [text.rpartition(": ")[2] for text in found["gates"]] == ["made"]
    assert world.pipeline.gate_status == "Succeeded"


def test_data_whose_event_was_lost_is_told_and_its_gate_stays_shut(world, workload, author):
    uploads = intake_world.waiting_run(world, workload, author)
    uploads.put("rows.csv", intake_world.GOOD)

    at_once = reconcile(world, datetime.now(UTC))
    later = reconcile(world, datetime.now(UTC) + timedelta(minutes=20))

    assert (at_once["findings"], later["told"]) == (0, 1)
    assert world.pipeline.gate_status == "InProgress"


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT"])
def test_the_end_of_a_machine_that_nobody_wrote_is_written_once(world, workload, author, status):
    stories.release(world, workload, author)
    world.pipeline.gate_status = "Succeeded"
    aborted(world, RUN, status)

    first, second = reconcile(world), reconcile(world)

    assert (first["runs"], second["runs"]) == ([f"training of {RUN}: failed"], [])
    last = world.manifest(RUN)["history"][-1]
    assert (last["status"], last["detail"]["error"]) == ("failed", status)
    assert last["detail"]["cause"] == "stopped by hand"


def test_a_schedule_s_event_is_understood(world, workload, author):
    stories.release(world, workload, author)

    found = reconciler.handler(world.event("reconciler"), SimpleNamespace(aws_request_id="one"))

    assert set(found) == {"gates", "runs", "promotions", "findings", "told"}


def test_nothing_but_its_schedule_wakes_it(world):
    with pytest.raises(EventError, match="only its schedule"):
        reconciler.handler(world.event("promotion_handler"), None)


PATH = [
    {
        "environment": "staging",
        "account": "210987654321",
        "region": "us-east-1",
        "deployRoleArn": "arn:aws:iam::210987654321:role/signalbox-staging-deploy-us-east-1",
    }
]


def lead_to_staging(path: list[dict[str, str]] = PATH) -> None:
    """What the template's PromotionPath writes."""
    clients.ssm().put_parameter(
        Name="/signalbox/dev/promotion-path", Value=json.dumps(path), Type="String", Overwrite=True
    )


def test_an_approval_that_nobody_heard_of_starts_the_promotion_once(world, version):
    lead_to_staging()
    stories.decide_in_registry(world, version, "Approved", "good")

    first, second = reconcile(world), reconcile(world)

    assert first["promotions"] == [f"{version}: promotion started"]
    assert second["promotions"] == [f"{version}: promotion started before"]
    (started,) = world.machines.started
    assert json.loads(started["input"])["modelPackageArn"] == version


def test_a_promotion_that_has_begun_is_left_alone(world, version):
    """Its stamps change the version, which must not hide the approval of another one."""
    lead_to_staging()
    stories.decide_in_registry(world, version, "Approved", "good")
    reconcile(world)
    machine = settings.load(settings.ReconcilerSettings).promotion_state_machine_arn
    promotions.begun(WORKFLOW, version, promotions.execution_arn(machine, version, 1))

    assert reconcile(world)["promotions"] == []


def test_a_rejection_that_nobody_heard_of_stops_the_promotion(world, version):
    lead_to_staging()
    stories.decide_in_registry(world, version, "Approved", "good")
    reconcile(world)
    stories.decide_in_registry(world, version, "Rejected", "biased")

    found = reconcile(world)

    assert found["promotions"] == [f"{version}: promotion stopped"]
    assert len(world.machines.stopped) == 1


def test_where_nothing_is_promoted_no_version_is_looked_at(world, version):
    lead_to_staging([])
    stories.decide_in_registry(world, version, "Approved", "good")

    assert reconcile(world)["promotions"] == []


def leave_an_endpoint(world: Any, name: str = "signalbox-dev-forgotten") -> None:
    """An endpoint, its configuration and its model, made long ago by somebody."""
    image = {
        "Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/i:1",
        "ModelDataUrl": "s3://b/m",
    }
    role = "arn:aws:iam::123456789012:role/r"
    world.sagemaker.create_model(ModelName=name, PrimaryContainer=image, ExecutionRoleArn=role)
    variant = {
        "VariantName": "v",
        "ModelName": name,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1,
    }
    world.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    world.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


@pytest.fixture
def later():
    """Two days from now, when what was made now is settled."""
    return datetime.now(UTC) + timedelta(days=2)


def test_what_nobody_refers_to_is_told_once_with_its_price(world, workload, author, later):
    stories.release(world, workload, author)
    world.pipeline.gate_status = "Succeeded"
    leave_an_endpoint(world)

    first = reconciler.reconcile(later, owner="one")
    second = reconciler.reconcile(later, owner="two")

    (message,) = world.told()
    assert (first["told"], second["told"], second["findings"]) == (1, 0, 1)
    assert "signalbox-dev-forgotten is in no serving record: about 83.95 USD a month" in str(
        message
    )
    assert "signalbox-dev-forgotten" in str(world.sagemaker.list_endpoints())  # nothing is deleted


def test_what_has_gone_and_comes_back_is_told_again(world, workload, author, later):
    stories.release(world, workload, author)
    world.pipeline.gate_status = "Succeeded"
    leave_an_endpoint(world)
    reconciler.reconcile(later, owner="one")
    world.sagemaker.delete_endpoint(EndpointName="signalbox-dev-forgotten")
    gone = reconciler.reconcile(later, owner="two")

    assert gone["findings"] == 2  # its configuration and its model are left over now
    assert gone["told"] == 2


def test_what_the_serving_record_names_is_never_told(world, workload, author, later):
    stories.release(world, workload, author)
    world.pipeline.gate_status = "Succeeded"
    leave_an_endpoint(world, "signalbox-dev-diabetes")
    entry = {
        "key": "one",
        "at": "2026-11-21T09:00:00Z",
        "version": 1,
        "status": "serving",
        "endpointConfig": "signalbox-dev-diabetes",
        "model": "signalbox-dev-diabetes",
        "modelPackageArn": "arn:v/1",
        "runId": RUN,
    }
    record = {"schemaVersion": "1", "endpoint": "signalbox-dev-diabetes", "deployments": [entry]}
    world.s3.put_object(
        Bucket=WORKFLOW,
        Key=f"{survey_hosting.RECORDS}signalbox-dev-diabetes.json",
        Body=json.dumps(record).encode(),
    )

    assert reconciler.reconcile(later, owner="one")["findings"] == 0


def test_a_run_of_long_ago_that_nothing_names_is_told_with_its_size(world, workload, author):
    stories.release(world, workload, author)
    world.pipeline.gate_status = "Succeeded"
    world.s3.put_object(Bucket=WORKFLOW, Key="runs/250101-000000-aaaaaa/x", Body=b"1" * 1000)

    found = reconcile(world)

    (message,) = world.told()
    assert found["told"] == 1
    assert f"s3://{WORKFLOW}/runs/250101-000000-aaaaaa/" in str(message)
