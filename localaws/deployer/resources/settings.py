"""AWS::SSM::Parameter, AWS::CloudWatch::Alarm and AWS::SageMaker::ModelPackageGroup."""

from localaws.deployer.resources.base import (
    Existing,
    Made,
    Properties,
    ResourceType,
    Site,
    changed,
    dropped_tags,
    generated_name,
    picked,
    tags,
)
from localaws.deployer.schema import (
    FLAG,
    FLOAT,
    INT,
    TAGS,
    TEXT,
    TEXTS,
    ListOf,
    MapOf,
    Record,
    Text,
    texts,
)


def _put_parameter(site: Site, name: str, properties: Properties, *, again: bool) -> Made:
    # CloudFormation gives tags as a map here; the API refuses tags together with Overwrite.
    own_tags = [{"Key": key, "Value": value} for key, value in properties.get("Tags", {}).items()]
    site.client("ssm").put_parameter(
        Name=name,
        Overwrite=again,
        **({} if again or not own_tags else {"Tags": own_tags}),
        **picked(properties, "Type", "Value", "Description", "AllowedPattern", "Tier"),
    )
    return Made(name, {"Type": properties["Type"], "Value": properties["Value"]})


def _create_parameter(site: Site, logical_id: str, properties: Properties) -> Made:
    name = properties.get("Name") or generated_name(site, logical_id, longest=512)
    return _put_parameter(site, name, properties, again=False)


def _update_parameter(site: Site, existing: Existing, new: Properties) -> Made:
    return _put_parameter(site, existing.physical_id, new, again=True)


def _delete_parameter(site: Site, existing: Existing) -> None:
    site.client("ssm").delete_parameter(Name=existing.physical_id)


def _put_alarm(site: Site, name: str, properties: Properties) -> Made:
    stated = {key: value for key, value in properties.items() if key not in ("AlarmName", "Tags")}
    site.client("cloudwatch").put_metric_alarm(AlarmName=name, **stated)
    return Made(name, {"Arn": site.arn("cloudwatch", f"alarm:{name}")})


def _create_alarm(site: Site, logical_id: str, properties: Properties) -> Made:
    name = properties.get("AlarmName") or generated_name(site, logical_id, longest=255)
    return _put_alarm(site, name, properties)


def _update_alarm(site: Site, existing: Existing, new: Properties) -> Made:
    return _put_alarm(site, existing.physical_id, new)


def _delete_alarm(site: Site, existing: Existing) -> None:
    site.client("cloudwatch").delete_alarms(AlarmNames=[existing.physical_id])


def _create_group(site: Site, _logical_id: str, properties: Properties) -> Made:
    name = properties["ModelPackageGroupName"]
    own_tags = tags(site, properties)
    arn = site.client("sagemaker").create_model_package_group(
        ModelPackageGroupName=name,
        **({"Tags": own_tags} if own_tags else {}),
        **picked(properties, "ModelPackageGroupDescription"),
    )["ModelPackageGroupArn"]
    return Made(arn, {"ModelPackageGroupArn": arn})


def _update_group(site: Site, existing: Existing, new: Properties) -> Made:
    sagemaker, arn = site.client("sagemaker"), existing.physical_id
    gone = dropped_tags(existing, new)
    if gone:
        sagemaker.delete_tags(ResourceArn=arn, TagKeys=gone)
    if changed(existing, new, "Tags") and new.get("Tags"):
        sagemaker.add_tags(ResourceArn=arn, Tags=tags(site, new))
    return existing.made()


def _delete_group(site: Site, existing: Existing) -> None:
    site.client("sagemaker").delete_model_package_group(
        ModelPackageGroupName=existing.properties["ModelPackageGroupName"]
    )


_PARAMETER = Record(
    {
        **texts("Name", "Value", "Description", "AllowedPattern", "Tier"),
        "Type": Text(("String", "StringList")),
        "Tags": MapOf(TEXT),
    },
    ("Type", "Value"),
)
_ALARM = Record(
    {
        **texts("AlarmName", "AlarmDescription", "Namespace", "MetricName", "Unit"),
        **texts("Statistic", "ExtendedStatistic", "ComparisonOperator", "TreatMissingData"),
        "ActionsEnabled": FLAG,
        "AlarmActions": TEXTS,
        "OKActions": TEXTS,
        "InsufficientDataActions": TEXTS,
        "Dimensions": ListOf(Record(texts("Name", "Value"), ("Name", "Value"))),
        "Period": INT,
        "EvaluationPeriods": INT,
        "DatapointsToAlarm": INT,
        "Threshold": FLOAT,
        "Tags": TAGS,
    },
    ("ComparisonOperator", "EvaluationPeriods"),
)
_GROUP = Record(
    {**texts("ModelPackageGroupName", "ModelPackageGroupDescription"), "Tags": TAGS},
    ("ModelPackageGroupName",),
)

TYPES = (
    ResourceType(
        "AWS::SSM::Parameter",
        _PARAMETER,
        _create_parameter,
        _delete_parameter,
        _update_parameter,
        frozenset({"Name", "Type"}),
        "Name",
    ),
    ResourceType(
        "AWS::CloudWatch::Alarm",
        _ALARM,
        _create_alarm,
        _delete_alarm,
        _update_alarm,
        frozenset({"AlarmName"}),
        "AlarmName",
    ),
    ResourceType(
        "AWS::SageMaker::ModelPackageGroup",
        _GROUP,
        _create_group,
        _delete_group,
        _update_group,
        frozenset({"ModelPackageGroupName", "ModelPackageGroupDescription"}),
        name_property="ModelPackageGroupName",
    ),
)
