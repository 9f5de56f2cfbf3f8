"""What Step Functions asks of a machine's role when the machine is created or updated.

The role must let Step Functions in, may create the managed rules that report the end of `.sync`
tasks, and may set up the delivery of the machine's logs. AWS checks this at creation, so a missing
permission fails the deployment and not the first run.
"""

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from localaws.errors import AccessDeniedByLocalAws, UnsupportedByLocalAws
from localaws.iam import service as iam
from localaws.machines import calls as machine_calls
from localaws.machines import logs as machine_logs
from localaws.machines.jobs import JOB_KINDS
from localaws.moto_seams import machines as seams

# What the guides of Step Functions give a machine with a log; no page says when each is asked for.
# parity: all are asked for when a machine is created or updated with a log.
_LOG_DELIVERY = (
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)
_CHILD_RULE = "StepFunctionsGetEventsForStepFunctionsExecutionRule"


class Refused(seams.AWSError):  # type: ignore[misc]
    """An answer of Step Functions that refuses the request."""

    STATUS = 400

    def __init__(self, code: str, message: str) -> None:
        self.TYPE = code
        super().__init__(message)


def check_role(machine_arn: str, role_arn: str, definition: str, logging: dict[str, Any]) -> None:
    """Raise `Refused` unless the role can do for the machine what AWS demands at creation.

    `logging`: the machine's LoggingConfiguration, empty for none.
    """
    _check_trust(role_arn, machine_arn)
    if machine_logs.destination(logging):
        _check_log_delivery(role_arn, machine_arn)
    rules = sorted(managed_rules(definition))
    if rules:
        events = machine_calls.machine_client(
            "events",
            role_arn=role_arn,
            machine_arn=machine_arn,
            region=machine_arn.split(":")[3],
        )
        for rule in rules:
            _put_rule(events, rule, role_arn, machine_arn)


def managed_rules(definition: str) -> set[str]:
    """Names of the rules that the `.sync` tasks of a definition need.

    A task with Credentials needs none: Step Functions polls what it started elsewhere.
    """
    rules = set()
    for name, state in states_of(json.loads(definition)):
        resource = str(state.get("Resource", ""))
        if not resource.endswith((".sync", ".sync:2")):
            continue
        service, _, action = resource.partition(":states:::")[2].partition(":")
        action = action.partition(".")[0]
        kind = JOB_KINDS.get(action.lower()) if service == "sagemaker" else None
        if service != "states" and kind is None:
            raise UnsupportedByLocalAws("states", f"{service}:{action}.sync", f"state {name}")
        if "Credentials" not in state:
            rules.add(kind.rule if kind else _CHILD_RULE)
    return rules


def states_of(definition: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every state of a definition with its name, those of branches and iterations included."""
    for name, state in (definition.get("States") or {}).items():
        if not isinstance(state, dict):
            continue
        yield name, state
        inner = [*state.get("Branches", []), state.get("ItemProcessor"), state.get("Iterator")]
        for part in inner:
            if isinstance(part, dict):
                yield from states_of(part)


def _check_trust(role_arn: str, machine_arn: str) -> None:
    try:
        iam.assume_service_role(
            role_arn,
            machine_calls.PRINCIPAL,
            session_name=machine_calls.SESSION_NAME,
            source_arn=machine_arn,
        )
    except AccessDeniedByLocalAws as error:
        raise Refused(
            "AccessDeniedException",
            f"Neither the global service principal {machine_calls.PRINCIPAL}, nor the regional "
            f"one is authorized to assume the provided role {role_arn} ({error.reason})",
        ) from error


def _check_log_delivery(role_arn: str, machine_arn: str) -> None:
    try:
        iam.authorize_role(
            role_arn,
            machine_calls.PRINCIPAL,
            _LOG_DELIVERY,
            region=machine_arn.split(":")[3],
            session_name=machine_calls.SESSION_NAME,
            source_arn=machine_arn,
        )
    except AccessDeniedByLocalAws as error:
        raise Refused(
            "AccessDeniedException",
            "The state machine IAM Role is not authorized to access the Log Destination. "
            f"({error})",
        ) from error


def _put_rule(events: Any, rule: str, role_arn: str, machine_arn: str) -> None:
    _, partition, _, region, account = machine_arn.split(":")[:5]
    # parity: AWS's rule is enabled and its target internal to AWS; here the rule is disabled and
    # its target does not exist, because machine_jobs listens inside the process.
    target = f"arn:{partition}:sqs:{region}:{account}:{rule}"
    try:
        events.put_rule(Name=rule, EventPattern=json.dumps(_pattern(rule)), State="DISABLED")
        events.put_targets(Rule=rule, Targets=[{"Id": "StepFunctions", "Arn": target}])
        events.describe_rule(Name=rule)
    except ClientError as error:
        raise Refused(
            "AccessDeniedException",
            f"'{role_arn}' is not authorized to create managed-rule. ({error})",
        ) from error


def _pattern(rule: str) -> dict[str, Any]:
    for kind in JOB_KINDS.values():
        if kind.rule == rule:
            tags = {"MANAGED_BY_AWS": ["STARTED_BY_STEP_FUNCTIONS"]}
            detail = {kind.status_key: ["Completed", "Failed", "Stopped"], "Tags": tags}
            return {
                "source": ["aws.sagemaker"],
                "detail-type": [kind.event_type],
                "detail": detail,
            }
    started_here = {"Tags": {"MANAGED_BY_AWS": ["STARTED_BY_STEP_FUNCTIONS"]}}
    return {"source": ["aws.states"], "detail": started_here}
