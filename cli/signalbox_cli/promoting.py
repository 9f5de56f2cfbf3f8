"""A promotion that a person starts: one approved version, one environment, once.

The environment's promotion machine does the work, as it does after an approval; the command starts
it, tells what it comes to, and can be interrupted without stopping it.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from signalbox_cli.documents import promotion_record
from signalbox_cli.errors import CommandError, NotFoundError, RunFailed
from signalbox_cli.models import ModelVersion
from signalbox_cli.run_states import read_states
from signalbox_cli.target import Target

ROLLED_BACK_THERE = "EndpointRolledBack"
"""The error of a promotion whose version the target's alarms took back."""
_NAME_LIMIT = 80  # Step Functions, StartExecution (API reference, read 2026-11-21)


@dataclass(frozen=True)
class Promotion:
    """An execution of the promotion machine for one environment."""

    version: ModelVersion
    environment: str
    execution: str
    is_new: bool

    def document(self, status: str) -> dict[str, Any]:
        """The promotion as JSON."""
        return {
            "modelPackageArn": self.version.arn,
            "environment": self.environment,
            "execution": self.execution,
            "started": self.is_new,
            "status": status,
        }


def promotion_path(target: Target) -> list[dict[str, Any]]:
    """The environments that are promoted to from here, in order."""
    wiring = target.wiring()
    found = json.loads(wiring.promotion_path or "[]")
    return [entry for entry in found if isinstance(entry, dict)]


def check(target: Target, version: ModelVersion, environment: str) -> None:
    """Raises when the version cannot be promoted there; the message says what to do."""
    known = [str(entry.get("environment")) for entry in promotion_path(target)]
    if environment not in known:
        there = f"it leads to {', '.join(known)}" if known else "it leads nowhere"
        raise NotFoundError(
            f"the promotion path of {target.describe()} does not lead to {environment}: {there}. "
            "The template's parameter PromotionPath sets it (docs/operations.md)"
        )
    if version.is_rolled_back:
        raise CommandError(
            f"{version.name} was rolled back ({version.metadata['rolled_back']}) and is not "
            "promoted; release a better one"
        )
    if version.approval != "Approved":
        raise CommandError(
            f"{version.name} is {version.approval}; only an approved version is promoted. Approve "
            "it in the registry, or at its run's gate with `signalbox approve ApproveModel`"
        )


def start(target: Target, version: ModelVersion, environment: str) -> Promotion:
    """Start the promotion, or find the one that runs for the same version and environment."""
    machine = target.wiring().promotion_machine_arn
    if not machine:
        raise NotFoundError(f"{target.describe()} has no promotion machine; deploy it anew")
    record = promotion_record(target, version.arn) or {}
    known = (
        str(record.get("targets", {}).get(environment, {}).get("by", "")),
        str(record.get("execution", "")),
    )
    for execution in filter(None, known):
        if _status(target, execution) == "RUNNING":
            return Promotion(version, environment, execution, is_new=False)
    given = json.dumps({"modelPackageArn": version.arn, "to": [environment]}, sort_keys=True)
    return _started(target, machine, version, environment, given)


def _started(
    target: Target, machine: str, version: ModelVersion, environment: str, given: str
) -> Promotion:
    """Names count up: a name is free again only 90 days after its execution has ended."""
    client = target.client("stepfunctions")
    base = f"{version.group}-{version.version}-to-{environment}"
    base = base if len(base) <= _NAME_LIMIT - 5 else hashlib.sha256(base.encode()).hexdigest()[:40]
    number = 1
    while True:
        name = f"{base}-{number}"
        execution = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
        status = _status(target, execution)
        if status == "RUNNING":
            return Promotion(version, environment, execution, is_new=False)
        if not status:
            # The same name and input while it runs is the same execution: two people, one start.
            answer = client.start_execution(stateMachineArn=machine, name=name, input=given)
            return Promotion(version, environment, answer["executionArn"], is_new=True)
        number += 1


def _status(target: Target, execution: str) -> str:
    """The status of an execution; empty when there is none."""
    from botocore.exceptions import ClientError

    try:
        found = target.client("stepfunctions").describe_execution(executionArn=execution)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
            return ""
        raise
    return str(found["status"])


def follow(target: Target, promotion: Promotion, note: Callable[[str], None]) -> None:
    """Tell what happens until the promotion has ended; raises RunFailed when not well."""
    told = 0
    place = ""
    while True:
        ended = target.client("stepfunctions").describe_execution(executionArn=promotion.execution)
        states = [s for s in read_states(target, promotion.execution) if s.is_task]
        for state in states[told:]:
            note(f"  {state.name}")
        told = len(states)
        place = _tell_place(target, promotion, place, note)
        if ended["status"] != "RUNNING":
            break
        time.sleep(target.poll_s)
    if ended["status"] != "SUCCEEDED":
        cause = ended.get("cause") or _cause(target, promotion) or "no cause was given"
        raise RunFailed(
            f"promotion of {promotion.version.name} to {promotion.environment} ended as "
            f"{ended['status']}: {ended.get('error', '')}: {cause}. What served before serves on; "
            f"{_what_next(str(ended.get('error', '')))}"
        )


def _what_next(error: str) -> str:
    if error == ROLLED_BACK_THERE:
        return "release a better version"
    return "run the same command again once the cause is out of the way"


def _tell_place(
    target: Target, promotion: Promotion, before: str, note: Callable[[str], None]
) -> str:
    entry = target_entry(target, promotion.version.arn, promotion.environment)
    now = str(entry.get("status", ""))
    if now and now != before:
        note(f"{promotion.environment}: {now}")
        if now == "waiting":
            note(f"  {how_to_approve(promotion.environment, entry)}")
    return now


def _cause(target: Target, promotion: Promotion) -> str:
    return str(target_entry(target, promotion.version.arn, promotion.environment).get("cause", ""))


def target_entry(target: Target, arn: str, environment: str) -> dict[str, Any]:
    """What the promotion record says of one environment; empty when it says nothing."""
    record = promotion_record(target, arn) or {}
    entry = record.get("targets", {}).get(environment, {})
    return entry if isinstance(entry, dict) else {}


def how_to_approve(environment: str, entry: dict[str, Any]) -> str:
    """The line with which a person lets a waiting version serve in its environment."""
    arn = entry.get("modelPackageArn") or "ARN"
    return (
        f"It waits for a person in {environment}; in its account: aws sagemaker "
        f"update-model-package --model-package-arn {arn} --model-approval-status Approved"
    )
