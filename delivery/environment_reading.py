"""What the tables of delivery/environments/ mean, each checked as it is read.

Every function raises SettingsError, which names file, key and remedy. Standard library only.
"""

import re
from collections.abc import Sequence
from typing import Any

from delivery import parameters as working_out
from delivery.model import Environment, Network, Place, Repository
from delivery.toml_reading import Table

_ACCOUNT = (r"\d{12}", "the twelve digits of an account, in quotes")
_REGION = (r"[a-z]{2}(-[a-z]+)+-\d", 'a region such as "us-east-1"')
_SCHEDULE = re.compile(r"(cron|rate)\(.+\)")
_NUMBER = 'the number that GitHub gave it, in quotes, or "" (docs/delivery.md, GitHub Actions)'


def repository(table: Table) -> Repository:
    """Where the code lives; GitHub's numbers come together or not at all."""
    table.only(["name", "owner_id", "id", "branch", "connection"])
    found = Repository(
        table.text("name", r"|[\w.-]+/[\w.-]+", '"owner/name", or "" for none', default=""),
        table.text("branch", r"[^\s*?\[\]]+", "the name of a branch", default="main"),
        table.text(
            "connection",
            r"|arn:aws[a-z-]*:(codeconnections|codestar-connections):[a-z0-9-]+:\d{12}:connection/.+",
            'the ARN of a CodeConnections connection, or ""',
            default="",
        ),
        *(table.text(key, r"\d*", _NUMBER, default="") for key in ("owner_id", "id")),
    )
    if found.connection and not found.name:
        raise table.fault("name", 'missing; a connection needs the repository, "owner/name"')
    if bool(found.owner_id) != bool(found.id) or (found.id and not found.name):
        missing = "name" if not found.name else "id" if found.owner_id else "owner_id"
        raise table.fault(missing, "missing; name, owner_id and id go together")
    return found


APPROVAL = ("approvers", "approval_timeout_minutes")


def approval(table: Table) -> dict[str, Any]:
    """Who decides on prod and how long there is time for it, as members of Settings."""
    approvers = table.text("approvers", r"|[^@\s]+@[^@\s]+", "an e-mail address", default="")
    minutes = table.content.get("approval_timeout_minutes", 10080)
    if isinstance(minutes, bool) or not isinstance(minutes, int) or not 5 <= minutes <= 86400:
        raise table.fault(APPROVAL[1], f"{minutes!r} cannot be used; write 5 to 86400")
    return {"approvers": approvers, "approval_timeout_minutes": minutes}


def place(table: Table, *more: str) -> Place:
    """An account and a region; `more` are keys that somebody else reads."""
    table.only(["account", "region", *more])
    return Place(table.text("account", *_ACCOUNT), table.text("region", *_REGION))


_KEYS = (
    *("account", "regions", "oidc_provider", "promotes_to", "may_lose", "promotion", "network"),
    *("parameters", "quotas", "schedules"),
)


def environment(app: str, table: Table) -> Environment:
    """One environment, its parameters not yet worked out."""
    table.only(_KEYS)
    promotion = table.table("promotion").only(["approval", "kind"])
    quotas = table.table("quotas")
    regions = table.texts("regions", *_REGION)
    if len(regions) > working_out.MOST_REGIONS:
        raise table.fault("regions", f"at most {working_out.MOST_REGIONS}, not {len(regions)}")
    return Environment(
        app=app,
        name=table.path.stem,
        account=table.text("account", *_ACCOUNT),
        regions=regions,
        promotes_to=table.text("promotes_to", "|dev|staging|prod", "dev, staging or prod", ""),
        approval=promotion.text("approval", "none|manual", '"none" or "manual"', "none"),
        kind=promotion.text("kind", "artifact|code", '"artifact" or "code"', "artifact"),
        own_parameters=_own_parameters(table.table("parameters")),
        quotas={service: quotas.table(service).numbers() for service in quotas.content},
        schedules=_schedules(table.table("schedules")),
        may_lose=_may_lose(table),
        has_oidc=table.text("oidc_provider", "|exists", '"exists" or ""', "") == "exists",
        networks=_networks(table.table("network"), regions),
        is_isolated=table.table("network").flag("isolation"),
    )


def _networks(table: Table, regions: Sequence[str]) -> dict[str, Network]:
    """By region; subnets belong to one region, so each region has its own or none has any."""
    table.only(["isolation", *regions])
    found = {region: table.table(region) for region in regions if region in table.content}
    missing = [region for region in regions if region not in found]
    if found and missing:
        raise table.fault(missing[0], "missing; a network for one region needs one for each")
    return {
        region: _network(one.only(["subnets", "security_groups"])) for region, one in found.items()
    }


def _network(table: Table) -> Network:
    return Network(
        table.texts("subnets", r"subnet-[0-9a-f]{8,17}", "subnet-..., the output SubnetIds"),
        table.texts("security_groups", r"sg-[0-9a-f]{8,17}", "sg-..., the output SecurityGroupId"),
    )


def _may_lose(table: Table) -> tuple[str, ...]:
    if not table.content.get("may_lose"):
        return ()
    return table.texts("may_lose", "[A-Za-z0-9]+", "logical ids of template.yaml")


def _own_parameters(table: Table) -> dict[str, str]:
    for name in working_out.DERIVED:
        if name in table.content:
            raise table.fault(name, "follows from the other settings; remove it")
    return table.scalars()


def _schedules(table: Table) -> dict[str, str]:
    found = table.only(list(working_out.SCHEDULES)).scalars()
    for name, expression in found.items():
        if not _SCHEDULE.fullmatch(expression):
            raise table.fault(name, f"{expression!r} is no cron(...) or rate(...)")
    return found
