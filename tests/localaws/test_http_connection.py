"""An invocation in one piece, in many, several at once or oddly written: each is answered."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from localaws import clients
from localaws.context import DEVELOPER_KEY_ID, DEVELOPER_SECRET, REGION
from tests.localaws.sagemaker_world import FACTOR, World, comes_true, laptop

PATH = "/endpoints/plain/invocations"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with laptop(tmp_path_factory.mktemp("state")) as served:
        slow = FACTOR.replace(
            "return [float(line)",
            "import os; 'die' in body and os._exit(7); return [float(line)",
        )
        served.model("plain", {"code/inference.py": slow, "factor.txt": "2"})
        served.config("plain", "plain")
        served.endpoint("plain", "plain")
        yield served


@pytest.fixture
def channel(world: World) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port(world))) as opened:
        opened.settimeout(10)
        yield opened


def port(world: World) -> int:
    url: str = world.sagemaker.meta.endpoint_url
    return int(url.rpartition(":")[2])


def message(world: World, body: bytes, secret: str = DEVELOPER_SECRET, **extra: str) -> bytes:
    """A signed HTTP request."""
    url = f"http://localhost:{port(world)}{PATH}"
    stated = {"Content-Type": "text/csv", "Accept": "text/csv"}
    request = AWSRequest("POST", url, headers=stated, data=body)
    SigV4Auth(Credentials(DEVELOPER_KEY_ID, secret), "sagemaker", REGION).add_auth(request)
    headers: dict[str, Any] = {
        "Host": f"localhost:{port(world)}",
        "Content-Length": str(len(body)),
        **dict(request.headers.items()),
        **extra,
    }
    lines = [f"POST {PATH} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer(channel: socket.socket) -> tuple[int, bytes]:
    """Status and body of the next answer."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += channel.recv(1)
    head = received.lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = b""
    while len(body) < length:
        body += channel.recv(length - len(body))
    return int(received[9:12]), body


def test_one_connection_serves_many_requests(world: World, channel: socket.socket) -> None:
    for number in range(5):
        channel.sendall(message(world, f"{number}\n".encode()))
        assert answer(channel) == (200, f"{number * 2.0}\n".encode())


def test_a_request_in_pieces_is_put_together(world: World, channel: socket.socket) -> None:
    whole = message(world, b"21\n")
    for start in range(0, len(whole), 97):
        channel.sendall(whole[start : start + 97])
    assert answer(channel) == (200, b"42.0\n")


def test_requests_sent_ahead_are_answered_in_their_order(
    world: World, channel: socket.socket
) -> None:
    channel.sendall(message(world, b"1\n") + message(world, b"2\n") + message(world, b"3\n"))
    assert [answer(channel)[1] for _ in range(3)] == [b"2.0\n", b"4.0\n", b"6.0\n"]


@pytest.mark.parametrize("extra", [{"Connection": "close"}, {"X_Odd": "1"}, {"X-Twice ": "1"}])
def test_a_request_that_is_not_plain_takes_the_servers_own_way(
    world: World, channel: socket.socket, extra: dict[str, str]
) -> None:
    channel.sendall(message(world, b"4\n", **extra))
    status, body = answer(channel)
    assert (status, body) == (200, b"8.0\n") or status == 400


def test_a_body_larger_than_one_piece_is_read_whole(world: World, channel: socket.socket) -> None:
    channel.sendall(message(world, b"1\n" * 100_000))
    status, body = answer(channel)
    assert (status, len(body)) == (200, len(b"2.0\n") * 100_000)


def test_a_signature_that_is_wrong_is_refused_on_the_short_way_too(
    world: World, channel: socket.socket
) -> None:
    channel.sendall(message(world, b"1\n", secret="wrong"))
    status, body = answer(channel)
    assert status == 400
    assert b"InvalidSignatureException" in body


def test_a_body_that_was_changed_after_signing_is_refused(
    world: World, channel: socket.socket
) -> None:
    channel.sendall(message(world, b"1\n").replace(b"\r\n\r\n1\n", b"\r\n\r\n2\n"))
    assert answer(channel)[0] == 400


def test_each_invocation_is_decided_and_recorded(world: World, channel: socket.socket) -> None:
    from localaws.iam import service as iam

    iam.forget_decisions()
    channel.sendall(message(world, b"1\n"))
    answer(channel)
    asked = [(r.action, r.resource.rpartition(":")[2], r.allowed) for r in iam.decisions()]
    assert ("sagemaker:InvokeEndpoint", "endpoint/plain", True) in asked


def test_requests_behind_one_that_kills_the_container_are_answered(world: World) -> None:
    """Only the request that killed it gets an error; those on their way are asked anew."""
    runtime = clients.developer_client("sagemaker-runtime")
    found: list[str] = []

    def call(body: str) -> None:
        try:
            found.append(world.invoke("plain", body).decode())
        except runtime.exceptions.ModelError:
            found.append("error")

    callers = [threading.Thread(target=call, args=("die",))]
    callers += [threading.Thread(target=call, args=("1\n",)) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert found.count("error") == 1
    assert found.count("2.0\n") == 6
    assert comes_true(lambda: world.invoke("plain", "5\n") == b"10.0\n")
