"""The serving record in S3: made by the first deployment, and no writer's change is lost."""

import threading

import pytest

from signalbox import serving
from signalbox.aws import serving as records
from tests.unit.test_serving import deployment

WORKFLOW = "signalbox-dev-workflow-123456789012-us-east-1"
ENDPOINT = "signalbox-dev-diabetes"


def test_an_endpoint_without_a_record_has_an_empty_one(world):
    assert records.read(WORKFLOW, ENDPOINT).deployments == []


def test_no_change_makes_no_record(world):
    records.change(WORKFLOW, ENDPOINT, lambda record: record)

    assert world.s3.list_objects_v2(Bucket=WORKFLOW, Prefix="endpoints/")["KeyCount"] == 0


def test_the_first_deployment_makes_the_record(world):
    stored = records.change(
        WORKFLOW, ENDPOINT, lambda record: serving.deployed(record, deployment(1))
    )

    assert records.read(WORKFLOW, ENDPOINT) == stored
    assert [one.version for one in stored.deployments] == [1]


@pytest.mark.filterwarnings("error")
def test_writers_at_the_same_moment_lose_nothing(world):
    def write(number):
        records.change(
            WORKFLOW,
            ENDPOINT,
            lambda record: serving.deployed(record, deployment(number, "failed")),
        )

    writers = [threading.Thread(target=write, args=(number,)) for number in range(1, 7)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    found = {one.version for one in records.read(WORKFLOW, ENDPOINT).deployments}
    assert found == set(range(1, 7))
