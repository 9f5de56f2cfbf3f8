"""AppSpec content for Lambda: one function, one alias, from one version to another. Pure.

Rules: CodeDeploy user guide, "AppSpec 'resources' section (Amazon ECS and AWS Lambda deployments
only)" (read 2026-11-21).
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]

from localaws.errors import UnsupportedByLocalAws
from localaws.sagemaker.store import Document
from localaws.wire import AwsError

_PROPERTIES = ("Name", "Alias", "CurrentVersion", "TargetVersion")


@dataclass(frozen=True)
class AppSpec:
    """Which alias is to be moved, and between which versions."""

    function: str
    alias: str
    current: str
    target: str

    def reversed(self) -> "AppSpec":
        """The way back."""
        return AppSpec(self.function, self.alias, self.target, self.current)

    def content(self) -> str:
        """As the API takes it."""
        values = (self.function, self.alias, self.current, self.target)
        resource = {
            "Type": "AWS::Lambda::Function",
            "Properties": dict(zip(_PROPERTIES, values, strict=True)),
        }
        return json.dumps({"version": "0.0", "Resources": [{self.function: resource}]})


def invalid(message: str) -> AwsError:
    """CodeDeploy's answer to a revision it does not accept."""
    return AwsError("InvalidRevisionException", message)


def revision_of(content: str) -> Document:
    """A RevisionLocation that holds an AppSpec itself."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    return {
        "revisionType": "AppSpecContent",
        "appSpecContent": {"content": content, "sha256": digest},
    }


def content_of(revision: Document) -> str:
    """The AppSpec in a RevisionLocation; raises AwsError, UnsupportedByLocalAws."""
    kind = revision.get("revisionType")
    if kind not in ("AppSpecContent", "String"):
        raise UnsupportedByLocalAws("codedeploy", "CreateDeployment", f"revisionType {kind}")
    held = revision.get("appSpecContent" if kind == "AppSpecContent" else "string") or {}
    content = str(held.get("content") or "")
    digest = hashlib.sha256(content.encode()).hexdigest()
    if held.get("sha256", digest) != digest:
        raise invalid(f"The revision's sha256 is {held['sha256']}, its content's is {digest}")
    return content


def parsed(content: str) -> AppSpec:
    """What an AppSpec (JSON or YAML) asks for; raises AwsError, UnsupportedByLocalAws."""
    try:
        document = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise invalid(f"The AppSpec file is neither YAML nor JSON: {error}") from error
    if not isinstance(document, dict):
        raise invalid("The AppSpec file is empty or no object")
    if document.get("Hooks") or document.get("hooks"):
        raise UnsupportedByLocalAws("codedeploy", "CreateDeployment", "Hooks of the AppSpec file")
    return _function(document.get("Resources") or document.get("resources"))


def _function(resources: Any) -> AppSpec:
    if not isinstance(resources, list) or len(resources) != 1:
        raise invalid("The AppSpec file must list exactly one function in its Resources")
    entry = next(iter(resources[0].values()), None) if isinstance(resources[0], dict) else None
    if not isinstance(entry, dict) or entry.get("Type") != "AWS::Lambda::Function":
        raise invalid("The resource of the AppSpec file must be of type AWS::Lambda::Function")
    stated = entry.get("Properties") or {}
    values = {_spelled(name): str(value) for name, value in stated.items()}
    missing = [name for name in _PROPERTIES if not values.get(name)]
    if missing:
        raise invalid(f"The AppSpec file lacks {', '.join(missing)}")
    return AppSpec(*(values[name] for name in _PROPERTIES))


def _spelled(name: str) -> str:
    """A property's name with its first letter in upper case: the guide writes both."""
    return name[:1].upper() + name[1:]
