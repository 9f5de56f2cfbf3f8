"""How tasks call AWS: as whom, in which letter case, and how refusals are named."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.machines import errors as machine_errors
from tests.localaws import machine_bench as bench

pytestmark = pytest.mark.usefixtures("laptop")


def task(resource: str, **parameters: Any) -> dict[str, Any]:
    return bench.one_state(
        Type="Task", Resource=f"arn:aws:states:::{resource}", Parameters=parameters
    )


def test_a_task_calls_as_the_machines_role() -> None:
    role = bench.make_role()

    execution = bench.start(bench.make_machine(task("aws-sdk:sts:getCallerIdentity"), role))

    name = role.rpartition("/")[2]
    caller = json.loads(bench.ended(execution)["output"])
    assert caller["Arn"].startswith(f"arn:aws:sts::{bench.ACCOUNT}:assumed-role/{name}/")


def test_lower_case_members_are_written_and_read_in_pascal_case() -> None:
    logs = task("aws-sdk:cloudwatchlogs:createLogGroup", LogGroupName="/made/by-a-task")
    bench.output_of(logs)

    found = bench.output_of(
        task("aws-sdk:cloudwatchlogs:describeLogGroups", LogGroupNamePrefix="/made")
    )

    assert [group["LogGroupName"] for group in found["LogGroups"]] == ["/made/by-a-task"]


def test_dates_and_bodies_of_an_sdk_result_are_plain_json() -> None:
    s3 = bench.client("s3")
    s3.create_bucket(Bucket="plain")
    stored = {"Bucket": "plain", "Key": "k", "Body": {"a": [1]}}
    bench.output_of(task("aws-sdk:s3:putObject", **stored))

    got = bench.output_of(task("aws-sdk:s3:getObject", Bucket="plain", Key="k"))

    assert got["Body"] == '{"a":[1]}'
    assert datetime.fromisoformat(got["LastModified"]).tzinfo == UTC
    assert got["LastModified"].endswith("Z")


def test_keys_of_maps_keep_their_case() -> None:
    queue = bench.client("sqs").create_queue(QueueName="cases")["QueueUrl"]
    tags = {"lower": "1", "Upper": "2"}
    bench.output_of(task("aws-sdk:sqs:tagQueue", QueueUrl=queue, Tags=tags))

    read = bench.output_of(task("aws-sdk:sqs:listQueueTags", QueueUrl=queue))

    assert read["Tags"] == tags


NAMES = [
    ("aws-sdk", "ssm", "ParameterNotFound", True, "Ssm.ParameterNotFoundException"),
    ("aws-sdk", "s3", "NoSuchKey", True, "S3.NoSuchKeyException"),
    ("aws-sdk", "sagemaker", "AccessDeniedException", False, "SageMaker.SageMakerException"),
    ("aws-sdk", "sfn", "ExecutionDoesNotExist", True, "Sfn.ExecutionDoesNotExistException"),
    ("sagemaker", "sagemaker", "ResourceInUse", True, "SageMaker.ResourceInUseException"),
    (
        "sagemaker",
        "sagemaker",
        "AccessDeniedException",
        False,
        "SageMaker.AmazonSageMakerException",
    ),
    ("lambda", "lambda", "AccessDeniedException", False, "Lambda.AWSLambdaException"),
    ("lambda", "lambda", "ResourceNotFoundException", True, "Lambda.ResourceNotFoundException"),
    (
        "states",
        "states",
        "ExecutionAlreadyExists",
        True,
        "StepFunctions.ExecutionAlreadyExistsException",
    ),
]


@pytest.mark.parametrize(("service", "api", "code", "modelled", "expected"), NAMES)
def test_error_has_the_name_of_awss_sdk(
    service: str, api: str, code: str, modelled: bool, expected: str
) -> None:
    assert machine_errors.error_name(service, api, code, modelled=modelled) == expected


def test_missing_function_fails_the_task_by_name() -> None:
    function = f"arn:aws:lambda:{bench.REGION}:{bench.ACCOUNT}:function:none"

    plain = bench.run(bench.one_state(Type="Task", Resource=function))
    invoked = bench.run(task("lambda:invoke", FunctionName=function, Payload={}))

    assert plain["error"] == "Lambda.ResourceNotFoundException"
    assert invoked["error"] == "Lambda.ResourceNotFoundException"
    assert "Service: AWSLambda" in invoked["cause"]


def test_call_with_wrong_types_fails_its_state_and_no_other() -> None:
    description = bench.run(task("aws-sdk:ssm:getParametersByPath", Path="/a", MaxResults="many"))

    assert description["error"] == "States.Runtime"
    assert "MaxResults" in description["cause"]


def test_messages_and_events_are_sent_with_documents_as_strings() -> None:
    queue = bench.client("sqs").create_queue(QueueName="sent")["QueueUrl"]
    topic = bench.client("sns").create_topic(Name="told")["TopicArn"]

    sent = bench.output_of(task("sqs:sendMessage", QueueUrl=queue, MessageBody={"a": 1}))
    told = bench.output_of(task("sns:publish", TopicArn=topic, Message={"a": 1}))
    put = bench.output_of(
        task("events:putEvents", Entries=[{"Source": "me", "DetailType": "t", "Detail": {"a": 1}}])
    )

    message = bench.client("sqs").receive_message(QueueUrl=queue)["Messages"][0]
    assert json.loads(message["Body"]) == {"a": 1}
    assert sent["MessageId"] == message["MessageId"]
    assert told["MessageId"]
    assert put["FailedEntryCount"] == 0


def child_machine(**state: Any) -> str:
    return bench.make_machine(bench.one_state(**state))


CHILDREN = [("", None), (".sync", '{"k":1}'), (".sync:2", {"k": 1})]


@pytest.mark.parametrize(("pattern", "output"), CHILDREN)
def test_machine_starts_another_and_waits_as_its_pattern_says(pattern: str, output: Any) -> None:
    child = child_machine(Type="Pass", Result={"k": 1})

    result = bench.output_of(
        task(f"states:startExecution{pattern}", StateMachineArn=child, Input={"a": 1})
    )

    assert result["ExecutionArn"].startswith(child.replace(":stateMachine:", ":execution:"))
    assert result.get("Output") == output
    assert isinstance(result["StartDate"], int)


def test_failed_child_fails_its_parent_with_the_childs_description() -> None:
    child = child_machine(Type="Pass", InputPath="$.none")

    description = bench.run(task("states:startExecution.sync:2", StateMachineArn=child, Input={}))

    assert description["error"] == "States.TaskFailed"
    assert json.loads(description["cause"])["Status"] == "FAILED"


def test_stopped_parent_stops_its_child() -> None:
    child = child_machine(Type="Wait", Seconds=10**8)
    parent = bench.start(
        bench.make_machine(task("states:startExecution.sync", StateMachineArn=child))
    )
    states = bench.client("stepfunctions")
    bench.until(lambda: bool(states.list_executions(stateMachineArn=child)["executions"]))

    states.stop_execution(executionArn=parent)

    listed = states.list_executions(stateMachineArn=child)["executions"]
    assert bench.ended(listed[0]["executionArn"])["status"] == "ABORTED"


def test_role_that_step_functions_may_not_assume_is_refused_at_creation() -> None:
    with pytest.raises(ClientError) as caught:
        bench.make_machine(
            task("aws-sdk:sts:getCallerIdentity"), f"arn:aws:iam::{bench.ACCOUNT}:role/none"
        )

    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
