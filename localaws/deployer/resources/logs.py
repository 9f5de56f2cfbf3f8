"""AWS::Logs::LogGroup."""

from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    changed,
    completing,
    generated_name,
    tag_map,
)
from localaws.deployer.schema import INT, TAGS, Record, Text, texts

_GROUP = Record(
    {
        **texts("LogGroupName", "KmsKeyId"),
        "RetentionInDays": INT,
        "LogGroupClass": Text(("STANDARD",)),
        "Tags": TAGS,
    }
)


def _create(site: Site, logical_id: str, properties: Properties) -> Made:
    logs = site.client("logs")
    name = properties.get("LogGroupName") or generated_name(site, logical_id, longest=512)
    key = {"kmsKeyId": properties["KmsKeyId"]} if "KmsKeyId" in properties else {}
    own_tags = tag_map(site, properties)
    logs.create_log_group(logGroupName=name, **key, **({"tags": own_tags} if own_tags else {}))
    made = Made(name, {"Arn": site.arn("logs", f"log-group:{name}:*")})
    with completing(made):
        _set_retention(site, name, properties)
    return made


def _set_retention(site: Site, name: str, properties: Properties) -> None:
    if "RetentionInDays" in properties:
        site.client("logs").put_retention_policy(
            logGroupName=name, retentionInDays=properties["RetentionInDays"]
        )


def _update(site: Site, existing: Existing, new: Properties) -> Made:
    logs, name = site.client("logs"), existing.physical_id
    if changed(existing, new, "RetentionInDays"):
        if "RetentionInDays" not in new:
            logs.delete_retention_policy(logGroupName=name)
        _set_retention(site, name, new)
    if changed(existing, new, "KmsKeyId"):
        if "KmsKeyId" in new:
            logs.associate_kms_key(logGroupName=name, kmsKeyId=new["KmsKeyId"])
        else:
            logs.disassociate_kms_key(logGroupName=name)
    if changed(existing, new, "Tags"):
        logs.tag_resource(
            resourceArn=site.arn("logs", f"log-group:{name}"), tags=tag_map(site, new)
        )
    return existing.made()


def _delete(site: Site, existing: Existing) -> None:
    site.client("logs").delete_log_group(logGroupName=existing.physical_id)


TYPES = (
    ResourceType(
        "AWS::Logs::LogGroup",
        _GROUP,
        _create,
        _delete,
        _update,
        frozenset({"LogGroupName", "LogGroupClass"}),
        "LogGroupName",
    ),
)
