"""CodePipeline on the laptop: sources, approvals, order, retry, stop, variables."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.events import service as events
from localaws.pipelines import service as pipelines
from localaws.server import LaptopServer
from tests.localaws.iam_roles import allow, document
from tests.localaws.pipeline_bench import (
    ACCOUNT,
    REGION,
    PipelineBench,
    approval,
    client,
    stage,
)


@pytest.fixture
def bench(laptop: LaptopServer, request: pytest.FixtureRequest) -> Iterator[PipelineBench]:
    made = PipelineBench(str(request.node.name).removeprefix("test_").replace("[", "-").strip("]"))
    yield made
    made.heard.stop()


def code(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_a_source_is_copied_and_its_revision_told(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    execution = bench.start()
    bench.begins("Gate", execution)

    told = client("codepipeline").get_pipeline_execution(
        pipelineName=bench.name, pipelineExecutionId=execution
    )["pipelineExecution"]
    source = bench.actions(execution)["Source"]
    location = source["output"]["outputArtifacts"][0]["s3location"]
    version = client("s3").head_object(Bucket=bench.bucket, Key="in.zip")["VersionId"]
    copied = client("s3").get_object(Bucket=location["bucket"], Key=location["key"])

    assert told["status"] == "InProgress"
    assert told["trigger"]["triggerType"] == "StartPipelineExecution"
    assert told["trigger"]["triggerDetail"].endswith("user/developer")
    assert told["artifactRevisions"][0]["revisionId"] == version
    assert source["output"]["outputVariables"]["VersionId"] == version
    assert location["key"].startswith(f"{bench.name[:20]}/Zip/")
    assert copied["Body"].read().startswith(b"PK")
    assert copied["ServerSideEncryption"] == "aws:kms"


def test_an_approval_opens_once_with_its_token(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    execution = bench.start()
    waiting = bench.begins("Gate", execution)

    bench.decide("Gate", waiting["token"], summary="looks right")

    assert bench.ends(execution) == "SUCCEEDED"
    done = bench.action_state("Gate")
    assert (done["status"], done["summary"]) == ("Succeeded", "looks right")
    assert done["lastUpdatedBy"].endswith("user/developer")
    assert "token" not in done
    with pytest.raises(ClientError) as again:
        bench.decide("Gate", waiting["token"])
    assert code(again) == "ApprovalAlreadyCompletedException"


def test_a_wrong_token_is_refused_and_changes_nothing(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    execution = bench.start()
    bench.begins("Gate", execution)

    with pytest.raises(ClientError) as refused:
        bench.decide("Gate", "00000000-0000-0000-0000-000000000000")

    assert code(refused) == "InvalidApprovalTokenException"
    assert bench.action_state("Gate")["status"] == "InProgress"


def test_a_rejected_approval_fails_the_execution(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")), stage("After", approval("After")))
    execution = bench.start()
    token = bench.begins("Gate", execution)["token"]

    bench.decide("Gate", token, "Rejected", "not good enough")

    assert bench.ends(execution) == "FAILED"
    assert bench.action_state("Gate")["summary"] == "not good enough"
    assert bench.state()["Gate"]["latestExecution"]["status"] == "Failed"
    assert "latestExecution" not in bench.state()["After"]


def test_an_approval_that_nobody_gives_expires(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate", timeoutInMinutes=5)))
    execution = bench.start()
    waiting = bench.begins("Gate", execution)
    runtime = pipelines.running()
    runtime.workers.drain(60)

    runtime.expire_now(waiting["actionExecutionId"])

    assert bench.ends(execution) == "FAILED"
    assert "5 minutes" in bench.action_state("Gate")["errorDetails"]["message"]
    with pytest.raises(ClientError) as late:
        bench.decide("Gate", waiting["token"])
    assert code(late) == "InvalidApprovalTokenException"


def test_an_approval_is_announced_with_its_token_and_custom_data(bench: PipelineBench):
    topic = client("sns").create_topic(Name=bench.name)["TopicArn"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{bench.name}"
    delivery = allow("sqs:SendMessage", arn, Principal={"Service": "sns.amazonaws.com"})
    queue = client("sqs").create_queue(
        QueueName=bench.name, Attributes={"Policy": document(delivery)}
    )["QueueUrl"]
    client("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    bench.grant("sns:Publish", topic)
    configuration = {"NotificationArn": topic, "CustomData": "version #{Source.VersionId}"}
    bench.create(stage("Gate", approval("Gate", configuration=configuration)))
    execution = bench.start()
    token = bench.begins("Gate", execution)["token"]
    pipelines.running().workers.drain(60)

    (message,) = client("sqs").receive_message(QueueUrl=queue)["Messages"]

    asked = json.loads(message["Body"])["approval"]
    version = client("s3").head_object(Bucket=bench.bucket, Key="in.zip")["VersionId"]
    assert asked["token"] == token
    assert (asked["pipelineName"], asked["actionName"]) == (bench.name, "Gate")
    assert asked["customData"] == f"version {version}"


def test_a_topic_the_role_may_not_publish_to_fails_the_approval(bench: PipelineBench):
    topic = client("sns").create_topic(Name=bench.name)["TopicArn"]
    bench.create(stage("Gate", approval("Gate", configuration={"NotificationArn": topic})))

    execution = bench.start()

    assert bench.ends(execution) == "FAILED"
    error = bench.action_state("Gate")["errorDetails"]
    assert error["code"] == "PermissionError"
    assert "sns:Publish" in error["message"]


def test_an_action_with_a_role_of_its_own_acts_as_that_role(bench: PipelineBench):
    topic = client("sns").create_topic(Name=bench.name)["TopicArn"]
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    publish = {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic}
    name = f"{bench.name[:50]}-own"
    own = client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    client("iam").put_role_policy(
        RoleName=name,
        PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [publish]}),
    )
    gate = approval("Gate", configuration={"NotificationArn": topic}, roleArn=own)
    bench.create(stage("Gate", gate))

    refused = bench.start()
    assert bench.ends(refused) == "FAILED"
    assert "sts:AssumeRole" in bench.action_state("Gate")["errorDetails"]["message"]

    bench.grant("sts:AssumeRole", own)
    execution = bench.start()
    token = bench.begins("Gate", execution)["token"]
    assert pipelines.running().workers.drain(60)
    bench.decide("Gate", token)
    assert bench.ends(execution) == "SUCCEEDED"


def test_a_missing_source_object_fails_the_source(bench: PipelineBench):
    # Without s3:ListBucket S3 answers 403 for a missing key, so that names cannot be guessed.
    bench.grant("s3:ListBucket", f"arn:aws:s3:::{bench.bucket}")
    bench.create(stage("Gate", approval("Gate")))

    execution = bench.start(
        sourceRevisions=[
            {"actionName": "Source", "revisionType": "S3_OBJECT_KEY", "revisionValue": "gone.zip"}
        ]
    )

    assert bench.ends(execution) == "FAILED"
    assert bench.action_state("Source")["errorDetails"]["code"] == "RevisionUnavailable"


def test_a_run_can_be_pinned_to_a_key_and_a_version(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    first = bench.upload("other.zip", a="1")
    bench.upload("other.zip", a="2")

    execution = bench.start(
        sourceRevisions=[
            {"actionName": "Source", "revisionType": "S3_OBJECT_KEY", "revisionValue": "other.zip"},
            {
                "actionName": "Source",
                "revisionType": "S3_OBJECT_VERSION_ID",
                "revisionValue": first,
            },
        ]
    )

    bench.begins("Gate", execution)
    found = bench.actions(execution)["Source"]["output"]["outputVariables"]
    assert (found["ObjectKey"], found["VersionId"]) == ("other.zip", first)


def test_a_bucket_without_versions_is_no_source(bench: PipelineBench):
    client("s3").put_bucket_versioning(
        Bucket=bench.bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    client("s3").put_object(Bucket=bench.bucket, Key="in.zip", Body=b"x")
    client("codepipeline").create_pipeline(pipeline=bench.declare(stage("Gate", approval("Gate"))))

    execution = bench.start()

    assert bench.ends(execution) == "FAILED"
    assert "not versioned" in bench.action_state("Source")["errorDetails"]["message"]


def test_queued_executions_pass_a_stage_one_by_one_in_order(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    first, second, third = bench.start(), bench.start(), bench.start()
    token = bench.begins("Gate", first)["token"]
    bench.heard.wait(
        lambda e: (
            e["detail"].get("action") == "Source"
            and e["detail"]["execution-id"] == third
            and e["detail"]["state"] == "SUCCEEDED"
        )
    )

    waiting = bench.state()["Gate"]

    assert waiting["latestExecution"]["pipelineExecutionId"] == first
    assert [e["pipelineExecutionId"] for e in waiting["inboundExecutions"]] == [second, third]
    bench.decide("Gate", token)
    for following in (second, third):
        bench.decide("Gate", bench.begins("Gate", following)["token"])
    order = [
        e["detail"]["execution-id"]
        for e in bench.heard.events
        if e["detail"].get("action") == "Gate" and e["detail"]["state"] == "STARTED"
    ]
    assert [bench.ends(e) for e in (first, second, third)] == ["SUCCEEDED"] * 3
    assert order == [first, second, third]


def test_a_failed_execution_lets_the_next_one_in(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    first, second = bench.start(), bench.start()

    bench.decide("Gate", bench.begins("Gate", first)["token"], "Rejected")

    assert bench.begins("Gate", second)["status"] == "InProgress"


def test_a_superseding_pipeline_keeps_only_the_newest_waiting(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")), executionMode="SUPERSEDED")
    first = bench.start()
    token = bench.begins("Gate", first)["token"]
    second = bench.start()
    bench.heard.wait(
        lambda e: (
            e["detail"]["execution-id"] == second
            and e["detail"].get("stage") == "Source"
            and e["detail"]["state"] == "SUCCEEDED"
        )
    )

    third = bench.start()

    assert bench.ends(second) == "SUPERSEDED"
    bench.decide("Gate", token)
    bench.decide("Gate", bench.begins("Gate", third)["token"])
    assert bench.ends(third) == "SUCCEEDED"


def test_run_order_makes_actions_wait_for_each_other(bench: PipelineBench):
    gates = [approval("A"), approval("B"), approval("C", runOrder=2)]
    bench.create(stage("Gates", *gates))
    execution = bench.start()
    tokens = {name: bench.begins(name, execution)["token"] for name in ("A", "B")}

    def decide(name: str, token: str) -> None:
        client("codepipeline").put_approval_result(
            pipelineName=bench.name,
            stageName="Gates",
            actionName=name,
            token=token,
            result={"status": "Approved", "summary": ""},
        )

    assert bench.action_state("C") == {}
    decide("B", tokens["B"])
    assert bench.action_state("C") == {}
    decide("A", tokens["A"])
    decide("C", bench.begins("C", execution)["token"])
    assert bench.ends(execution) == "SUCCEEDED"


@pytest.mark.parametrize(
    ("mode", "again"), [("FAILED_ACTIONS", {"B"}), ("ALL_ACTIONS", {"A", "B"})]
)
def test_a_failed_stage_is_retried_with_the_same_execution(
    bench: PipelineBench, mode: str, again: set[str]
):
    bench.create(stage("Gates", approval("A"), approval("B")))
    execution = bench.start()

    def decide(name: str, status: str) -> str:
        token = bench.action_state(name)["token"]
        client("codepipeline").put_approval_result(
            pipelineName=bench.name,
            stageName="Gates",
            actionName=name,
            token=token,
            result={"status": status, "summary": "s"},
        )
        return str(token)

    bench.begins("A", execution)
    bench.begins("B", execution)
    decide("A", "Approved")
    old = decide("B", "Rejected")
    assert bench.ends(execution) == "FAILED"

    retried = client("codepipeline").retry_stage_execution(
        pipelineName=bench.name,
        stageName="Gates",
        pipelineExecutionId=execution,
        retryMode=mode,
    )["pipelineExecutionId"]

    open_ = {name for name in ("A", "B") if bench.action_state(name)["status"] == "InProgress"}
    tokens = {decide(name, "Approved") for name in sorted(open_)}
    bench.heard.wait(lambda e: e["detail"]["state"] == "SUCCEEDED" and "stage" not in e["detail"])
    assert retried == execution
    assert open_ == again
    assert old not in tokens
    assert ("Stage", "Gates", "RESUMED") in bench.heard.states()


def test_only_the_latest_failed_stage_can_be_retried(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    first, second = bench.start(), bench.start()

    def retry(execution: str) -> str:
        with pytest.raises(ClientError) as refused:
            client("codepipeline").retry_stage_execution(
                pipelineName=bench.name,
                stageName="Gate",
                pipelineExecutionId=execution,
                retryMode="FAILED_ACTIONS",
            )
        return code(refused)

    token = bench.begins("Gate", first)["token"]
    assert retry(first) == "StageNotRetryableException"
    bench.decide("Gate", token, "Rejected")
    bench.begins("Gate", second)
    assert retry(first) == "NotLatestPipelineExecutionException"


def test_stopping_with_abandon_ends_at_once_and_frees_the_stage(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    first, second = bench.start(), bench.start()
    token = bench.begins("Gate", first)["token"]

    client("codepipeline").stop_pipeline_execution(
        pipelineName=bench.name, pipelineExecutionId=first, abandon=True, reason="wrong data"
    )

    assert bench.ends(first) == "STOPPED"
    assert bench.actions(first)["Gate"]["status"] == "Abandoned"
    assert bench.begins("Gate", second)["status"] == "InProgress"
    with pytest.raises(ClientError) as late:
        bench.decide("Gate", token)
    assert code(late) == "InvalidApprovalTokenException"
    summaries = client("codepipeline").list_pipeline_executions(pipelineName=bench.name)
    stopped = summaries["pipelineExecutionSummaries"][1]
    assert stopped["stopTrigger"] == {"reason": "wrong data"}


def test_stopping_without_abandon_waits_for_the_running_action(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")), stage("After", approval("After")))
    execution = bench.start()
    token = bench.begins("Gate", execution)["token"]

    def stop() -> None:
        client("codepipeline").stop_pipeline_execution(
            pipelineName=bench.name, pipelineExecutionId=execution
        )

    stop()
    assert bench.state()["Gate"]["latestExecution"]["status"] == "Stopping"
    with pytest.raises(ClientError) as twice:
        stop()
    assert code(twice) == "DuplicatedStopRequestException"
    bench.decide("Gate", token)
    assert bench.ends(execution) == "STOPPED"
    assert "latestExecution" not in bench.state()["After"]
    with pytest.raises(ClientError) as late:
        stop()
    assert code(late) == "PipelineExecutionNotStoppableException"


def test_a_waiting_execution_is_stopped_where_it_waits(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    first = bench.start()
    bench.begins("Gate", first)
    second = bench.start()
    bench.heard.wait(
        lambda e: (
            e["detail"]["execution-id"] == second
            and e["detail"].get("stage") == "Source"
            and e["detail"]["state"] == "SUCCEEDED"
        )
    )

    client("codepipeline").stop_pipeline_execution(
        pipelineName=bench.name, pipelineExecutionId=second
    )

    assert bench.ends(second) == "STOPPED"
    assert bench.state()["Gate"].get("inboundExecutions", []) == []


def test_a_disabled_transition_holds_executions_back(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    place = {"pipelineName": bench.name, "stageName": "Gate", "transitionType": "Inbound"}
    client("codepipeline").disable_stage_transition(**place, reason="freeze")
    execution = bench.start()
    bench.heard.wait(lambda e: e["detail"]["state"] == "SUCCEEDED" and "action" not in e["detail"])

    held = bench.state()["Gate"]
    client("codepipeline").enable_stage_transition(**place)

    assert held["inboundTransitionState"]["disabledReason"] == "freeze"
    assert held["inboundExecution"]["pipelineExecutionId"] == execution
    assert bench.begins("Gate", execution)["status"] == "InProgress"


def test_variables_have_defaults_and_can_be_set_per_run(bench: PipelineBench):
    variables = [{"name": "Workload", "defaultValue": "auto"}]
    text = "#{variables.Workload} #{codepipeline.PipelineExecutionId}"
    gate = approval("Gate", configuration={"CustomData": text})
    bench.create(stage("Gate", gate), variables=variables)

    first = bench.start()
    bench.begins("Gate", first)
    given = [{"name": "Workload", "value": "diabetes"}]
    second = bench.start(variables=given)

    told = client("codepipeline").get_pipeline_execution(
        pipelineName=bench.name, pipelineExecutionId=second
    )["pipelineExecution"]
    resolved = bench.actions(first)["Gate"]["input"]["resolvedConfiguration"]
    assert resolved["CustomData"] == f"auto {first}"
    assert told["variables"] == [{"name": "Workload", "resolvedValue": "diabetes"}]


@pytest.mark.parametrize(
    "request_",
    [
        {"variables": [{"name": "Unknown", "value": "x"}]},
        {
            "sourceRevisions": [
                {"actionName": "No", "revisionType": "S3_OBJECT_KEY", "revisionValue": "k"}
            ]
        },
        {
            "sourceRevisions": [
                {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": "k"}
            ]
        },
        {"clientRequestToken": "not valid!"},
    ],
)
def test_a_start_that_cannot_work_is_refused(bench: PipelineBench, request_: dict[str, Any]):
    bench.create(stage("Gate", approval("Gate")))

    with pytest.raises(ClientError) as refused:
        bench.start(**request_)

    assert code(refused) == "ValidationException"
    listed = client("codepipeline").list_pipeline_executions(pipelineName=bench.name)
    assert listed["pipelineExecutionSummaries"] == []


def test_a_variable_without_default_must_be_given(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")), variables=[{"name": "Needed"}])

    with pytest.raises(ClientError) as refused:
        bench.start()

    assert "Needed" in str(refused.value)


def test_the_same_request_token_starts_one_execution(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))

    assert bench.start(clientRequestToken="once") == bench.start(clientRequestToken="once")


def test_a_variable_that_nothing_provides_fails_the_action(bench: PipelineBench):
    gate = approval("Gate", configuration={"CustomData": "#{Nowhere.key}"})
    bench.create(stage("Gate", gate))

    execution = bench.start()

    assert bench.ends(execution) == "FAILED"
    assert "#{Nowhere.key}" in bench.action_state("Gate")["errorDetails"]["message"]


def test_a_changed_structure_cancels_what_runs(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    execution = bench.start()
    bench.begins("Gate", execution)

    updated = client("codepipeline").update_pipeline(
        pipeline=bench.declare(stage("Other", approval("Other")))
    )["pipeline"]

    assert updated["version"] == 2
    assert bench.ends(execution) == "CANCELED"
    assert list(bench.state()) == ["Source", "Other"]
    assert bench.begins("Other", bench.start())["status"] == "InProgress"


def test_a_rule_starts_a_pipeline_on_an_upload(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    client("s3").put_bucket_notification_configuration(
        Bucket=bench.bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{bench.name}"
    start = {"Effect": "Allow", "Action": "codepipeline:StartPipelineExecution", "Resource": arn}
    role = client("iam").create_role(
        RoleName=f"{bench.name[:50]}-rule",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]["Arn"]
    client("iam").put_role_policy(
        RoleName=f"{bench.name[:50]}-rule",
        PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [start]}),
    )
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bench.bucket]}, "object": {"key": ["in.zip"]}},
    }
    rule = client("events").put_rule(Name=bench.name[:60], EventPattern=json.dumps(pattern))
    client("events").put_targets(
        Rule=bench.name[:60], Targets=[{"Id": "p", "Arn": arn, "RoleArn": role}]
    )

    version = bench.upload()
    assert events.drain(60)
    bench.heard.wait(lambda e: e["detail"].get("action") == "Gate")

    summaries = client("codepipeline").list_pipeline_executions(pipelineName=bench.name)
    (started,) = summaries["pipelineExecutionSummaries"]
    assert started["trigger"] == {
        "triggerType": "CloudWatchEvent",
        "triggerDetail": rule["RuleArn"],
    }
    assert started["sourceRevisions"][0]["revisionId"] == version


def test_every_change_is_an_event_with_hyphenated_keys(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    execution = bench.start()
    bench.decide("Gate", bench.begins("Gate", execution)["token"])
    bench.ends(execution)

    assert bench.heard.states() == [
        ("Pipeline", "pipeline", "STARTED"),
        ("Stage", "Source", "STARTED"),
        ("Action", "Source", "STARTED"),
        ("Action", "Source", "SUCCEEDED"),
        ("Stage", "Source", "SUCCEEDED"),
        ("Stage", "Gate", "STARTED"),
        ("Action", "Gate", "STARTED"),
        ("Action", "Gate", "SUCCEEDED"),
        ("Stage", "Gate", "SUCCEEDED"),
        ("Pipeline", "pipeline", "SUCCEEDED"),
    ]
    gate = next(e for e in bench.heard.events if e["detail"].get("action") == "Gate")
    assert gate["resources"] == [f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{bench.name}"]
    assert gate["detail"]["type"] == {
        "owner": "AWS",
        "category": "Approval",
        "provider": "Manual",
        "version": "1",
    }
    assert gate["detail"]["execution-id"] == execution


def test_executions_are_listed_in_pages_newest_first(bench: PipelineBench):
    bench.create(stage("Gate", approval("Gate")))
    started = [bench.start() for _ in range(3)]

    pages = client("codepipeline").get_paginator("list_pipeline_executions")
    listed = [
        summary["pipelineExecutionId"]
        for page in pages.paginate(pipelineName=bench.name, PaginationConfig={"PageSize": 2})
        for summary in page["pipelineExecutionSummaries"]
    ]

    assert listed == started[::-1]


def test_a_pipeline_can_be_tagged_listed_and_deleted(bench: PipelineBench):
    codepipeline = client("codepipeline")
    bench.create(stage("Gate", approval("Gate")))
    execution = bench.start()
    bench.begins("Gate", execution)
    arn = codepipeline.get_pipeline(name=bench.name)["metadata"]["pipelineArn"]

    codepipeline.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}])
    tags = codepipeline.list_tags_for_resource(resourceArn=arn)["tags"]
    names = [p["name"] for p in codepipeline.list_pipelines()["pipelines"]]
    codepipeline.delete_pipeline(name=bench.name)

    assert tags == [{"key": "a", "value": "1"}]
    assert bench.name in names
    assert bench.ends(execution) == "CANCELED"
    with pytest.raises(ClientError) as gone:
        bench.state()
    assert code(gone) == "PipelineNotFoundException"


def test_what_the_laptop_does_not_do_is_said_by_name(laptop: LaptopServer):
    codepipeline = client("codepipeline")
    kind = {"category": "Build", "owner": "Custom", "provider": "Mine", "version": "1"}

    for refuse in (
        lambda: codepipeline.poll_for_jobs(actionTypeId=kind),
        codepipeline.list_webhooks,
        lambda: codepipeline.rollback_stage(
            pipelineName="p",
            stageName="s",
            targetPipelineExecutionId="00000000-0000-0000-0000-000000000000",
        ),
    ):
        with pytest.raises(ClientError) as refused:
            refuse()
        assert code(refused) == "UnsupportedByLocalAws"
