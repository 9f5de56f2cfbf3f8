"""The files of delivery/environments/ out of the settings: for a commit that goes elsewhere.

Standard library only.
"""

import json
from collections.abc import Mapping

from delivery.model import Environment, Place, Settings

_HEAD = "# Written by a program (delivery/toml_writing.py).\n"


def files(settings: Settings) -> dict[str, str]:
    """Text by file name; reading them gives the same settings."""
    return {
        "shared.toml": _shared(settings),
        **{f"{e.name}.toml": _environment(e) for e in settings.environments.values()},
    }


def _shared(settings: Settings) -> str:
    repository = settings.repository
    return (
        _HEAD
        + _lines({"app": settings.app, "checks": settings.checks})
        + _table(
            "repository",
            {
                "name": repository.name,
                "owner_id": repository.owner_id,
                "id": repository.id,
                "branch": repository.branch,
                "connection": repository.connection,
            },
        )
        + _table("operations", _place(settings.operations))
        + _table("data", _place(settings.data))
    )


def _place(place: Place) -> dict[str, str]:
    return {"account": place.account, "region": place.region}


def _environment(environment: Environment) -> str:
    own = {
        "account": environment.account,
        "regions": list(environment.regions),
        "promotes_to": environment.promotes_to,
    }
    tables = {
        "promotion": {"approval": environment.approval, "kind": environment.kind},
        "parameters": environment.own_parameters,
        **{f"quotas.{service}": found for service, found in environment.quotas.items()},
        "schedules": environment.schedules,
    }
    return _HEAD + _lines(own) + "".join(_table(name, found) for name, found in tables.items())


def _table(name: str, content: Mapping[str, object]) -> str:
    return f"\n[{name}]\n{_lines(content)}"


def _lines(content: Mapping[str, object]) -> str:
    """JSON's texts, numbers and lists of texts are TOML's as well."""
    return "".join(f"{json.dumps(key)} = {json.dumps(value)}\n" for key, value in content.items())
