"""Faults to plant in a deployed environment, one at a time, and how each is taken out again.

A plant is a function that does the damage and gives back what undoes it. Each stands for something
that happens: a click in the console, a half-done repair, an account that is smaller than thought.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localaws import container_registry, service_quotas
from localaws.context import ACCOUNT_ID, REGION
from localaws.sagemaker.store import Place
from signalbox_cli.doctor.patients import Patient, Resource

Undo = Callable[[], Any]


@dataclass(frozen=True)
class Plant:
    """One fault; `check` is the only check that may find it, `said` a part of what it says."""

    name: str
    check: str
    said: str
    do: Callable[[Patient], Undo]


PLANTS: list[Plant] = []


def plant(
    check: str, said: str
) -> Callable[[Callable[[Patient], Undo]], Callable[[Patient], Undo]]:
    def register(do: Callable[[Patient], Undo]) -> Callable[[Patient], Undo]:
        PLANTS.append(Plant(do.__name__, check, said, do))
        return do

    return register


def resource(patient: Patient, logical_id: str) -> Resource:
    return patient.stacks[0].resources[logical_id]


def without(document: Any, sid: str) -> str:
    found = json.loads(document) if isinstance(document, str) else document
    kept = [one for one in found["Statement"] if one.get("Sid") != sid]
    assert len(kept) == len(found["Statement"]) - 1
    return json.dumps({**found, "Statement": kept})


@plant("wiring", "the parameter is 'other.zip', not 'workload.zip'")
def a_parameter_was_changed_by_hand(patient: Patient) -> Undo:
    ssm, name = patient.client("ssm"), "/signalbox/dev/source-key"
    ssm.put_parameter(Name=name, Value="other.zip", Overwrite=True)
    return lambda: ssm.put_parameter(Name=name, Value="workload.zip", Overwrite=True)


@plant("roles", "policy Helpful is attached")
def a_role_was_given_more(patient: Patient) -> Undo:
    iam, name = patient.client("iam"), resource(patient, "JobRole").name
    grant = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    more = {"Version": "2012-10-17", "Statement": [grant]}
    arn = iam.create_policy(PolicyName="Helpful", PolicyDocument=json.dumps(more))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    return lambda: iam.detach_role_policy(RoleName=name, PolicyArn=arn)


@plant("roles", "trust policy: statement number 1 is not as the template has it")
def a_role_trusts_anybody_who_comes_through_the_service(patient: Patient) -> Undo:
    iam, name = patient.client("iam"), resource(patient, "TrainingRole").name
    before = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    loose = [{k: v for k, v in one.items() if k != "Condition"} for one in before["Statement"]]

    def put(statements: Any) -> None:
        document = json.dumps({**before, "Statement": statements})
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)

    put(loose)
    return lambda: put(before["Statement"])


@plant("permissions", "may not sagemaker:CreateTrainingJob")
def a_statement_was_deleted_from_a_role(patient: Patient) -> Undo:
    iam, name = patient.client("iam"), resource(patient, "TrainingRole").name
    place = {"RoleName": name, "PolicyName": "training"}
    before = iam.get_role_policy(**place)["PolicyDocument"]
    iam.put_role_policy(**place, PolicyDocument=without(before, "RunTrainingJobs"))
    return lambda: iam.put_role_policy(**place, PolicyDocument=json.dumps(before))


@plant("keys", "the key does not rotate")
def the_key_stopped_rotating(patient: Patient) -> Undo:
    kms, key = patient.client("kms"), resource(patient, "EncryptionKey").physical_id
    kms.disable_key_rotation(KeyId=key)
    return lambda: kms.enable_key_rotation(KeyId=key)


@plant("keys", "key policy: statement UndeliveredEvents is missing")
def the_key_no_longer_lets_eventbridge_in(patient: Patient) -> Undo:
    kms, key = patient.client("kms"), resource(patient, "EncryptionKey").physical_id
    before = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=without(before, "UndeliveredEvents"))
    return lambda: kms.put_key_policy(KeyId=key, PolicyName="default", Policy=before)


@plant("grants", "a grant lets arn:aws:iam::999988887777:root use the key: Decrypt")
def another_account_got_a_grant(patient: Patient) -> Undo:
    kms, key = patient.client("kms"), resource(patient, "EncryptionKey").physical_id
    grant = kms.create_grant(
        KeyId=key, GranteePrincipal="arn:aws:iam::999988887777:root", Operations=["Decrypt"]
    )["GrantId"]
    return lambda: kms.revoke_grant(KeyId=key, GrantId=grant)


@plant("buckets", "versioning is Suspended")
def versioning_was_suspended(patient: Patient) -> Undo:
    s3, name = patient.client("s3"), resource(patient, "WorkflowBucket").physical_id

    def put(status: str) -> None:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})

    put("Suspended")
    return lambda: put("Enabled")


@plant("buckets", "public access is not blocked")
def a_bucket_may_be_made_public(patient: Patient) -> Undo:
    s3, name = patient.client("s3"), resource(patient, "SourceBucket").physical_id
    before = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    s3.delete_public_access_block(Bucket=name)
    return lambda: s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=before)


@plant("buckets", "it does not tell EventBridge what arrives")
def a_bucket_no_longer_tells_what_arrives(patient: Patient) -> Undo:
    s3, name = patient.client("s3"), resource(patient, "SourceBucket").physical_id

    def put(**wanted: Any) -> None:
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=wanted)

    put()
    return lambda: put(EventBridgeConfiguration={})


@plant("bucket-policies", "statement TlsOnly is missing")
def a_bucket_policy_was_deleted(patient: Patient) -> Undo:
    s3, name = patient.client("s3"), resource(patient, "ArtifactBucket").physical_id
    before = s3.get_bucket_policy(Bucket=name)["Policy"]
    s3.delete_bucket_policy(Bucket=name)
    return lambda: s3.put_bucket_policy(Bucket=name, Policy=before)


@plant("message-policies", "statement RulesOfThisEnvironment is missing")
def rules_may_not_reach_the_dead_letter_queue(patient: Patient) -> Undo:
    sqs, url = patient.client("sqs"), resource(patient, "DeadLetterQueue").physical_id
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    before = found["Attributes"]["Policy"]

    def put(policy: str) -> None:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    put(without(before, "RulesOfThisEnvironment"))
    return lambda: put(before)


@plant("subscriptions", "you@laptop.invalid is not subscribed: nobody is told")
def nobody_is_subscribed(patient: Patient) -> Undo:
    sns, topic = patient.client("sns"), resource(patient, "NotificationTopic").physical_id
    found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    mail = next(one for one in found if one["Protocol"] == "email")
    sns.unsubscribe(SubscriptionArn=mail["SubscriptionArn"])
    return lambda: sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=mail["Endpoint"])


@plant("dead-letters", "1 events or messages could not be delivered")
def an_event_could_not_be_delivered(patient: Patient) -> Undo:
    sqs, url = patient.client("sqs"), resource(patient, "DeadLetterQueue").physical_id
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    return lambda: sqs.purge_queue(QueueUrl=url)


@plant("alarms", "the alarm may not act")
def an_alarm_was_silenced(patient: Patient) -> Undo:
    client, name = patient.client("cloudwatch"), resource(patient, "DeadLetterAlarm").physical_id
    client.disable_alarm_actions(AlarmNames=[name])
    return lambda: client.enable_alarm_actions(AlarmNames=[name])


@plant("rules", "the rule is DISABLED: its events are dropped")
def a_rule_was_disabled(patient: Patient) -> Undo:
    events, name = patient.client("events"), "signalbox-dev-archive-arrived"
    events.disable_rule(Name=name)
    return lambda: events.enable_rule(Name=name)


@plant("rules", "the schedule is DISABLED")
def the_reconciler_sleeps(patient: Patient) -> Undo:
    client = patient.client("scheduler")
    found = client.get_schedule(Name="signalbox-dev-reconcile")
    names = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target", "Description")
    same = {name: found[name] for name in names}
    client.update_schedule(**same, State="DISABLED")
    return lambda: client.update_schedule(**same, State="ENABLED")


@plant("functions", "its reserved concurrency is 0: it is never run")
def a_function_was_switched_off(patient: Patient) -> Undo:
    client, name = patient.client("lambda"), resource(patient, "DataIntakeFunction").name
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    return lambda: client.delete_function_concurrency(FunctionName=name)


@plant("functions", "variable TWO_PERSON_RULE is not as the template sets it")
def a_setting_of_a_function_was_changed(patient: Patient) -> Undo:
    client, name = patient.client("lambda"), resource(patient, "UpdateSchemaFunction").name
    found = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def put(variables: dict[str, str]) -> None:
        client.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables}
        )

    put({**found, "TWO_PERSON_RULE": "true"})
    return lambda: put(found)


def another_version(client: Any, name: str) -> str:
    """A version that differs from what is deployed, which stays as it is."""
    client.update_function_configuration(FunctionName=name, MemorySize=640)
    version: str = client.publish_version(FunctionName=name)["Version"]
    client.update_function_configuration(FunctionName=name, MemorySize=512)
    return version


@plant("functions", "not what was deployed last: MemorySize differ")
def an_alias_serves_something_else(patient: Patient) -> Undo:
    client, name = patient.client("lambda"), resource(patient, "ReconcilerFunction").name
    other = another_version(client, name)
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=other)

    def undo() -> None:
        client.update_alias(FunctionName=name, Name="live", FunctionVersion="1")
        client.delete_function(FunctionName=name, Qualifier=other)

    return undo


@plant("functions", "10% of its calls go to version")
def a_shift_was_left_halfway(patient: Patient) -> Undo:
    client, name = patient.client("lambda"), resource(patient, "ReconcilerFunction").name
    other = another_version(client, name)

    def share(weights: dict[str, float]) -> None:
        routing = {"AdditionalVersionWeights": weights}
        client.update_alias(FunctionName=name, Name="live", RoutingConfig=routing)

    def undo() -> None:
        share({})
        client.delete_function(FunctionName=name, Qualifier=other)

    share({other: 0.1})
    return undo


@plant("functions", "its queue is not read: the mapping is Disabled")
def the_webhook_s_queue_is_not_read(patient: Patient) -> Undo:
    client = patient.client("lambda")
    number = resource(patient, "WebhookSenderSource").physical_id
    client.update_event_source_mapping(UUID=number, Enabled=False)
    return lambda: client.update_event_source_mapping(UUID=number, Enabled=True)


@plant("pipelines", "the way into stage Train is closed: spring cleaning")
def a_stage_was_closed(patient: Patient) -> Undo:
    client = patient.client("codepipeline")
    door = {
        "pipelineName": "signalbox-dev-workflow",
        "stageName": "Train",
        "transitionType": "Inbound",
    }
    client.disable_stage_transition(**door, reason="spring cleaning")
    return lambda: client.enable_stage_transition(**door)


@plant("retention", "logs are kept for ever, not 90 days")
def logs_are_kept_for_ever(patient: Patient) -> Undo:
    logs, name = patient.client("logs"), resource(patient, "JudgeModelLogGroup").physical_id
    logs.delete_retention_policy(logGroupName=name)
    return lambda: logs.put_retention_policy(logGroupName=name, retentionInDays=90)


@plant("retention", "lifecycle rule forget-replaced-versions is gone or disabled")
def old_versions_pile_up(patient: Patient) -> Undo:
    s3, name = patient.client("s3"), resource(patient, "WorkflowBucket").physical_id
    before = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]

    def put(rules: list[Any]) -> None:
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})

    put([rule for rule in before if rule["ID"] != "forget-replaced-versions"])
    return lambda: put(before)


@plant("image", "the image is not there")
def the_image_is_not_in_this_region(patient: Patient) -> Undo:
    found = patient.client("ssm").get_parameter(Name="/signalbox/dev/image-uri")
    container_registry.take_away(found["Parameter"]["Value"])
    return container_registry.restore


@plant("quotas", "the quota is 0, and 1 are needed")
def the_account_has_no_instances_left(patient: Patient) -> Undo:
    del patient
    place, name = Place(ACCOUNT_ID, REGION), "ml.m5.large for training job usage"
    service_quotas.set_quota(place, name, 0.0)
    return lambda: service_quotas.set_quota(place, name, 20.0)


@plant("machines", "it does not log as the template says")
def a_machine_stopped_logging(patient: Patient) -> Undo:
    client = patient.client("stepfunctions")
    arn = resource(patient, "TrainingStateMachine").physical_id
    found = client.describe_state_machine(stateMachineArn=arn)["loggingConfiguration"]
    quiet = {**found, "level": "OFF"}
    client.update_state_machine(stateMachineArn=arn, loggingConfiguration=quiet)
    return lambda: client.update_state_machine(stateMachineArn=arn, loggingConfiguration=found)


class GitPipelines:
    """CodePipeline as it is, but for the source of each pipeline: the laptop has no Git source."""

    def __init__(self, real: Any, connection_arn: str) -> None:
        self._real = real
        self._connection_arn = connection_arn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get_pipeline(self, **request: Any) -> Any:
        answer = self._real.get_pipeline(**request)
        source = answer["pipeline"]["stages"][0]["actions"][0]
        source["actionTypeId"]["provider"] = "CodeStarSourceConnection"
        source["configuration"] = {"ConnectionArn": self._connection_arn, "BranchName": "main"}
        return answer


@plant("connections", "the connection is PENDING: no commit starts a pipeline")
def the_connection_was_never_completed(patient: Patient) -> Undo:
    arn = patient.client("codestar-connections").create_connection(
        ConnectionName="git", ProviderType="GitHub"
    )["ConnectionArn"]
    clients, real = patient.target._memo, patient.client("codepipeline")
    clients["codepipeline"] = GitPipelines(real, arn)
    return lambda: clients.update(codepipeline=real)
