"""record_outcome: what a state machine reports enters the manifest's history once."""

import json
import threading
from typing import Any

import pytest

from functions import create_schema, record_outcome
from signalbox.aws import clients
from signalbox.errors import (
    EventError,
    InferenceDataMissing,
    NetworkRefused,
    ObjectMissingError,
    SettingsError,
    SourceDataMissing,
)

RUN = "261121-093005-2867b0"
WORKFLOW = "signalbox-dev-workflow-123456789012-us-east-1"
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:signalbox-dev-training:train-"


@pytest.fixture
def run(world, workload):
    """A run that waits for its data."""
    world.put_archive(workload)
    create_schema.handler(world.event("create_schema"), None)
    return world


def upload(world: Any, name: str, content: bytes) -> str:
    answer = world.s3.put_object(Bucket=WORKFLOW, Key=f"runs/{RUN}/{name}", Body=content)
    version: str = answer["VersionId"]
    return version


def report(world: Any, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = record_outcome.handler(
        {**world.event("record_outcome"), **changes}, None
    )
    return answer


def test_a_start_says_which_data_is_about_to_be_read(run):
    upload(run, "source/rows.csv", b"age,target\n1,old\n")
    version = upload(run, "source/rows.csv", b"age,target\n1,2\n")
    upload(run, "source/", b"")

    answer = report(run)

    assert answer["attempt"] == "1"
    assert answer["data"]["objects"] == 1
    assert answer["data"]["bytes"] == len(b"age,target\n1,2\n")
    assert answer["data"]["digest"].startswith("sha256:")
    (entry,) = run.manifest(RUN)["history"]
    assert (entry["phase"], entry["status"]) == ("training", "started")
    assert entry["detail"]["data"]["versions"] == {"rows.csv": version}
    assert entry["arn"].endswith("train-9d1e5f52-0f43-4f0e-bb1a-2b8d8f2f7a10")


def test_a_start_says_in_which_network_jobs_run(run, monkeypatch):
    upload(run, "source/rows.csv", b"age,target\n1,2\n")
    monkeypatch.setenv("JOB_SUBNETS", "subnet-0a1b2c3d,subnet-1b2c3d4e")
    monkeypatch.setenv("JOB_SECURITY_GROUPS", "sg-0a1b2c3d")

    vpc = {"Subnets": ["subnet-0a1b2c3d", "subnet-1b2c3d4e"], "SecurityGroupIds": ["sg-0a1b2c3d"]}
    assert report(run)["network"] == {
        "isInVpc": True,
        "isIsolated": False,
        "vpc": vpc,
        "processing": {"EnableNetworkIsolation": False, "VpcConfig": vpc},
    }


def test_subnets_without_security_groups_are_refused_by_name(run, monkeypatch):
    monkeypatch.setenv("JOB_SUBNETS", "subnet-0a1b2c3d")

    with pytest.raises(SettingsError, match="JOB_SUBNETS and JOB_SECURITY_GROUPS come together"):
        report(run)


def test_a_run_whose_code_is_fetched_is_refused_where_containers_have_no_network(run, monkeypatch):
    upload(run, "source/rows.csv", b"age,target\n1,2\n")
    monkeypatch.setenv("JOB_NETWORK_ISOLATION", "true")

    with pytest.raises(NetworkRefused, match=f"run {RUN} was resolved where they have"):
        report(run)

    assert run.manifest(RUN)["history"] == []


def test_a_run_that_brings_its_code_starts_where_containers_have_no_network(
    world, workload, monkeypatch
):
    monkeypatch.setenv("JOB_NETWORK_ISOLATION", "true")
    world.put_archive(workload)
    create_schema.handler(world.event("create_schema"), None)
    upload(world, "source/rows.csv", b"age,target\n1,2\n")

    assert report(world)["network"]["isIsolated"] is True


def test_other_data_has_another_digest(run):
    upload(run, "source/rows.csv", b"age,target\n1,2\n")
    first = report(run, execution=EXECUTION + "1")
    upload(run, "source/rows.csv", b"age,target\n1,3\n")
    second = report(run, execution=EXECUTION + "2")

    assert first["data"]["digest"] != second["data"]["digest"]


def test_a_retried_stage_is_the_next_attempt_and_a_repeated_report_is_not(run):
    upload(run, "source/rows.csv", b"age,target\n1,2\n")

    first = report(run, execution=EXECUTION + "1")
    second = report(run, execution=EXECUTION + "2")
    again = report(run, execution=EXECUTION + "1")

    assert [first["attempt"], second["attempt"], again["attempt"]] == ["1", "2", "1"]
    assert again == first
    assert len(run.manifest(RUN)["history"]) == 2


def test_a_training_without_data_is_refused_and_not_recorded(run):
    with pytest.raises(SourceDataMissing, match=f"no object below s3://{WORKFLOW}/runs/{RUN}/sou"):
        report(run)

    assert run.manifest(RUN)["history"] == []


def test_a_batch_inference_without_data_is_refused(run):
    with pytest.raises(InferenceDataMissing, match="retry stage Inference"):
        report(run, phase="inference")


def test_an_endpoint_needs_no_data(world, author, workload):
    author["inference"] = {"mode": "endpoint"}
    world.put_archive({**workload, "manifest.json": json.dumps(author)})
    create_schema.handler(world.event("create_schema"), None)

    answer = report(world, phase="inference")

    assert (answer["attempt"], answer["data"]["objects"]) == ("1", 0)


def test_standing_data_is_what_a_run_with_a_source_reads(world, author, workload):
    author["data"]["source"] = "datasets/diabetes"
    world.put_archive({**workload, "manifest.json": json.dumps(author)})
    create_schema.handler(world.event("create_schema"), None)
    world.s3.put_object(Bucket=WORKFLOW, Key="datasets/diabetes/a.csv", Body=b"12")
    world.s3.put_object(Bucket=WORKFLOW, Key="datasets/diabetes-old/b.csv", Body=b"345")

    assert report(world)["data"]["objects"] == 1


def test_a_registered_version_is_what_its_entry_is_about(run):
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/signalbox-dev-diabetes/1"

    answer = report(run, status="registered", detail={"modelPackageArn": arn})

    assert answer["recorded"] is True
    assert run.manifest(RUN)["history"][0]["arn"] == arn


def test_the_same_outcome_twice_is_one_entry(run):
    first = report(run, status="succeeded")
    second = report(run, status="succeeded")

    assert (first["recorded"], second["recorded"]) == (True, False)
    assert len(run.manifest(RUN)["history"]) == 1


def test_a_long_cause_is_cut_so_that_the_manifest_stays_an_input(run):
    report(run, status="failed", detail={"error": "States.TaskFailed", "cause": "x" * 30_000})

    (entry,) = run.manifest(RUN)["history"]
    assert len(entry["detail"]["cause"]) == 2000
    assert entry["detail"]["cause"].endswith("...")


def test_a_writer_in_between_loses_nothing(run):
    """The other entry lands after our read and before our write: 412, read again, append."""
    others = iter([EXECUTION + "other"])

    def interrupt(**_: object) -> None:
        for execution in others:
            report(run, status="succeeded", execution=execution)

    clients.s3().meta.events.register_first("before-call.s3.PutObject", interrupt)
    report(run, status="succeeded", execution=EXECUTION + "ours")

    recorded = [entry["arn"] for entry in run.manifest(RUN)["history"]]
    assert recorded == [EXECUTION + "other", EXECUTION + "ours"]


def test_many_writers_on_one_manifest_lose_no_entry(run):
    run.put_objects_one_at_a_time()
    writers = 8
    together = threading.Barrier(writers)

    def write(number: int) -> None:
        together.wait()
        report(run, status="succeeded", execution=f"{EXECUTION}{number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    recorded = [entry["arn"] for entry in run.manifest(RUN)["history"]]
    assert sorted(recorded) == [f"{EXECUTION}{number}" for number in range(writers)]


def test_two_starts_at_the_same_moment_are_two_attempts(run):
    upload(run, "source/rows.csv", b"age,target\n1,2\n")
    run.put_objects_one_at_a_time()
    together = threading.Barrier(2)
    attempts = []

    def start(number: int) -> None:
        together.wait()
        attempts.append(report(run, execution=f"{EXECUTION}{number}")["attempt"])

    threads = [threading.Thread(target=start, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(attempts) == ["1", "2"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"phase": "cooking"}, 'phase "cooking" is neither training nor inference'),
        ({"runId": "261121-093005-000000"}, "is not the manifest of run 261121-093005-000000"),
        ({"status": ""}, "/status"),
        ({"mood": "good"}, "/mood"),
    ],
)
def test_a_report_that_does_not_fit_is_refused_by_name(run, changes, expected):
    with pytest.raises(EventError, match=expected):
        report(run, **changes)


def test_a_run_that_does_not_exist_is_named(world):
    with pytest.raises(ObjectMissingError, match=f"runs/{RUN}/manifest.json does not exist"):
        report(world, status="succeeded")
