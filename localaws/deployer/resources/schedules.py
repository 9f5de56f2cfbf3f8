"""AWS::Scheduler::Schedule."""

from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    generated_name,
    picked,
)
from localaws.deployer.schema import INT, Record, Text, texts

_TARGET = Record(
    {
        **texts("Arn", "RoleArn", "Input"),
        "RetryPolicy": Record({"MaximumRetryAttempts": INT, "MaximumEventAgeInSeconds": INT}),
        "DeadLetterConfig": Record(texts("Arn")),
    },
    ("Arn", "RoleArn"),
)
_WINDOW = Record(
    {"Mode": Text(("OFF", "FLEXIBLE")), "MaximumWindowInMinutes": INT},
    ("Mode",),
)
_SCHEDULE = Record(
    {
        **texts("Name", "Description", "ScheduleExpression", "ScheduleExpressionTimezone"),
        **texts("GroupName", "KmsKeyArn"),
        "State": Text(("ENABLED", "DISABLED")),
        "FlexibleTimeWindow": _WINDOW,
        "Target": _TARGET,
    },
    ("FlexibleTimeWindow", "ScheduleExpression", "Target"),
)
_DECLARED = (
    *("Description", "ScheduleExpression", "ScheduleExpressionTimezone", "GroupName"),
    *("KmsKeyArn", "State", "FlexibleTimeWindow", "Target"),
)


def _create(site: Site, logical_id: str, properties: Properties) -> Made:
    name = properties.get("Name") or generated_name(site, logical_id)
    client = site.client("scheduler")
    arn: str = client.create_schedule(Name=name, **picked(properties, *_DECLARED))["ScheduleArn"]
    return Made(name, {"Arn": arn})


def _update(site: Site, existing: Existing, new: Properties) -> Made:
    site.client("scheduler").update_schedule(Name=existing.physical_id, **picked(new, *_DECLARED))
    return existing.made()


def _delete(site: Site, existing: Existing) -> None:
    site.client("scheduler").delete_schedule(
        Name=existing.physical_id, **picked(existing.properties, "GroupName")
    )


TYPES = (
    ResourceType(
        "AWS::Scheduler::Schedule",
        _SCHEDULE,
        _create,
        _delete,
        _update,
        frozenset({"Name", "GroupName"}),
        "Name",
    ),
)
