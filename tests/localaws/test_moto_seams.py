"""One smoke test per private name of moto that is touched; a moved name fails here, by name."""

import ast
import gc
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore
from typing import Any

import pytest
from moto.core.routing import get_service_router

from localaws.clients import developer_client
from localaws.moto_seams import iam as moto_seams_iam

ACCOUNT = "123456789012"


def test_lean_start_leaves_out_batch_and_ec2() -> None:
    program = (
        "import sys; from localaws.moto_seams import server as m; m.stub_batch(); m.stub_ec2();"
        "import moto.ssm.models;"
        "import moto.stepfunctions.parser.asl.component.state.exec.state_task.service."
        "state_task_service_factory;"
        "assert not any(n.startswith(('moto.batch', 'moto.ec2.')) for n in sys.modules)"
    )

    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stderr


def test_addresses_of_services_are_never_read_by_two_threads_at_once(
    laptop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python 3.11 fails a request now and then when `ast.parse` runs in two threads.
    parse, reading, together = ast.parse, Semaphore(1), []

    def watched(*args: Any, **kwargs: Any) -> ast.AST:
        alone = reading.acquire(blocking=False)
        together.append(not alone)
        time.sleep(0.001)
        try:
            return parse(*args, **kwargs)
        finally:
            if alone:
                reading.release()

    get_service_router.cache_clear()
    monkeypatch.setattr(ast, "parse", watched)
    first_requests = [
        developer_client("lambda").list_functions,
        developer_client("s3").list_buckets,
        developer_client("lambda").list_layers,
        developer_client("scheduler").list_schedules,
    ]

    with ThreadPoolExecutor(len(first_requests)) as pool:
        for answer in [pool.submit(request) for request in first_requests]:
            answer.result()

    assert together, "no address was read: the test looks in the wrong place"
    assert not any(together)


def test_roles_users_and_keys_are_found_in_the_iam_store(laptop: Any) -> None:
    iam = developer_client("iam")
    iam.create_user(UserName="seam", Tags=[{"Key": "team", "Value": "ml"}])
    key = iam.create_access_key(UserName="seam")["AccessKey"]
    iam.create_role(RoleName="seam", AssumeRolePolicyDocument='{"Statement": []}', Path="/p/")
    iam.create_open_id_connect_provider(Url="https://id.example/seam", ClientIDList=["a", "b"])

    found = moto_seams_iam.find_access_key(key["AccessKeyId"])
    role = moto_seams_iam.find_role(ACCOUNT, "seam")

    assert found is not None
    assert found[0] == ACCOUNT
    assert found[1]["tags"] == {"team": "ml"}
    assert found[2] == key["SecretAccessKey"]
    assert role is not None
    assert role.arn == f"arn:aws:iam::{ACCOUNT}:role/p/seam"
    provider = moto_seams_iam.find_oidc_provider(ACCOUNT, "id.example/seam")
    assert (provider.url, provider.client_id_list) == ("id.example/seam", ["a", "b"])
    assert provider.arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/id.example/seam"


def test_buckets_and_objects_tell_their_owner_etag_and_key(laptop: Any) -> None:
    s3, kms = developer_client("s3"), developer_client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket="seam-bucket")
    put = s3.put_object(
        Bucket="seam-bucket", Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )

    assert moto_seams_iam.bucket_owner("seam-bucket") == ACCOUNT
    assert moto_seams_iam.object_exists("seam-bucket", "k")
    assert not moto_seams_iam.object_exists("seam-bucket", "other")
    assert moto_seams_iam.object_etag("seam-bucket", "k") == put["ETag"]
    assert moto_seams_iam.object_key("seam-bucket", "k") == key


def test_a_delete_marker_is_no_object(laptop: Any) -> None:
    s3 = developer_client("s3")
    s3.create_bucket(Bucket="seam-versions")
    s3.put_bucket_versioning(Bucket="seam-versions", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="seam-versions", Key="k", Body=b"x")["VersionId"]
    s3.delete_object(Bucket="seam-versions", Key="k")

    assert not moto_seams_iam.object_exists("seam-versions", "k")
    assert moto_seams_iam.object_etag("seam-versions", "k") is None
    assert moto_seams_iam.object_exists("seam-versions", "k", version)


def test_listing_versions_leaves_their_content_alone(laptop: Any) -> None:
    s3 = developer_client("s3")
    s3.create_bucket(Bucket="listed")
    on = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket="listed", VersioningConfiguration=on)
    for body in (b"first", b"second!"):
        s3.put_object(Bucket="listed", Key="a", Body=body)
    s3.put_object(Bucket="listed", Key="gone", Body=b"x")
    s3.delete_object(Bucket="listed", Key="gone")

    for _ in range(2):
        found = s3.list_object_versions(Bucket="listed")
        gc.collect()

    versions = [(v["Key"], v["Size"], v["IsLatest"]) for v in found["Versions"]]
    assert versions == [("a", 7, True), ("a", 5, False), ("gone", 1, False)]
    assert [(m["Key"], m["IsLatest"]) for m in found["DeleteMarkers"]] == [("gone", True)]
    assert s3.get_object(Bucket="listed", Key="a")["Body"].read() == b"second!"


def test_bucket_encryption_names_its_key(laptop: Any) -> None:
    s3, kms = developer_client("s3"), developer_client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/seam", TargetKeyId=key)
    s3.create_bucket(Bucket="seam-encrypted")
    rule = {
        "ApplyServerSideEncryptionByDefault": {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": "alias/seam",
        },
        "BucketKeyEnabled": True,
    }
    s3.put_bucket_encryption(
        Bucket="seam-encrypted", ServerSideEncryptionConfiguration={"Rules": [rule]}
    )

    default = moto_seams_iam.bucket_default_key("seam-encrypted")

    assert moto_seams_iam.bucket_uses_bucket_key("seam-encrypted")
    assert moto_seams_iam.kms_key_arn(ACCOUNT, "us-east-1", default) == (
        f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{key}"
    )


def test_resource_policies_are_read_from_each_store(laptop: Any) -> None:
    s3, sns, sqs = developer_client("s3"), developer_client("sns"), developer_client("sqs")
    statement = {"Effect": "Deny", "Principal": "*", "Action": "*:Purge*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.create_bucket(Bucket="seam-policy")
    s3.put_bucket_policy(Bucket="seam-policy", Policy=policy)
    topic = sns.create_topic(Name="seam")["TopicArn"]
    sqs.create_queue(QueueName="seam", Attributes={"Policy": policy})
    key = developer_client("kms").create_key()["KeyMetadata"]["Arn"]
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:seam"

    assert moto_seams_iam.resource_policy("s3", "arn:aws:s3:::seam-policy/k") == policy
    assert "Statement" in (moto_seams_iam.resource_policy("sns", topic) or "")
    assert moto_seams_iam.resource_policy("sqs", queue) == policy
    assert "kms:*" in (moto_seams_iam.resource_policy("kms", key) or "")
    assert moto_seams_iam.resource_policy("s3", "*") is None


def test_encrypted_topics_and_queues_name_their_key(laptop: Any) -> None:
    sns, sqs = developer_client("sns"), developer_client("sqs")
    key = developer_client("kms").create_key()["KeyMetadata"]["KeyId"]
    topic = sns.create_topic(Name="seam-key", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    sqs.create_queue(QueueName="seam-key", Attributes={"KmsMasterKeyId": key})

    assert moto_seams_iam.message_key("sns", topic) == key
    assert moto_seams_iam.message_key("sqs", f"arn:aws:sqs:us-east-1:{ACCOUNT}:seam-key") == key
