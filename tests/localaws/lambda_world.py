"""One role, functions that do what they are told, and a laptop to run them."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from localaws import clients
from localaws.lambdas import service as lambdas
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


def laptop_for_functions(folder: Path) -> Iterator[Laptop]:
    """A laptop's AWS whose clock is fast: what a module's `laptop` yields."""
    with LaptopServer(Config(port=0, state_dir=folder, time_scale=6000)) as server:
        yield Laptop(server.url)
