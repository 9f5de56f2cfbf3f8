"""samconfig.toml out of the settings, for a person who deploys with sam. Standard library only."""

import json
from pathlib import Path

from delivery.model import Environment, Settings

PATH = Path(__file__).parents[1] / "samconfig.toml"

_HEAD = """\
# Generated from delivery/environments/ by `python -m delivery.settings samconfig`: edit those.
# One section per environment: `sam build && sam deploy --config-env staging`. The account set-up
# comes first (delivery/account.yaml): it makes the permission boundary that every role carries.
version = 0.1
"""


def rendered(settings: Settings) -> str:
    """The whole file; `default` is dev."""
    environments = settings.environments
    sections = [("default", environments["dev"]), *environments.items()]
    return _HEAD + "".join(_section(label, found) for label, found in sections)


def _section(label: str, environment: Environment) -> str:
    tags = f"app={environment.app} environment={environment.name}"
    values: dict[str, dict[str, object]] = {
        "global": {"stack_name": environment.stack_name, "region": environment.region},
        **({"validate": {"lint": True}} if label == "default" else {}),
        "build": {"cached": True, "parallel": True},
        "deploy": {
            "capabilities": "CAPABILITY_NAMED_IAM",
            "resolve_s3": True,
            "s3_prefix": environment.stack_name,
            "confirm_changeset": environment.name != "dev",
            "fail_on_empty_changeset": False,
            "parameter_overrides": _overrides(environment),
            "tags": tags,
        },
    }
    return "".join(
        f"\n[{label}.{command}.parameters]\n"
        + "".join(f"{key} = {_toml(value)}\n" for key, value in options.items())
        for command, options in values.items()
    )


def _overrides(environment: Environment) -> list[str]:
    return [f"{name}={json.dumps(value)}" for name, value in environment.parameters.items()]


def _toml(value: object) -> str:
    """JSON's texts and booleans are TOML's, but for a few characters that do not occur here."""
    if isinstance(value, list):
        return "[\n" + "".join(f"  {_toml(item)},\n" for item in value) + "]"
    if isinstance(value, str) and '"' in value:
        return f"'{value}'"
    return json.dumps(value)
