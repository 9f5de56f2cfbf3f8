"""S3 across accounts and regions: a copy is decided at its source and at its target, keys included.

Rules: S3 User Guide, "Copying, moving, and renaming objects"; S3 API Reference, "CopyObject" and
"UploadPartCopy", sections on permissions (read 2026-11).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import developer_client
from tests.localaws import account_world as world
from tests.localaws.account_world import DEV, STAGING, owner, unused
from tests.localaws.iam_roles import Role, allow, document, trust

pytestmark = pytest.mark.usefixtures("laptop")

FAR = "eu-central-1"


@dataclass(frozen=True)
class Store:
    """A bucket that encrypts with a key of its own account, in one region."""

    account: str
    region: str
    bucket: str
    key_arn: str

    @property
    def s3(self) -> Any:
        """A client of the owner."""
        return developer_client("s3", self.region, account=self.account)

    def open_bucket(self, *statements: dict[str, Any]) -> None:
        """Give the bucket a policy; none without statements."""
        if statements:
            self.s3.put_bucket_policy(Bucket=self.bucket, Policy=document(*statements))
        else:
            self.s3.delete_bucket_policy(Bucket=self.bucket)

    def open_key(self, *statements: dict[str, Any]) -> None:
        """Give the key a policy that leaves it to its owner, and these statements."""
        own = allow("kms:*", "*", Principal=world.root(self.account))
        developer_client("kms", self.region, account=self.account).put_key_policy(
            KeyId=self.key_arn, PolicyName="default", Policy=document(own, *statements)
        )


def make_store(account: str, region: str = "us-east-1") -> Store:
    """A new bucket and key; both let nobody else in."""
    kms = developer_client("kms", region, account=account)
    s3 = developer_client("s3", region, account=account)
    key_arn = kms.create_key()["KeyMetadata"]["Arn"]
    bucket = unused("store")
    place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **(place if region != "us-east-1" else {}))
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}
    }
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return Store(account, region, bucket, key_arn)


@dataclass
class Copy:
    """What promotion does: a role of the target's account copies from the source into the target.

    Every permission is one statement that can be taken away.
    """

    source: Store
    target: Store
    role: str
    version: str

    def identity(self) -> dict[str, dict[str, Any]]:
        """What the role may do, by name of the permission."""
        source, target = self.source, self.target
        return {
            "read": allow("s3:GetObjectVersion", f"arn:aws:s3:::{source.bucket}/*"),
            "decrypt": allow("kms:Decrypt", source.key_arn),
            "write": allow("s3:PutObject", f"arn:aws:s3:::{target.bucket}/*"),
            "encrypt": allow(["kms:GenerateDataKey", "kms:Decrypt"], target.key_arn),
        }

    def bucket_policy(self) -> dict[str, Any]:
        """The source's: as the template has it, the account with a condition on the role."""
        return self._for_the_role("s3:GetObjectVersion", f"arn:aws:s3:::{self.source.bucket}/*")

    def key_policy(self) -> dict[str, Any]:
        """That of the source's key: only through S3, in the source's region."""
        statement = self._for_the_role("kms:Decrypt", "*")
        via = {"kms:ViaService": f"s3.{self.source.region}.amazonaws.com"}
        statement["Condition"]["StringEquals"] = {**via, "kms:CallerAccount": self.target.account}
        return statement

    def _for_the_role(self, action: str, resource: str) -> dict[str, Any]:
        condition = {"ArnLike": {"aws:PrincipalArn": self.role}}
        principal = world.root(self.target.account)
        return allow(action, resource, Principal=principal, Condition=condition)

    def open(self, *, without: str = "") -> None:
        """Give every permission but one."""
        world.put_policy(self.role, *[s for n, s in self.identity().items() if n != without])
        self.source.open_bucket(*[self.bucket_policy()] * (without != "bucket policy"))
        self.source.open_key(*[self.key_policy()] * (without != "key policy"))

    def client(self) -> Any:
        """S3 where the target is, as the role."""
        return world.session_of(self.role).client("s3", self.target.region)

    @property
    def from_source(self) -> dict[str, str]:
        """The CopySource: the exact version."""
        return {"Bucket": self.source.bucket, "Key": "model", "VersionId": self.version}


def make_copy(source_region: str = "us-east-1") -> Copy:
    """A source in dev with one object, a target in staging."""
    source, target = make_store(DEV, source_region), make_store(STAGING)
    put = source.s3.put_object(Bucket=source.bucket, Key="model", Body=b"m" * 6_000_000)
    role = world.make_role(STAGING, allow("s3:ListAllMyBuckets"))
    return Copy(source, target, role, put["VersionId"])


def copy_object(copy: Copy) -> None:
    """CopyObject."""
    copy.client().copy_object(Bucket=copy.target.bucket, Key="copied", CopySource=copy.from_source)


def copy_parts(copy: Copy) -> None:
    """UploadPartCopy, in two parts."""
    s3, place = copy.client(), {"Bucket": copy.target.bucket, "Key": "copied"}
    upload = s3.create_multipart_upload(**place)["UploadId"]
    parts = []
    for number, span in ((1, "bytes=0-5242879"), (2, "bytes=5242880-5999999")):
        done = s3.upload_part_copy(
            **place,
            UploadId=upload,
            PartNumber=number,
            CopySource=copy.from_source,
            CopySourceRange=span,
        )
        parts.append({"PartNumber": number, "ETag": done["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})


WAYS: dict[str, Callable[[Copy], None]] = {"object": copy_object, "parts": copy_parts}
PERMISSIONS = ("read", "decrypt", "write", "encrypt", "bucket policy", "key policy")


@pytest.mark.parametrize("region", ["us-east-1", FAR])
@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_copy_arrives_under_the_key_of_its_target(way: str, region: str) -> None:
    copy = make_copy(region)
    copy.open()

    WAYS[way](copy)

    arrived = copy.target.s3.get_object(Bucket=copy.target.bucket, Key="copied")
    assert arrived["Body"].read() == b"m" * 6_000_000
    assert arrived["SSEKMSKeyId"] == copy.target.key_arn


@pytest.mark.parametrize("region", ["us-east-1", FAR])
@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_copy_needs_every_permission_of_both_sides(way: str, region: str) -> None:
    copy = make_copy(region)

    for taken in PERMISSIONS:
        copy.open(without=taken)
        with pytest.raises(ClientError, match="is not authorized to perform"):
            WAYS[way](copy)
        listed = copy.target.s3.list_objects_v2(Bucket=copy.target.bucket)
        assert listed["KeyCount"] == 0, f"copied without {taken}"


def test_the_key_of_the_source_is_not_open_but_through_the_storage() -> None:
    copy = make_copy()
    copy.open()
    sealed = owner("kms", DEV).encrypt(KeyId=copy.source.key_arn, Plaintext=b"x")
    kms = world.session_of(copy.role).client("kms")

    with pytest.raises(ClientError, match="no resource-based policy allows the kms:Decrypt"):
        kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], KeyId=copy.source.key_arn)


def test_an_older_version_is_not_read_with_the_permission_for_the_newest() -> None:
    copy = make_copy()
    copy.open()
    newest = {"Bucket": copy.source.bucket, "Key": "model"}

    with pytest.raises(ClientError, match="s3:GetObject "):
        copy.client().copy_object(Bucket=copy.target.bucket, Key="copied", CopySource=newest)


def test_the_events_of_a_copy_go_to_the_account_of_the_target() -> None:
    copy = make_copy()
    copy.open()
    copy.target.s3.put_bucket_notification_configuration(
        Bucket=copy.target.bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    queues = {account: _hear_of(account, copy.target.bucket) for account in (DEV, STAGING)}

    copy_object(copy)

    heard = _receive(STAGING, queues[STAGING])
    assert heard["account"] == STAGING
    assert heard["detail"]["reason"] == "CopyObject"
    assert "Messages" not in owner("sqs", DEV).receive_message(QueueUrl=queues[DEV])


def _hear_of(account: str, bucket: str) -> str:
    """A queue of an account that gets its events of a bucket."""
    sqs, events, name = owner("sqs", account), owner("events", account), unused("heard")
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{account}:{name}"
    policy = allow("sqs:SendMessage", arn, Principal={"Service": "events.amazonaws.com"})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(policy)})
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    return url


def _receive(account: str, url: str) -> dict[str, Any]:
    answer = owner("sqs", account).receive_message(QueueUrl=url, WaitTimeSeconds=5)
    event: dict[str, Any] = json.loads(answer["Messages"][0]["Body"])
    return event


@pytest.mark.parametrize("header", ["ExpectedBucketOwner", "ExpectedSourceBucketOwner"])
def test_a_bucket_of_an_unexpected_account_is_refused(header: str) -> None:
    copy = make_copy()
    copy.open()
    right = {"ExpectedBucketOwner": STAGING, "ExpectedSourceBucketOwner": DEV}
    arguments = {"Bucket": copy.target.bucket, "Key": "copied", "CopySource": copy.from_source}

    with pytest.raises(ClientError, match="AccessDenied"):
        copy.client().copy_object(**arguments, **{**right, header: "111111111111"})

    copy.client().copy_object(**arguments, **right)


def test_what_a_guest_writes_belongs_to_the_bucket() -> None:
    store = make_store(DEV)
    role = world.make_role(STAGING, allow(["s3:PutObject", "kms:GenerateDataKey"]))
    guest = Role(role, "", world.session_of(role).credentials)
    store.open_bucket(
        allow("s3:PutObject", f"arn:aws:s3:::{store.bucket}/*", Principal={"AWS": role})
    )
    store.open_key(allow("kms:GenerateDataKey", "*", Principal={"AWS": role}))

    guest.client("s3").put_object(Bucket=store.bucket, Key="gift", Body=b"x")

    assert store.s3.get_object(Bucket=store.bucket, Key="gift")["SSEKMSKeyId"] == store.key_arn
    with pytest.raises(ClientError, match="no identity-based policy allows"):
        guest.client("s3").get_object(Bucket=store.bucket, Key="gift")


def test_a_policy_that_names_a_role_that_is_not_there_is_refused() -> None:
    store = make_store(DEV)
    nobody = {"AWS": f"arn:aws:iam::{STAGING}:role/never-made"}

    with pytest.raises(ClientError, match=r"MalformedPolicy.*Invalid principal in policy"):
        store.open_bucket(allow("s3:GetObject", f"arn:aws:s3:::{store.bucket}/*", Principal=nobody))
    with pytest.raises(ClientError, match="one or more invalid principals"):
        store.open_key(allow("kms:Decrypt", "*", Principal=nobody))
    with pytest.raises(ClientError, match=r"MalformedPolicyDocument.*never-made"):
        world.make_role(DEV, trusted=trust(nobody))


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_bucket_can_open_the_versions_that_have_a_tag(way: str) -> None:
    """S3 User Guide, "Tagging and access control policies": s3:ExistingObjectTag of the version."""
    copy = make_copy()
    copy.open()
    tagged = copy.bucket_policy()
    tagged["Condition"]["StringEquals"] = {"s3:ExistingObjectTag/promotion": "approved"}
    copy.source.open_bucket(tagged)
    place = {"Bucket": copy.source.bucket, "Key": "model"}
    newer = copy.source.s3.put_object(**place, Body=b"n" * 6_000_000)["VersionId"]

    def tag(version: str, value: str) -> None:
        tags = {"TagSet": [{"Key": "promotion", "Value": value}]}
        copy.source.s3.put_object_tagging(**place, VersionId=version, Tagging=tags)

    tag(newer, "approved")
    tag(copy.version, "refused")
    with pytest.raises(ClientError, match="s3:GetObjectVersion"):
        WAYS[way](copy)
    tag(copy.version, "approved")
    WAYS[way](copy)
    arrived = copy.target.s3.get_object(Bucket=copy.target.bucket, Key="copied")
    assert arrived["Body"].read() == b"m" * 6_000_000
