"""The server as its clients see it: ports, protocols, errors, uploads, the stock command line."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

from localaws.__main__ import PORT_TAKEN
from localaws.clients import developer_client
from localaws.context import DEVELOPER_KEY_ID, DEVELOPER_SECRET
from localaws.server import Config, LaptopServer

Remote = Callable[..., Any]


def code_of(call: Callable[[], Any]) -> tuple[str, int]:
    """Error code and HTTP status of a call that fails."""
    with pytest.raises(ClientError) as failed:
        call()
    response = failed.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_health_tells_who_serves(laptop: LaptopServer) -> None:
    with urllib.request.urlopen(f"{laptop.url}/_localaws/health") as answer:
        health = json.load(answer)

    assert health["status"] == "ok"
    assert health["url"] == laptop.url
    assert health["account"] == "123456789012"


def test_a_taken_port_is_refused_by_name(laptop: LaptopServer) -> None:
    port = int(laptop.url.rpartition(":")[2])

    program = [sys.executable, "-m", "localaws", "--port", str(port)]
    run = subprocess.run(program, capture_output=True, text=True, check=False)

    assert run.returncode == PORT_TAKEN
    assert f"port {port} is in use" in run.stderr


def test_one_process_serves_one_laptop(laptop: LaptopServer) -> None:
    with pytest.raises(RuntimeError, match=f"already, at {laptop.url}"):
        LaptopServer(Config(port=0)).start()


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("sagemaker", "list_edge_packaging_jobs", {}),  # JSON
        ("iam", "get_service_last_accessed_details", {"JobId": "j" * 36}),  # query
        ("lambda", "list_code_signing_configs", {}),  # REST JSON
        ("sts", "get_session_token", {}),
        ("dynamodb", "list_tables", {}),  # a service that is not served
        ("apigateway", "get_rest_apis", {}),
        ("ec2", "describe_instances", {}),
    ],
)
def test_what_is_not_supported_says_so_once(
    remote: Remote, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    client = remote(service, attempts=3)

    with pytest.raises(ClientError, match="is not supported by the laptop's AWS") as failed:
        getattr(client, operation)(**arguments)

    assert failed.value.response["Error"]["Code"] == "UnsupportedByLocalAws"
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert failed.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_a_defect_of_the_server_is_told_once_with_its_text(
    laptop: LaptopServer, remote: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def broken(environ: dict[str, Any], _start: Any) -> Any:
        calls.append(environ["REQUEST_METHOD"])
        raise KeyError("what is not there")

    assert laptop.context is not None
    served: dict[str, Any] = vars(laptop.context.application)["_applications"]
    before = served.get("kms")
    served["kms"] = broken
    try:
        with pytest.raises(ClientError, match="kms:ListKeys: KeyError: 'what is not there'") as hit:
            remote("kms", attempts=5).list_keys()
    finally:
        served.pop("kms")
        served.update({"kms": before} if before else {})

    assert hit.value.response["Error"]["Code"] == "InternalFailureOfLocalAws"
    assert hit.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert calls == ["POST"]
    assert "Traceback" in caplog.text


def test_a_protocol_that_is_not_spoken_is_refused(laptop: LaptopServer) -> None:
    request = urllib.request.Request(
        f"{laptop.url}/service/AWSStepFunctions/operation/ListStateMachines",
        data=b"\xa0",
        headers={
            "Smithy-Protocol": "rpc-v2-cbor",
            "Content-Type": "application/cbor",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={DEVELOPER_KEY_ID}"
            "/20261121/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0",
        },
    )

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)

    with refused.value as answer:
        assert answer.code == 400
        assert json.load(answer)["__type"] == "UnsupportedByLocalAws"


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("iam", "list_roles", "InvalidClientTokenId"),
        ("sagemaker", "list_models", "UnrecognizedClientException"),
        ("lambda", "list_functions", "UnrecognizedClientException"),
    ],
)
def test_unknown_keys_are_refused_in_each_protocol(
    remote: Remote, service: str, operation: str, code: str
) -> None:
    stranger = remote(service, key_id="AKIAEXAMPLEEXAMPLE00", secret="x")

    assert code_of(getattr(stranger, operation))[0] == code


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("s3", "list_buckets", "SignatureDoesNotMatch"),
        ("iam", "list_roles", "SignatureDoesNotMatch"),
        ("sagemaker", "list_models", "InvalidSignatureException"),
    ],
)
def test_a_wrong_secret_is_refused_in_each_protocol(
    remote: Remote, service: str, operation: str, code: str
) -> None:
    assert code_of(getattr(remote(service, secret="wrong"), operation))[0] == code


def test_a_request_without_signature_is_refused(laptop: LaptopServer) -> None:
    request = urllib.request.Request(
        f"{laptop.url}/", b"{}", {"X-Amz-Target": "SageMaker.ListModels"}
    )

    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(request)

    with failed.value as answer:
        assert answer.code == 400
        assert json.load(answer)["__type"] == "MissingAuthenticationTokenException"


def test_motos_own_pages_are_not_served(laptop: LaptopServer) -> None:
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(urllib.request.Request(f"{laptop.url}/moto-api/reset", b""))

    with failed.value as answer:
        assert answer.code in (400, 403)


@pytest.mark.parametrize(
    ("service", "operation", "code", "status"),
    [
        ("s3", "list_buckets", "AccessDenied", 403),
        ("iam", "list_roles", "AccessDenied", 403),
        ("sns", "list_topics", "AuthorizationError", 403),
        ("sagemaker", "list_models", "AccessDeniedException", 400),
        ("stepfunctions", "list_state_machines", "AccessDeniedException", 400),
        ("lambda", "list_functions", "AccessDeniedException", 403),
        ("codepipeline", "list_pipelines", "AccessDeniedException", 400),
    ],
)
def test_a_denial_has_the_code_of_its_protocol(  # noqa: PLR0917
    laptop: LaptopServer, remote: Remote, service: str, operation: str, code: str, status: int
) -> None:
    iam = developer_client("iam")
    if "nobody" not in {user["UserName"] for user in iam.list_users()["Users"]}:
        iam.create_user(UserName="nobody")
    key = iam.create_access_key(UserName="nobody")["AccessKey"]

    nobody = remote(service, key_id=key["AccessKeyId"], secret=key["SecretAccessKey"])

    assert code_of(getattr(nobody, operation)) == (code, status)
    iam.delete_access_key(UserName="nobody", AccessKeyId=key["AccessKeyId"])
    assert code_of(getattr(nobody, operation))[0] != code


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_objects_with_awkward_names_come_back_whole(laptop: LaptopServer, style: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=laptop.url,
        region_name="us-east-1",
        aws_access_key_id=DEVELOPER_KEY_ID,
        aws_secret_access_key=DEVELOPER_SECRET,
        config=BotoConfig(s3={"addressing_style": style}),
    )
    bucket = f"awkward-{style}"

    def resolve(request: Any, **_: Any) -> None:
        """Not every machine resolves names under localhost."""
        host = f"{bucket}.localhost:{laptop.url.rpartition(':')[2]}"
        if host in request.url:
            request.headers["Host"] = host
            request.url = request.url.replace(f"{bucket}.localhost", "localhost", 1)

    client.meta.events.register("before-send.s3", resolve)
    client.create_bucket(Bucket=bucket)
    for key in ("a b+c", "é/ü", "x//y", "q?=&#%", "trailing/", "a/./b"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())

        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()

    listed = [o["Key"] for o in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert "a b+c" in listed
    assert "é/ü" in listed


def test_presigned_addresses_work_for_what_they_were_made_for(laptop: LaptopServer) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=laptop.url,
        region_name="us-east-1",
        aws_access_key_id=DEVELOPER_KEY_ID,
        aws_secret_access_key=DEVELOPER_SECRET,
        config=BotoConfig(signature_version="s3v4"),
    )
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="k", Body=b"hello")
    good = s3.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "k"})

    with urllib.request.urlopen(good) as answer:
        assert answer.read() == b"hello"
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(good.replace("/k?", "/other?"))
    failed.value.close()
    assert failed.value.code == 403


def test_of_many_conditional_writers_one_wins(remote: Remote) -> None:
    clients = [remote("s3") for _ in range(8)]
    clients[0].create_bucket(Bucket="conditional")
    start = threading.Barrier(8)

    def write(number: int) -> bool:
        start.wait()
        try:
            clients[number].put_object(
                Bucket="conditional", Key="k", Body=str(number), IfNoneMatch="*"
            )
        except ClientError as error:
            return error.response["Error"]["Code"] != "PreconditionFailed"
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(8)))

    assert won.count(True) == 1
    stored = clients[0].get_object(Bucket="conditional", Key="k")["Body"].read()
    assert stored == str(won.index(True)).encode()


def test_who_reads_an_object_that_is_overwritten_gets_it_whole(
    developer: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = developer("s3")
    s3.create_bucket(Bucket="rewritten")
    s3.put_object(Bucket="rewritten", Key="k", Body=b"first")
    reading, seek = threading.Event(), tempfile.SpooledTemporaryFile.seek

    def slow_at_first(file: Any, *place: int) -> int:
        if not reading.is_set():
            reading.set()
            time.sleep(0.3)
        return seek(file, *place)

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "seek", slow_at_first)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(s3.get_object, Bucket="rewritten", Key="k")
        assert reading.wait(60)
        s3.put_object(Bucket="rewritten", Key="k", Body=b"second")

    assert read.result()["Body"].read() == b"first"


def test_increments_with_if_match_lose_nothing(developer: Callable[[str], Any]) -> None:
    s3 = developer("s3")
    s3.create_bucket(Bucket="counter")
    s3.put_object(Bucket="counter", Key="n", Body=b"0")

    def increment(_: int) -> None:
        while True:
            read = s3.get_object(Bucket="counter", Key="n")
            body = str(int(read["Body"].read()) + 1).encode()
            try:
                s3.put_object(Bucket="counter", Key="n", Body=body, IfMatch=read["ETag"])
            except s3.exceptions.ClientError as error:
                if error.response["Error"]["Code"] != "PreconditionFailed":
                    raise
            else:
                return

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(increment, range(30)))

    assert s3.get_object(Bucket="counter", Key="n")["Body"].read() == b"30"


def test_if_match_on_a_missing_key_is_not_found(developer: Callable[[str], Any]) -> None:
    s3 = developer("s3")
    s3.create_bucket(Bucket="if-match-missing")

    refused = code_of(
        lambda: s3.put_object(Bucket="if-match-missing", Key="n", Body=b"", IfMatch='"e"')
    )

    assert refused == ("NoSuchKey", 404)


def aws(laptop: LaptopServer, *arguments: str, cwd: Path) -> str:
    """What the stock AWS command line prints."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "AWS_ACCESS_KEY_ID": DEVELOPER_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": DEVELOPER_SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [sys.executable, "-m", "awscli", "--endpoint-url", laptop.url, *arguments]
    run = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_stock_command_line_copies_large_files_both_ways(
    laptop: LaptopServer, tmp_path: Path
) -> None:
    block = hashlib.sha256(b"block").digest() * 32768
    (tmp_path / "big").write_bytes(block * 40)  # 40 MiB: a multipart upload with checksums

    aws(laptop, "s3", "mb", "s3://cli-bucket", cwd=tmp_path)
    aws(laptop, "s3", "cp", "big", "s3://cli-bucket/a dir/big", cwd=tmp_path)
    aws(laptop, "s3", "cp", "s3://cli-bucket/a dir/big", "back", cwd=tmp_path)

    assert (tmp_path / "back").read_bytes() == (tmp_path / "big").read_bytes()
    listed = aws(laptop, "s3", "ls", "--recursive", "s3://cli-bucket", cwd=tmp_path)
    assert listed.split()[2:] == ["41943040", "a", "dir/big"]


def test_it_stops_on_a_signal_and_leaves_the_port(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "localaws", "--port", "0", "--state-dir", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        ready = json.loads(child.stdout.readline())
        assert ready["ready"] is True
        assert ready["pid"] == child.pid
        with urllib.request.urlopen(f"{ready['url']}/_localaws/health") as answer:
            assert answer.status == 200

        child.send_signal(signal.SIGINT)

        assert child.wait(timeout=60) == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{ready['url']}/_localaws/health")
