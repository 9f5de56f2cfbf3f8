"""Load: the laptop's endpoint, at rest and while it is updated, beside uvicorn and gunicorn.

All serve the same model with the same script, with as many processes that predict, and are asked
by the same client with requests made beforehand; the laptop's are signed and each one is
authenticated, decided by IAM and recorded. Answers are compared with the script's own.
"""

import base64
import json
import os
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from benchmarks.by_hand import run_scripts
from benchmarks.footprint import REPOSITORY
from benchmarks.report import Report
from localaws.context import ACCOUNT_ID, DEVELOPER_KEY_ID, DEVELOPER_SECRET, REGION
from signalbox_cli.sample_data import export

WORKLOAD = REPOSITORY / "workloads" / "diabetes"
_SECONDS, _CONNECTIONS, _REQUESTS, _ROUNDS = 4.0, 8, 64, 3
_HEADERS = {"Content-Type": "text/csv", "Accept": "text/csv"}
_IMAGE = f"683313688378.dkr.ecr.{REGION}.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"


@dataclass(frozen=True)
class Outcome:
    """What one drive measured."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int
    errors: list[str]


@dataclass(frozen=True)
class Served:
    """A server that is ready: where, and what to send it."""

    port: int
    requests: list[bytes]


def bench(report: Report, instances: int = 1) -> None:
    """All servers in turn, some rounds; then the endpoint while it is updated."""
    with tempfile.TemporaryDirectory() as name:
        bodies, answers, model = _prepare(Path(name))
        measured: dict[str, list[Outcome]] = {}
        with (
            _uvicorn(model, bodies, instances) as uvicorn,
            _gunicorn(model, bodies, instances) as gunicorn,
            _endpoint(Path(name), model, bodies, instances) as (endpoint, sagemaker),
        ):
            servers = {"endpoint": endpoint, "uvicorn": uvicorn, "gunicorn + flask": gunicorn}
            for _ in range(_ROUNDS):
                for label, served in servers.items():
                    measured.setdefault(label, []).append(_drive(served, answers))
            during = _while_updated(sagemaker, lambda: _drive(endpoint, answers))
    _report(report, measured, during, instances)


def _prepare(folder: Path) -> tuple[list[bytes], list[bytes], Path]:
    """Bodies of one row each, the script's own answers to them, and the model's folder."""
    sample = export("diabetes", folder / "sample")
    (folder / "source").mkdir()
    os.link(sample.source, folder / "source" / "data.csv")
    run_scripts(WORKLOAD, folder / "source", folder / "hand")
    model = folder / "hand" / "model"
    rows = [line.encode() for line in sample.inference.read_text().splitlines()[:_REQUESTS]]
    os.environ |= {"BENCH_CODE": str(WORKLOAD), "BENCH_MODEL": str(model)}
    from benchmarks.load_servers import predict

    return rows, [predict(row, "text/csv", "text/csv")[0] for row in rows], model


def _message(path: str, host: str, headers: dict[str, str], body: bytes) -> bytes:
    stated = {"Host": host, "Content-Length": str(len(body)), **headers}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in stated.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _process(command: list[str], port: int, model: Path) -> Iterator[None]:
    variables = {"BENCH_CODE": str(WORKLOAD), "BENCH_MODEL": str(model), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=REPOSITORY,
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # as the laptop's model servers: Linux shares cores by session
    ) as started:
        try:
            _await(port, started)
            yield
        finally:
            started.terminate()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            time.sleep(1.0)
            return
    raise RuntimeError(f"the server on port {port} did not start")


@contextmanager
def _uvicorn(model: Path, bodies: list[bytes], workers: int) -> Iterator[Served]:
    port = _free_port()
    with _process(["benchmarks.load_uvicorn", str(port), str(workers)], port, model):
        yield Served(port, _plain(port, bodies))


@contextmanager
def _gunicorn(model: Path, bodies: list[bytes], workers: int) -> Iterator[Served]:
    port = _free_port()
    # Threads keep connections open; gunicorn's default worker closes each one, which is slower.
    command = ["gunicorn", "benchmarks.load_servers:wsgi()", "--bind", f"127.0.0.1:{port}"]
    with _process([*command, "--workers", str(workers), "--threads", "8"], port, model):
        yield Served(port, _plain(port, bodies))


def _plain(port: int, bodies: list[bytes]) -> list[bytes]:
    host = f"127.0.0.1:{port}"
    return [_message("/invocations", host, _HEADERS, body) for body in bodies]


@contextmanager
def _endpoint(
    folder: Path, model: Path, bodies: list[bytes], instances: int
) -> Iterator[tuple[Served, Any]]:
    command = [sys.executable, "-m", "localaws", "--port", "0", "--state-dir", str(folder / "aws")]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, start_new_session=True
    ) as started:
        try:
            assert started.stdout is not None
            url = json.loads(started.stdout.readline())["url"]
            sagemaker = _deploy(url, model, instances)
            port = int(url.rpartition(":")[2])
            yield Served(port, [_signed(url, body) for body in bodies]), sagemaker
        finally:
            started.terminate()


def _client(url: str, service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=DEVELOPER_KEY_ID,
        aws_secret_access_key=DEVELOPER_SECRET,
    )


def _deploy(url: str, model: Path, instances: int) -> Any:
    """A role, the model and the endpoint `bench`; configurations `bench-0` and `bench-1`."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam, s3, sagemaker = (_client(url, name) for name in ("iam", "s3", "sagemaker"))
    iam.create_role(RoleName="bench", AssumeRolePolicyDocument=_policy(trust))
    iam.put_role_policy(RoleName="bench", PolicyName="all", PolicyDocument=_policy(everything))
    s3.create_bucket(Bucket="bench")
    s3.upload_file(str(_archive(model)), "bench", "model.tar.gz")
    container = {
        "Image": _IMAGE,
        "ModelDataUrl": "s3://bench/model.tar.gz",
        "Environment": {
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        },
    }
    role = f"arn:aws:iam::{ACCOUNT_ID}:role/bench"
    sagemaker.create_model(ModelName="bench", ExecutionRoleArn=role, PrimaryContainer=container)
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": "bench",
        "InitialInstanceCount": instances,
        "InstanceType": "ml.m5.large",
    }
    for name in ("bench-0", "bench-1"):
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="bench", EndpointConfigName="bench-0")
    _settle(sagemaker)
    return sagemaker


def _archive(model: Path) -> Path:
    path = model.parent / "served.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(model, arcname=".")
        for script in WORKLOAD.glob("*.py"):
            tar.add(script, arcname=f"code/{script.name}")
    return path


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _settle(sagemaker: Any) -> str:
    """Wait until the endpoint is not being changed; its configuration."""
    while True:
        described = sagemaker.describe_endpoint(EndpointName="bench")
        if described["EndpointStatus"] == "InService":
            name: str = described["EndpointConfigName"]
            return name
        if described["EndpointStatus"] not in ("Creating", "Updating"):
            raise RuntimeError(f"the endpoint is {described['EndpointStatus']}")
        time.sleep(0.05)


def _signed(url: str, body: bytes) -> bytes:
    from botocore.credentials import Credentials

    path = "/endpoints/bench/invocations"
    request = AWSRequest("POST", f"{url}{path}", headers=_HEADERS, data=body)
    SigV4Auth(Credentials(DEVELOPER_KEY_ID, DEVELOPER_SECRET), "sagemaker", REGION).add_auth(
        request
    )
    headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
    return _message(path, url.removeprefix("http://"), headers, body)


def _drive(served: Served, answers: list[bytes], seconds: float = _SECONDS) -> Outcome:
    spec = {
        "host": "127.0.0.1",
        "port": served.port,
        "requests": [base64.b64encode(request).decode() for request in served.requests],
        "answers": [base64.b64encode(answer).decode() for answer in answers],
        "check": True,
        "connections": _CONNECTIONS,
        "seconds": seconds,
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load_client"],
        input=json.dumps(spec).encode(),
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        check=True,
    )
    told = json.loads(done.stdout)
    ordered = sorted(told["latencies_ms"])
    return Outcome(
        len(ordered) / told["seconds"],
        ordered[len(ordered) // 2],
        ordered[int(len(ordered) * 0.99)],
        told["failed"],
        told["errors"],
    )


def _while_updated(sagemaker: Any, drive: Callable[[], Outcome]) -> Outcome:
    """Drive the endpoint while a canary update and its waits are under way."""
    canary = {"Type": "CAPACITY_PERCENT", "Value": 25}
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 90, "CanarySize": canary}
    sagemaker.update_endpoint(
        EndpointName="bench",
        EndpointConfigName="bench-1",
        DeploymentConfig={
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": routing,
                "TerminationWaitInSeconds": 60,
            }
        },
    )
    outcome = drive()
    if _settle(sagemaker) != "bench-1":
        raise RuntimeError("the update was rolled back")
    return outcome


def _report(
    report: Report, measured: dict[str, list[Outcome]], during: Outcome, instances: int
) -> None:
    rates = {
        label: statistics.median(outcome.per_second for outcome in outcomes)
        for label, outcomes in measured.items()
    }
    fastest = max(rates.values())
    for label, outcomes in measured.items():
        name = f"load: {label}, {instances} process(es)"
        report.add(name, rates[label], "req/s", f"{rates[label] / fastest:.2f} x the fastest")
        _latencies(report, outcomes)
    name = f"load: endpoint during a canary update, {instances} process(es)"
    share = during.per_second / fastest
    report.add(name, during.per_second, "req/s", f"{share:.2f} x the fastest")
    _latencies(report, [during])


def _latencies(report: Report, outcomes: list[Outcome]) -> None:
    report.add("      p50", statistics.median(o.p50_ms for o in outcomes), "ms")
    report.add("      p99", statistics.median(o.p99_ms for o in outcomes), "ms")
    failed = sum(outcome.failed for outcome in outcomes)
    report.add("      errors", failed, "", "; ".join(outcomes[0].errors)[:200])
