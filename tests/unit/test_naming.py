"""Names: within AWS's limits, sorted by time, equal for equal executions."""

import re
from datetime import UTC, datetime, timedelta, timezone

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox import naming
from signalbox.errors import SignalboxError

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2068, 12, 31), timezones=st.just(UTC))
APPS = st.from_regex(naming.APP_NAME_PATTERN, fullmatch=True)
WORKLOADS = st.from_regex(naming.WORKLOAD_NAME_PATTERN, fullmatch=True)


def sagemaker_pattern(shape: str) -> tuple[str, int]:
    """Pattern and greatest length of a name, from botocore's model of the service."""
    client = boto3.client(
        "sagemaker", "us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    metadata = client.meta.service_model.shape_for(shape).metadata
    return metadata["pattern"], metadata["max"]


SHAPES = {
    shape: sagemaker_pattern(shape)
    for shape in ("ProcessingJobName", "TrainingJobName", "TransformJobName", "ModelName")
} | {
    "EndpointName": sagemaker_pattern("EndpointName"),
    "EntityName": sagemaker_pattern("EntityName"),
}


def accepted(shape: str, name: str) -> bool:
    pattern, longest = SHAPES[shape]
    return re.fullmatch(pattern, name) is not None and len(name) <= longest


@given(st.uuids(), MOMENTS)
def test_a_run_id_has_at_most_twenty_plain_characters(execution, moment):
    assert re.fullmatch(r"[0-9]{6}-[0-9]{6}-[0-9a-f]{6}", naming.run_id(str(execution), moment))


@given(st.uuids(), MOMENTS, st.integers(-12, 14))
def test_a_run_id_is_the_same_in_every_time_zone(execution, moment, hours):
    elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))

    assert naming.run_id(str(execution), elsewhere) == naming.run_id(str(execution), moment)


@given(st.uuids(), st.uuids(), MOMENTS, st.integers(1, 86_400))
def test_run_ids_sort_by_time(first, second, moment, later_s):
    later = moment + timedelta(seconds=later_s)

    assert naming.run_id(str(first), moment) < naming.run_id(str(second), later)


def test_a_run_id_needs_an_aware_time():
    with pytest.raises(ValueError, match="aware"):
        naming.run_id("e", datetime(2026, 11, 21))


def test_two_runs_of_the_same_second_differ():
    moment = datetime(2026, 11, 21, 9, 30, 5, tzinfo=UTC)

    assert naming.run_id("execution-1", moment) != naming.run_id("execution-2", moment)


@given(APPS, st.sampled_from(naming.ENVIRONMENTS), st.sampled_from(naming.Step), st.integers(1, 99))
def test_every_job_name_is_one_that_sagemaker_takes(app, environment, step, attempt):
    base = naming.job_name_base(naming.prefix(app, environment), step, "261121-093005-2867b0")
    name = f"{base}-{attempt}-{attempt}"

    assert accepted("ProcessingJobName", name)
    assert accepted("TrainingJobName", name)
    assert accepted("TransformJobName", name)
    assert accepted("ModelName", name)


@given(APPS, st.sampled_from(naming.ENVIRONMENTS), WORKLOADS)
def test_every_endpoint_and_group_name_is_one_that_sagemaker_takes(app, environment, workload):
    name = naming.workload_resource(naming.prefix(app, environment), workload)

    assert accepted("EndpointName", name)
    assert accepted("EntityName", name)


@given(st.from_regex(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", fullmatch=True), st.text(min_size=1))
def test_an_s3_uri_comes_apart_as_it_was_put_together(bucket, key):
    assert naming.split_s3_uri(naming.s3_uri(bucket, key)) == (bucket, key)


@pytest.mark.parametrize("uri", ["", "s3://", "s3://bucket", "s3://bucket/", "https://b/k", "b/k"])
def test_what_is_no_s3_uri_is_refused(uri):
    with pytest.raises(SignalboxError, match="is not an S3 URI"):
        naming.split_s3_uri(uri)
