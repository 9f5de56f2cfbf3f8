"""The training machine in moto's interpreter: every way through it, with scripted answers."""

import json
from typing import Any

import pytest

from signalbox.events import read
from signalbox.machine_requests import JudgementRequest, OutcomeReport, ReportRequest
from tests.contracts.machine_harness import Call, Ending, TaskError, in_turn, run
from tests.contracts.machine_inputs import (
    CHAMPION_ARN,
    CHAMPION_MODEL,
    PACKAGE_ARN,
    REPORT_URI,
    RUN_ID,
    RUN_URI,
    VERDICT,
    obliging_aws,
    resolved_manifest,
)
from tests.contracts.request_shapes import operation_named, violations

THROTTLED = TaskError("ThrottlingException", "Rate exceeded")
ALGORITHM = TaskError("States.TaskFailed", '{"FailureReason":"AlgorithmError: exit code 1"}')


def train(**instead: Any) -> Ending:
    """An execution on the ordinary manifest, some answers replaced."""
    return run("training", resolved_manifest(), obliging_aws(**instead))


REQUESTS = {
    "RecordOutcomeFunctionArn": OutcomeReport,
    "JudgeModelFunctionArn": JudgementRequest,
    "BuildReportFunctionArn": ReportRequest,
}


def payloads_of(ending: Ending, function: str = "") -> list[dict[str, Any]]:
    """What the functions were told, in order; or one function only."""
    requests = ending.requests("lambda:invoke")
    return [one["Payload"] for one in requests if function in one["FunctionName"]]


def outcomes(ending: Ending) -> list[dict[str, Any]]:
    """What record_outcome was told, in order."""
    payloads = payloads_of(ending)
    return [payload for payload in payloads if "status" in payload]


def faults(calls: list[Call]) -> list[str]:
    """What the service models forbid in the requests that were made."""
    found = []
    for call in calls:
        *kind, action = call.action.split(":")
        if kind != ["lambda"]:
            operation = operation_named(kind[-1], action.partition(".")[0])
            found += violations(kind[-1], operation, call.parameters)
    return found


def test_registers_an_accepted_model_with_its_evidence() -> None:
    ending = train()
    assert (ending.status, ending.error) == ("SUCCEEDED", None)
    assert ending.output["modelPackageArn"] == PACKAGE_ARN
    assert ending.output["verdict"] == VERDICT
    (package,) = ending.requests("aws-sdk:sagemaker:createModelPackage")
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert package["ClientToken"] == f"{RUN_ID}-1"
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] == (
        f"{RUN_URI}/evaluation/1/evaluation.json"
    )
    assert package["CustomerMetadataProperties"] == {
        "workload": "diabetes",
        "environment": "dev",
        "run_id": RUN_ID,
        "execution_id": "0a1b2c3d-1111-2222-3333-444455556666",
        "source_revision": "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",
        "source_digest": "sha256:0f1e",
        "code_digest": "sha256:00ff",
        "verdict": "accepted",
        "attempt": "1",
        "data_digest": "sha256:ab12",
        "training_job": f"signalbox-dev-train-{RUN_ID}-1-0",
        "evaluation_uri": f"{RUN_URI}/evaluation/1/evaluation.json",
        "artifact_version": "v1",
        "artifact_etag": "0f1e",
        "artifact_bytes": "2048",
        "report": REPORT_URI,
        "execution": ending.arn,
    }
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"].endswith(f"train-{RUN_ID}-1-0/output/model.tar.gz")
    assert container["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"] == (
        f"{RUN_URI}/code/sourcedir.tar.gz"
    )


def test_each_job_reads_what_the_one_before_wrote() -> None:
    preprocess, evaluate = train().requests("sagemaker:createProcessingJob.sync")
    (training,) = train().requests("sagemaker:createTrainingJob.sync")
    (written,) = preprocess["ProcessingOutputConfig"]["Outputs"]
    assert written["S3Output"]["S3Uri"] == f"{RUN_URI}/preprocess/1"
    read_by_training = [
        channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in training["InputDataConfig"]
    ]
    assert read_by_training == [
        f"{RUN_URI}/preprocess/1/{name}/" for name in ("train", "validation", "preprocessor")
    ]
    read_by_evaluate = {
        entry["InputName"]: entry["S3Input"]["S3Uri"] for entry in evaluate["ProcessingInputs"]
    }
    assert read_by_evaluate == {
        "code": f"{RUN_URI}/code/scripts/",
        "model": f"{RUN_URI}/training/signalbox-dev-train-{RUN_ID}-1-0/output/model.tar.gz",
        "test": f"{RUN_URI}/preprocess/1/test/",
    }


@pytest.mark.parametrize("workload", ["diabetes", "breast_cancer"])
def test_every_request_is_within_the_limits_of_the_service(workload: str) -> None:
    manifest = resolved_manifest(
        workload=workload, app="a" * 15, environment="staging", name="w" * 31
    )
    ending = run("training", manifest, obliging_aws())
    assert ending.status == "SUCCEEDED"
    assert len(ending.calls) == 11
    assert faults(ending.calls) == []


def test_the_functions_understand_what_they_are_told() -> None:
    ending = train()
    for request in ending.requests("lambda:invoke"):
        assert read(REQUESTS[request["FunctionName"].rpartition(":")[2]], request["Payload"])
    assert [outcome["status"] for outcome in outcomes(ending)] == ["started", "registered"]


def with_champion(**instead: Any) -> Ending:
    """An execution where an approved version is there to be compared with."""
    approved = {"ModelPackageSummaryList": [{"ModelPackageArn": CHAMPION_ARN}]}
    return train(listModelPackages=in_turn(approved), **instead)


def test_the_champion_is_evaluated_by_the_same_script_on_the_same_rows() -> None:
    ending = with_champion()

    _, challenger, champion = ending.requests("sagemaker:createProcessingJob.sync")
    read_by = [
        {one["InputName"]: one["S3Input"]["S3Uri"] for one in job["ProcessingInputs"]}
        for job in (challenger, champion)
    ]
    assert read_by[1] == read_by[0] | {"model": CHAMPION_MODEL}
    assert champion["AppSpecification"] == challenger["AppSpecification"]
    assert champion["ProcessingJobName"] == f"signalbox-dev-champion-{RUN_ID}-1-0"
    (judged,) = payloads_of(ending, "JudgeModel")
    assert judged["champion"] == {
        "modelPackageArn": CHAMPION_ARN,
        "evaluationUri": f"{RUN_URI}/evaluation/1/champion/evaluation.json",
    }
    assert faults(ending.calls) == []
    for request in ending.requests("lambda:invoke"):
        assert read(REQUESTS[request["FunctionName"].rpartition(":")[2]], request["Payload"])


def test_the_champion_is_the_newest_approved_version() -> None:
    (asked,) = with_champion().requests("aws-sdk:sagemaker:listModelPackages")

    assert asked["ModelApprovalStatus"] == "Approved"
    assert (asked["SortBy"], asked["SortOrder"]) == ("CreationTime", "Descending")


def test_the_champion_is_found_on_whichever_page_it_is() -> None:
    """SageMaker filters a page after it has cut it: AWS's own samples go on over empty ones."""
    pages = [
        {"ModelPackageSummaryList": [], "NextToken": "second"},
        {"ModelPackageSummaryList": [], "NextToken": "third"},
        {"ModelPackageSummaryList": [{"ModelPackageArn": CHAMPION_ARN}], "NextToken": "fourth"},
    ]
    ending = train(listModelPackages=in_turn(*pages))

    asked = ending.requests("aws-sdk:sagemaker:listModelPackages")
    assert [request.get("NextToken") for request in asked] == [None, "second", "third"]
    assert {**asked[2], "NextToken": "second"} == asked[1] == {**asked[0], "NextToken": "second"}
    (judged,) = payloads_of(ending, "JudgeModel")
    assert judged["champion"]["modelPackageArn"] == CHAMPION_ARN
    assert faults(ending.calls) == []


def serving(arn: str, **instead: Any) -> Ending:
    """An execution where this version serves, and a later one is approved."""
    functions = obliging_aws()["lambda:invoke"]

    def invoke(parameters: dict[str, Any]) -> Any:
        answer = functions(parameters)
        if parameters["Payload"].get("status") == "started":
            answer["Payload"]["champion"] = [arn]
        return answer

    return with_champion(invoke=invoke, **instead)


def test_the_champion_is_what_serves_and_not_what_was_approved_last() -> None:
    arn = CHAMPION_ARN.replace("/7", "/4")
    ending = serving(arn)

    assert payloads_of(ending, "JudgeModel")[0]["champion"]["modelPackageArn"] == arn
    assert ending.requests("aws-sdk:sagemaker:listModelPackages") == []


MARKED = {"CustomerMetadataProperties": {"rolled_back": "2026-11-20T10:00:00Z errors"}}


def described(arn: str, **more: Any) -> dict[str, Any]:
    """A version as DescribeModelPackage tells of it."""
    containers = [{"ModelDataUrl": CHAMPION_MODEL}]
    return {"ModelPackageArn": arn, "InferenceSpecification": {"Containers": containers}, **more}


def test_a_version_that_was_rolled_back_is_no_champion() -> None:
    arns = [CHAMPION_ARN, CHAMPION_ARN.replace("/7", "/6")]
    approved = {"ModelPackageSummaryList": [{"ModelPackageArn": arn} for arn in arns]}
    describe = in_turn(described(arns[0], **MARKED), described(arns[1]))
    ending = train(listModelPackages=in_turn(approved), describeModelPackage=describe)

    assert payloads_of(ending, "JudgeModel")[0]["champion"]["modelPackageArn"] == arns[1]


def test_where_every_approved_version_was_rolled_back_there_is_no_champion() -> None:
    ending = with_champion(describeModelPackage=in_turn(described(CHAMPION_ARN, **MARKED)))

    assert payloads_of(ending, "JudgeModel")[0]["champion"] == {"modelPackageArn": ""}


def test_without_a_champion_or_a_rule_no_second_job_is_paid_for() -> None:
    manifest = resolved_manifest()
    manifest["workload"]["evaluate"]["champion"] = []
    unasked = run("training", manifest, obliging_aws())

    assert train().status == unasked.status == "SUCCEEDED"
    assert len(train().requests("sagemaker:createProcessingJob.sync")) == 2
    assert unasked.requests("aws-sdk:sagemaker:listModelPackages") == []
    for ending in (train(), unasked):
        assert payloads_of(ending, "JudgeModel")[0]["champion"] == {"modelPackageArn": ""}


def test_a_champion_that_cannot_be_evaluated_is_told_to_the_judge() -> None:
    job = obliging_aws()["sagemaker:createProcessingJob.sync"]
    ending = with_champion(createProcessingJob=in_turn(job, job, ALGORITHM))

    assert ending.status == "SUCCEEDED"
    (judged,) = payloads_of(ending, "JudgeModel")
    assert judged["champion"] == {
        "modelPackageArn": CHAMPION_ARN,
        "failure": {"Error": ALGORITHM.error, "Cause": ALGORITHM.cause},
    }
    assert read(JudgementRequest, judged)


def test_a_registry_that_cannot_be_asked_for_the_champion_fails_the_run() -> None:
    denied = TaskError("SageMaker.AccessDeniedException", "not authorized to list")
    ending = train(listModelPackages=in_turn(denied))

    assert (ending.error, ending.cause) == (denied.error, denied.cause)


@pytest.mark.parametrize("accepted", [True, False])
def test_a_report_is_built_whatever_the_verdict(accepted: bool) -> None:
    ending = train(verdict=VERDICT | {"accepted": accepted})

    assert len(payloads_of(ending, "BuildReport")) == 1
    assert outcomes(ending)[-1]["detail"]["report"] == {"uri": REPORT_URI}


def test_a_report_that_cannot_be_built_ends_nothing() -> None:
    answer = obliging_aws()["lambda:invoke"]

    def lose_report(request: dict[str, Any]) -> Any:
        if "BuildReport" in request["FunctionName"]:
            raise TaskError("Sandbox.Timedout", "after 120 s")
        return answer(request)

    ending = train(invoke=lose_report)

    assert ending.status == "SUCCEEDED"
    failure = {"Error": "Sandbox.Timedout", "Cause": "after 120 s"}
    assert outcomes(ending)[-1]["detail"]["report"] == {"uri": "none", "failure": failure}
    (package,) = ending.requests("aws-sdk:sagemaker:createModelPackage")
    assert package["CustomerMetadataProperties"]["report"] == "none"


def test_a_refused_verdict_ends_as_refused_and_registers_nothing() -> None:
    reasons = ["rmse is 71.2, above the most accepted 65"]
    ending = train(verdict=VERDICT | {"accepted": False, "reasons": reasons})
    assert (ending.status, ending.error) == ("FAILED", "QualityGateFailed")
    assert json.loads(ending.cause or "") == reasons
    assert ending.requests("aws-sdk:sagemaker:createModelPackage") == []
    assert [outcome["status"] for outcome in outcomes(ending)] == ["started", "refused"]
    assert outcomes(ending)[-1]["detail"]["verdict"]["reasons"] == reasons


@pytest.mark.parametrize(
    ("failing", "last_state"),
    [
        ("createProcessingJob", "Preprocess"),
        ("createTrainingJob", "Train"),
        ("createModelPackage", "CreateModelPackage"),
        ("listModelPackageGroups", "FindModelPackageGroup"),
    ],
)
def test_a_failure_is_recorded_and_ends_with_its_own_cause(failing: str, last_state: str) -> None:
    ending = train(**{failing: in_turn(ALGORITHM)})
    work = [state for state in ending.states if not state.startswith("Is")]
    assert work[-4:] == [last_state, "ExplainFailure", "RecordFailure", "TrainingStepFailed"]
    assert (ending.error, ending.cause) == ("StepFailed", ALGORITHM.cause)
    assert outcomes(ending)[-1]["detail"] == {"error": ALGORITHM.error, "cause": ALGORITHM.cause}
    assert len(ending.calls) == len({json.dumps(call.parameters) for call in ending.calls})


def test_a_throttled_job_was_not_made_and_keeps_its_name() -> None:
    job = obliging_aws()["sagemaker:createTrainingJob.sync"]
    ending = train(createTrainingJob=in_turn(THROTTLED, THROTTLED, job))
    assert ending.status == "SUCCEEDED"
    names = [job["TrainingJobName"] for job in ending.requests("sagemaker:createTrainingJob.sync")]
    assert names == [f"signalbox-dev-train-{RUN_ID}-1-0"] * 3


def test_an_endless_quota_error_ends_the_run_with_its_name() -> None:
    exceeded = TaskError("SageMaker.ResourceLimitExceededException", "0 instances left")
    ending = train(createProcessingJob=in_turn(exceeded))
    assert (ending.error, ending.cause) == (exceeded.error, exceeded.cause)
    assert len(ending.requests("sagemaker:createProcessingJob.sync")) == 7


def test_no_source_data_starts_no_job() -> None:
    missing = TaskError("SourceDataMissing", "no object below s3://b/source/")
    answer = obliging_aws()["lambda:invoke"]

    def refuse_start(request: dict[str, Any]) -> Any:
        if request["Payload"].get("status") == "started":
            raise missing
        return answer(request)

    ending = train(invoke=refuse_start)
    assert (ending.error, ending.cause) == (missing.error, missing.cause)
    assert {call.action for call in ending.calls} == {"lambda:invoke"}
    assert ending.states[-1] == "TrainingFailed"


def test_a_failure_that_cannot_be_recorded_is_still_told() -> None:
    answer = obliging_aws()["lambda:invoke"]

    def lose_failures(request: dict[str, Any]) -> Any:
        if request["Payload"].get("status") == "failed":
            raise TaskError("Lambda.Unknown")
        return answer(request)

    ending = train(createTrainingJob=in_turn(ALGORITHM), invoke=lose_failures)
    assert (ending.error, ending.cause) == ("StepFailed", ALGORITHM.cause)


def test_a_task_without_end_is_told_by_a_cause_of_ours() -> None:
    ending = train(createTrainingJob=in_turn(TaskError("States.Timeout", "")))
    assert ending.error == "StepTimedOut"
    assert "did not end within its time limit" in (ending.cause or "")
    assert outcomes(ending)[-1]["detail"]["error"] == "States.Timeout"


def test_a_refusal_that_cannot_be_recorded_is_still_a_refusal() -> None:
    answer = obliging_aws(verdict=VERDICT | {"accepted": False})["lambda:invoke"]

    def lose_refusals(request: dict[str, Any]) -> Any:
        if request["Payload"].get("status") == "refused":
            raise TaskError("WriteContendedError")
        return answer(request)

    ending = train(invoke=lose_refusals)
    assert (ending.status, ending.error) == ("FAILED", "QualityGateFailed")


def group_list(*names: str) -> dict[str, Any]:
    """An answer of ListModelPackageGroups."""
    return {"ModelPackageGroupSummaryList": [{"ModelPackageGroupName": name} for name in names]}


def test_a_known_group_is_not_created_again() -> None:
    ending = train(listModelPackageGroups=in_turn(group_list("signalbox-dev-diabetes")))
    assert ending.requests("aws-sdk:sagemaker:createModelPackageGroup") == []


def test_a_group_of_a_similar_name_is_not_taken_for_it() -> None:
    similar = group_list("signalbox-dev-diabetes-2", "x-signalbox-dev-diabetes")
    ending = train(listModelPackageGroups=in_turn(similar))
    assert len(ending.requests("aws-sdk:sagemaker:createModelPackageGroup")) == 1


def test_losing_the_race_for_the_group_is_no_failure() -> None:
    taken = TaskError("SageMaker.SageMakerException", "already exists")
    ending = train(createModelPackageGroup=in_turn(taken))
    assert "ConfirmModelPackageGroup" in ending.states
    assert ending.status == "SUCCEEDED"


def test_a_group_that_cannot_be_created_is_reported_with_that_error() -> None:
    denied = TaskError("SageMaker.AccessDeniedException", "not authorized to create")
    absent = TaskError("SageMaker.SageMakerException", "does not exist")
    ending = train(
        createModelPackageGroup=in_turn(denied), describeModelPackageGroup=in_turn(absent)
    )
    assert (ending.error, ending.cause) == (denied.error, denied.cause)


def test_a_second_attempt_shares_no_name_and_no_folder_with_the_first() -> None:
    answer = obliging_aws()["lambda:invoke"]

    def second(request: dict[str, Any]) -> Any:
        reply = answer(request)
        if "attempt" in reply["Payload"]:
            reply["Payload"]["attempt"] = "2"
        return reply

    first, retried = train(), train(invoke=second)
    for action in ("createProcessingJob", "createTrainingJob"):
        for one, other in zip(
            first.requests(f"sagemaker:{action}.sync"),
            retried.requests(f"sagemaker:{action}.sync"),
            strict=True,
        ):
            kind = action.removeprefix("create")
            assert one[f"{kind}Name"] != other[f"{kind}Name"]
    written = retried.requests("sagemaker:createProcessingJob.sync")[0]["ProcessingOutputConfig"]
    assert written["Outputs"][0]["S3Output"]["S3Uri"] == f"{RUN_URI}/preprocess/2"
    (package,) = retried.requests("aws-sdk:sagemaker:createModelPackage")
    assert package["ClientToken"] == f"{RUN_ID}-2"
