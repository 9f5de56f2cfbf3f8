"""The actions of pipelines that call Lambda and Step Functions, on the whole laptop."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import clients
from localaws.lambdas import service as lambdas
from localaws.pipelines import service as pipelines
from localaws.server import LaptopServer
from tests.localaws.pipeline_bench import (
    ACCOUNT,
    REGION,
    PipelineBench,
    action,
    approval,
    client,
    stage,
    zip_of,
)
from tests.localaws.sagemaker_world import comes_true

RECORDS = """
import json

def handler(event, context):
    configuration = event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"]
    with open(json.loads(configuration["UserParameters"])["path"], "a") as lines:
        print(json.dumps(event), file=lines)
"""
SILENT = "def handler(event, context):\n    return None\n"


@pytest.fixture
def bench(laptop: LaptopServer, request: pytest.FixtureRequest) -> Iterator[PipelineBench]:
    made = PipelineBench(str(request.node.name).removeprefix("test_").replace("[", "-").strip("]"))
    yield made
    made.heard.stop()


def service_role(name: str, service: str, *statements: dict[str, Any]) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    made = client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    if statements:
        client("iam").put_role_policy(
            RoleName=name,
            PolicyName="inline",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}),
        )
    return str(made["Role"]["Arn"])


def function(bench: PipelineBench, code: str = SILENT, **parameters: str) -> dict[str, Any]:
    """Make a function that the pipeline may call; returns the action that calls it."""
    name = bench.name
    log = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=service_role(f"{name}-fn", "lambda.amazonaws.com", log),
        Handler="app.handler",
        Code={"ZipFile": zip_of(app__py=code)},
        Timeout=30,
    )
    bench.grant("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
    parameters["executionId"] = "#{codepipeline.PipelineExecutionId}"
    return action(
        "Call",
        "Invoke",
        "Lambda",
        namespace="Call",
        inputArtifacts=["Zip"],
        outputArtifacts=["Made"],
        configuration={"FunctionName": name, "UserParameters": json.dumps(parameters)},
    )


def called(bench: PipelineBench, execution: str) -> str:
    """Wait until the function has been given its job; returns the job's id."""
    run = bench.begins("Call", execution)["actionExecutionId"]
    assert pipelines.running().workers.drain(60)
    assert lambdas.drain_events(10)
    return pipelines.running().jobs.ids_of(run)[-1]


def delivered(path: Path) -> list[dict[str, Any]]:
    """The jobs that the function has seen."""
    return [json.loads(line)["CodePipeline.job"] for line in path.read_text().splitlines()]


def machine(bench: PipelineBench, state: dict[str, Any], *, may_start: bool = True) -> str:
    definition = {"StartAt": "Only", "States": {"Only": state}}
    arn = client("stepfunctions").create_state_machine(
        name=bench.name[:80],
        definition=json.dumps(definition),
        roleArn=service_role(f"{bench.name[:58]}-sfn", "states.amazonaws.com"),
    )["stateMachineArn"]
    bench.grant("states:DescribeStateMachine", arn)
    if may_start:
        bench.grant("states:StartExecution", arn)
    bench.grant("states:DescribeExecution", arn.replace(":stateMachine:", ":execution:") + ":*")
    return str(arn)


def runs(arn: str, **configuration: str) -> dict[str, Any]:
    return action(
        "Run",
        "Invoke",
        "StepFunctions",
        namespace="Run",
        inputArtifacts=["Zip"],
        outputArtifacts=["Out"],
        configuration={"StateMachineArn": arn, "ExecutionNamePrefix": "run", **configuration},
    )


def opened(location: dict[str, str], name: str) -> Any:
    body = client("s3").get_object(Bucket=location["bucket"], Key=location["key"])["Body"].read()
    return json.loads(zipfile.ZipFile(io.BytesIO(body)).read(name))


def test_a_function_gets_a_job_with_which_it_can_read_and_write_artifacts(
    bench: PipelineBench, tmp_path: Path
):
    gate = approval("Gate", configuration={"CustomData": "run #{Call.run_id}"})
    seen = tmp_path / "jobs"
    bench.create(stage("Call", function(bench, RECORDS, path=str(seen))), stage("Gate", gate))
    execution = bench.start()
    called(bench, execution)

    (job,) = delivered(seen)
    data = job["data"]
    keys = data["artifactCredentials"]
    s3 = clients.new_client(
        "s3", REGION, keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"]
    )
    given, wanted = (
        data[kind][0]["location"]["s3Location"] for kind in ("inputArtifacts", "outputArtifacts")
    )
    body = s3.get_object(Bucket=given["bucketName"], Key=given["objectKey"])["Body"].read()
    s3.put_object(Bucket=wanted["bucketName"], Key=wanted["objectKey"], Body=body)
    client("codepipeline").put_job_success_result(
        jobId=job["id"],
        executionDetails={"summary": "made a manifest"},
        outputVariables={"run_id": "261121-000000-abcdef"},
    )
    bench.begins("Gate", execution)

    done = bench.actions(execution)
    (made,) = done["Call"]["output"]["outputArtifacts"]
    parameters = json.loads(data["actionConfiguration"]["configuration"]["UserParameters"])
    assert job["accountId"] == ACCOUNT
    assert parameters["executionId"] == execution
    assert opened(made["s3location"], "input.json") == {"from": "file"}
    assert done["Gate"]["input"]["resolvedConfiguration"]["CustomData"] == (
        "run 261121-000000-abcdef"
    )
    assert bench.action_state("Call")["summary"] == "made a manifest"


def test_a_function_can_refuse_its_job(bench: PipelineBench):
    bench.create(stage("Call", function(bench)))
    execution = bench.start()

    client("codepipeline").put_job_failure_result(
        jobId=called(bench, execution),
        failureDetails={"type": "ConfigurationError", "message": "the manifest has no name"},
    )

    assert bench.ends(execution) == "FAILED"
    error = bench.action_state("Call")["errorDetails"]
    assert error == {"code": "ConfigurationError", "message": "the manifest has no name"}


def test_a_function_that_asks_for_more_time_is_called_again(bench: PipelineBench, tmp_path: Path):
    seen = tmp_path / "jobs"
    bench.create(stage("Call", function(bench, RECORDS, path=str(seen))))
    execution = bench.start()
    first = called(bench, execution)
    codepipeline = client("codepipeline")

    codepipeline.put_job_success_result(jobId=first, continuationToken="again")
    assert comes_true(lambda: called(bench, execution) != first)
    codepipeline.put_job_success_result(jobId=called(bench, execution))

    assert bench.ends(execution) == "SUCCEEDED"
    one, two = delivered(seen)
    assert "continuationToken" not in one["data"]
    assert two["data"]["continuationToken"] == "again"
    assert one["id"] != two["id"]


def test_a_job_takes_one_answer_only(bench: PipelineBench):
    bench.create(stage("Call", function(bench)), stage("Gate", approval("Gate")))
    execution = bench.start()
    job = called(bench, execution)
    codepipeline = client("codepipeline")

    details = codepipeline.get_job_details(jobId=job)["jobDetails"]
    codepipeline.put_job_success_result(jobId=job, outputVariables={"n": "1"})
    with pytest.raises(ClientError) as twice:
        codepipeline.put_job_success_result(jobId=job, outputVariables={"n": "2"})

    assert twice.value.response["Error"]["Code"] == "InvalidJobStateException"
    assert details["data"]["pipelineContext"]["pipelineExecutionId"] == execution
    assert details["data"]["inputArtifacts"][0]["name"] == "Zip"
    bench.begins("Gate", execution)
    assert bench.actions(execution)["Call"]["output"]["outputVariables"] == {"n": "1"}


def test_a_job_that_is_never_answered_fails_in_time(bench: PipelineBench):
    bench.create(stage("Call", function(bench)))
    execution = bench.start()
    job = called(bench, execution)

    pipelines.running().jobs.expire(job)

    assert bench.ends(execution) == "FAILED"
    assert "20 minutes" in bench.action_state("Call")["errorDetails"]["message"]
    with pytest.raises(ClientError) as late:
        client("codepipeline").put_job_success_result(jobId=job)
    assert late.value.response["Error"]["Code"] == "InvalidJobStateException"


def test_an_unknown_job_is_not_found(laptop: LaptopServer):
    with pytest.raises(ClientError) as unknown:
        client("codepipeline").put_job_success_result(jobId="0" * 8 + "-0000" * 3 + "-" + "0" * 12)

    assert unknown.value.response["Error"]["Code"] == "JobNotFoundException"


def test_a_function_the_role_may_not_call_fails_the_action_by_name(bench: PipelineBench):
    call = function(bench)
    call["configuration"]["FunctionName"] = "someone-elses"
    bench.create(stage("Call", call))

    assert bench.ends(bench.start()) == "FAILED"
    error = bench.action_state("Call")["errorDetails"]
    assert error["code"] == "PermissionError"
    assert "lambda:InvokeFunction" in error["message"]
    assert "function:someone-elses" in error["message"]


def test_a_machine_gets_a_file_of_its_input_artifact_and_its_output_is_an_artifact(
    bench: PipelineBench,
):
    arn = machine(bench, {"Type": "Pass", "End": True})
    bench.create(stage("Run", runs(arn, InputType="FilePath", Input="input.json")))

    execution = bench.start()

    assert bench.ends(execution) == "SUCCEEDED"
    done = bench.actions(execution)["Run"]
    name = f"run-{done['actionExecutionId']}"
    started = done["output"]["outputVariables"]["ExecutionArn"]
    assert started == f"{arn.replace(':stateMachine:', ':execution:')}:{name}"
    assert done["output"]["outputVariables"]["StateMachineArn"] == arn
    assert bench.action_state("Run")["externalExecutionId"] == started
    (out,) = done["output"]["outputArtifacts"]
    assert opened(out["s3location"], "output.json") == {"from": "file"}


def test_a_machine_gets_literal_input(bench: PipelineBench):
    arn = machine(bench, {"Type": "Pass", "End": True})
    bench.create(stage("Run", runs(arn, Input='{"n": "#{Source.ObjectKey}"}')))

    execution = bench.start()

    assert bench.ends(execution) == "SUCCEEDED"
    (out,) = bench.actions(execution)["Run"]["output"]["outputArtifacts"]
    assert opened(out["s3location"], "output.json") == {"n": "in.zip"}


def test_a_machine_that_fails_fails_the_action_with_error_and_cause(bench: PipelineBench):
    arn = machine(bench, {"Type": "Fail", "Error": "QualityGateFailed", "Cause": "rmse too high"})
    bench.create(stage("Run", runs(arn)))

    assert bench.ends(bench.start()) == "FAILED"
    error = bench.action_state("Run")["errorDetails"]
    assert error["code"] == "JobFailed"
    assert "QualityGateFailed" in error["message"]
    assert "rmse too high" in error["message"]


def test_an_aborted_execution_fails_the_action(bench: PipelineBench):
    arn = machine(bench, {"Type": "Wait", "Seconds": 90_000_000, "End": True})
    bench.create(stage("Run", runs(arn)))
    execution = bench.start()
    bench.begins("Run", execution)
    pipelines.running().workers.drain(60)
    running = bench.action_state("Run")["externalExecutionId"]

    client("stepfunctions").stop_execution(executionArn=running, cause="enough")

    assert bench.ends(execution) == "FAILED"
    assert "ABORTED" in bench.action_state("Run")["errorDetails"]["message"]


def test_a_file_that_is_not_in_the_artifact_fails_the_action(bench: PipelineBench):
    arn = machine(bench, {"Type": "Pass", "End": True})
    bench.create(stage("Run", runs(arn, InputType="FilePath", Input="other.json")))

    assert bench.ends(bench.start()) == "FAILED"
    assert "other.json" in bench.action_state("Run")["errorDetails"]["message"]


def test_a_machine_the_role_may_not_start_fails_the_action_by_name(bench: PipelineBench):
    arn = machine(bench, {"Type": "Pass", "End": True}, may_start=False)
    bench.create(stage("Run", runs(arn)))

    assert bench.ends(bench.start()) == "FAILED"
    error = bench.action_state("Run")["errorDetails"]
    assert error["code"] == "PermissionError"
    assert "states:StartExecution" in error["message"]
    assert arn in error["message"]


def test_twenty_executions_of_ten_pipelines_end_and_none_is_lost(
    laptop: LaptopServer, request: pytest.FixtureRequest
):
    benches = [PipelineBench(f"many-{number}") for number in range(10)]
    for made in benches:
        arn = machine(made, {"Type": "Pass", "End": True})
        made.create(stage("Run", runs(arn)), stage("Again", {**runs(arn), **_again()}))

    started = [(made, made.start()) for _ in range(2) for made in benches]

    assert [made.ends(execution) for made, execution in started] == ["SUCCEEDED"] * 20
    for made in benches:
        made.heard.stop()


def _again() -> dict[str, Any]:
    return {"name": "Again", "namespace": "Again", "outputArtifacts": [{"name": "Out2"}]}
