"""create_schema: an archive and a pipeline execution become a stored run, once."""

import io
import json
import tarfile
import threading
from typing import Any

import pytest

from functions import create_schema

# sha256 of the event's execution id begins with 2867b0; the pipeline began at 09:30:05 UTC.
RUN = "261121-093005-2867b0"
WORKFLOW = "signalbox-dev-workflow-123456789012-us-east-1"


def failure(world: Any) -> dict[str, Any]:
    ((kind, request),) = world.pipeline.answers
    assert kind == "failure"
    details: dict[str, Any] = request["failureDetails"]
    return details


def release(world: Any, job_id: str = "11111111-aaaa-4bbb-8ccc-000000000001") -> None:
    event = world.event("create_schema")
    event["CodePipeline.job"]["id"] = job_id
    create_schema.handler(event, None)


def test_stores_the_run_and_hands_its_manifest_on(world, workload):
    world.put_archive(workload)

    release(world)

    ((kind, request),) = world.pipeline.answers
    assert kind == "success"
    assert request["outputVariables"] == {
        "run_id": RUN,
        "manifest_uri": f"s3://{WORKFLOW}/runs/{RUN}/manifest.json",
        "source_uri": f"s3://{WORKFLOW}/runs/{RUN}/source",
        "inference_uri": f"s3://{WORKFLOW}/runs/{RUN}/inference",
        "workload": "diabetes",
    }
    assert world.output("create_schema") == world.manifest(RUN)
    assert world.keys() == [
        f"runs/{RUN}/code/scripts/evaluate.py",
        f"runs/{RUN}/code/scripts/inference.py",
        f"runs/{RUN}/code/scripts/manifest.json",
        f"runs/{RUN}/code/scripts/preprocess.py",
        f"runs/{RUN}/code/scripts/train.py",
        f"runs/{RUN}/code/sourcedir.tar.gz",
        f"runs/{RUN}/manifest.json",
    ]


def test_the_source_archive_holds_the_scripts_at_its_top(world, workload):
    world.put_archive(workload)

    release(world)

    stored = world.s3.get_object(Bucket=WORKFLOW, Key=f"runs/{RUN}/code/sourcedir.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(stored["Body"].read())) as archive:
        assert sorted(archive.getnames()) == sorted(workload)


def test_the_manifest_says_where_the_run_came_from(world, author, workload):
    world.put_archive(workload)

    release(world)

    manifest = world.manifest(RUN)
    assert manifest["author"] == author
    assert manifest["run"]["executionId"] == "f4f5a1de-2c0f-4a57-9d2b-6d1a5f0c7b11"
    assert manifest["run"]["createdAt"] == "2026-11-21T09:30:05Z"
    assert manifest["run"]["source"]["revisionId"] == "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY"
    assert manifest["history"] == []
    assert "inference" not in manifest


def test_a_job_delivered_twice_finds_its_own_run_and_answers_the_same(world, workload):
    world.put_archive(workload)

    release(world)
    first = world.manifest(RUN)
    release(world, "11111111-aaaa-4bbb-8ccc-000000000002")

    answers = [request["outputVariables"] for _, request in world.pipeline.answers]
    assert answers[0] == answers[1]
    assert world.manifest(RUN) == first
    versions = world.s3.list_object_versions(Bucket=WORKFLOW)["Versions"]
    assert len(versions) == len(world.keys()), "nothing was written a second time"


def test_the_very_same_delivery_twice_is_one_answer(world, workload):
    world.put_archive(workload)

    release(world)
    release(world)

    assert [kind for kind, _ in world.pipeline.answers] == ["success"]


def test_two_deliveries_at_the_same_moment_store_one_run(world, workload):
    world.put_archive(workload)
    world.put_objects_one_at_a_time()
    both = threading.Barrier(2)

    def deliver(job_id: str) -> None:
        both.wait()
        release(world, job_id)

    jobs = [f"11111111-aaaa-4bbb-8ccc-00000000000{n}" for n in (1, 2)]
    threads = [threading.Thread(target=deliver, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [kind for kind, _ in world.pipeline.answers] == ["success", "success"]
    versions = world.s3.list_object_versions(Bucket=WORKFLOW)["Versions"]
    assert len(versions) == len({version["Key"] for version in versions})


def test_refuses_a_run_id_that_another_execution_owns(world, workload):
    world.put_archive(workload)
    release(world)
    stored = world.manifest(RUN)
    stored["run"]["executionId"] = "99999999-2c0f-4a57-9d2b-6d1a5f0c7b11"
    key = f"runs/{RUN}/manifest.json"
    world.s3.put_object(Bucket=WORKFLOW, Key=key, Body=json.dumps(stored))
    world.pipeline.answers.clear()

    release(world, "11111111-aaaa-4bbb-8ccc-000000000002")

    assert failure(world)["type"] == "JobFailed"
    assert "belongs to pipeline execution 99999999-" in failure(world)["message"]


def test_options_change_one_run_and_leave_what_the_author_wrote(world, author, workload):
    world.put_archive(workload)
    world.pipeline.variables["Options"] = '{"train": {"hyperparameters": {"alpha": 2}}}'

    release(world)

    manifest = world.manifest(RUN)
    assert manifest["author"] == author
    assert manifest["workload"]["train"]["hyperparameters"] == {"alpha": 2, "solver": "lbfgs"}
    assert manifest["steps"]["train"]["hyperparameters"]["alpha"] == "2"
    assert manifest["run"]["options"] == {"train": {"hyperparameters": {"alpha": 2}}}


def test_picks_the_workload_that_the_variable_names(world, workload):
    files = {f"workloads/diabetes/{name}": text for name, text in workload.items()}
    other = json.dumps({**json.loads(workload["manifest.json"]), "name": "breast-cancer"})
    files |= {f"workloads/breast_cancer/{name}": text for name, text in workload.items()}
    files["workloads/breast_cancer/manifest.json"] = other
    world.put_archive(files)
    world.pipeline.variables["Workload"] = "breast-cancer"

    release(world)

    assert world.manifest(RUN)["workload"]["name"] == "breast-cancer"


BAD_MANIFESTS = [
    ("{not json", "line 1, column 2: not JSON"),
    ("[1]", "(document): expected an object, got a JSON array"),
    ('{"schemaVersion": "2"}', "deploy a Signalbox that reads schema version 2"),
]


@pytest.mark.parametrize(("text", "expected"), BAD_MANIFESTS)
def test_a_bad_manifest_fails_the_job_and_stores_nothing(world, workload, text, expected):
    world.put_archive({**workload, "manifest.json": text})

    release(world)

    assert failure(world)["type"] == "ConfigurationError"
    assert expected in failure(world)["message"]
    assert world.keys() == []


def test_names_every_problem_of_a_manifest_at_once(world, author, workload):
    author["train"] = {"instnceType": "ml.m5.large", "maxRuntimeSeconds": "3600"}
    world.put_archive({**workload, "manifest.json": json.dumps(author)})

    release(world)

    message = failure(world)["message"]
    assert '/train/instnceType: unknown key; did you mean "instanceType"?' in message
    assert '/train/maxRuntimeSeconds: Input should be a valid integer, got "3600"' in message
    assert world.keys() == []


def test_a_missing_script_fails_the_job_and_says_what_is_there(world, workload):
    del workload["train.py"]
    workload["training.py"] = ""
    world.put_archive(workload)

    release(world)

    message = failure(world)["message"]
    assert '/train/script: the archive has no "train.py"' in message
    assert "training.py" in message
    assert world.keys() == []


def test_an_archive_that_escapes_its_folder_fails_the_job_and_stores_nothing(world, workload):
    world.put_archive({**workload, "../train.py": "print('out')"})

    release(world)

    assert failure(world)["type"] == "ConfigurationError"
    assert "'../train.py' would be extracted outside its folder" in failure(world)["message"]
    assert world.keys() == []


def test_an_archive_that_is_no_zip_fails_the_job(world):
    world.put_input("create_schema", b"PK but not really")

    release(world)

    assert "not a readable zip file" in failure(world)["message"]


def test_a_missing_archive_is_an_unavailable_revision(world):
    release(world)

    assert failure(world)["type"] == "RevisionUnavailable"
    assert "WorkloadAr/Zq1xExA does not exist" in failure(world)["message"]


def test_a_missing_permission_is_named_as_one(world, workload):
    world.put_archive(workload)
    world.pipeline.denied.add("GetPipelineExecution")

    release(world)

    assert failure(world)["type"] == "PermissionError"
    assert "not authorized to GetPipelineExecution" in failure(world)["message"]


def test_a_missing_variable_is_answered_by_name(world, workload, monkeypatch):
    world.put_archive(workload)
    monkeypatch.delenv("IMAGE_URI")

    release(world)

    assert failure(world)["type"] == "ConfigurationError"
    assert "IMAGE_URI: not set" in failure(world)["message"]


def test_a_job_without_the_execution_id_is_answered(world):
    event = world.event("create_schema")
    configuration = event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]
    configuration["UserParameters"] = "dev"

    create_schema.handler(event, None)

    assert "UserParameters must be" in failure(world)["message"]


def test_a_job_with_an_unknown_shape_is_answered_without_its_credentials(world):
    event = world.event("create_schema")
    del event["CodePipeline.job"]["data"]["outputArtifacts"]

    create_schema.handler(event, None)

    assert "/data/outputArtifacts: Field required" in failure(world)["message"]
    assert "EXAMPLE" not in failure(world)["message"]


def test_a_bug_is_answered_too(world, workload, monkeypatch):
    """An action that hears nothing would wait for twenty minutes."""
    world.put_archive(workload)
    monkeypatch.setattr(create_schema, "plan_run", lambda *_: 1 / 0)

    release(world)

    assert failure(world)["type"] == "JobFailed"
    assert "unexpected ZeroDivisionError" in failure(world)["message"]


def test_a_failure_message_keeps_the_length_that_the_pipeline_takes(world, author, workload):
    author["data"]["columns"] = {f"column {number}": "nmber" for number in range(500)}
    world.put_archive({**workload, "manifest.json": json.dumps(author)})

    release(world)

    assert len(failure(world)["message"]) == 5000


def test_credentials_of_a_job_never_reach_the_log(world, workload):
    world.put_archive(workload)
    logged = io.StringIO()
    before = create_schema.logger.registered_handler.setStream(logged)

    release(world)
    release(world)

    create_schema.logger.registered_handler.setStream(before)
    assert "job succeeded" in logged.getvalue()
    assert "EXAMPLE" not in logged.getvalue()
