"""EventBridge on the laptop, through boto3 against the running server."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import clients
from localaws.events import service as events
from localaws.lambdas import service as lambdas
from localaws.server import LaptopServer
from tests.localaws.pipeline_bench import PipelineBench, approval, stage, zip_of
from tests.localaws.sagemaker_world import comes_true

ACCOUNT = "123456789012"
REGION = "us-east-1"


def client(service: str) -> Any:
    return clients.developer_client(service)


@dataclass(frozen=True)
class Queue:
    url: str
    arn: str

    def received(self) -> list[str]:
        assert events.drain(60)
        return self.there()

    def there(self) -> list[str]:
        """Without a wait for what is under way."""
        messages = client("sqs").receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [message["Body"] for message in messages.get("Messages", [])]

    def letters(self) -> list[dict[str, Any]]:
        assert events.drain(60)
        messages = client("sqs").receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            {
                "body": json.loads(message["Body"]),
                **{k: v["StringValue"] for k, v in message["MessageAttributes"].items()},
            }
            for message in messages.get("Messages", [])
        ]


class Bench:
    """Makes what one test needs, under names of its own."""

    def __init__(self, name: str) -> None:
        self.name = name.replace("[", "-").replace("]", "")[:50]
        self.count = 0

    def queue(self, *, open_to_rules: bool = True) -> Queue:
        self.count += 1
        sqs = client("sqs")
        url = sqs.create_queue(QueueName=f"{self.name}-{self.count}")["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.name}-{self.count}"
        if open_to_rules:
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:events:{REGION}:*:rule/*"}},
            }
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return Queue(url, arn)

    def rule(self, pattern: dict[str, Any] | None = None, **options: Any) -> str:
        source = {"source": [self.name]}
        name = f"{self.name}-rule"
        client("events").put_rule(Name=name, EventPattern=json.dumps(pattern or source), **options)
        return name

    def target(self, arn: str, **options: Any) -> None:
        client("events").put_targets(
            Rule=f"{self.name}-rule", Targets=[{"Id": "one", "Arn": arn, **options}]
        )

    def put(self, detail: dict[str, Any] | None = None, **entry: Any) -> dict[str, Any]:
        answer = client("events").put_events(
            Entries=[
                {
                    "Source": self.name,
                    "DetailType": "Something Happened",
                    "Detail": json.dumps(detail or {"n": 1}),
                    **entry,
                }
            ]
        )
        return dict(answer["Entries"][0])

    def role(self, service: str, *statements: dict[str, Any], suffix: str = "role") -> str:
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        iam = client("iam")
        made = iam.create_role(
            RoleName=f"{self.name[:55]}-{suffix}",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
        iam.put_role_policy(
            RoleName=f"{self.name[:55]}-{suffix}",
            PolicyName="inline",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}),
        )
        return str(made["Role"]["Arn"])


def _allow(action: str, resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


@pytest.fixture
def bench(laptop: LaptopServer, request: pytest.FixtureRequest) -> Bench:
    return Bench(str(request.node.name))


def test_an_event_reaches_the_target_of_a_rule_that_wants_it(bench: Bench):
    queue = bench.queue()
    bench.rule()
    bench.target(queue.arn)

    put = bench.put({"n": 7}, Resources=["arn:aws:x"])

    (body,) = queue.received()
    event = json.loads(body)
    assert event.pop("time").endswith("Z")
    assert event == {
        "version": "0",
        "id": put["EventId"],
        "detail-type": "Something Happened",
        "source": bench.name,
        "account": ACCOUNT,
        "region": REGION,
        "resources": ["arn:aws:x"],
        "detail": {"n": 7},
    }


def test_an_event_that_no_pattern_wants_goes_nowhere(bench: Bench):
    queue = bench.queue()
    bench.rule({"source": [bench.name], "detail": {"n": [{"numeric": [">", 5]}]}})
    bench.target(queue.arn)

    bench.put({"n": 5})

    assert queue.received() == []


def test_a_disabled_rule_delivers_nothing_until_it_is_enabled(bench: Bench):
    queue = bench.queue()
    name = bench.rule(State="DISABLED")
    bench.target(queue.arn)
    bench.put()
    assert queue.received() == []

    client("events").enable_rule(Name=name)
    bench.put()

    assert len(queue.received()) == 1


def test_a_target_gets_what_its_input_transformer_makes(bench: Bench):
    queue = bench.queue()
    bench.rule()
    transformer = {
        "InputPathsMap": {"n": "$.detail.n", "who": "$.detail.who"},
        "InputTemplate": '{"number": <n>, "who": <who>, "rule": "<aws.events.rule-name>"}',
    }
    bench.target(queue.arn, InputTransformer=transformer)

    bench.put({"n": 7, "who": 'an "expert"'})

    (body,) = queue.received()
    assert json.loads(body) == {"number": 7, "who": 'an "expert"', "rule": f"{bench.name}-rule"}


def test_a_queue_whose_policy_does_not_let_the_rule_in_is_not_reached(bench: Bench):
    closed, dead = bench.queue(open_to_rules=False), bench.queue()
    name = bench.rule()
    bench.target(closed.arn, DeadLetterConfig={"Arn": dead.arn})

    put = bench.put()

    (letter,) = dead.letters()
    assert closed.received() == []
    assert letter["body"]["id"] == put["EventId"]
    assert letter["RULE_ARN"] == f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"
    assert letter["TARGET_ARN"] == closed.arn
    assert letter["ERROR_CODE"] == "NO_PERMISSIONS"
    assert letter["RETRY_ATTEMPTS"] == "0"
    assert "sqs:SendMessage" in letter["ERROR_MESSAGE"]


def test_a_missing_target_goes_to_the_dead_letter_queue_without_a_retry(bench: Bench):
    dead = bench.queue()
    bench.rule()
    gone = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:gone"
    role = bench.role(
        "events.amazonaws.com", {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}
    )
    bench.target(gone, RoleArn=role, DeadLetterConfig={"Arn": dead.arn})

    bench.put()

    (letter,) = dead.letters()
    assert (letter["ERROR_CODE"], letter["RETRY_ATTEMPTS"]) == ("NO_RESOURCE", "0")


def test_a_role_that_eventbridge_may_not_assume_delivers_nothing(bench: Bench):
    queue, dead = bench.queue(), bench.queue()
    bench.rule()
    role = bench.role(
        "lambda.amazonaws.com", {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    )
    bench.target(queue.arn, RoleArn=role, DeadLetterConfig={"Arn": dead.arn})

    bench.put()

    (letter,) = dead.letters()
    assert letter["ERROR_CODE"] == "NO_PERMISSIONS"
    assert queue.received() == []


def test_a_target_that_is_busy_is_tried_again_as_often_as_the_rule_says(bench: Bench):
    dead = bench.queue()
    arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{bench.name[:60]}"
    made = PipelineBench(bench.name[:60])
    made.create(stage("Gate", approval("Gate")))
    for _ in range(50):
        made.start()
    made.heard.stop()
    start = {"Effect": "Allow", "Action": "codepipeline:StartPipelineExecution", "Resource": arn}
    bench.rule()
    bench.target(
        arn,
        RoleArn=bench.role("events.amazonaws.com", start),
        RetryPolicy={"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600},
        DeadLetterConfig={"Arn": dead.arn},
    )

    bench.put()

    (letter,) = dead.letters()
    assert letter["ERROR_CODE"] == "THROTTLING"
    assert letter["RETRY_ATTEMPTS"] == "2"
    assert letter["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"


def test_a_machine_is_started_with_the_event_under_a_name_of_its_own(bench: Bench):
    states, definition = client("stepfunctions"), {"Type": "Pass", "End": True}
    machine = states.create_state_machine(
        name=bench.name[:80],
        definition=json.dumps({"StartAt": "A", "States": {"A": definition}}),
        roleArn=bench.role("states.amazonaws.com", _allow("s3:ListBucket", "*")),
    )["stateMachineArn"]
    bench.rule()
    role = bench.role("events.amazonaws.com", _allow("states:StartExecution", machine), suffix="e")
    bench.target(machine, RoleArn=role, InputPath="$.detail")

    put = bench.put({"n": 3})
    assert events.drain(60)

    (started,) = states.list_executions(stateMachineArn=machine)["executions"]
    told = states.describe_execution(executionArn=started["executionArn"])
    assert started["name"].startswith(put["EventId"])
    assert json.loads(told["input"]) == {"n": 3}


def test_a_function_is_called_only_when_it_lets_the_rule_in(bench: Bench, tmp_path: Path):
    dead, seen = bench.queue(), tmp_path / "event"
    code = f"import json\ndef handler(e, c):\n    open({str(seen)!r}, 'w').write(json.dumps(e))\n"
    function = client("lambda").create_function(
        FunctionName=bench.name,
        Runtime="python3.13",
        Role=bench.role("lambda.amazonaws.com", _allow("logs:*", "*")),
        Handler="app.handler",
        Code={"ZipFile": zip_of(app__py=code)},
        Timeout=30,
    )["FunctionArn"]
    rule = bench.rule()
    bench.target(function, DeadLetterConfig={"Arn": dead.arn})
    bench.put()
    (refused,) = dead.letters()

    client("lambda").add_permission(
        FunctionName=bench.name,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}",
    )
    put = bench.put()
    assert dead.letters() == []
    assert lambdas.drain_events(20)

    assert refused["ERROR_CODE"] == "NO_PERMISSIONS"
    assert json.loads(seen.read_text())["id"] == put["EventId"]


def test_a_pipeline_gets_variables_and_revisions_from_the_payload(bench: Bench):
    made = PipelineBench(bench.name[:60])
    made.create(stage("Gate", approval("Gate")), variables=[{"name": "W", "defaultValue": "auto"}])
    arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{made.name}"
    version = made.upload("other.zip")
    template = {
        "variables": [{"name": "W", "value": "<w>"}],
        "sourceRevisions": [
            {"actionName": "Source", "revisionType": "S3_OBJECT_KEY", "revisionValue": "<key>"}
        ],
    }
    bench.rule()
    bench.target(
        arn,
        RoleArn=bench.role(
            "events.amazonaws.com", _allow("codepipeline:StartPipelineExecution", arn)
        ),
        InputTransformer={
            "InputPathsMap": {"w": "$.detail.w", "key": "$.detail.key"},
            "InputTemplate": json.dumps(template),
        },
    )

    bench.put({"w": "diabetes", "key": "other.zip"})
    assert events.drain(60)
    made.heard.wait(lambda e: e["detail"].get("action") == "Gate")
    made.heard.stop()

    codepipeline = client("codepipeline")
    listed = codepipeline.list_pipeline_executions(pipelineName=made.name)
    (started,) = listed["pipelineExecutionSummaries"]
    told = codepipeline.get_pipeline_execution(
        pipelineName=made.name, pipelineExecutionId=started["pipelineExecutionId"]
    )["pipelineExecution"]
    assert told["variables"] == [{"name": "W", "resolvedValue": "diabetes"}]
    assert told["artifactRevisions"][0]["revisionId"] == version


def test_a_topic_is_reached_by_its_own_policy(bench: Bench):
    queue = bench.queue(open_to_rules=False)
    topic = client("sns").create_topic(Name=bench.name)["TopicArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    delivery = {
        **_allow("sqs:SendMessage", queue.arn),
        "Principal": {"Service": "sns.amazonaws.com"},
    }
    client("sqs").set_queue_attributes(
        QueueUrl=queue.url,
        Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [delivery]})},
    )
    allow = {**_allow("sns:Publish", topic), "Principal": {"Service": "events.amazonaws.com"}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    client("sns").set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=policy
    )
    bench.rule()
    bench.target(topic)

    put = bench.put()

    (body,) = queue.received()
    assert json.loads(json.loads(body)["Message"])["id"] == put["EventId"]


def test_an_event_is_forwarded_to_another_bus_unchanged(bench: Bench):
    queue = bench.queue()
    bus = client("events").create_event_bus(Name=bench.name)["EventBusArn"]
    client("events").put_rule(
        Name="far", EventBusName=bench.name, EventPattern=json.dumps({"source": [bench.name]})
    )
    client("events").put_targets(
        Rule="far", EventBusName=bench.name, Targets=[{"Id": "q", "Arn": queue.arn}]
    )
    role = bench.role(
        "events.amazonaws.com", {"Effect": "Allow", "Action": "events:PutEvents", "Resource": bus}
    )
    bench.rule()
    bench.target(bus, RoleArn=role)

    put = bench.put()

    (body,) = queue.received()
    assert json.loads(body)["id"] == put["EventId"]


def test_events_of_aws_cannot_be_put(bench: Bench):
    answer = bench.put(Source="aws.sagemaker")

    assert answer["ErrorCode"] == "NotAuthorizedForSourceException"


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"Detail": "not json"}, "MalformedDetail"),
        ({"Detail": "[1]"}, "MalformedDetail"),
        ({"DetailType": ""}, "InvalidArgument"),
    ],
)
def test_a_bad_entry_is_refused_by_itself(bench: Bench, entry: dict[str, Any], code: str):
    assert bench.put(**entry)["ErrorCode"] == code


def test_what_would_be_stored_and_never_done_is_refused(laptop: LaptopServer):
    with pytest.raises(ClientError) as refused:
        client("events").create_archive(
            ArchiveName="a",
            EventSourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default",
        )

    assert refused.value.response["Error"]["Code"] == "UnsupportedByLocalAws"


def test_a_pattern_can_be_tried_against_an_event(laptop: LaptopServer):
    event = {
        "id": "1",
        "account": ACCOUNT,
        "source": "me",
        "time": "2026-11-21T00:00:00Z",
        "region": REGION,
        "resources": [],
        "detail-type": "t",
        "detail": {"ok": True},
    }

    def result(pattern: dict[str, Any]) -> bool:
        answer = client("events").test_event_pattern(
            EventPattern=json.dumps(pattern), Event=json.dumps(event)
        )
        return bool(answer["Result"])

    assert result({"detail": {"ok": [True]}})
    assert not result({"detail": {"ok": [1]}})


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"EventPattern": '{"a": [{"bogus": 1}]}'}, "InvalidEventPatternException"),
        ({"ScheduleExpression": "rate(1 minutes)"}, "ValidationException"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(
    laptop: LaptopServer, request_: dict[str, str], code: str
):
    with pytest.raises(ClientError) as refused:
        client("events").put_rule(Name="bad", **request_)

    assert refused.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ({"Arn": "arn:aws:firehose:us-east-1:123456789012:x"}, "UnsupportedByLocalAws"),
        ({"Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:m"}, "ValidationException"),
        ({"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "Input": "{"}, "ValidationException"),
    ],
)
def test_a_target_that_cannot_work_is_refused(bench: Bench, target: dict[str, str], code: str):
    bench.rule()

    with pytest.raises(ClientError) as refused:
        bench.target(target.pop("Arn"), **target)

    assert refused.value.response["Error"]["Code"] == code


def test_a_schedule_fires_again_and_again_and_only_at_its_own_target(bench: Bench):
    queue, other = bench.queue(), bench.queue()
    bench.rule({"source": ["aws.events"]})
    bench.target(other.arn)
    client("events").put_rule(Name="tick", ScheduleExpression="rate(1 hour)")
    client("events").put_targets(Rule="tick", Targets=[{"Id": "q", "Arn": queue.arn}])

    bodies: list[str] = []

    def has_fired_twice() -> bool:
        bodies.extend(queue.there())
        return len(bodies) >= 2

    assert comes_true(has_fired_twice)
    client("events").remove_targets(Rule="tick", Ids=["q"])
    client("events").delete_rule(Name="tick")

    event = json.loads(bodies[0])
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert event["resources"] == [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/tick"]
    assert other.received() == []


def test_a_listener_that_fails_hinders_nobody(bench: Bench):
    def broken(event: dict[str, Any]) -> None:
        raise ValueError("broken listener")

    stop, queue = events.subscribe(broken), bench.queue()
    bench.rule()
    bench.target(queue.arn)

    bench.put()
    stop()

    assert len(queue.received()) == 1
