"""What S3 tells EventBridge on the laptop, through boto3 against the running server."""

from collections.abc import Iterator
from typing import Any

import pytest

from localaws import clients
from localaws.events import service as events
from localaws.server import LaptopServer

ACCOUNT = "123456789012"


def client(service: str) -> Any:
    return clients.developer_client(service)


def bucket(name: str, *, versioned: bool = True) -> str:
    s3 = client("s3")
    s3.create_bucket(Bucket=name)
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    return name


@pytest.fixture
def heard(laptop: LaptopServer) -> Iterator[list[dict[str, Any]]]:
    found: list[dict[str, Any]] = []
    stop = events.subscribe(lambda e: found.append(e) if e["source"] == "aws.s3" else None)
    yield found
    stop()


def test_an_upload_is_told_once_with_the_shape_of_s3(heard: list[dict[str, Any]]):
    name = bucket("told-once")

    put = client("s3").put_object(Bucket=name, Key="a folder/ü.csv", Body=b"12345")

    (event,) = heard
    detail = event["detail"]
    assert event["detail-type"] == "Object Created"
    assert event["account"] == ACCOUNT
    assert event["resources"] == [f"arn:aws:s3:::{name}"]
    assert detail["reason"] == "PutObject"
    assert detail["bucket"] == {"name": name}
    assert detail["object"]["key"] == "a folder/ü.csv"
    assert detail["object"]["size"] == 5
    assert detail["object"]["etag"] == put["ETag"].strip('"')
    assert detail["object"]["version-id"] == put["VersionId"]
    assert detail["requester"] == ACCOUNT


def test_a_copy_and_a_multipart_upload_are_told_once_each(heard: list[dict[str, Any]]):
    name, s3 = bucket("copies"), client("s3")
    s3.put_object(Bucket=name, Key="one", Body=b"1")
    s3.copy_object(Bucket=name, Key="two", CopySource={"Bucket": name, "Key": "one"})
    upload = s3.create_multipart_upload(Bucket=name, Key="three")["UploadId"]
    part = s3.upload_part(Bucket=name, Key="three", UploadId=upload, PartNumber=1, Body=b"333")
    s3.complete_multipart_upload(
        Bucket=name,
        Key="three",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )

    told = [(e["detail"]["object"]["key"], e["detail"]["reason"]) for e in heard]
    sequence = [e["detail"]["object"]["sequencer"] for e in heard]

    assert told == [
        ("one", "PutObject"),
        ("two", "CopyObject"),
        ("three", "CompleteMultipartUpload"),
    ]
    assert sequence == sorted(sequence)
    assert len(set(sequence)) == 3


def test_a_deletion_says_whether_a_marker_was_left(heard: list[dict[str, Any]]):
    name, s3 = bucket("deletions"), client("s3")
    version = s3.put_object(Bucket=name, Key="k", Body=b"1")["VersionId"]
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_object(Bucket=name, Key="k", VersionId=version)

    told = [(e["detail-type"], e["detail"].get("deletion-type")) for e in heard]

    assert told == [
        ("Object Created", None),
        ("Object Deleted", "Delete Marker Created"),
        ("Object Deleted", "Permanently Deleted"),
    ]
    assert heard[-1]["detail"]["object"]["version-id"] == version


def test_a_marker_can_be_the_last_version_that_is_deleted(heard: list[dict[str, Any]]):
    name, s3 = bucket("last-marker"), client("s3")
    version = s3.put_object(Bucket=name, Key="k", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket=name, Key="k")["VersionId"]
    heard.clear()

    s3.delete_object(Bucket=name, Key="k", VersionId=version)
    s3.delete_object(Bucket=name, Key="k", VersionId=marker)

    assert [e["detail"]["object"]["version-id"] for e in heard] == [version, marker]
    assert "Versions" not in s3.list_object_versions(Bucket=name)


def test_a_bucket_without_eventbridge_tells_nothing(heard: list[dict[str, Any]]):
    client("s3").create_bucket(Bucket="silent")
    client("s3").put_object(Bucket="silent", Key="k", Body=b"1")

    assert heard == []
