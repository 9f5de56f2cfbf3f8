"""EventBridge Scheduler on the laptop, through boto3 against the running server."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import clients
from localaws.events import service as events
from localaws.server import LaptopServer

ACCOUNT, REGION = "123456789012", "us-east-1"
GROUP = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/default"


def client(service: str) -> Any:
    return clients.developer_client(service)


def queue(name: str) -> tuple[str, str]:
    """URL and ARN of a new queue whose policy lets nobody in but the account."""
    url = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def role(name: str, *arns: str, source: str = GROUP) -> str:
    """A role that the schedules of a group may assume, and that may send to queues."""
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "scheduler.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnEquals": {"aws:SourceArn": source},
        },
    }
    iam = client("iam")
    made = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    allow = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": list(arns)}
    iam.put_role_policy(
        RoleName=name,
        PolicyName="send",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    return str(made["Role"]["Arn"])


def schedule(name: str, arn: str, role_arn: str, **options: Any) -> None:
    client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=options.pop("expression", "rate(1 hour)"),
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": role_arn, **options.pop("target", {})},
        **options,
    )


def arrived(url: str, *, least: int = 1) -> list[dict[str, Any]]:
    """Messages of a queue, once there are some."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 120
    while len(found) < least and time.monotonic() < deadline:
        # No wait for what is under way: a schedule adds to it all the time.
        answer = client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        found += answer.get("Messages", [])
        time.sleep(0.01)
    return found


def test_a_schedule_calls_its_target_again_and_again_under_its_role(laptop: LaptopServer) -> None:
    url, arn = queue("again")
    schedule("again", arn, role("again", arn))

    found = arrived(url, least=3)

    client("scheduler").delete_schedule(Name="again")
    event = json.loads(found[0]["Body"])
    assert len(found) >= 3
    assert (event["source"], event["detail-type"]) == ("aws.scheduler", "Scheduled Event")
    assert event["resources"] == [f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/again"]
    assert event["detail"] == "{}"


def test_its_input_is_given_with_the_context_filled_in(laptop: LaptopServer) -> None:
    url, arn = queue("input")
    given = {"Input": '{"schedule": "<aws.scheduler.schedule-arn>", "n": 1}'}
    schedule("input", arn, role("input", arn), target=given)

    found = arrived(url)

    client("scheduler").delete_schedule(Name="input")
    name = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/input"
    assert json.loads(found[0]["Body"]) == {"schedule": name, "n": 1}


@pytest.mark.parametrize("source", [GROUP.replace("default", "other"), GROUP])
def test_what_it_cannot_deliver_goes_to_the_dead_letter_queue_by_its_own_role(
    laptop: LaptopServer, source: str
) -> None:
    """A role that trusts another group can send nothing at all, not even the dead letter."""
    name = f"dead-{len(source)}"
    _, arn = queue(f"{name}-target")
    url, dead = queue(f"{name}-letters")
    policy = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    schedule(
        name,
        arn,
        role(name, dead, source=source),
        target={"DeadLetterConfig": {"Arn": dead}, "RetryPolicy": policy, "Input": "{}"},
    )

    found = arrived(url) if source == GROUP else []
    if not found:
        time.sleep(0.3)  # several periods of the schedule
    client("scheduler").delete_schedule(Name=name)
    found = found or _left(url)

    told = [{k: v["StringValue"] for k, v in m["MessageAttributes"].items()} for m in found]
    assert [t["ERROR_CODE"] for t in told[:1]] == (["NO_PERMISSIONS"] if source == GROUP else [])
    assert all(m["Body"] == "{}" for m in found)


def _left(url: str) -> list[dict[str, Any]]:
    assert events.drain(60)
    found: list[dict[str, Any]] = client("sqs").receive_message(QueueUrl=url).get("Messages", [])
    return found


def test_a_deleted_or_disabled_schedule_fires_no_more(laptop: LaptopServer) -> None:
    url, arn = queue("ended")
    made = role("ended", arn)
    schedule("disabled", arn, made, State="DISABLED")
    schedule("deleted", arn, made)
    client("scheduler").delete_schedule(Name="deleted")

    time.sleep(0.3)  # several periods of the schedule
    assert _left(url) == []
    client("scheduler").delete_schedule(Name="disabled")


def test_only_those_who_may_pass_the_role_make_a_schedule(
    laptop: LaptopServer, remote: Any
) -> None:
    _, arn = queue("passed")
    made = role("passed", arn)
    iam = client("iam")
    iam.create_user(UserName="scheduling")
    key = iam.create_access_key(UserName="scheduling")["AccessKey"]
    statement = {
        "Effect": "Allow",
        "Action": "scheduler:CreateSchedule",
        "Resource": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/mine",
    }
    iam.put_user_policy(
        UserName="scheduling",
        PolicyName="one",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    theirs = remote("scheduler", key_id=key["AccessKeyId"], secret=key["SecretAccessKey"])

    with pytest.raises(ClientError, match="iam:PassRole"):
        theirs.create_schedule(
            Name="mine",
            ScheduleExpression="rate(1 hour)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": arn, "RoleArn": made},
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"expression": "rate(1 hours)"}, "Invalid Schedule Expression"),
        ({"expression": "at(2026-11-22T10:00:00)"}, "UnsupportedByLocalAws"),
        ({"ScheduleExpressionTimezone": "Europe/Berlin"}, "UnsupportedByLocalAws"),
    ],
)
def test_what_would_not_fire_is_refused(
    laptop: LaptopServer, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ClientError, match=said):
        schedule(
            "refused",
            f"arn:aws:sqs:{REGION}:{ACCOUNT}:q",
            f"arn:aws:iam::{ACCOUNT}:role/r",
            **options,
        )


def test_moto_keeps_what_is_read_under_the_names_that_are_used(laptop: LaptopServer) -> None:
    from moto.scheduler.models import scheduler_backends
    from moto.scheduler.responses import EventBridgeSchedulerResponse

    assert {"create_schedule", "update_schedule", "create_schedule_group"} <= set(
        vars(EventBridgeSchedulerResponse)
    )
    groups = scheduler_backends[ACCOUNT][REGION].schedule_groups
    assert groups["default"].schedules == {}
