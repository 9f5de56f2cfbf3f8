"""One thing a request needs permission for, and how to read the names of resources out of it.

Shared by the builders of requirements (iam_requests*). Values only.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_PLACEHOLDER = re.compile(r"\{([^}]+)\}")


@dataclass(frozen=True)
class Requirement:
    """An action on a resource, with the condition keys that belong to it."""

    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Keys in lower case."""
    resource_account: str = ""
    """The owner of the resource where the ARN does not say it; "" takes it from the ARN."""

    @property
    def owner(self) -> str:
        """The account the resource belongs to, "" when it belongs to none."""
        return self.resource_account or _account_in(self.resource)


def _account_in(arn: str) -> str:
    parts = arn.split(":", 5)
    owned = len(parts) == 6 and parts[0] == "arn" and parts[4] != "aws"
    return parts[4] if owned else ""


@dataclass(frozen=True)
class Place:
    """Where a request acts: the region it was signed for and the account of its caller."""

    account: str
    region: str

    def arn(self, service: str, rest: str) -> str:
        """An ARN in this place."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"


def reach(parameters: Any, path: str) -> Iterator[str]:
    """Every text at `path` (``a.b``), walking into each element of lists.

    >>> list(reach({"Targets": [{"RoleArn": "r1"}, {}, {"RoleArn": "r2"}]}, "Targets.RoleArn"))
    ['r1', 'r2']
    """
    if isinstance(parameters, list):
        for element in parameters:
            yield from reach(element, path)
        return
    if not path:
        if parameters not in (None, ""):
            yield str(parameters)
        return
    if isinstance(parameters, Mapping):
        name, _, rest = path.partition(".")
        yield from reach(parameters.get(name), rest)


def first(parameters: Mapping[str, Any], names: str) -> str:
    """The first text found at one of the paths in ``a|b.c``; "" when there is none."""
    for path in names.split("|"):
        found = next(reach(parameters, path), "")
        if found:
            return found
    return ""


def fill(template: str, parameters: Mapping[str, Any]) -> str:
    """`template` with its ``{placeholders}`` filled; a value that is an ARN stands alone."""
    values = [first(parameters, names) for names in _PLACEHOLDER.findall(template)]
    whole = next((value for value in values if value.startswith("arn:")), None)
    if whole is not None:
        return whole + (template[template.rindex("}") + 1 :] if len(values) == 1 else "")
    given = iter(values)
    return _PLACEHOLDER.sub(lambda _: next(given), template)


def tags_of(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Tags that a request puts on what it creates, whatever its service calls them."""
    found = parameters.get("Tags", parameters.get("tags"))
    if isinstance(found, Mapping):
        return {str(key): str(value) for key, value in found.items()}
    if isinstance(found, list):
        return dict(_tag(entry) for entry in found if isinstance(entry, Mapping))
    return _form_tags(parameters)


def _tag(entry: Mapping[str, Any]) -> tuple[str, str]:
    lower = {str(key).lower().removeprefix("tag"): value for key, value in entry.items()}
    return str(lower.get("key", "")), str(lower.get("value", ""))


def _form_tags(parameters: Mapping[str, Any]) -> dict[str, str]:
    tags = {}
    for name, value in parameters.items():
        if name.startswith("Tags.member.") and name.endswith(".Key"):
            tags[str(value)] = str(parameters.get(f"{name[:-4]}.Value", ""))
    return tags


def tag_context(tags: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The condition keys for tags in a request."""
    if not tags:
        return {}
    context: dict[str, tuple[str, ...]] = {"aws:tagkeys": tuple(tags)}
    return context | {f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()}
