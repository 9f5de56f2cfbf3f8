"""Machines that act in another account: `Credentials` of a task, with both sides in agreement.

Rules: Step Functions Developer Guide, "Accessing resources in other AWS accounts in Step Functions"
and "Cross-account access for .sync integration pattern" (read 2026-11).
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.localaws import account_world as world
from tests.localaws import machine_bench as bench
from tests.localaws.account_world import DEV, STAGING
from tests.localaws.iam_roles import allow, trust

pytestmark = pytest.mark.usefixtures("laptop")

WHO = "arn:aws:states:::aws-sdk:sts:getCallerIdentity"
STATES = {"Service": "states.amazonaws.com"}


@dataclass(frozen=True)
class Pair:
    """A machine's role in dev, and the role in staging that its tasks take."""

    machine_role: str
    task_role: str

    def task(self, resource: str, **parameters: Any) -> dict[str, Any]:
        """A definition of one task that acts as the task role."""
        return bench.one_state(
            Type="Task",
            Resource=resource,
            Parameters=parameters,
            Credentials={"RoleArn": self.task_role},
        )

    def run(self, definition: dict[str, Any], document: Any = None) -> dict[str, Any]:
        """The ended execution of a new machine in dev."""
        machine = bench.make_machine(definition, self.machine_role)
        return bench.ended(bench.start(machine, document))


def pair(
    *statements: dict[str, Any], trusted: str = "", may_assume: str | None = "*", **condition: Any
) -> Pair:
    """Two roles that let each other, unless told otherwise; the target may do `statements`."""
    task_role = world.make_role(
        STAGING, *statements, trusted=trusted or trust(world.root(DEV), **condition)
    )
    assume = [allow("sts:AssumeRole", may_assume)] if may_assume else []
    return Pair(world.make_role(DEV, *assume, trusted=trust(STATES)), task_role)


def refusal(roles: Pair) -> str:
    """What AWS gives as the cause when the role of a task cannot be taken."""
    return (
        f"The role {roles.machine_role} is not authorized to assume the task state's role, "
        f"{roles.task_role}."
    )


def test_a_task_with_credentials_acts_in_the_account_of_its_role() -> None:
    roles = pair()

    ended = roles.run(roles.task(WHO))

    assert ended["status"] == "SUCCEEDED", ended
    answer = json.loads(ended["output"])
    assert answer["Account"] == STAGING
    name = roles.task_role.rpartition("/")[2]
    assert answer["Arn"].startswith(f"arn:aws:sts::{STAGING}:assumed-role/{name}/")


def test_the_role_may_come_from_the_input() -> None:
    roles = pair()
    definition = bench.one_state(Type="Task", Resource=WHO, Credentials={"RoleArn.$": "$.role"})

    ended = roles.run(definition, {"role": roles.task_role})

    assert json.loads(ended["output"])["Account"] == STAGING


@pytest.mark.parametrize(
    "roles",
    [
        lambda: pair(may_assume=None),
        lambda: pair(may_assume=f"arn:aws:iam::{STAGING}:role/another"),
        lambda: pair(trusted=trust(world.root(STAGING))),
        lambda: pair(Condition={"StringEquals": {"sts:ExternalId": "another-machine"}}),
    ],
    ids=["no identity policy", "another role", "no trust", "another external id"],
)
def test_each_side_alone_is_not_enough(roles: Any) -> None:
    made: Pair = roles()

    ended = made.run(made.task(WHO))

    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed")
    assert ended["cause"] == refusal(made)


def test_a_role_that_is_not_there_is_refused_in_the_same_words_and_can_be_caught() -> None:
    roles = Pair(
        world.make_role(DEV, allow("sts:AssumeRole"), trusted=trust(STATES)),
        f"arn:aws:iam::{STAGING}:role/none",
    )
    definition = roles.task(WHO)
    definition["States"]["Only"]["Catch"] = [
        {"ErrorEquals": ["States.TaskFailed"], "Next": "Caught", "ResultPath": "$.failure"}
    ]
    definition["States"]["Caught"] = {"Type": "Pass", "End": True}

    ended = roles.run(definition, {})

    assert json.loads(ended["output"])["failure"]["Cause"] == refusal(roles)


def test_the_external_id_is_the_machine() -> None:
    machine = bench.unused_name("told-apart")
    arn = f"arn:aws:states:us-east-1:{DEV}:stateMachine:{machine}"
    roles = pair(Condition={"StringEquals": {"sts:ExternalId": arn}})
    made = bench.client("stepfunctions").create_state_machine(
        name=machine, definition=json.dumps(roles.task(WHO)), roleArn=roles.machine_role
    )

    assert bench.ended(bench.start(made["stateMachineArn"]))["status"] == "SUCCEEDED"


def test_the_call_is_decided_by_the_policies_of_the_role_in_the_other_account() -> None:
    world.owner("ssm", STAGING).put_parameter(Name="/box/one", Value="1", Type="String")
    parameter = f"arn:aws:ssm:us-east-1:{STAGING}:parameter/box/one"
    allowed, denied = pair(allow("ssm:GetParameter", parameter)), pair()
    resource = "arn:aws:states:::aws-sdk:ssm:getParameter"

    read = allowed.run(allowed.task(resource, Name="/box/one"))
    refused = denied.run(denied.task(resource, Name="/box/one"))

    assert json.loads(read["output"])["Parameter"]["ARN"] == parameter
    assert refused["error"] == "Ssm.AccessDeniedException"
    assert "no identity-based policy allows the ssm:GetParameter action" in refused["cause"]


def test_a_trust_that_is_taken_back_counts_for_the_next_task() -> None:
    roles = pair()
    assert roles.run(roles.task(WHO))["status"] == "SUCCEEDED"

    world.owner("iam", STAGING).update_assume_role_policy(
        RoleName=roles.task_role.rpartition("/")[2], PolicyDocument=trust(world.root(STAGING))
    )

    assert roles.run(roles.task(WHO))["cause"] == refusal(roles)


def child_machine() -> str:
    """A machine in staging; its ARN."""
    definition = bench.one_state(Type="Pass", Result={"from": "staging"})
    role = world.make_role(STAGING, trusted=trust(STATES))
    made = world.owner("stepfunctions", STAGING).create_state_machine(
        name=world.unused("child"), definition=json.dumps(definition), roleArn=role
    )
    return str(made["stateMachineArn"])


def test_a_machine_of_another_account_is_run_and_awaited_without_a_managed_rule() -> None:
    child = child_machine()
    of_child = child.replace(":stateMachine:", ":execution:") + ":*"
    roles = pair(
        allow("states:StartExecution", child),
        allow(["states:DescribeExecution", "states:StopExecution"], of_child),
    )

    definition = roles.task("arn:aws:states:::states:startExecution.sync:2", StateMachineArn=child)
    ended = roles.run(definition)

    assert ended["status"] == "SUCCEEDED", ended
    assert json.loads(ended["output"])["Output"] == {"from": "staging"}


def test_a_machine_of_another_account_cannot_be_started_without_its_role() -> None:
    role = world.make_role(DEV, allow("states:*"), trusted=trust(STATES))
    definition = bench.one_state(
        Type="Task",
        Resource="arn:aws:states:::states:startExecution",
        Parameters={"StateMachineArn": child_machine()},
    )

    ended = bench.ended(bench.start(bench.make_machine(definition, role)))

    assert "no resource-based policy allows the states:StartExecution" in ended["cause"]


def test_the_history_names_the_role_of_the_task() -> None:
    roles = pair()
    execution = bench.start(bench.make_machine(roles.task(WHO), roles.machine_role))
    bench.ended(execution)

    scheduled = [e for e in bench.history(execution) if e["type"] == "TaskScheduled"]

    details = scheduled[0]["taskScheduledEventDetails"]
    assert details["taskCredentials"] == {"roleArn": roles.task_role}
