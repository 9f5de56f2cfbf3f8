"""Private names of moto that the IAM evaluator reads: stored roles, and policies of resources.

A part of moto_seams, split off for its size; each name has a smoke test in test_moto_seams.py.
"""

import json
from collections.abc import Callable
from typing import Any, Protocol

from localaws.context import ACCOUNT_ID
from localaws.moto_seams import patches as moto_patches
from localaws.moto_seams.function_policies import statements_of

DEFAULT_ACCOUNT = ACCOUNT_ID

# --- iam: reading what the IAM service stores -----------------------------------------------------


class StoredRole(Protocol):
    """What the evaluator reads of a role in moto's IAM."""

    id: str
    arn: str
    name: str
    path: str
    assume_role_policy_document: str
    policies: dict[str, str]
    managed_policies: dict[str, Any]
    permissions_boundary_arn: str | None
    tags: list[dict[str, str]]
    max_session_duration: str | None


def iam_store(account: str) -> Any:
    """moto's IAM of one account."""
    from moto.iam.models import iam_backends

    return iam_backends[account]["aws"]


def iam_accounts() -> list[str]:
    """Accounts in which IAM has been used."""
    from moto.iam.models import iam_backends

    return list(iam_backends)


def roles(account: str) -> list[StoredRole]:
    """All roles of an account."""
    return list(iam_store(account).roles.values())


def find_role(account: str, name: str) -> StoredRole | None:
    """The role called `name` (without path) in `account`."""
    return next((role for role in roles(account) if role.name == name), None)


def find_oidc_provider(account: str, name: str) -> Any:
    """The OpenID Connect provider of an account by host and path (`url` without https://)."""
    providers = iam_store(account).open_id_providers.values()
    return next((one for one in providers if one.url == name), None)


def find_access_key(key_id: str) -> tuple[str, dict[str, Any], str] | None:
    """Account, user (name, arn, id, tags) and secret of an active access key of an IAM user."""
    for account in iam_accounts():
        for user in list(iam_store(account).users.values()):
            for key in user.access_keys:
                if key.access_key_id == key_id and key.status == "Active":
                    tags = {
                        t["Key"]: t["Value"] for t in iam_store(account).list_user_tags(user.name)
                    }
                    described = {"name": user.name, "arn": user.arn, "id": user.id, "tags": tags}
                    return account, described, key.secret_access_key
    return None


def managed_policy_document(account: str, arn: str) -> str:
    """The current text of a managed policy; one that is not there allows nothing."""
    load_aws_managed(account, arn)
    policy = iam_store(account).managed_policies.get(arn)
    if policy is None:
        return '{"Statement": []}'
    return str(next(v.document for v in policy.versions if v.is_default))


def load_aws_managed(account: str, arn: str) -> None:
    """Read AWS's own policies into the store the first time one is needed (some 30 MB)."""
    if not arn.startswith("arn:aws:iam::aws:policy/"):
        return
    store = iam_store(account)
    if arn in store.managed_policies:
        return
    from moto.core.config import default_user_config

    moto_patches.put(default_user_config, "iam", {"load_aws_managed_policies": True})
    for policy in store._init_aws_policies():
        store.managed_policies.setdefault(policy.arn, policy)


def create_user(account: str, name: str, user_id: str, policy: str) -> None:
    """An IAM user with one inline policy, made without asking anyone."""
    store = iam_store(account)
    user = store.create_user("us-east-1", name)
    user = user[0] if isinstance(user, tuple) else user
    user.id = user_id
    user.put_policy("everything", policy)


def create_role(account: str, name: str, trust: str, policy: str) -> None:
    """An IAM role with one inline policy, made without asking anyone."""
    store = iam_store(account)
    store.create_role(name, trust, "/", None, "made by the laptop", [], "3600")
    store.put_role_policy(name, "everything", policy)


# --- iam: what resources say about who may use them -----------------------------------------------


def bucket_owner(bucket: str) -> str:
    """The account that owns a bucket, "" when there is none."""
    from moto.s3.models import s3_backends

    owner: tuple[str, str] | None = s3_backends.bucket_accounts.get(bucket)
    return owner[1] if owner else ""


def bucket_region(bucket: str) -> str:
    """The region a bucket is in, "" when there is none of that name."""
    found = _bucket(bucket)
    return str(found.region_name) if found else ""


def _bucket(name: str) -> Any:
    from moto.s3.models import s3_backends

    owner = bucket_owner(name)
    return s3_backends[owner]["aws"].buckets.get(name) if owner else None


def _object(bucket: str, key: str, version: str | None) -> Any:
    found = _bucket(bucket)
    if found is None:
        return None
    if version is None:
        return found.keys.get(key)
    versions = found.keys.getlist(key, default=[])
    return next((v for v in versions if str(v.version_id) == version), None)


def object_exists(bucket: str, key: str, version: str | None = None) -> bool:
    """Whether an object (not a delete marker) is stored."""
    return hasattr(_object(bucket, key, version), "encryption")


def object_etag(bucket: str, key: str) -> str | None:
    """The ETag of an object's current version, None when there is none (or a delete marker)."""
    found = _object(bucket, key, None)
    return str(found.etag) if hasattr(found, "encryption") else None


def object_key(bucket: str, key: str, version: str | None = None) -> str:
    """The customer key an object is encrypted with, "" for none."""
    found = _object(bucket, key, version)
    if getattr(found, "encryption", None) != "aws:kms":
        return ""
    return str(found.kms_key_id or "")


def object_tags(bucket: str, key: str, version: str | None = None) -> dict[str, str]:
    """The tags of one version of an object; empty when there is none."""
    from moto.s3.models import s3_backends

    found = _object(bucket, key, version)
    if not hasattr(found, "encryption"):
        return {}
    tagger = s3_backends[bucket_owner(bucket)]["aws"].tagger
    return {str(k): str(v or "") for k, v in tagger.get_tag_dict_for_resource(found.arn).items()}


def upload_key(bucket: str, upload: str) -> str:
    """The customer key that a multipart upload encrypts with, "" for none."""
    found = _bucket(bucket)
    multipart = found.multiparts.get(upload) if found else None
    return str(getattr(multipart, "kms_key_id", None) or bucket_default_key(bucket))


def _bucket_encryption(bucket: str) -> dict[str, Any]:
    found = _bucket(bucket)
    rule: dict[str, Any] = ((found.encryption if found else None) or {}).get("Rule", {})
    return rule


def bucket_default_key(bucket: str) -> str:
    """The customer key that a bucket encrypts with unless told otherwise, "" for none."""
    default = _bucket_encryption(bucket).get("ApplyServerSideEncryptionByDefault", {})
    return str(default.get("KMSMasterKeyID") or "")


def bucket_uses_bucket_key(bucket: str) -> bool:
    """Whether S3 Bucket Keys are on, which changes the encryption context of key use."""
    return str(_bucket_encryption(bucket).get("BucketKeyEnabled", "false")).lower() == "true"


def kms_key_arn(account: str, region: str, key: str) -> str | None:
    """The ARN of a customer key given by id, alias or ARN; None when it is not known here."""
    from moto.kms.models import kms_backends

    if key.startswith("arn:"):
        region, account = key.split(":")[3:5]
    store = kms_backends[account][region]
    name = key.split(":", 5)[5] if key.startswith("arn:") else key
    if name.startswith("alias/aws/"):
        return None
    found = store.get_key_id_from_alias(name) if name.startswith("alias/") else name
    stored = store.keys.get((found or "").removeprefix("key/"))
    return str(stored.arn) if stored else None


def message_key(service: str, arn: str) -> str:
    """The key that a topic or queue is encrypted with, "" for none."""
    region, account = arn.split(":")[3:5]
    if service == "sns":
        topic = _topics(account, region).get(arn)
        return str(getattr(topic, "kms_master_key_id", "") or "")
    queue = _queues(account, region).get(arn.rpartition(":")[2])
    return str(getattr(queue, "kms_master_key_id", "") or "")


def _topics(account: str, region: str) -> dict[str, Any]:
    from moto.sns.models import sns_backends

    topics: dict[str, Any] = sns_backends[account][region].topics
    return topics


def _queues(account: str, region: str) -> dict[str, Any]:
    from moto.sqs.models import sqs_backends

    queues: dict[str, Any] = sqs_backends[account][region].queues
    return queues


def resource_policy(service: str, arn: str) -> str | None:
    """The policy document attached to a resource, None when it has none."""
    reader = _POLICY_READERS.get(service)
    return reader(arn) if reader and arn.count(":") >= 5 else None


def _bucket_policy(arn: str) -> str | None:
    found = _bucket(arn.removeprefix("arn:aws:s3:::").partition("/")[0])
    return found.policy.decode() if found is not None and found.policy else None


def _topic_policy(arn: str) -> str | None:
    region, account = arn.split(":")[3:5]
    topic = _topics(account, region).get(arn)
    return str(topic.policy) if topic else None


def _queue_policy(arn: str) -> str | None:
    region, account, name = arn.split(":")[3:6]
    policy = getattr(_queues(account, region).get(name), "policy", None)
    return str(policy) if policy else None


def _key_policy(arn: str) -> str | None:
    from moto.kms.models import kms_backends

    region, account, name = arn.split(":")[3:6]
    key = kms_backends[account][region].keys.get(name.removeprefix("key/"))
    return str(key.policy) if key else None


def _function_policy(arn: str) -> str | None:
    """All statements about a function: each names the version or alias that it is about."""
    from moto.awslambda.models import lambda_backends

    region, account, _, name = [*arn.split(":"), ""][3:7]
    group = lambda_backends[account][region]._lambdas._functions.get(name)
    statements = statements_of(group) if group is not None else []
    return json.dumps({"Statement": statements}) if statements else None


def _bus_policy(arn: str) -> str | None:
    from moto.events.models import events_backends

    region, account, name = arn.split(":")[3:6]
    bus = events_backends[account][region].event_buses.get(name.removeprefix("event-bus/"))
    return str(bus.policy) if bus is not None and bus.policy else None


_POLICY_READERS: dict[str, Callable[[str], str | None]] = {
    "s3": _bucket_policy,
    "sns": _topic_policy,
    "sqs": _queue_policy,
    "kms": _key_policy,
    "lambda": _function_policy,
    "events": _bus_policy,
}
