"""A transform job's child: objects in, predictions out, in the order of the rows.

The model of the first container is loaded right here, because sending a million rows through a
server costs more than predicting them. Files are read and written in blocks of at most the payload
size; further containers of a serial model get each block over their socket.
"""

import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from localaws.models import handlers as model_handlers
from localaws.models.handlers import Answer
from localaws.models.link import INVOKE, Link, Question

Stage = Callable[[bytes, str, str], Answer]


@dataclass(frozen=True)
class Plan:
    """What to do with every object."""

    content_type: str
    accept: str
    split: str
    single_record: bool
    assemble_lines: bool
    max_payload_bytes: int
    failure_file: str


class TransformFailed(Exception):
    """A record or block that the model did not answer."""


def run(task: dict[str, Any], fds: list[int]) -> None:
    """Transform every object of the task; exits 1 with the reason in the failure file."""
    plan = Plan(**task["plan"])
    try:
        stages: list[Stage] = [model_handlers.load().answer, *(remote_stage(fd) for fd in fds)]
        for item in task["objects"]:
            transform_object(plan, stages, Path(item["input"]), Path(item["output"]), item["key"])
    except Exception as error:
        Path(plan.failure_file).write_text(_reason(error), "utf-8")
        raise


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, TransformFailed) else f"{type(error).__name__}: {error}"


def transform_object(plan: Plan, stages: list[Stage], source: Path, target: Path, key: str) -> None:
    """Transform one object; raises TransformFailed naming its rows."""
    target.parent.mkdir(parents=True, exist_ok=True)
    row = 1
    with source.open("rb") as read, target.open("wb") as written:
        for block in blocks(plan, read):
            rows = _rows_in(block) if plan.split == "Line" else 1
            body = _through(plan, stages, block, _place(plan, key, row, rows))
            written.write(_assembled(plan, body))
            row += rows


def _place(plan: Plan, key: str, row: int, rows: int) -> str:
    return f"{key}, rows {row} to {row + rows - 1}" if plan.split == "Line" else key


def _rows_in(block: bytes) -> int:
    return block.count(b"\n") + (not block.endswith(b"\n"))


def _through(plan: Plan, stages: list[Stage], block: bytes, where: str) -> bytes:
    content_type = plan.content_type
    for number, stage in enumerate(stages, 1):
        answer = stage(block, content_type, plan.accept)
        if answer.status != 200:
            message = answer.body.decode("utf-8", "replace")[:500]
            which = f"container {number}: " if len(stages) > 1 else ""
            sys.stderr.write(f"{where}: {which}Bad HTTP status returned: {answer.status}\n")
            raise TransformFailed(f"{where}: {which}HTTP {answer.status}: {message}")
        block, content_type = answer.body, answer.content_type
    return block


def _assembled(plan: Plan, body: bytes) -> bytes:
    """With AssembleWith Line each answer ends in exactly one newline."""
    return body.removesuffix(b"\n") + b"\n" if plan.assemble_lines else body


def blocks(plan: Plan, file: IO[bytes]) -> Iterator[bytes]:
    """The object's payloads: whole, or cut between lines, one or as many as fit."""
    if plan.split != "Line":
        yield _whole(plan, file)
    elif plan.single_record:
        yield from _records(plan, file)
    else:
        yield from _cut_at_lines(plan, file)


def _whole(plan: Plan, file: IO[bytes]) -> bytes:
    body = file.read(plan.max_payload_bytes + 1)
    if len(body) > plan.max_payload_bytes:
        raise _too_large(plan)
    return body


def _records(plan: Plan, file: IO[bytes]) -> Iterator[bytes]:
    for line in file:
        if len(line) > plan.max_payload_bytes:
            raise _too_large(plan)
        if line.strip():
            yield line


def _cut_at_lines(plan: Plan, file: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while True:
        piece = file.read(plan.max_payload_bytes - len(rest))
        block = rest + piece
        if not piece:
            if block.strip():
                yield block
            return
        cut = block.rfind(b"\n") + 1
        if cut == 0 and len(block) >= plan.max_payload_bytes:
            raise _too_large(plan)
        rest = block[cut:]
        if cut and block[:cut].strip():
            yield block[:cut]


def _too_large(plan: Plan) -> TransformFailed:
    return TransformFailed(
        f"a record is larger than MaxPayloadInMB ({plan.max_payload_bytes} bytes)"
    )


def remote_stage(fd: int) -> Stage:
    """A further container of a serial model, behind its socket."""
    link = Link(socket.socket(fileno=fd))

    def stage(body: bytes, content_type: str, accept: str) -> Answer:
        return link.ask(Question(INVOKE, body, content_type, accept))

    return stage
