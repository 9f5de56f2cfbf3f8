"""EventBridge across accounts: a bus takes events of others when its policy and theirs say so.

Rules: EventBridge User Guide, "Sending and receiving events between AWS accounts" (read 2026-11):
the event keeps its account, id and time; the rules of the receiving account see it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.events import service as laptop_events
from tests.localaws import account_world as world
from tests.localaws.account_world import DEV, PROD, STAGING, owner, unused
from tests.localaws.iam_roles import allow, document, trust

pytestmark = pytest.mark.usefixtures("laptop")

EVENTS = {"Service": "events.amazonaws.com"}


@dataclass(frozen=True)
class Ear:
    """A queue behind a rule on a bus of an account."""

    account: str
    bus: str
    url: str
    arn: str

    def heard(self) -> list[dict[str, Any]]:
        """What has come so far."""
        assert laptop_events.drain()
        answer = owner("sqs", self.account).receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10
        )
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def make_queue(account: str) -> tuple[str, str]:
    """A queue that EventBridge may send to; its address and ARN."""
    sqs, name = owner("sqs", account), unused("ear")
    url, arn = (
        sqs.create_queue(QueueName=name)["QueueUrl"],
        f"arn:aws:sqs:us-east-1:{account}:{name}",
    )
    policy = document(allow("sqs:SendMessage", arn, Principal=EVENTS))
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url, arn


def listen(account: str, source: str) -> Ear:
    """A new bus with a rule for one source."""
    events, name = owner("events", account), unused("bus")
    bus = events.create_event_bus(Name=name)["EventBusArn"]
    url, arn = make_queue(account)
    events.put_rule(Name="hear", EventBusName=name, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule="hear", EventBusName=name, Targets=[{"Id": "q", "Arn": arn}])
    return Ear(account, bus, url, arn)


def open_bus(ear: Ear, *principals: str) -> None:
    """Let accounts put events on the bus."""
    name = ear.bus.rpartition("/")[2]
    for account in principals:
        owner("events", ear.account).put_permission(
            EventBusName=name,
            Action="events:PutEvents",
            Principal=account,
            StatementId=f"from-{account}",
        )


def entry(ear: Ear, source: str) -> dict[str, Any]:
    """An event for the bus."""
    return {"Source": source, "DetailType": "t", "Detail": '{"n": 1}', "EventBusName": ear.bus}


def test_an_event_put_on_another_account_s_bus_is_the_sender_s() -> None:
    ear = listen(STAGING, "direct")
    open_bus(ear, DEV)

    owner("events", DEV).put_events(Entries=[entry(ear, "direct")])

    (event,) = ear.heard()
    assert (event["account"], event["source"]) == (DEV, "direct")
    with pytest.raises(ClientError, match="no resource-based policy allows the events:PutEvents"):
        owner("events", PROD).put_events(Entries=[entry(ear, "direct")])


@pytest.fixture
def forwarded(laptop: Any) -> Iterator[tuple[Ear, str]]:
    """A bus in staging, and the role with which dev's rule forwards to it."""
    ear = listen(STAGING, "aws.sagemaker")
    role = world.make_role(DEV, allow("events:PutEvents", ear.bus), trusted=trust(EVENTS))
    name = unused("forward")
    owner("events", DEV).put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    owner("events", DEV).put_targets(
        Rule=name, Targets=[{"Id": "bus", "Arn": ear.bus, "RoleArn": role}]
    )
    yield ear, role
    owner("events", DEV).disable_rule(Name=name)


def approve(account: str = DEV) -> str:
    """Change a model package's approval; its ARN."""
    sagemaker, name = owner("sagemaker", account), unused("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    arn: str = sagemaker.create_model_package(ModelPackageGroupName=name)["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    return arn


def test_an_event_of_a_service_is_forwarded_whole_to_another_account(
    forwarded: tuple[Ear, str],
) -> None:
    ear, _ = forwarded
    open_bus(ear, DEV)
    told: list[dict[str, Any]] = []
    end = laptop_events.subscribe(told.append)

    arn = approve()
    heard = [event for event in ear.heard() if event["resources"] == [arn]]
    end()

    assert {event["account"] for event in heard} == {DEV}
    assert sorted(e["id"] for e in heard) == sorted(
        e["id"] for e in told if e["resources"] == [arn]
    )
    assert len(heard) == 2  # registered, approved


@pytest.mark.parametrize("missing", ["bus", "role"])
def test_forwarding_needs_the_bus_and_the_role_of_the_rule(
    forwarded: tuple[Ear, str], missing: str
) -> None:
    ear, role = forwarded
    if missing == "role":
        open_bus(ear, DEV)
        world.put_policy(role)

    arn = approve()

    assert [event for event in ear.heard() if event["resources"] == [arn]] == []


def test_a_service_s_event_of_one_account_is_not_heard_in_another() -> None:
    """Each account has a default bus of its own."""
    url, arn = make_queue(STAGING)
    name = unused("all")
    owner("events", STAGING).put_rule(Name=name, EventPattern='{"source": [{"prefix": ""}]}')
    owner("events", STAGING).put_targets(Rule=name, Targets=[{"Id": "q", "Arn": arn}])
    ear = Ear(STAGING, "default", url, arn)

    approve(DEV)
    theirs = approve(STAGING)

    heard = [event for event in ear.heard() if event["source"] == "aws.sagemaker"]
    assert {event["account"] for event in heard} == {STAGING}
    assert {r for event in heard for r in event["resources"]} == {theirs}
