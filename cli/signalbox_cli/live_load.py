"""Callers of an endpoint during a rollout, and what became of every one of their requests.

A request is known by its row: the answers of the fleet that serves before are asked for first, so
that each later answer is either the old fleet's or another one's.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

from signalbox_cli.target import Target

CALLERS = 2
# A caller's rest between two requests, in seconds: it shares two cores with what it watches.
_REST_S = 0.005


@dataclass
class Tally:
    """Counts of requests by what became of them."""

    by_old: int = 0
    by_new: int = 0
    model_errors: int = 0
    """What a fleet itself answered with 5xx."""
    unanswered: list[str] = field(default_factory=list)
    """Anything else: what went wrong, in words; it must stay empty."""
    complaints: set[str] = field(default_factory=set)
    failed_rows: set[str] = field(default_factory=set)

    @property
    def sent(self) -> int:
        """All requests."""
        return self.by_old + self.by_new + self.model_errors + len(self.unanswered)

    def document(self) -> dict[str, Any]:
        """The counts as JSON."""
        return {
            "sent": self.sent,
            "answeredByOldFleet": self.by_old,
            "answeredByNewFleet": self.by_new,
            "failedInTheModel": self.model_errors,
            "unanswered": len(self.unanswered),
            "complaints": sorted(self.complaints),
        }


class Load:
    """One endpoint and the rows that its callers send in turn, one row a request."""

    def __init__(self, target: Target, endpoint: str, rows: Sequence[str]) -> None:
        self._endpoint, self._rows = endpoint, rows
        self._client = _client_without_retries(target)
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._expected = {row: self._ask(row) for row in rows}
        self._tally = Tally()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Callers that call without end; they have stopped when the block is left."""
        callers = [threading.Thread(target=self._call, args=(n,)) for n in range(CALLERS)]
        for caller in callers:
            caller.start()
        try:
            yield
        finally:
            self._stop.set()
            for caller in callers:
                caller.join()

    def take(self) -> Tally:
        """The counts since the last time."""
        with self._lock:
            taken, self._tally = self._tally, Tally()
        return taken

    def await_answers(self, count: int, limit_s: float = 60.0) -> Tally:
        """The counts once that many more requests have ended, or whatever came within the limit."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            with self._lock:
                if self._tally.sent >= count:
                    break
            time.sleep(0.02)
        return self.take()

    def _call(self, number: int) -> None:
        for row in islice(cycle(self._rows), number, None):
            if self._stop.is_set():
                return
            self._note(row)
            time.sleep(_REST_S)

    def _note(self, row: str) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        answer, complaint, fault = "", "", ""
        try:
            answer = self._ask(row)
        except self._client.exceptions.ModelError as error:
            complaint = str(error.response.get("OriginalMessage") or error)
        except (BotoCoreError, ClientError) as error:
            fault = str(error)
        with self._lock:
            tally = self._tally
            if fault:
                tally.unanswered.append(fault)
            elif complaint:
                tally.model_errors += 1
                tally.complaints.add(complaint)
                tally.failed_rows.add(row)
            elif answer == self._expected[row]:
                tally.by_old += 1
            else:
                tally.by_new += 1

    def _ask(self, row: str) -> str:
        answer = self._client.invoke_endpoint(
            EndpointName=self._endpoint, Body=row, ContentType="text/csv", Accept="text/csv"
        )
        return str(answer["Body"].read().decode())


def _client_without_retries(target: Target) -> Any:
    """What a retry would hide is counted here."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "sagemaker-runtime",
        endpoint_url=target.endpoint_url,
        region_name=target.region,
        aws_access_key_id=target.access_key_id,
        aws_secret_access_key=target.secret_access_key,
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=CALLERS),
    )
