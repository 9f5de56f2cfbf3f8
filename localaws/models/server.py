"""A model server's child: answers pings and invocations on a socket it was given.

The socket is one end of a pair, so there is no port and no path, only one client, and the server
ends when that client does. One request at a time: `InitialInstanceCount` processes serve side by
side.
"""

import os
import socket
from typing import Any

from localaws.models import handlers as model_handlers
from localaws.models.handlers import Answer, Model
from localaws.models.link import PING, Link, Question

DEFAULT_ACCEPT = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"


def run(task: dict[str, Any], fds: list[int]) -> None:
    """Load the model, then serve until the other end closes."""
    del task
    model = model_handlers.load()
    with socket.socket(fileno=fds[0]) as end:
        link = Link(end)
        while (question := link.next_question()) is not None:
            link.answer(_answer(model, question))


def _answer(model: Model, question: Question) -> Answer:
    if question.kind == PING:
        return Answer(200, b"", "text/plain")  # it answers, so the model is loaded
    content_type = question.content_type or "application/json"
    return model.answer(question.body, content_type, effective_accept(question.accept))


def effective_accept(accept: str | None) -> str:
    """The type to answer with when the client did not care."""
    if not accept or accept == "*/*":
        return os.environ.get(DEFAULT_ACCEPT, "application/json")
    return accept
