"""What every resource type is made of.

`Ref` of a resource is its physical id, as in CloudFormation; `GetAtt` reads `Made.attributes`.
"""

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from localaws.deployer.schema import Record
from localaws.deployer.template import Surroundings

Properties = Mapping[str, Any]
Clients = Callable[[str], Any]


@dataclass(frozen=True)
class Site:
    """Where resources are made: clients by service name, and the stack's surroundings."""

    client: Clients
    surroundings: Surroundings
    tags: Mapping[str, str] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event, compare=False)
    """Set once a resource has failed: what takes long for another one shall be given up."""

    def arn(self, service: str, resource: str) -> str:
        """ARN of something in the stack's account and region."""
        place = self.surroundings
        return f"arn:{place.partition}:{service}:{place.region}:{place.account}:{resource}"


@dataclass(frozen=True)
class Made:
    """A resource as AWS made it."""

    physical_id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


class HalfMade(Exception):
    """A resource exists, but a later call for it failed; the roll-back must delete it."""

    def __init__(self, made: Made, cause: BaseException) -> None:
        self.made = made
        self.cause = cause
        super().__init__(str(cause))


@contextmanager
def completing(made: Made) -> Iterator[None]:
    """Around the calls that follow the one that made the resource."""
    try:
        yield
    except Exception as error:
        raise HalfMade(made, error) from error


@dataclass(frozen=True)
class Existing:
    """A resource of the stack as last deployed."""

    logical_id: str
    physical_id: str
    attributes: Mapping[str, str]
    properties: Properties

    def made(self) -> Made:
        """The same resource, unchanged in what others see of it."""
        return Made(self.physical_id, self.attributes)


Create = Callable[[Site, str, Properties], Made]
Update = Callable[[Site, Existing, Properties], Made]
Delete = Callable[[Site, Existing], None]
UpdateUnder = Callable[[Site, Existing, Properties, Properties], Made]
"""(site, resource as it is, its new properties, its UpdatePolicy)."""


@dataclass(frozen=True)
class ResourceType:
    """One CloudFormation type; without `update`, every change makes a new resource."""

    name: str
    properties: Record
    create: Create
    delete: Delete
    update: Update | None = None
    replaced_by: frozenset[str] = frozenset()
    name_property: str = ""
    update_policy: Record | None = None
    """What its UpdatePolicy may hold; None for a type that has none."""
    update_under: UpdateUnder | None = None
    """Updates a resource that has an UpdatePolicy; a roll-back takes `update`, as AWS does."""

    def replaces(self, changed: frozenset[str]) -> bool:
        """Whether a change of these properties needs a new resource."""
        return self.update is None or bool(changed & self.replaced_by)


def generated_name(site: Site, logical_id: str, *, longest: int = 64, lower: bool = False) -> str:
    """A name as CloudFormation makes one: stack, logical id, twelve random characters."""
    suffix = uuid.uuid4().hex[:12]
    stack = site.surroundings.stack_name
    room = longest - len(suffix) - 1
    text = f"{stack}-{logical_id}"
    if len(text) > room:
        text = f"{stack[: room // 2]}-{logical_id[: room - room // 2 - 1]}"
    name = f"{text}-{suffix if lower else suffix.upper()}"
    return name.lower() if lower else name


def changed(existing: Existing, new: Properties, *names: str) -> bool:
    """Whether any of these properties differs; all properties when none is named."""
    old = existing.properties
    keys = names or tuple(set(old) | set(new))
    return any(old.get(name) != new.get(name) for name in keys)


def tags(site: Site, properties: Properties) -> list[dict[str, str]]:
    """The stack's tags and the resource's own, which win."""
    own = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    return [{"Key": key, "Value": value} for key, value in {**site.tags, **own}.items()]


def tag_map(site: Site, properties: Properties) -> dict[str, str]:
    """`tags` as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags(site, properties)}


def lower_tags(site: Site, properties: Properties) -> list[dict[str, str]]:
    """`tags` with the lower-case keys of newer APIs."""
    return [{"key": tag["Key"], "value": tag["Value"]} for tag in tags(site, properties)]


def dropped_tags(existing: Existing, new: Properties) -> list[str]:
    """Tag keys that the new properties no longer have."""
    kept = {tag["Key"] for tag in new.get("Tags", [])}
    return [tag["Key"] for tag in existing.properties.get("Tags", []) if tag["Key"] not in kept]


def picked(properties: Properties, *names: str) -> dict[str, Any]:
    """The named properties that are given."""
    return {name: properties[name] for name in names if name in properties}


def as_json(document: Any) -> str:
    """A policy or another document as the APIs take it."""
    return json.dumps(document, separators=(",", ":"))


def lower_first(value: Any, *, verbatim: frozenset[str] = frozenset()) -> Any:
    """Keys with their first letter in lower case; below the keys in `verbatim` nothing changes."""
    if isinstance(value, Mapping):
        return {
            key[:1].lower() + key[1:]: item
            if key in verbatim
            else lower_first(item, verbatim=verbatim)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [lower_first(item, verbatim=verbatim) for item in value]
    return value
