"""One invocation: which fleet answers it, what is counted, copied and captured."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import BoundedSemaphore

from localaws.endpoints.capture import Exchange
from localaws.endpoints.fleet import Busy, Retired
from localaws.endpoints.service import Endpoint
from localaws.endpoints.serving import Serving, Variant
from localaws.models.handlers import Answer
from localaws.wire import AwsError

_SHADOW_THREADS = 2
_SHADOW_WAITING = 64
"""Copies that may wait; more are dropped, as the shadow must not hold up the requests."""
_MOST_FLEETS = 8
"""How many fleets a request may find closed, each replaced by the next, before it gives up."""
_log = logging.getLogger("localaws.endpoints")


@dataclass(frozen=True)
class Invocation:
    """What a caller sends."""

    body: bytes
    content_type: str
    accept: str
    target: str | None = None
    """The variant that shall answer."""
    inference_id: str = ""
    custom_attributes: str = ""
    received_s: float = 0.0
    """`time.perf_counter()` when its first byte was there; 0.0 for now."""


@dataclass(frozen=True)
class Outcome:
    """An answer and where it came from."""

    answer: Answer
    variant: str
    container: int
    containers: int

    def said(self) -> str:
        """The answer as text, as far as an error message may hold it."""
        return self.answer.body.decode("utf-8", "replace")[:1024]

    def complaint(self) -> str:
        """The error of a container in SageMaker's words."""
        side = "client" if self.answer.status < 500 else "server"
        which = f"container-{self.container}" if self.containers > 1 else "primary"
        status = self.answer.status
        return f'Received {side} error ({status}) from {which} with message "{self.said()}"'


class _Shadows:
    """The threads that carry copies to shadow variants."""

    def __init__(self) -> None:
        self.pool: ThreadPoolExecutor | None = None
        self.places = BoundedSemaphore(_SHADOW_WAITING)


_shadows = _Shadows()


def install() -> None:
    """Begin without copies under way."""
    _shadows.places = BoundedSemaphore(_SHADOW_WAITING)


def shutdown() -> None:
    """Drop the copies that wait."""
    pool, _shadows.pool = _shadows.pool, None
    if pool is not None:
        pool.shutdown(wait=False, cancel_futures=True)


def invoke(endpoint: Endpoint, invocation: Invocation) -> Outcome:
    """Ask the fleet that serves; one that is replaced meanwhile hands on to the next.

    Raises AwsError when there is none, when the target is not there or when all are busy.
    """
    received_s = invocation.received_s or time.perf_counter()
    for _ in range(_MOST_FLEETS):
        serving = endpoint.route()
        if serving is None:
            break
        variant = _variant(endpoint, serving, invocation.target)
        try:
            return _ask(serving, variant, invocation, received_s)
        except Retired:
            continue
    raise AwsError("ValidationError", f"Endpoint {endpoint.name} is {endpoint.status.value}.")


def _variant(endpoint: Endpoint, serving: Serving, target: str | None) -> Variant:
    variant = serving.variant(target) if target is not None else serving.pick()
    if variant is None:
        raise AwsError(
            "ValidationError", f"Variant {target} not found on endpoint {endpoint.name}."
        )
    return variant


def _ask(serving: Serving, variant: Variant, invocation: Invocation, received_s: float) -> Outcome:
    started_s = time.perf_counter()
    try:
        answer, container = variant.fleet.invoke(
            invocation.body, invocation.content_type, invocation.accept
        )
    except Busy as error:
        waited_s = time.perf_counter() - started_s
        variant.meter.took(503, waited_s, started_s - received_s)
        raise AwsError("ServiceUnavailable", "every container is busy", 503) from error
    ended_s = time.perf_counter()
    variant.meter.took(answer.status, ended_s - started_s, started_s - received_s)
    if serving.shadows:
        _copy(serving, variant, invocation)
    if serving.capture is not None and answer.status == 200 and serving.capture.is_chosen():
        serving.capture.take(_exchange(variant, invocation, answer))
    return Outcome(answer, variant.name, container, len(variant.fleet.plan.model.containers))


def _exchange(variant: Variant, invocation: Invocation, answer: Answer) -> Exchange:
    return Exchange(
        variant.name,
        invocation.body,
        invocation.content_type,
        answer.body,
        answer.content_type,
        invocation.inference_id,
        invocation.custom_attributes,
    )


def _copy(serving: Serving, variant: Variant, invocation: Invocation) -> None:
    """Send shadows their share of the requests; nobody waits for what they answer."""
    for shadow in serving.shadows:
        shadow.credit += shadow.weight / variant.weight if variant.weight else 1.0
        if shadow.credit < 1.0:
            continue
        shadow.credit = min(shadow.credit - 1.0, 1.0)
        if not _shadows.places.acquire(blocking=False):
            continue
        if _shadows.pool is None:
            _shadows.pool = ThreadPoolExecutor(_SHADOW_THREADS, "localaws-shadow")
        _shadows.pool.submit(_ask_shadow, shadow, invocation)


def _ask_shadow(shadow: Variant, invocation: Invocation) -> None:
    started_s = time.perf_counter()
    try:
        answer, _ = shadow.fleet.invoke(invocation.body, invocation.content_type, invocation.accept)
        shadow.meter.took(answer.status, time.perf_counter() - started_s, 0.0)
    except (Retired, Busy) as error:
        _log.info("a copy for shadow variant %s was dropped: %r", shadow.name, error)
    finally:
        _shadows.places.release()
