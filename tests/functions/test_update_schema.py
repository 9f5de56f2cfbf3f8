"""update_schema: the opened model gate settles the registry and completes the manifest."""

from typing import Any

import pytest

from functions import create_schema, record_outcome, update_schema

RUN = "261121-093005-2867b0"
GROUP = "signalbox-dev-diabetes"


def register(world: Any) -> str:
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
    answer = world.sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": image, "ModelDataUrl": "s3://b/m.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    arn: str = answer["ModelPackageArn"]
    return arn


def settle(world: Any, arn: str, status: str, reason: str) -> None:
    world.sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=reason
    )


def report_registered(world: Any, arn: str, execution: str = "train-1") -> None:
    event = world.event("record_outcome")
    event |= {"status": "registered", "execution": execution, "detail": {"modelPackageArn": arn}}
    record_outcome.handler(event, None)


def update(world: Any, job_id: str = "11111111-aaaa-4bbb-8ccc-000000000002") -> None:
    event = world.event("update_schema")
    event["CodePipeline.job"]["id"] = job_id
    update_schema.handler(event, None)


@pytest.fixture
def run(world, workload):
    """A run whose manifest the pipeline handed on, with an empty group in the registry."""
    world.put_archive(workload)
    create_schema.handler(world.event("create_schema"), None)
    world.pipeline.answers.clear()
    world.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    return world


@pytest.fixture
def version(run):
    """The model version that the run registered."""
    arn = register(run)
    report_registered(run, arn)
    return arn


def status_of(world: Any, arn: str) -> dict[str, Any]:
    described: dict[str, Any] = world.sagemaker.describe_model_package(ModelPackageName=arn)
    return described


def test_the_opened_gate_approves_the_version_and_completes_the_manifest(run, version):
    update(run)

    assert status_of(run, version)["ModelApprovalStatus"] == "Approved"
    assert RUN in status_of(run, version)["ApprovalDescription"]
    manifest = run.manifest(RUN)
    bucket = "signalbox-dev-workflow-123456789012-us-east-1"
    assert manifest["inference"] == {
        "modelPackageArn": version,
        "mode": "batch",
        "inputUri": f"s3://{bucket}/runs/{RUN}/inference",
        "predictionsUri": f"s3://{bucket}/runs/{RUN}/predictions",
        "endpoint": "signalbox-dev-diabetes",
    }
    assert [(e["phase"], e["status"]) for e in manifest["history"]] == [
        ("training", "registered"),
        ("approval", "approved"),
    ]
    assert run.output("update_schema") == manifest | {"history": []}
    ((kind, request),) = run.pipeline.answers
    assert (kind, request["outputVariables"]["model_package_arn"]) == ("success", version)


def test_a_version_approved_in_the_registry_stays_as_it_was_approved(run, version):
    settle(run, version, "Approved", "looks good to Ada")

    update(run)

    assert status_of(run, version)["ApprovalDescription"] == "looks good to Ada"
    assert run.pipeline.answers[0][0] == "success"


def test_a_version_rejected_in_the_registry_fails_the_job(run, version):
    settle(run, version, "Rejected", "biased")

    update(run)

    ((kind, request),) = run.pipeline.answers
    assert kind == "failure"
    assert (
        f"{version} was rejected in the model registry (biased)"
        in (request["failureDetails"]["message"])
    )
    assert status_of(run, version)["ModelApprovalStatus"] == "Rejected"
    assert "inference" not in run.manifest(RUN)


def test_a_job_delivered_twice_answers_the_same(run, version):
    update(run)
    first = run.manifest(RUN)
    update(run, "11111111-aaaa-4bbb-8ccc-000000000003")

    assert run.manifest(RUN) == first
    variables = [request["outputVariables"] for _, request in run.pipeline.answers]
    assert variables[0] == variables[1]


def test_the_version_of_the_latest_attempt_is_used(run, version):
    second = register(run)
    report_registered(run, second, execution="train-2")

    update(run)

    assert run.manifest(RUN)["inference"]["modelPackageArn"] == second
    assert status_of(run, version)["ModelApprovalStatus"] == "PendingManualApproval"


def test_a_run_without_a_registered_version_fails_the_job(run):
    update(run)

    ((kind, request),) = run.pipeline.answers
    assert kind == "failure"
    assert "registered no model version" in request["failureDetails"]["message"]


def test_an_artifact_that_is_no_resolved_manifest_fails_the_job(run, version):
    run.put_input("update_schema", b"nonsense")

    update(run)

    assert "not a readable zip file" in run.pipeline.answers[0][1]["failureDetails"]["message"]
