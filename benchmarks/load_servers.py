"""The rivals of the laptop's endpoint: the same inference script behind uvicorn and behind flask.

`uvicorn benchmarks.load_servers:asgi` and `gunicorn benchmarks.load_servers:wsgi()`; the variables
BENCH_CODE and BENCH_MODEL name the folders of the script and of the model.
"""

import importlib
import os
import sys
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

Message = dict[str, Any]


@lru_cache(maxsize=1)
def loaded() -> tuple[Any, Any]:
    """The script and its model, loaded once."""
    sys.path.insert(0, os.environ["BENCH_CODE"])
    script = importlib.import_module("inference")
    return script, script.model_fn(os.environ["BENCH_MODEL"])


def predict(body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
    """An answer by the script's own four functions."""
    script, model = loaded()
    rows = script.input_fn(body.decode(), content_type)
    answered = script.output_fn(script.predict_fn(rows, model), accept)
    text, media_type = answered if isinstance(answered, tuple) else (answered, accept)
    return text.encode(), media_type


async def asgi(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """A bare ASGI application, without a framework."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                loaded()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = dict(scope["headers"])
    answer, media_type = predict(
        body, headers[b"content-type"].decode(), headers[b"accept"].decode()
    )
    stated = [
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(answer)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": stated})
    await send({"type": "http.response.body", "body": answer})


def wsgi() -> Any:
    """A flask application with one route."""
    from flask import Flask, Response, request

    application = Flask("bench")
    loaded()

    @application.post("/invocations")
    def invocations() -> Response:
        answer, media_type = predict(
            request.get_data(), request.headers["Content-Type"], request.headers["Accept"]
        )
        return Response(answer, content_type=media_type)

    return application
