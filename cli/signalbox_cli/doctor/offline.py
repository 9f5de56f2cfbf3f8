"""The templates checked before anything is deployed: no account, no network, no credentials.

Each template of the folder is expanded as CloudFormation would expand it, then looked at. Sizes are
IAM's ("IAM and AWS STS quotas", read 2026-11) and CloudFormation's ("Understand CloudFormation
quotas", read 2026-11).
"""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delivery import settings as delivery_settings
from delivery.model import Settings
from delivery.toml_reading import SettingsError
from localaws.deployer import template, transform
from localaws.deployer.errors import TemplateInvalid
from localaws.deployer.template import Surroundings
from signalbox_cli.doctor.findings import Check, Finding, NothingToLookAt
from signalbox_cli.doctor.patients import Resource, worked_out
from signalbox_cli.errors import NotFoundError

_CACHE = Path(".signalbox") / "build" / "templates"
_ACCOUNT, _REGION = "123456789012", "us-east-1"
_INLINE_LIMIT, _TRUST_LIMIT, _MANAGED_LIMIT = 10_240, 2_048, 6_144
_KEY_LIMIT, _BUCKET_LIMIT = 32_768, 20_480
_RESOURCES_LIMIT, _PARAMETERS_LIMIT = 500, 200
_PATHS = ("CodeUri", "ContentUri", "DefinitionUri")
_RUNTIMES = ("python3.13", "python3.14")


@dataclass(frozen=True)
class Sheet:
    """One template, expanded with the parameters of one of its stacks."""

    path: str
    document: Mapping[str, Any]
    resources: Mapping[str, Resource]
    problem: str = ""

    def of_type(self, *type_names: str) -> Iterator[Resource]:
        """The resources of some types."""
        return (one for one in self.resources.values() if one.type_name in type_names)


@dataclass(frozen=True)
class Folder:
    """The templates of a folder, and what is wrong with its settings."""

    sheets: tuple[Sheet, ...]
    settings_problem: str = ""
    with_subnets: tuple[str, ...] = ()
    """Environments whose settings put jobs into subnets."""


def read_folder(folder: Path) -> Folder:
    """All templates of a folder; raises NotFoundError when there is none."""
    paths = _templates(folder)
    settings, problem = _settings(folder)
    return Folder(
        tuple(
            _read(path, folder, given)
            for path in paths
            for given in _given(path.relative_to(folder).as_posix(), settings)
        ),
        problem,
        _with_subnets(settings),
    )


def _with_subnets(settings: Settings | None) -> tuple[str, ...]:
    environments = settings.environments.values() if settings else ()
    return tuple(one.name for one in environments if one.networks)


def _templates(folder: Path) -> list[Path]:
    found = [
        path
        for path in (folder / "template.yaml", *sorted(folder.glob("delivery/*.yaml")))
        if path.is_file()
    ]
    if not found:
        raise NotFoundError(
            f"{folder} holds neither template.yaml nor delivery/*.yaml; run the command in the "
            "folder that holds Signalbox's template.yaml"
        )
    return found


def _settings(folder: Path) -> tuple[Settings | None, str]:
    """The folder's own settings; without any, templates are expanded with placeholders."""
    place = folder / "delivery" / "environments"
    if not place.is_dir():
        return None, ""
    try:
        return delivery_settings.load(place), ""
    except SettingsError as fault:
        return None, str(fault)


def _given(name: str, settings: Settings | None) -> list[Mapping[str, str]]:
    """The parameters that a template is deployed with, one set for each of its stacks."""
    if settings is None:
        return [{}]
    if name == "template.yaml":
        told = {"NotificationEmail": "you@example.org", "WebhookKind": "generic"}
        own = [environment.parameters for environment in settings.environments.values()]
        return [*own, {**told, **own[0]}]
    stacks = delivery_settings.deployments(settings)
    return [one.parameters for one in stacks if one.template == name] or [{}]


def _read(path: Path, folder: Path, wanted: Mapping[str, str]) -> Sheet:
    """A template expanded with parameters; what is not given and has no default is made up."""
    name = path.relative_to(folder).as_posix()
    try:
        source = template.read(path)
        given = {**_placeholders(source), **wanted}
        values = template.parameters(source, given)
        document = transform.expanded(
            _without_local_paths(source), values, region=_REGION, cache=folder / _CACHE
        )
        place = Surroundings("doctor", _ACCOUNT, _REGION)
        return Sheet(name, document, worked_out(document, given, {}, place))
    except TemplateInvalid as fault:
        return Sheet(name, {}, {}, str(fault))


def _placeholders(source: Mapping[str, Any]) -> dict[str, str]:
    """A value for each parameter without a default: the first allowed, or one of its kind.

    One of which only another stack can tell the value (an ARN, say) is not held to its pattern.
    """
    found = {}
    for name, rule in source.get("Parameters", {}).items():
        if "Default" not in rule:
            rule.pop("AllowedPattern", None)
            first = rule.get("MinValue", 1) if rule.get("Type") == "Number" else "x"
            found[name] = str(rule.get("AllowedValues", [first])[0])
    return found


def _without_local_paths(source: Mapping[str, Any]) -> dict[str, Any]:
    """The transform takes packaged code only: local paths become addresses of nothing."""
    found = copy.deepcopy(dict(source))
    functions = found.get("Globals", {}).get("Function", {})
    holders = [functions, *(one.get("Properties", {}) for one in found["Resources"].values())]
    for holder in holders:
        for name in _PATHS:
            if isinstance(holder.get(name), str):
                holder[name] = "s3://packaged/later"
    return found


def _expands(sheet: Sheet) -> Iterator[Finding]:
    if sheet.problem:
        yield Finding(sheet.path, sheet.problem, "correct the template")


def _limits(sheet: Sheet) -> Iterator[Finding]:
    for kind, limit in (("Resources", _RESOURCES_LIMIT), ("Parameters", _PARAMETERS_LIMIT)):
        count = len(sheet.document.get(kind, {}))
        if count > limit:
            yield Finding(
                sheet.path,
                f"{count} {kind.lower()}, at most {limit} are allowed",
                "split the template",
            )
    for resource in sheet.resources.values():
        for what, size, limit in _sizes(resource):
            if size > limit:
                yield Finding(
                    f"{sheet.path} {resource.logical_id}",
                    f"{what} has {size} characters, at most {limit} are allowed",
                    "join statements, or shorten them",
                )


def _sizes(resource: Resource) -> Iterator[tuple[str, int, int]]:
    """What counts against a limit, without white space as IAM counts."""
    properties = resource.properties
    if resource.type_name == "AWS::IAM::Role":
        inline = sum(_size(one["PolicyDocument"]) for one in properties.get("Policies", []))
        yield "all inline policies together", inline, _INLINE_LIMIT
        yield "the trust policy", _size(properties["AssumeRolePolicyDocument"]), _TRUST_LIMIT
    elif resource.type_name == "AWS::IAM::ManagedPolicy":
        yield "the policy", _size(properties["PolicyDocument"]), _MANAGED_LIMIT
    elif resource.type_name == "AWS::KMS::Key":
        yield "the key policy", _size(properties["KeyPolicy"]), _KEY_LIMIT
    elif resource.type_name == "AWS::S3::BucketPolicy":
        yield "the bucket policy", _size(properties["PolicyDocument"]), _BUCKET_LIMIT


def _size(document: Any) -> int:
    return len(json.dumps(document, separators=(",", ":"), default=_placeholder_arn))


def _placeholder_arn(_pending: Any) -> str:
    return "arn:aws:service:us-east-1:123456789012:a-resource-of-this-stack"


def _wildcards(sheet: Sheet) -> Iterator[Finding]:
    """No statement grants an action by a pattern, and no role is an administrator."""
    for resource in sheet.resources.values():
        for statement in _grants(resource):
            actions = statement.get("Action", [])
            every = actions if isinstance(actions, list) else [actions]
            loose = [str(one) for one in every if "*" in str(one)]
            if loose or "NotAction" in statement:
                yield Finding(
                    f"{sheet.path} {resource.logical_id}",
                    f"statement {statement.get('Sid', '?')} grants "
                    f"{', '.join(loose) or 'all but some actions'}",
                    "name the actions that are used",
                )


def _grants(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """Statements of role policies that allow something; a boundary only limits, and is left out."""
    for policy in resource.properties.get("Policies", []):
        if isinstance(policy, Mapping) and "PolicyDocument" in policy:
            found = policy["PolicyDocument"]["Statement"]
            every = found if isinstance(found, list) else [found]
            yield from (one for one in every if one["Effect"] == "Allow")


def _kept_for_ever(sheet: Sheet) -> Iterator[Finding]:
    for group in sheet.of_type("AWS::Logs::LogGroup"):
        if "RetentionInDays" not in group.properties:
            yield Finding(
                f"{sheet.path} {group.logical_id}",
                "its logs are kept for ever",
                "give it RetentionInDays",
            )
    for function in sheet.of_type("AWS::Lambda::Function"):
        if "LogGroup" not in function.properties.get("LoggingConfig", {}):
            yield Finding(
                f"{sheet.path} {function.logical_id}",
                "it writes to a log group that Lambda makes, which keeps logs for ever",
                "give it a log group of the template in LoggingConfig",
            )


def _encrypted(sheet: Sheet) -> Iterator[Finding]:
    wanted = {
        "AWS::S3::Bucket": ("BucketEncryption",),
        "AWS::SQS::Queue": ("KmsMasterKeyId", "SqsManagedSseEnabled"),
        "AWS::SNS::Topic": ("KmsMasterKeyId",),
    }
    for resource in sheet.of_type(*wanted):
        names = wanted[resource.type_name]
        if not set(names) & set(resource.properties):
            yield Finding(
                f"{sheet.path} {resource.logical_id}",
                "what it holds is not encrypted",
                f"give it {' or '.join(names)}",
            )
    for bucket in sheet.of_type("AWS::S3::Bucket"):
        if "PublicAccessBlockConfiguration" not in bucket.properties:
            yield Finding(
                f"{sheet.path} {bucket.logical_id}",
                "public access is not blocked",
                "give it PublicAccessBlockConfiguration",
            )


def _dead_ends(sheet: Sheet) -> Iterator[Finding]:
    for rule in sheet.of_type("AWS::Events::Rule"):
        for target in rule.properties.get("Targets", []):
            if "DeadLetterConfig" not in target:
                yield _dead_end(sheet, rule)
    for schedule in sheet.of_type("AWS::Scheduler::Schedule"):
        if "DeadLetterConfig" not in schedule.properties.get("Target", {}):
            yield _dead_end(sheet, schedule)


def _dead_end(sheet: Sheet, resource: Resource) -> Finding:
    return Finding(
        f"{sheet.path} {resource.logical_id}",
        "an event that cannot be delivered is lost without a word",
        "give the target DeadLetterConfig",
    )


def _outdated(sheet: Sheet) -> Iterator[Finding]:
    for function in sheet.of_type("AWS::Lambda::Function"):
        runtime = function.text("Runtime")
        if runtime and runtime not in _RUNTIMES:
            yield Finding(
                f"{sheet.path} {function.logical_id}",
                f"runtime {runtime} is outdated",
                f"use {_RUNTIMES[0]}",
            )


def _set(folder: Folder) -> Iterator[Finding]:
    if folder.settings_problem:
        yield Finding("delivery/environments", folder.settings_problem, "correct the file")


def _network(folder: Folder) -> Iterator[Finding]:
    """Never a finding: it says what only the accounts can tell, and how to ask them."""
    if not folder.with_subnets:
        raise NothingToLookAt("no environment puts jobs into subnets")
    asked = ", ".join(f"`signalbox doctor -e {one} --only network`" for one in folder.with_subnets)
    what = "subnets, security groups and endpoints are there"
    raise NothingToLookAt(f"only an account can tell whether {what}: {asked}")


def _each(look: Callable[[Sheet], Iterator[Finding]]) -> Callable[[Folder], Iterator[Finding]]:
    """The same look at every template; what is wrong for several environments is told once."""
    return lambda folder: iter(
        dict.fromkeys(finding for sheet in folder.sheets for finding in look(sheet))
    )


CHECKS = (
    Check("settings", "delivery/environments can be read", _set),
    Check("expands", "templates expand and their parameters fit", _each(_expands)),
    Check("limits", "policies and templates are within AWS's size limits", _each(_limits)),
    Check("wildcards", "no role is granted an action by a wildcard", _each(_wildcards)),
    Check("log-retention", "every function logs to a group that forgets", _each(_kept_for_ever)),
    Check("encryption", "what is stored is private and encrypted", _each(_encrypted)),
    Check("dead-ends", "every rule and schedule has a dead-letter queue", _each(_dead_ends)),
    Check("runtimes", "functions run on a runtime that AWS keeps", _each(_outdated)),
    Check("network", "jobs reach from their subnets what they call", _network),
)
