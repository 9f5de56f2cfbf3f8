"""What each template is deployed with, worked out of the settings. Standard library only."""

import json
from collections.abc import Iterator, Sequence

from delivery.model import (
    ACCOUNT_TEMPLATE,
    PIPELINE_TEMPLATE,
    Deployment,
    Environment,
    FromOutput,
    Place,
    Settings,
)

DERIVED = (
    "AppName",
    "EnvironmentName",
    "Commit",
    "PermissionsBoundary",
    "PromotionPath",
    "PromotionTargetAccounts",
    "PromotionSourceAccounts",
    "PromotionApproval",
    "PromotionOfCode",
    "RetrainSchedule",
    "BatchSchedule",
    "JobSubnets",
    "JobSecurityGroups",
    "JobNetworkIsolation",
)
"""Parameters of template.yaml that follow from the settings and may not be written into a file."""

SCHEDULES = {"retrain": "RetrainSchedule", "batch": "BatchSchedule"}
"""Parameters of template.yaml by the name of a schedule in [schedules]."""

# Well-formed, and of nobody: the role that must not use it still names it.
NO_CONNECTION = "arn:aws:codeconnections:us-east-1:000000000000:connection/none"
MOST_REGIONS = 3
_ORDINALS = ("Second", "Third", "Fourth", "Fifth")  # artifact stores of the delivery pipeline


def chain_of(settings: Settings, first: str, among: Sequence[str]) -> tuple[str, ...]:
    """The environments that a version approved in `first` goes to, in order.

    Those that are not in `among` are passed over.
    """
    names, name = [], settings.environments[first].promotes_to
    while name:
        names.append(name)
        name = settings.environments[name].promotes_to
    return tuple(name for name in names if name in among)


def drivers_of(settings: Settings, environment: str, among: Sequence[str]) -> tuple[str, ...]:
    """Whose promotions enter an environment: the first one of each chain that comes to it."""
    chains = {name: chain_of(settings, name, among) for name in among}
    leading = [name for name in among if environment in chains[name]]
    return tuple(n for n in leading if not any(n in chains[other] for other in leading))


def promotion_parameters(
    settings: Settings, environment: str, among: Sequence[str] = ()
) -> dict[str, str]:
    """Template parameters that lead model versions on; `among` leaves out other environments.

    The first environment of a chain drives it whole: it promotes a version into every other.
    """
    chosen = [name for name in settings.environments if name in (among or settings.environments)]
    drivers = drivers_of(settings, environment, chosen)
    if drivers:
        entered = settings.environments[environment]
        return {
            "PromotionSourceAccounts": _accounts_of(settings, drivers),
            "PromotionApproval": entered.approval,
            "PromotionOfCode": "accepted" if entered.kind == "code" else "refused",
        }
    targets = chain_of(settings, environment, chosen)
    if not targets:
        return {}
    return {
        "PromotionPath": json.dumps([_step(settings.environments[name]) for name in targets]),
        "PromotionTargetAccounts": _accounts_of(settings, targets),
    }


def _accounts_of(settings: Settings, names: Sequence[str]) -> str:
    return ",".join(dict.fromkeys(settings.environments[name].account for name in names))


def _step(target: Environment) -> dict[str, str]:
    role = f"{target.app}-{target.name}-deploy-{target.region}"
    return {
        "environment": target.name,
        "account": target.account,
        "region": target.region,
        "deployRoleArn": f"arn:aws:iam::{target.account}:role/{role}",
        "approval": target.approval,
        "kind": target.kind,
    }


def template_parameters(settings: Settings, environment: str, region: str = "") -> dict[str, str]:
    """Every parameter of template.yaml; models are promoted between home regions only."""
    found = settings.environments[environment]
    is_home = region in ("", found.region)
    return {
        "AppName": settings.app,
        "EnvironmentName": environment,
        "Commit": "",  # known to who packages; a deployment by hand does not keep the one before
        **found.own_parameters,
        "PermissionsBoundary": found.boundary_arn(region),
        **_network(found, region or found.region),
        **(_schedules(found) if is_home else {}),
        **(promotion_parameters(settings, environment) if is_home else {}),
    }


def _network(environment: Environment, region: str) -> dict[str, str]:
    made = {"JobNetworkIsolation": "true"} if environment.is_isolated else {}
    network = environment.networks.get(region)
    if network is None:
        return made
    subnets, groups = ",".join(network.subnets), ",".join(network.security_groups)
    return {"JobSubnets": subnets, "JobSecurityGroups": groups, **made}


def _schedules(environment: Environment) -> dict[str, str]:
    return {SCHEDULES[name]: expression for name, expression in environment.schedules.items()}


def deployments(settings: Settings) -> tuple[Deployment, ...]:
    """The account set-up and the delivery pipeline, in the order in which they can be deployed.

    The pipeline tries out in staging what it takes to prod: without either there is none.
    """
    set_up = (*_operations(settings), _data(settings), *_accounts(settings))
    is_piped = {"staging", "prod"} <= settings.environments.keys()
    return (*set_up, _pipeline(settings)) if is_piped else set_up


def delivered_regions(settings: Settings) -> tuple[str, ...]:
    """Where packages are needed, the home region of the operations account first."""
    regions = [r for e in settings.environments.values() for r in e.regions]
    return tuple(dict.fromkeys([settings.operations.region, *regions]))


def _name(name: str, region: str, home: str) -> str:
    return name if region == home else f"{name}/{region}"


def _account_parameters(settings: Settings, part: str) -> dict[str, str]:
    return {
        "AppName": settings.app,
        "Part": part,
        "OperationsAccount": settings.operations.account,
        "OperationsRegion": settings.operations.region,
    }


def _operations(settings: Settings) -> Iterator[Deployment]:
    for region in delivered_regions(settings):
        yield Deployment(
            _name("operations", region, settings.operations.region),
            ACCOUNT_TEMPLATE,
            f"{settings.app}-delivery",
            Place(settings.operations.account, region),
            {
                **_account_parameters(settings, "operations"),
                "TargetAccounts": ",".join(settings.target_accounts),
                "ConnectionArn": settings.repository.connection or NO_CONNECTION,
            },
        )


def _data(settings: Settings) -> Deployment:
    parameters = {
        **_account_parameters(settings, "data"),
        "TargetAccounts": ",".join(settings.target_accounts),
    }
    stack = f"{settings.app}-data"
    return Deployment("data", ACCOUNT_TEMPLATE, stack, settings.data, parameters)


def _accounts(settings: Settings) -> Iterator[Deployment]:
    with_provider: set[str] = set()
    for environment in settings.environments.values():
        for region in environment.regions:
            first = environment.account not in with_provider and not environment.has_oidc
            with_provider.add(environment.account)
            yield Deployment(
                _name(environment.name, region, environment.region),
                ACCOUNT_TEMPLATE,
                environment.account_stack_name,
                Place(environment.account, region),
                {
                    **_account_parameters(settings, "environment"),
                    "EnvironmentName": environment.name,
                    "Repository": settings.repository.name,
                    "RepositoryOwnerId": settings.repository.owner_id,
                    "RepositoryId": settings.repository.id,
                    "OidcProvider": "create" if first else "exists",
                },
            )


def _pipeline(settings: Settings) -> Deployment:
    staging, prod = settings.environments["staging"], settings.environments["prod"]
    repository = settings.repository
    parameters = {
        "AppName": settings.app,
        "SourceKind": "Git" if repository.connection else "S3",
        "ConnectionArn": repository.connection or NO_CONNECTION,
        "RepositoryId": repository.name if repository.connection else "",
        "BranchName": repository.branch,
        "Checks": settings.checks,
        "NotificationEmail": settings.approvers,
        "ApprovalTimeoutMinutes": str(settings.approval_timeout_minutes),
        "StagingAccount": staging.account,
        "StagingRegion": staging.region,
        "ProdAccount": prod.account,
        "ProdRegion": prod.region,
    }
    regions = [settings.operations.region, staging.region, *prod.regions]
    others = list(dict.fromkeys(regions))[1:]
    parameters |= dict(zip(("ProdSecondRegion", "ProdThirdRegion"), prod.regions[1:], strict=False))
    parameters |= dict(zip((f"{word}Region" for word in _ORDINALS), others, strict=False))
    keys = [
        FromOutput(f"{word}RegionKeyArn", f"operations/{region}", "ArtifactKeyArn")
        for word, region in zip(_ORDINALS, others, strict=False)
    ]
    return Deployment(
        "pipeline",
        PIPELINE_TEMPLATE,
        f"{settings.app}-delivery-pipeline",
        settings.operations,
        parameters,
        (FromOutput("ArtifactKeyArn", "operations", "ArtifactKeyArn"), *keys),
        capabilities=(),
    )
