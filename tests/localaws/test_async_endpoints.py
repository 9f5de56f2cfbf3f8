"""Asynchronous inference: payload and answer in S3, failures beside them, messages about both."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import clients
from tests.localaws.sagemaker_world import (
    ACCOUNT,
    BUCKET,
    FACTOR,
    REGION,
    World,
    comes_true,
    laptop,
)

VARIANT = {
    "VariantName": "AllTraffic",
    "ModelName": "times-2",
    "InitialInstanceCount": 1,
    "InstanceType": "ml.m5.large",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with laptop(tmp_path_factory.mktemp("state")) as served:
        served.model("times-2", {"code/inference.py": FACTOR, "factor.txt": "2"})
        served.config("real-time", "times-2")
        served.endpoint("real-time", "real-time")
        served.sagemaker.create_endpoint_config(
            EndpointConfigName="later",
            ProductionVariants=[VARIANT],
            AsyncInferenceConfig={
                "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 2},
                "OutputConfig": {
                    "S3OutputPath": f"s3://{BUCKET}/out/",
                    "S3FailurePath": f"s3://{BUCKET}/failed",
                    "NotificationConfig": {
                        "SuccessTopic": topic("good"),
                        "ErrorTopic": topic("bad"),
                    },
                },
            },
        )
        assert served.endpoint("later", "later")["EndpointStatus"] == "InService"
        yield served


def topic(name: str) -> str:
    """A topic whose messages lie in a queue of the same name; its ARN."""
    sns, sqs = clients.developer_client("sns"), clients.developer_client("sqs")
    arn: str = sns.create_topic(Name=name)["TopicArn"]
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
        },
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
    return arn


def message(name: str, inference_id: str) -> dict[str, Any]:
    """The message about one request, from the queue of a topic."""
    sqs = clients.developer_client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        for received in sqs.receive_message(QueueUrl=url).get("Messages", []):
            told = json.loads(json.loads(received["Body"])["Message"])
            if told["inferenceId"] == inference_id:
                found.append(told)
        return bool(found)

    assert comes_true(is_there)
    return found[0]


def ask(world: World, location: str, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = world.runtime.invoke_endpoint_async(
        EndpointName="later",
        InputLocation=location,
        ContentType="text/csv",
        Accept="text/csv",
        **changes,
    )
    return answer


def key_of(location: str) -> str:
    return location.removeprefix(f"s3://{BUCKET}/")


def test_the_answer_to_a_payload_in_s3_is_in_s3(world: World) -> None:
    source = world.put("in/one.csv", "1\n2\n")
    accepted = ask(world, source, InferenceId="the-first")
    assert accepted["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert accepted["InferenceId"] == "the-first"
    output = accepted["OutputLocation"]
    assert output.startswith(f"s3://{BUCKET}/out/")
    assert output.endswith(".out")
    assert comes_true(lambda: world.keys(key_of(output)) != [])
    assert world.get(key_of(output)) == b"2.0\n4.0\n"
    told = message("good", "the-first")
    assert told["invocationStatus"] == "Completed"
    assert told["requestParameters"]["inputLocation"] == source
    assert told["responseParameters"]["outputLocation"] == output


def test_an_error_of_the_model_is_beside_the_failures(world: World) -> None:
    accepted = ask(world, world.put("in/bad.csv", "one\n"), InferenceId="the-bad")
    failure = accepted["FailureLocation"]
    assert failure.startswith(f"s3://{BUCKET}/failed/")
    assert comes_true(lambda: world.keys(key_of(failure)) != [])
    assert b"could not convert string to float: 'one'" in world.get(key_of(failure))
    assert world.keys(key_of(accepted["OutputLocation"])) == []
    told = message("bad", "the-bad")
    assert told["invocationStatus"] == "Failed"
    assert "Received server error (500) from primary" in told["failureReason"]


def test_a_payload_that_is_not_there_fails(world: World) -> None:
    ask(world, f"s3://{BUCKET}/in/nothing.csv", InferenceId="the-absent")
    assert "NoSuchKey" in message("bad", "the-absent")["failureReason"]


def test_each_kind_of_endpoint_takes_only_its_own_requests(world: World) -> None:
    with pytest.raises(ClientError, match="later is asynchronous; call InvokeEndpointAsync"):
        world.invoke("later", "1\n")
    with pytest.raises(ClientError, match="real-time is not asynchronous"):
        world.runtime.invoke_endpoint_async(
            EndpointName="real-time", InputLocation=f"s3://{BUCKET}/in/one.csv"
        )
    with pytest.raises(ClientError, match="s3://bucket/key"):
        ask(world, "https://example.com/one.csv")


def test_an_asynchronous_endpoint_says_so(world: World) -> None:
    described = world.sagemaker.describe_endpoint(EndpointName="later")
    output = described["AsyncInferenceConfig"]["OutputConfig"]
    assert output["S3OutputPath"] == f"s3://{BUCKET}/out/"
