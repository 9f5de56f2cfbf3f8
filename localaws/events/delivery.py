"""Delivers events to targets in the background: retries with back-off, then the dead-letter queue.

Follows the EventBridge user guide, "Retry policy" and "Using dead-letter queues" (read
2026-11-21): permission errors and missing targets are not retried. Order is not promised.
"""

import json
import logging
import threading
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from localaws import clock
from localaws.errors import LocalAwsError
from localaws.events import targets as event_targets
from localaws.events.targets import Delivery
from localaws.events.workers import Timers, Workers

_log = logging.getLogger("localaws.events")
_THREADS = 4
_MAX_BACK_OFF_S = 300.0
_DEFAULT_ATTEMPTS, _DEFAULT_AGE_S = 185, 86_400
_PERMISSION_CODES = ("AccessDenied", "AuthorizationError", "KMSAccessDenied", "NotAuthorized")
_MISSING_CODES = ("NotFound", "DoesNotExist", "NonExistentQueue", "NoSuch")
_PASSING_CODES = ("Throttl", "TooManyRequests", "LimitExceeded", "Unavailable", "InternalFailure")


@dataclass(frozen=True)
class Failure:
    """Why one attempt did not deliver."""

    code: str
    """As the ERROR_CODE attribute of a dead letter says it."""
    message: str
    is_final: bool


@dataclass
class _Attempts:
    delivery: Delivery
    failed: int = 0
    age_s: float = 0.0
    """AWS seconds spent in back-off."""


class Deliveries:
    """Everything under way between rules and targets."""

    def __init__(self, timers: Timers) -> None:
        self._workers = Workers(_THREADS, "localaws-events")
        self._timers = timers
        self._outstanding = 0
        self._changed = threading.Condition()

    def add(self, delivery: Delivery) -> None:
        """Deliver soon; returns at once."""
        with self._changed:
            self._outstanding += 1
        self._submit(_Attempts(delivery))

    def _submit(self, attempts: _Attempts) -> None:
        self._workers.submit(lambda: self._attempt(attempts))

    def _attempt(self, attempts: _Attempts) -> None:
        ended = True
        try:
            failure = attempt(attempts.delivery)
            if failure is not None:
                ended = self._failed(attempts, failure)
        finally:
            if ended:
                self._ended()

    def _failed(self, attempts: _Attempts, failure: Failure) -> bool:
        """Try again later, or give up; True when it is over."""
        attempts.failed += 1
        exhausted = "" if failure.is_final else _exhausted(attempts)
        if failure.is_final or exhausted:
            give_up(attempts.delivery, failure, attempts.failed - 1, exhausted)
            return True
        back_off_s = min(2.0 ** (attempts.failed - 1), _MAX_BACK_OFF_S)
        attempts.age_s += back_off_s
        self._timers.after(clock.scaled_s(back_off_s), lambda: self._submit(attempts))
        return False

    def _ended(self) -> None:
        with self._changed:
            self._outstanding -= 1
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until every delivery has arrived or been given up; False when it took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._outstanding == 0, timeout_s)

    def stop(self) -> None:
        """Give up what is under way."""
        self._workers.stop()


def _exhausted(attempts: _Attempts) -> str:
    policy = attempts.delivery.target.get("RetryPolicy") or {}
    if attempts.failed > policy.get("MaximumRetryAttempts", _DEFAULT_ATTEMPTS):
        return "MaximumRetryAttempts"
    if attempts.age_s > policy.get("MaximumEventAgeInSeconds", _DEFAULT_AGE_S):
        return "MaximumEventAgeInSeconds"
    return ""


def attempt(delivery: Delivery) -> Failure | None:
    """Try once; None when it was delivered."""
    try:
        event_targets.send(delivery)
    except ClientError as error:
        return failure_of(error)
    except LocalAwsError as error:
        return Failure("NO_PERMISSIONS", str(error), is_final=True)
    except BotoCoreError as error:
        return Failure("SDK_CLIENT_ERROR", str(error), is_final=True)
    except ValueError as error:
        return Failure("INVALID_JSON", str(error), is_final=True)
    return None


def failure_of(error: ClientError) -> Failure:
    """What a target's refusal means for the delivery."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    message = str(error)
    if any(part in code for part in _PERMISSION_CODES) or code == "403":
        return Failure("NO_PERMISSIONS", message, is_final=True)
    if any(part in code for part in _MISSING_CODES):
        return Failure("NO_RESOURCE", message, is_final=True)
    if any(part in code for part in _PASSING_CODES):
        return Failure("THROTTLING", message, is_final=False)
    return Failure("SDK_CLIENT_ERROR", message, is_final=status < 500)


def give_up(delivery: Delivery, failure: Failure, retries: int, exhausted: str) -> None:
    """Send to the dead-letter queue if the target has one; say so in the log in any case."""
    _log.warning(
        "%s could not deliver to %s: %s: %s",
        delivery.rule.arn,
        delivery.target_arn,
        failure.code,
        failure.message,
    )
    queue = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue:
        return
    is_schedule = delivery.rule.principal == event_targets.SCHEDULER
    attributes = {
        "SCHEDULE_ARN" if is_schedule else "RULE_ARN": delivery.rule.arn,
        "TARGET_ARN": delivery.target_arn,
        "ERROR_CODE": failure.code,
        "ERROR_MESSAGE": failure.message[:1000],
        "RETRY_ATTEMPTS": str(retries),
    }
    if exhausted:
        attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
    whole = json.dumps(delivery.event, separators=(",", ":"))
    body = delivery.payload if is_schedule else whole
    try:
        event_targets.send_to_queue(queue, body, delivery, attributes)
    except (ClientError, LocalAwsError) as error:
        _log.error("the dead-letter queue %s took nothing either: %s", queue, error)
