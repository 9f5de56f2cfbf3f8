"""Where the evaluator differs from AWS: docs/parity.md says how, these tests show it."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import developer_client
from tests.localaws.iam_roles import ACCOUNT, allow, role

BUCKET = "iam-parity"


def test_a_condition_key_that_the_laptop_does_not_know_opens_nothing(laptop: Any) -> None:
    developer_client("sqs").create_queue(QueueName="tagged", tags={"team": "ml"})
    url = developer_client("sqs").get_queue_url(QueueName="tagged")["QueueUrl"]
    condition = {"StringEquals": {"aws:ResourceTag/team": "ml"}}

    holder = role(allow("sqs:SendMessage", Condition=condition))

    with pytest.raises(ClientError, match="sqs:SendMessage"):
        holder.client("sqs").send_message(QueueUrl=url, MessageBody="m")


def test_an_operation_without_a_row_is_decided_on_every_resource(laptop: Any) -> None:
    """`cloudwatch:DeleteDashboards` stands for all that iam_tables.py does not list."""
    board = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/late"
    narrow = role(allow("cloudwatch:DeleteDashboards", board))
    wide = role(allow("cloudwatch:DeleteDashboards"))
    developer_client("cloudwatch").put_dashboard(DashboardName="late", DashboardBody="{}")

    with pytest.raises(ClientError, match=r"cloudwatch:DeleteDashboards on resource: \*"):
        narrow.client("cloudwatch").delete_dashboards(DashboardNames=["late"])

    wide.client("cloudwatch").delete_dashboards(DashboardNames=["late"])


def test_each_alarm_of_a_request_is_decided_by_its_name(laptop: Any) -> None:
    late = f"arn:aws:cloudwatch:*:{ACCOUNT}:alarm:late"
    narrow = role(allow("cloudwatch:DeleteAlarms", late), allow("cloudwatch:DescribeAlarms", late))

    with pytest.raises(ClientError, match=r"cloudwatch:DeleteAlarms on resource: .*alarm:early"):
        narrow.client("cloudwatch").delete_alarms(AlarmNames=["late", "early"])
    with pytest.raises(ClientError, match=r"cloudwatch:DescribeAlarms on resource: .*alarm:\*"):
        narrow.client("cloudwatch").describe_alarms()

    assert narrow.client("cloudwatch").describe_alarms(AlarmNames=["late"])["MetricAlarms"] == []
    narrow.client("cloudwatch").delete_alarms(AlarmNames=["late"])


def test_names_of_sagemaker_stand_in_arns_as_they_are_given(laptop: Any) -> None:
    lower = role(allow("sagemaker:DescribeModel", f"arn:aws:sagemaker:*:{ACCOUNT}:model/my-model"))

    with pytest.raises(ClientError, match=f"{ACCOUNT}:model/My-Model"):
        lower.client("sagemaker").describe_model(ModelName="My-Model")


def test_the_first_key_that_may_not_be_deleted_refuses_the_request(laptop: Any) -> None:
    s3 = developer_client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for key in ("open/a", "closed/b"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    holder = role(allow("s3:DeleteObject", f"arn:aws:s3:::{BUCKET}/open/*"))
    keys = [{"Key": "open/a"}, {"Key": "closed/b"}]

    with pytest.raises(ClientError, match="closed/b"):
        holder.client("s3").delete_objects(Bucket=BUCKET, Delete={"Objects": keys})

    listed = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [item["Key"] for item in listed] == ["closed/b", "open/a"]


def test_a_topic_delivers_to_a_queue_whose_policy_lets_nobody_in(laptop: Any) -> None:
    sns, sqs = developer_client("sns"), developer_client("sqs")
    topic = sns.create_topic(Name="inner")["TopicArn"]
    url = sqs.create_queue(QueueName="inner")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:inner")

    sns.publish(TopicArn=topic, Message="m")

    assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1


def test_a_role_can_be_used_the_moment_it_is_made(laptop: Any) -> None:
    assert role(allow("s3:ListAllMyBuckets")).client("s3").list_buckets()["Buckets"] is not None
