"""Functions run as on Lambda: alone, with their own environment, role, limits and log."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws import clients
from localaws.lambdas import service as lambdas
from tests.localaws.lambda_world import TRUST, Laptop, laptop_for_functions, zipped


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    yield from laptop_for_functions(tmp_path_factory.mktemp("state"))


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
    assert not any("localaws/lambdas" in frame for frame in trace)


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
