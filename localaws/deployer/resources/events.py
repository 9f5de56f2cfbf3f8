"""AWS::Events::Rule."""

from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    as_json,
    changed,
    completing,
    generated_name,
    picked,
    tags,
)
from localaws.deployer.schema import DOCUMENT, INT, TAGS, TEXT, ListOf, MapOf, Record, Text, texts
from localaws.errors import LocalAwsError

_TARGET = Record(
    {
        **texts("Id", "Arn", "RoleArn", "Input", "InputPath"),
        "InputTransformer": Record(
            {"InputPathsMap": MapOf(TEXT), "InputTemplate": TEXT}, ("InputTemplate",)
        ),
        "RetryPolicy": Record({"MaximumRetryAttempts": INT, "MaximumEventAgeInSeconds": INT}),
        "DeadLetterConfig": Record(texts("Arn")),
        "SqsParameters": Record(texts("MessageGroupId")),
    },
    ("Id", "Arn"),
)
_RULE = Record(
    {
        **texts("Name", "Description", "ScheduleExpression", "EventBusName", "RoleArn"),
        "EventPattern": DOCUMENT,
        "State": Text(("ENABLED", "DISABLED")),
        "Targets": ListOf(_TARGET),
        "Tags": TAGS,
    }
)


def _create(site: Site, logical_id: str, properties: Properties) -> Made:
    name = properties.get("Name") or generated_name(site, logical_id)
    arn = _put_rule(site, name, properties)
    made = Made(name, {"Arn": arn})
    with completing(made):
        _put_targets(site, name, properties)
    return made


def _update(site: Site, existing: Existing, new: Properties) -> Made:
    name = existing.physical_id
    keys = (set(existing.properties) | set(new)) - {"Targets"}
    if changed(existing, new, *sorted(keys)):
        _put_rule(site, name, new)
    if changed(existing, new, "Targets"):
        kept = {target["Id"] for target in new.get("Targets", [])}
        before = [target["Id"] for target in existing.properties.get("Targets", [])]
        _remove_targets(site, name, new, [item for item in before if item not in kept])
        _put_targets(site, name, new)
    return existing.made()


def _delete(site: Site, existing: Existing) -> None:
    properties, name = existing.properties, existing.physical_id
    targets = [target["Id"] for target in properties.get("Targets", [])]
    _remove_targets(site, name, properties, targets)
    site.client("events").delete_rule(Name=name, **picked(properties, "EventBusName"))


def _put_rule(site: Site, name: str, properties: Properties) -> str:
    pattern = properties.get("EventPattern")
    own_tags = tags(site, properties)
    arn: str = site.client("events").put_rule(
        Name=name,
        **({"EventPattern": as_json(pattern)} if pattern else {}),
        **({"Tags": own_tags} if own_tags else {}),
        **picked(
            properties, "Description", "ScheduleExpression", "EventBusName", "RoleArn", "State"
        ),
    )["RuleArn"]
    return arn


def _put_targets(site: Site, name: str, properties: Properties) -> None:
    targets = list(properties.get("Targets", []))
    if targets:
        answer = site.client("events").put_targets(
            Rule=name, Targets=targets, **picked(properties, "EventBusName")
        )
        _refuse_failed_entries(answer)


def _remove_targets(site: Site, name: str, properties: Properties, ids: list[str]) -> None:
    if ids:
        answer = site.client("events").remove_targets(
            Rule=name, Ids=ids, **picked(properties, "EventBusName")
        )
        _refuse_failed_entries(answer)


def _refuse_failed_entries(answer: Properties) -> None:
    if answer.get("FailedEntryCount"):
        entry = answer["FailedEntries"][0]
        raise LocalAwsError(f"target {entry.get('TargetId')}: {entry.get('ErrorMessage')}")


TYPES = (
    ResourceType(
        "AWS::Events::Rule",
        _RULE,
        _create,
        _delete,
        _update,
        frozenset({"Name", "EventBusName"}),
        "Name",
    ),
)
