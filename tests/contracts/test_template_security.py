"""What the template must hold for every resource of a kind, whoever adds one."""

from typing import Any

import pytest

from tests.contracts import repository
from tests.contracts.repository import Statement

GRANTS = [s for s in repository.role_statements() if s.allows]
RESOURCE_GRANTS = [s for s in repository.resource_policy_statements() if s.allows]
BUCKETS = repository.resources("AWS::S3::Bucket")
LOG_GROUPS = repository.resources("AWS::Logs::LogGroup")


def test_no_granted_action_holds_a_wildcard() -> None:
    assert [(s.place, a) for s in GRANTS + RESOURCE_GRANTS for a in s.actions if "*" in a] == []


def test_every_wildcard_resource_has_its_reason_beside_it() -> None:
    lines = repository.TEMPLATE.read_text(encoding="utf-8").splitlines()
    bare = [line for line in lines if 'Resource: "*"' in line or line.strip() == '- "*"']

    assert [line for line in bare if "# " not in line] == []
    every = [*repository.role_statements(), *repository.resource_policy_statements()]
    starred = [s for s in every if "*" in s.resources]
    assert len(bare) == len(starred)


def test_every_grant_has_a_name() -> None:
    assert [s.owner for s in GRANTS if not str(s.body.get("Sid", "")).isalnum()] == []


def test_a_role_is_passed_to_sagemaker_only() -> None:
    passes = [s for s in GRANTS if "iam:PassRole" in s.actions]

    assert len(passes) == 2
    for statement in passes:
        condition = statement.body["Condition"]["StringEquals"]
        assert condition == {"iam:PassedToService": "sagemaker.amazonaws.com"}
        assert "*" not in str(statement.resources)


def test_the_key_is_used_through_one_service_only() -> None:
    """kms:Encrypt alone reads nothing, and SageMaker comes without a service in between."""
    uses = [s for s in GRANTS if set(s.actions) & {"kms:Decrypt", "kms:GenerateDataKey"}]

    assert uses
    for statement in uses:
        condition = statement.body["Condition"]
        if statement.owner == "DeployRole" and "aws:ResourceAccount" in condition["StringEquals"]:
            # The key of another environment, whose region is not known here.
            assert condition["StringLike"] == {"kms:ViaService": "s3.*.amazonaws.com"}
        else:
            assert list(condition["StringEquals"]) == ["kms:ViaService"], statement


def test_eventbridge_uses_the_key_without_source_keys() -> None:
    """Delivery fails, unseen, where a key policy asks for keys that the service does not send."""
    (key,) = repository.resources("AWS::KMS::Key").values()
    statements = [s for s in key["KeyPolicy"]["Statement"] if "Fn::If" not in s]
    (for_events,) = [s for s in statements if "events.amazonaws.com" in str(s["Principal"])]

    assert for_events["Principal"] == {"Service": "events.amazonaws.com"}
    assert set(for_events["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
    assert "Condition" not in for_events


@pytest.mark.parametrize("statement", repository.trust_statements(), ids=lambda s: s.owner)
def test_trust_is_bound_to_this_account_where_the_service_says_who_asks(
    statement: Statement,
) -> None:
    """Lambda sends no source keys, and CodePipeline's guide promises none; all the others do."""
    if statement.owner == "DeployRole":
        return  # no service comes here; test_another_account_comes_as_one_role_only says who does
    service = statement.body["Principal"]["Service"]
    if service in ("lambda.amazonaws.com", "codepipeline.amazonaws.com"):
        assert "Condition" not in statement.body
    else:
        condition = statement.body["Condition"]["StringEquals"]
        assert condition["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}


OTHER_ACCOUNTS = [
    s
    for s in [*repository.trust_statements(), *RESOURCE_GRANTS]
    if "PromotionSourceAccounts" in str(s.body) or "PromotionTargetAccounts" in str(s.body)
]


def test_another_account_comes_as_one_role_only() -> None:
    """The account is the principal, because its role may not be there yet; a condition names it."""
    assert len(OTHER_ACCOUNTS) == 3
    for statement in OTHER_ACCOUNTS:
        (who,) = statement.body["Condition"]["ArnLike"].values()
        is_trust = statement.owner == "DeployRole"
        role = "promote-version" if is_trust else "deploy"
        assert who["Fn::Sub"].endswith(f":role/${{AppName}}-*-{role}-*")
        accounts = "PromotionSourceAccounts" if is_trust else "PromotionTargetAccounts"
        assert statement.body["Principal"] == {"AWS": {"Ref": accounts}}


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_is_private_versioned_encrypted_and_heard_by_eventbridge(name: str) -> None:
    bucket = BUCKETS[name]
    encryption = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]

    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert encryption["ServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": {"Fn::GetAtt": ["EncryptionKey", "Arn"]},
    }
    notified = bucket["NotificationConfiguration"]["EventBridgeConfiguration"]
    assert notified == {"EventBridgeEnabled": True}
    assert "forget-abandoned-uploads" in {
        r["Id"] for r in bucket["LifecycleConfiguration"]["Rules"]
    }


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_answers_over_tls_only(name: str) -> None:
    policies = repository.resources("AWS::S3::BucketPolicy").values()
    (policy,) = [p for p in policies if p["Bucket"] == {"Ref": name}]
    statement, *others = policy["PolicyDocument"]["Statement"]
    assert all("Fn::If" in other for other in others)  # the promotion's, tested above

    assert (statement["Effect"], statement["Principal"], statement["Action"]) == (
        "Deny",
        "*",
        "s3:*",
    )
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2


@pytest.mark.parametrize("name", LOG_GROUPS)
def test_a_log_group_is_encrypted_and_forgets(name: str) -> None:
    assert LOG_GROUPS[name]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert LOG_GROUPS[name]["KmsKeyId"] == {"Fn::GetAtt": ["EncryptionKey", "Arn"]}


def test_the_key_rotates_and_outlives_the_stack() -> None:
    key = repository.template()["Resources"]["EncryptionKey"]

    assert key["Properties"]["EnableKeyRotation"] is True
    assert key["DeletionPolicy"] == "RetainExceptOnCreate"


@pytest.mark.parametrize("name", [*BUCKETS])
def test_what_a_bucket_holds_outlives_the_stack(name: str) -> None:
    bucket = repository.template()["Resources"][name]

    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == (
        "RetainExceptOnCreate",
        "Retain",
    )


def rule_targets() -> list[tuple[str, dict[str, Any]]]:
    """Every target of every rule, those that SAM makes of a function's events included."""
    targets = [
        (name, target)
        for name, rule in repository.resources("AWS::Events::Rule").items()
        for target in rule["Targets"]
    ]
    for name, function in repository.resources("AWS::Serverless::Function").items():
        for event in function.get("Events", {}).values():
            targets.append((name, event["Properties"]))
    return targets


@pytest.mark.parametrize(("name", "target"), rule_targets())
def test_an_undelivered_event_is_retried_then_kept(name: str, target: dict[str, Any]) -> None:
    dead_letters = {"Arn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}}

    assert target["DeadLetterConfig"] == dead_letters
    assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0


def test_a_function_called_asynchronously_keeps_what_it_could_not_handle() -> None:
    functions = repository.resources("AWS::Serverless::Function").values()
    for function in [f for f in functions if "Events" in f]:
        destination = function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]
        assert destination == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}


def test_a_message_that_a_queue_refuses_is_kept() -> None:
    """SNS gives up at once where it may not send or encrypt (SNS Developer Guide, "dead-letter
    queues"); the topic needs leave to send there.
    """
    kept = {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
    for subscription in repository.resources("AWS::SNS::Subscription").values():
        if subscription["Protocol"] == "sqs":
            assert subscription["RedrivePolicy"]["deadLetterTargetArn"] == kept
    (policy,) = (
        found
        for found in repository.resources("AWS::SQS::QueuePolicy").values()
        if found["Queues"] == [{"Ref": "DeadLetterQueue"}]
    )
    senders = [s["Principal"] for s in policy["PolicyDocument"]["Statement"]]
    assert {"Service": "sns.amazonaws.com"} in senders


def test_a_queue_hides_a_message_six_times_as_long_as_its_function_may_take() -> None:
    """Lambda Developer Guide, "Using Lambda with Amazon SQS"."""
    default_s = repository.template()["Globals"]["Function"]["Timeout"]
    functions = repository.resources("AWS::Serverless::Function")
    for mapping in repository.resources("AWS::Lambda::EventSourceMapping").values():
        queue = repository.resources("AWS::SQS::Queue")[mapping["EventSourceArn"]["Fn::GetAtt"][0]]
        function = mapping["FunctionName"]["Ref"].removesuffix(".Alias")
        timeout_s = functions[function].get("Timeout", default_s)
        assert queue["VisibilityTimeout"] >= 6 * timeout_s
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_an_alarm_watches_the_dead_letter_queue() -> None:
    alarm = repository.resources("AWS::CloudWatch::Alarm")["DeadLetterAlarm"]

    assert alarm["Dimensions"][0]["Value"] == {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}
    assert alarm["AlarmActions"] == [{"Ref": "NotificationTopic"}]


@pytest.mark.parametrize(
    "name", ["TrainingStateMachine", "InferenceStateMachine", "PromotionStateMachine"]
)
def test_a_machine_logs_without_execution_data_and_traces(name: str) -> None:
    machine = repository.resources("AWS::Serverless::StateMachine")[name]

    assert machine["Tracing"] == {"Enabled": True}
    assert machine["Logging"]["Level"] == "ALL"
    assert machine["Logging"]["IncludeExecutionData"] is False
