"""Functions run as on Lambda: alone, with their own environment, role, limits and log."""

import base64
import io
import json
import os
import signal
import sys
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import clients, lambdas
from localaws.lambda_nursery import Nurseries
from localaws.server import Config, LaptopServer

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
APP = """
import datetime, decimal, logging, os, signal, sys, time

logging.getLogger().setLevel("INFO")
CALLS = []

def handler(event, context):
    return globals()[event["do"]](event, context)

def environment(event, context):
    return dict(os.environ)

def paths(event, context):
    return [path for path in sys.path if "python3" not in path and "python31" not in path]

def importable(event, context):
    import importlib.util
    return [name for name in event["names"] if importlib.util.find_spec(name)]

def about(event, context):
    CALLS.append(1)
    return {
        "calls": len(CALLS), "pid": os.getpid(), "arn": context.invoked_function_arn,
        "name": context.function_name, "version": context.function_version,
        "memory": context.memory_limit_in_mb, "left": context.get_remaining_time_in_millis(),
        "stream": context.log_stream_name, "group": context.log_group_name,
    }

def fail(event, context):
    raise ValueError(event.get("message", "boom"))

def leave(event, context):
    print("last words")
    sys.exit(event["code"])

def die(event, context):
    os.kill(os.getpid(), signal.SIGKILL)

def sleep(event, context):
    time.sleep(event["seconds"])
    return os.getpid()

def unmarshallable(event, context):
    return datetime.datetime(2026, 1, 1)

def decimals(event, context):
    return {"a": decimal.Decimal("1.5"), "b": "grüße"}

def talk(event, context):
    print("printed line")
    logging.info("logged line")
    print("to stderr", file=sys.stderr)

def big(event, context):
    return "x" * event["size"]

def write_temporary(event, context):
    import tempfile
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"1")
    return file.name
"""


def zipped(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


class Laptop:
    """The laptop's AWS with one role, and functions made by a test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = clients.developer_client("lambda")
        iam = clients.developer_client("iam")
        created = iam.create_role(RoleName="f", AssumeRolePolicyDocument=json.dumps(TRUST))
        self.role = created["Role"]["Arn"]
        iam.put_role_policy(
            RoleName="f", PolicyName="everything", PolicyDocument=json.dumps(EVERYTHING)
        )

    def make(self, name: str, app: str = APP, **settings: Any) -> str:
        self.client.create_function(
            **{
                "FunctionName": name,
                "Role": self.role,
                "Runtime": "python3.13",
                "Handler": "app.handler",
                "Code": {"ZipFile": zipped({"app.py": app})},
                "Timeout": 20,
                **settings,
            }
        )
        return name

    def call(self, name: str, do: str, **event: Any) -> Any:
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps({"do": do, **event}))
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def failure(self, name: str, do: str, **event: Any) -> dict[str, Any]:
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps({"do": do, **event}))
        assert answer["FunctionError"] == "Unhandled"
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        return payload

    def log_of(self, group: str) -> list[str]:
        lambdas.flush_logs()
        logs = clients.developer_client("logs")
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        pages = [
            logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )
            for stream in streams
        ]
        return [event["message"] for page in pages for event in page["events"]]


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    folder = tmp_path_factory.mktemp("state")
    with LaptopServer(Config(port=0, state_dir=folder, time_scale=6000)) as server:
        yield Laptop(server.url)


@pytest.fixture(scope="module")
def function(laptop: Laptop) -> str:
    return laptop.make(
        "plain", Environment={"Variables": {"COLOUR": "blue", "AWS_REGION": "mars-1"}}
    )


def test_a_function_gets_its_own_environment_and_nothing_of_the_server(
    laptop: Laptop, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "1")
    lambdas.retire_idle()

    found = laptop.call(function, "environment")

    assert found["COLOUR"] == "blue"
    assert found["AWS_REGION"] == "us-east-1"
    assert found["AWS_LAMBDA_FUNCTION_NAME"] == "plain"
    assert found["_HANDLER"] == "app.handler"
    assert found["AWS_ENDPOINT_URL"] == laptop.url
    assert found["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert "SECRET_OF_THE_SERVER" not in found
    assert "VIRTUAL_ENV" not in found


def test_a_function_can_import_its_code_and_the_standard_library_only(
    laptop: Laptop, function: str
) -> None:
    names = ["json", "app", "boto3", "pytest", "localaws", "moto"]

    assert laptop.call(function, "importable", names=names) == ["json", "app"]
    assert len(laptop.call(function, "paths")) == 1


def test_a_function_acts_as_its_role(laptop: Laptop, function: str) -> None:
    environment = laptop.call(function, "environment")
    sts = clients.new_client(
        "sts",
        "us-east-1",
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        environment["AWS_SESSION_TOKEN"],
    )

    arn = sts.get_caller_identity()["Arn"]

    assert arn == "arn:aws:sts::123456789012:assumed-role/f/plain"


def test_the_context_tells_about_the_invocation(laptop: Laptop, function: str) -> None:
    about = laptop.call(function, "about")

    assert about["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:plain"
    assert (about["name"], about["version"], about["memory"]) == ("plain", "$LATEST", "128")
    assert 0 < about["left"] <= 20_000
    assert about["group"] == "/aws/lambda/plain"
    assert "[$LATEST]" in about["stream"]


def test_a_warm_process_is_used_again(laptop: Laptop, function: str) -> None:
    first, second = laptop.call(function, "about"), laptop.call(function, "about")

    assert second["pid"] == first["pid"]
    assert second["calls"] == first["calls"] + 1


def test_a_changed_function_starts_anew(laptop: Laptop) -> None:
    name = laptop.make("changing", Environment={"Variables": {"A": "1"}})
    before = laptop.call(name, "about")["pid"]

    laptop.client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"A": "2"}}
    )

    assert laptop.call(name, "about")["pid"] != before
    assert laptop.call(name, "environment")["A"] == "2"
    laptop.client.update_function_code(
        FunctionName=name, ZipFile=zipped({"app.py": "def handler(event, context): return 7\n"})
    )
    assert laptop.call(name, "") == 7


@pytest.mark.parametrize(
    ("do", "event", "expected"),
    [
        ("fail", {"message": "bad day"}, ("ValueError", "bad day")),
        ("leave", {"code": 3}, ("Runtime.ExitError", "exited with error: exit status 3")),
        ("leave", {"code": 0}, ("Runtime.ExitError", "exited without providing a reason")),
        ("die", {}, ("Runtime.ExitError", "exited with error: signal: killed")),
        (
            "unmarshallable",
            {},
            (
                "Runtime.MarshalError",
                "Unable to marshal response: Object of type datetime is not JSON serializable",
            ),
        ),
        ("big", {"size": 6_291_600}, ("Function.ResponseSizeTooLarge", "exceeded maximum")),
    ],
)
def test_a_failure_is_described_as_lambda_describes_it(
    laptop: Laptop, function: str, do: str, event: dict[str, Any], expected: tuple[str, str]
) -> None:
    failure = laptop.failure(function, do, **event)

    assert failure["errorType"] == expected[0]
    assert expected[1] in failure["errorMessage"]
    assert laptop.call(function, "about")["calls"] >= 1


def test_a_raised_error_carries_the_handlers_own_frames(laptop: Laptop, function: str) -> None:
    trace = laptop.failure(function, "fail")["stackTrace"]

    assert len(trace) == 2
    assert "in fail" in trace[1]
    assert not any("lambda_bootstrap" in frame for frame in trace)


@pytest.mark.parametrize(
    ("app", "handler", "kind", "message"),
    [
        (
            "import nowhere",
            "app.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nowhere'",
        ),
        ("x = 1", "other.handler", "Runtime.ImportModuleError", "No module named 'other'"),
        (
            "x = 1",
            "app.handler",
            "Runtime.HandlerNotFound",
            "Handler 'handler' missing on module 'app'",
        ),
        ("def (:", "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("x = 1", "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler'"),
        ("raise KeyError('STAGE')", "app.handler", "KeyError", "'STAGE'"),
    ],
)
def test_a_handler_that_cannot_be_had_is_told_by_each_invocation(
    laptop: Laptop, app: str, handler: str, kind: str, message: str
) -> None:
    name = laptop.make(f"init-{abs(hash(app + handler))}", app, Handler=handler)

    for _ in range(2):
        failure = laptop.failure(name, "anything")
        assert failure["errorType"] == kind
        assert message in failure["errorMessage"]


def test_a_function_is_stopped_at_its_time_limit(laptop: Laptop) -> None:
    name = laptop.make("slow", Timeout=1)
    pid = laptop.call(name, "about")["pid"]

    failure = laptop.failure(name, "sleep", seconds=30)

    assert failure["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in failure["errorMessage"]
    assert not Path(f"/proc/{pid}").exists()
    assert laptop.call(name, "about")["pid"] != pid
    assert any(
        "Task timed out after 1.00 seconds" in line for line in laptop.log_of("/aws/lambda/slow")
    )


@pytest.mark.slow
def test_an_init_phase_that_never_ends_is_given_up(laptop: Laptop) -> None:
    """After ten seconds and the function's own limit, real ones both."""
    name = laptop.make("stuck", "import time\nprint('begun')\ntime.sleep(600)\n", Timeout=1)

    failure = laptop.failure(name, "about")

    assert "Task timed out after 11.00 seconds" in failure["errorMessage"]


def test_decimals_and_umlauts_come_back(laptop: Laptop, function: str) -> None:
    assert laptop.call(function, "decimals") == {"a": 1.5, "b": "grüße"}


def test_the_log_is_framed_and_goes_to_the_configured_group(laptop: Laptop) -> None:
    name = laptop.make("talker", LoggingConfig={"LogFormat": "Text", "LogGroup": "/own/group"})
    laptop.call(name, "talk")

    lines = laptop.log_of("/own/group")

    assert lines[0].startswith("INIT_START Runtime Version: python3.13")
    assert lines[1].startswith("START RequestId: ")
    assert lines[2] == "printed line"
    assert lines[3].startswith("[INFO]\t")
    assert lines[3].endswith("\tlogged line")
    assert lines[4] == "to stderr"
    assert lines[5].startswith("END RequestId: ")
    assert "Billed Duration: " in lines[6]
    assert "Init Duration: " in lines[6]


def test_a_json_log_holds_json_lines(laptop: Laptop) -> None:
    settings = {
        "LogFormat": "JSON",
        "LogGroup": "/json/group",
        "ApplicationLogLevel": "WARN",
    }
    name = laptop.make("jsoned", LoggingConfig=settings)
    laptop.call(name, "talk")
    laptop.failure(name, "fail")

    lines = [json.loads(line) for line in laptop.log_of("/json/group") if line.startswith("{")]

    kinds = [line.get("type") for line in lines if "type" in line]
    assert kinds == ["platform.start", "platform.report"] * 2
    assert any(line.get("errorType") == "ValueError" for line in lines)
    described = laptop.client.get_function_configuration(FunctionName=name)["LoggingConfig"]
    assert described == settings


def test_the_tail_of_the_log_comes_with_the_answer(laptop: Laptop, function: str) -> None:
    answer = laptop.client.invoke(
        FunctionName=function, LogType="Tail", Payload=b'{"do": "leave", "code": 1}'
    )

    tail = base64.b64decode(answer["LogResult"]).decode()
    assert "last words" in tail
    assert "Runtime exited with error: exit status 1" in tail


def test_a_role_that_may_not_write_logs_has_no_log_but_runs(laptop: Laptop) -> None:
    iam = clients.developer_client("iam")
    iam.create_role(RoleName="mute", AssumeRolePolicyDocument=json.dumps(TRUST))
    arn = iam.get_role(RoleName="mute")["Role"]["Arn"]
    name = laptop.make("mute", Role=arn)

    assert laptop.call(name, "about")["calls"] == 1


def layer(laptop: Laptop, name: str, files: Mapping[str, str]) -> str:
    published = laptop.client.publish_layer_version(
        LayerName=name, Content={"ZipFile": zipped(files)}
    )
    return str(published["LayerVersionArn"])


def test_layers_are_importable_and_the_last_one_wins(laptop: Laptop) -> None:
    app = (
        "import shared, only_first\ndef handler(event, context): return [shared.A, only_first.B]\n"
    )
    first = layer(
        laptop, "first", {"python/shared.py": "A = 'first'", "python/only_first.py": "B = 1"}
    )
    second = layer(laptop, "second", {"python/shared.py": "A = 'second'"})

    name = laptop.make("layered", app, Layers=[first, second])

    assert laptop.call(name, "") == ["second", 1]


SHARED = {
    "python/boto3/__init__.py": "import os\nIMPORTED_BY = os.getpid()\n",
    "python/pydantic/__init__.py": "WHERE = 'layer'\n",
    "python/own/__init__.py": "import os\nSTAGE = os.environ['STAGE']\n",
}
SHARING = """
import os, sys
import boto3, own, pydantic

def handler(event, context):
    if event.get("do") == "leave":
        print("last words")
        sys.exit(4)
    return {
        "forked": boto3.IMPORTED_BY != os.getpid(), "stage": own.STAGE, "pydantic": pydantic.WHERE,
        "name": context.function_name, "home": os.environ["HOME"], "session": os.getsid(0),
        "pid": os.getpid(), "environment": sorted(os.environ), "cwd": os.getcwd(),
    }
"""
forking = pytest.mark.skipif(sys.platform != "linux", reason="functions are forked on Linux only")


@pytest.fixture(scope="module")
def shared_layer(laptop: Laptop) -> str:
    return layer(laptop, "sharing", SHARED)


def sharing(laptop: Laptop, name: str, layer_arn: str, **variables: str) -> str:
    return laptop.make(
        name, SHARING, Layers=[layer_arn], Environment={"Variables": {"STAGE": name, **variables}}
    )


@forking
def test_functions_with_the_same_layers_share_imports_but_nothing_of_their_own(
    laptop: Laptop, shared_layer: str
) -> None:
    names = [sharing(laptop, name, shared_layer) for name in ("red", "green")]

    found = [laptop.call(name, "") for name in names]

    assert [item["forked"] for item in found] == [True, True]
    assert [item["stage"] for item in found] == names
    assert [item["name"] for item in found] == names
    assert found[0]["home"] != found[1]["home"]
    assert all(item["session"] == item["pid"] for item in found)
    assert found[0]["environment"] == found[1]["environment"]
    assert "/functions/" in found[0]["cwd"]


@forking
def test_a_forked_function_sees_the_variables_of_one_that_starts_alone(
    laptop: Laptop, shared_layer: str
) -> None:
    forked = laptop.call(sharing(laptop, "forked", shared_layer), "")
    alone = laptop.call(sharing(laptop, "alone", shared_layer, POWERTOOLS_DEV="1"), "")

    assert forked["forked"]
    assert not alone["forked"]
    assert set(alone["environment"]) - set(forked["environment"]) == {"POWERTOOLS_DEV"}


@forking
def test_code_of_the_function_hides_what_the_layer_brought(
    laptop: Laptop, shared_layer: str
) -> None:
    files = {"app.py": SHARING, "pydantic.py": "WHERE = 'function'"}
    name = laptop.make(
        "hiding",
        Code={"ZipFile": zipped(files)},
        Layers=[shared_layer],
        Environment={"Variables": {"STAGE": "x"}},
    )

    assert laptop.call(name, "")["pydantic"] == "function"


@forking
def test_a_forked_function_that_exits_is_described_and_replaced(
    laptop: Laptop, shared_layer: str
) -> None:
    name = sharing(laptop, "leaving", shared_layer)
    first = laptop.call(name, "")["pid"]

    failure = laptop.failure(name, "leave")

    assert failure["errorType"] == "Runtime.ExitError"
    assert "exit status 4" in failure["errorMessage"]
    assert "last words" in laptop.log_of("/aws/lambda/leaving")
    assert laptop.call(name, "")["pid"] != first


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
        (
            "create_alias",
            {
                "Name": "half",
                "FunctionVersion": "$LATEST",
                "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}},
            },
            "weighted aliases",
        ),
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
    assert lambdas.drain_events(20)


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


def test_temporary_files_go_with_their_process(laptop: Laptop) -> None:
    name = laptop.make("scratch")
    path = Path(laptop.call(name, "write_temporary"))
    assert path.exists()

    lambdas.retire_idle()

    assert not path.exists()


def test_what_forks_functions_ends_when_nobody_asks_and_is_made_again() -> None:
    nurseries = Nurseries()
    try:
        first = nurseries.of([])
        nurseries.retire_idle(60.0)
        assert nurseries.process_ids() == [first.pid]

        nurseries.retire_idle(0.0)

        assert nurseries.process_ids() == []
        assert not first.alive
        assert nurseries.of([]).alive
    finally:
        nurseries.close()


def test_the_processes_of_a_function_are_told_apart_by_whether_they_answer(laptop: Laptop) -> None:
    laptop.make("told")
    laptop.call("told", "about")
    laptop.call("told", "about")
    (arn,) = [one for one in lambdas.processes() if one.endswith(":told")]

    first = lambdas.processes()[arn]
    os.kill(first["idle"][0], signal.SIGKILL)
    laptop.call("told", "about")
    second = lambdas.processes()[arn]

    assert [len(first[state]) for state in ("busy", "idle")] == [0, 1]
    assert [len(second[state]) for state in ("busy", "idle")] == [0, 1]
    assert first["idle"] != second["idle"]


def test_a_stopped_laptop_leaves_no_process(tmp_path: Path, laptop: Laptop) -> None:
    """The module's own server is replaced: this must be the file's last test."""
    laptop.make("left")
    laptop.call("left", "about")
    pids = lambdas.process_ids()
    assert pids

    lambdas.shutdown()

    deadline = time.monotonic() + 5
    while any(_lives(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(_lives(pid) for pid in pids)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
