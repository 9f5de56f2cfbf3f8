"""No function outlives the laptop's AWS, however that ends."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import boto3

APP = "import os\ndef handler(event, context): return [os.getpid(), os.environ['HOME']]\n"
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


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False  # just gone, or not Linux: who asks looks again


def gone(pid: int) -> bool:
    """A process that has ended but that nobody has waited for is gone as well."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if is_zombie(pid):
            return True
        time.sleep(0.01)
    return False


def test_a_killed_laptop_leaves_neither_processes_nor_folders(tmp_path: Path) -> None:
    server, session, url = started(tmp_path)
    with server:
        try:
            pid, home = called(session, url, {"python/boto3/__init__.py": ""})
            assert Path(home).exists()
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait()

    assert gone(pid)
    assert not Path(home).exists()
