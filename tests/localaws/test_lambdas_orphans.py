"""No function outlives the laptop's AWS, however that ends."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3

from tests.localaws.lambda_world import TRUST, zipped
from tests.localaws.processes import runs
from tests.localaws.sagemaker_world import comes_true

APP = "import os\ndef handler(event, context): return [os.getpid(), os.environ['HOME']]\n"


def started(folder: Path) -> tuple["subprocess.Popen[str]", boto3.Session, str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "localaws", "--port", "0", "--state-dir", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    url = json.loads(server.stdout.readline())["url"]
    session = boto3.Session(
        aws_access_key_id="AKIALAPTOPDEVELOPER0",
        aws_secret_access_key="laptop-developer-secret",
        region_name="us-east-1",
    )
    return server, session, url


def called(session: Any, url: str, layers: dict[str, str]) -> tuple[int, str]:
    role = session.client("iam", endpoint_url=url).create_role(
        RoleName="f", AssumeRolePolicyDocument=json.dumps(TRUST)
    )["Role"]["Arn"]
    client = session.client("lambda", endpoint_url=url)
    layer = client.publish_layer_version(LayerName="l", Content={"ZipFile": zipped(layers)})
    client.create_function(
        FunctionName="f",
        Role=role,
        Runtime="python3.13",
        Handler="app.handler",
        Code={"ZipFile": zipped({"app.py": APP})},
        Layers=[layer["LayerVersionArn"]],
    )
    answer = client.invoke(FunctionName="f", Payload=b"{}")
    pid, home = json.loads(answer["Payload"].read())
    return pid, home


def test_a_killed_laptop_leaves_neither_processes_nor_folders(tmp_path: Path) -> None:
    server, session, url = started(tmp_path)
    with server:
        try:
            pid, home = called(session, url, {"python/boto3/__init__.py": ""})
            assert Path(home).exists()
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait()

    assert comes_true(lambda: not runs(pid))
    assert not Path(home).exists()
