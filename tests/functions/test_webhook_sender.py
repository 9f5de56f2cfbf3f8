"""webhook_sender: messages are posted signed; whatever is not taken stays in the queue."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest

from functions import webhook_sender
from signalbox.aws import webhook_posts
from signalbox.errors import WebhookSecretError
from signalbox.webhooks import read_secret

NAME = "signalbox-dev-webhook"
SECRET = "a-secret-of-32-characters-------"


@dataclass
class Receiver:
    """A webhook on this machine."""

    url: str = ""
    status: int = 200
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    slow: threading.Event = field(default_factory=threading.Event)
    is_slow: bool = False
    stalls_after_headers: bool = False


@pytest.fixture
def receiver(world, monkeypatch) -> Iterator[Receiver]:
    """Serves until the test ends; the secret points to it."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.requests.append((dict(self.headers), body))
            if found.is_slow:
                found.slow.wait(20)
            self.send_response(found.status)
            self.send_header("Location", "http://localhost:1/elsewhere")
            self.end_headers()
            if found.stalls_after_headers:
                found.slow.wait(20)
            self.wfile.write(b"said")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/hook"
    value = json.dumps({"url": found.url, "signingSecret": SECRET})
    made = boto3.client("secretsmanager").create_secret(Name=NAME, SecretString=value)
    monkeypatch.setenv("WEBHOOK_SECRET_ARN", made["ARN"])
    yield found
    found.slow.set()
    server.shutdown()
    server.server_close()
    thread.join()


def send(world: Any) -> list[str]:
    """The ids of the records that are to come again."""
    answer = webhook_sender.handler(world.event("webhook_sender"), None)
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


ALL = ["059f36b4-87a3-44ab-83d2-661975830a7d"]


def test_a_message_is_posted_whole_and_signed(world, receiver):
    assert send(world) == []

    ((headers, body),) = receiver.requests
    stamp = headers["X-Signalbox-Timestamp"]
    expected = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["X-Signalbox-Signature"] == f"v1={expected}"
    assert headers["X-Signalbox-Message"].startswith("261121-093005-2867b0/ask-")
    assert json.loads(body)["subject"].startswith("[dev] diabetes has a model")


@pytest.mark.parametrize("status", [500, 503, 404, 302])
def test_a_message_that_is_not_taken_stays_in_the_queue(world, receiver, status):
    receiver.status = status

    assert send(world) == ALL
    assert len(receiver.requests) == 1  # a redirect is not followed


def test_a_webhook_that_is_down_keeps_the_message_in_the_queue(world, receiver):
    """Port 9 of this machine: nobody listens."""
    value = json.dumps({"url": "http://127.0.0.1:9/hook", "signingSecret": SECRET})
    boto3.client("secretsmanager").put_secret_value(SecretId=NAME, SecretString=value)

    assert send(world) == ALL


def test_a_slow_webhook_is_given_up_in_time(world, receiver, monkeypatch):
    monkeypatch.setattr(webhook_posts, "TIMEOUTS_S", (0.5, 0.2))
    receiver.is_slow = True

    assert send(world) == ALL


def test_an_answer_that_stalls_after_its_headers_brings_back_its_own_message_only(
    world, receiver, monkeypatch
):
    """The body is read by urllib3, whose errors are none of requests'."""
    monkeypatch.setattr(webhook_posts, "TIMEOUTS_S", (0.5, 0.2))
    receiver.status, receiver.stalls_after_headers = 500, True

    assert send(world) == ALL


def test_one_failure_does_not_bring_the_others_again(world, receiver):
    event = world.event("webhook_sender")
    event["Records"].append({**event["Records"][0], "messageId": "m-2", "body": "not a message"})

    answer = webhook_sender.handler(event, None)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-2"}]}
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "value",
    [
        {"url": "http://example.com/hook", "signingSecret": SECRET},
        {"url": "https://example.com/hook", "signingSecret": "short"},
        {"url": "https://example.com/hook"},
    ],
)
def test_a_secret_that_will_not_do_is_refused_without_showing_it(value):
    with pytest.raises(WebhookSecretError) as refused:
        read_secret(json.dumps(value), "signalbox-dev-webhook")

    assert SECRET not in str(refused.value)
    assert "example.com" not in str(refused.value)
