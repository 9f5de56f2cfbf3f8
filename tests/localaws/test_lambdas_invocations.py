"""Invocations: many at once, refused, of a version, asynchronous with retries and dead letters."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import clients
from localaws.lambdas import service as lambdas
from tests.localaws.lambda_world import Laptop, laptop_for_functions, zipped


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    yield from laptop_for_functions(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def function(laptop: Laptop) -> str:
    return laptop.make("plain")


def test_invocations_at_the_same_time_run_in_processes_of_their_own(laptop: Laptop) -> None:
    name = laptop.make("parallel")
    pids: list[int] = []
    threads = [
        threading.Thread(target=lambda: pids.append(laptop.call(name, "sleep", seconds=0.5)))
        for _ in range(3)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(pids)) >= 2
    assert len(pids) == 3


def test_reserved_concurrency_refuses_what_is_beyond(laptop: Laptop) -> None:
    name = laptop.make("reserved")
    laptop.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

    with pytest.raises(ClientError) as caught:
        laptop.call(name, "about")

    assert caught.value.response["Error"]["Code"] == "TooManyRequestsException"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"FunctionName": "absent", "Payload": b"{}"}, "ResourceNotFoundException"),
        ({"FunctionName": "plain", "Payload": b"{not json"}, "InvalidRequestContentException"),
        (
            {"FunctionName": "plain", "Payload": b'"' + b"x" * 6_300_000 + b'"'},
            "RequestTooLargeException",
        ),
        (
            {
                "FunctionName": "plain",
                "InvocationType": "Event",
                "Payload": b'"' + b"x" * 1_100_000 + b'"',
            },
            "RequestTooLargeException",
        ),
        (
            {"FunctionName": "plain", "Qualifier": "7", "Payload": b"{}"},
            "ResourceNotFoundException",
        ),
    ],
)
def test_a_bad_invocation_is_refused(
    laptop: Laptop, function: str, arguments: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        laptop.client.invoke(**arguments)

    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("operation", "arguments", "what"),
    [
        ("update_function_configuration", {"SnapStart": {"ApplyOn": "PublishedVersions"}}, "Snap"),
        ("update_function_configuration", {"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "a VPC"),
        ("create_function_url_config", {"AuthType": "AWS_IAM"}, "CreateFunctionUrlConfig"),
        (
            "put_provisioned_concurrency_config",
            {"Qualifier": "1", "ProvisionedConcurrentExecutions": 1},
            "Provisioned",
        ),
        ("invoke_with_response_stream", {}, "ResponseStream"),
    ],
)
def test_what_would_be_stored_and_do_nothing_is_refused(
    laptop: Laptop, function: str, operation: str, arguments: dict[str, Any], what: str
) -> None:
    with pytest.raises(ClientError, match=what) as caught:
        getattr(laptop.client, operation)(FunctionName=function, **arguments)

    assert caught.value.response["Error"]["Code"] == "UnsupportedByLocalAws"


def test_a_function_of_an_image_is_refused(laptop: Laptop) -> None:
    with pytest.raises(ClientError, match="images"):
        laptop.client.create_function(
            FunctionName="image",
            Role=laptop.role,
            PackageType="Image",
            Code={"ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1"},
        )


def test_a_version_keeps_its_code_and_is_run_by_its_qualifier(laptop: Laptop) -> None:
    name = laptop.make(
        "versioned", "def handler(event, context): return context.function_version\n"
    )
    version = laptop.client.publish_version(FunctionName=name)["Version"]
    laptop.client.update_function_code(
        FunctionName=name, ZipFile=zipped({"app.py": "def handler(event, context): return 'new'\n"})
    )

    def call(**qualifier: str) -> Any:
        answer = laptop.client.invoke(FunctionName=name, Payload=b"{}", **qualifier)
        return json.loads(answer["Payload"].read()), answer["ExecutedVersion"]

    assert call() == ("new", "$LATEST")
    assert call(Qualifier=version) == ("1", "1")


def queue(name: str) -> tuple[str, str]:
    url = clients.developer_client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:123456789012:{name}"


def messages(url: str) -> list[dict[str, Any]]:
    answer = clients.developer_client("sqs").receive_message(
        QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10
    )
    return list(answer.get("Messages", []))


def send(laptop: Laptop, name: str, **event: Any) -> None:
    answer = laptop.client.invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(event)
    )
    assert answer["StatusCode"] == 202
    assert lambdas.drain_events(120)


def test_a_failing_event_is_tried_three_times_and_then_reported(laptop: Laptop) -> None:
    url, arn = queue("failures")
    name = laptop.make("asynchronous")
    laptop.client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )

    send(laptop, name, do="fail", message="never works")

    records = [json.loads(message["Body"]) for message in messages(url)]
    assert len(records) == 1
    context = records[0]["requestContext"]
    assert context["condition"] == "RetriesExhausted"
    assert context["approximateInvokeCount"] == 3
    assert context["functionArn"].endswith(":function:asynchronous:$LATEST")
    assert records[0]["requestPayload"] == {"do": "fail", "message": "never works"}
    assert records[0]["responsePayload"]["errorMessage"] == "never works"


def test_no_more_retries_than_configured_and_the_event_itself_reaches_the_dead_letters(
    laptop: Laptop,
) -> None:
    url, arn = queue("dead-letters")
    name = laptop.make("buried", DeadLetterConfig={"TargetArn": arn})
    laptop.client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=2)
    laptop.client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)

    send(laptop, name, do="fail", message="once")

    found = messages(url)
    assert json.loads(found[0]["Body"]) == {"do": "fail", "message": "once"}
    assert found[0]["MessageAttributes"]["ErrorMessage"]["StringValue"] == "once"
    starts = [line for line in laptop.log_of("/aws/lambda/buried") if line.startswith("START")]
    assert len(starts) == 1


def test_an_event_too_old_is_not_tried_again(laptop: Laptop) -> None:
    url, arn = queue("too-old")
    name = laptop.make("aged")
    laptop.client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )

    send(laptop, name, do="fail")

    record = json.loads(messages(url)[0]["Body"])
    assert record["requestContext"]["condition"] == "EventAgeExceeded"


def test_the_time_that_a_function_takes_ages_an_event_as_it_is(laptop: Laptop) -> None:
    """Only waits pass faster: three tries of 0.3 s and their delays are no ten minutes."""
    url, arn = queue("slow-failures")
    name = laptop.make(
        "slow-failure",
        "import time\ndef handler(event, context):\n    time.sleep(0.3)\n    1 / 0\n",
    )
    laptop.client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumEventAgeInSeconds=600,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )

    send(laptop, name)

    record = json.loads(messages(url)[0]["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"


def test_a_working_event_is_run_once(laptop: Laptop) -> None:
    url, arn = queue("successes")
    name = laptop.make("working")
    laptop.client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": arn}}
    )

    send(laptop, name, do="decimals")

    record = json.loads(messages(url)[0]["Body"])
    assert record["requestContext"]["condition"] == "Success"
    assert record["requestContext"]["approximateInvokeCount"] == 1
