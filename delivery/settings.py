"""The one reader of delivery/environments/: accounts, regions, names, parameters, for everybody.

    python -m delivery.settings samconfig                      write samconfig.toml
    python -m delivery.settings template-configuration ENV     for CodePipeline's CloudFormation
    python -m delivery.settings parameters TEMPLATE [ENV]      for aws cloudformation deploy
    python -m delivery.settings regions ENV                    its regions, for $GITHUB_OUTPUT
    python -m delivery.settings github ENV [--region REGION]   one region, for $GITHUB_OUTPUT
    python -m delivery.settings --check                        generated files are up to date

Standard library only: a build reads the settings before anything is installed.
"""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from delivery import environment_reading as reading
from delivery import examples, samconfig
from delivery import parameters as working_out
from delivery.model import (
    NOT_TRIED_OUT,
    Deployment,
    Environment,
    Place,
    Settings,
)
from delivery.toml_reading import SettingsError, Table, read

FOLDER = Path(__file__).with_name("environments")
FOLDER_VARIABLE = "SIGNALBOX_SETTINGS"
"""Environment variable that names another folder than delivery/environments."""

_ORDER = ("dev", "staging", "prod")  # template.yaml's EnvironmentName knows no others
_FIRST = "dev"  # the one that there always is
_TABLES = ("repository", "operations", "data")


def load(folder: Path | None = None) -> Settings:
    """All files of the folder; raises SettingsError, which names file, key and remedy.

    staging.toml and prod.toml are there for who has those environments.
    """
    folder = folder or Path(os.environ.get(FOLDER_VARIABLE) or FOLDER)
    _check_names(folder)
    shared = read(folder / "shared.toml").only(["app", "checks", *_TABLES])
    app = _app(shared)
    there = [n for n in _ORDER if n == _FIRST or (folder / f"{n}.toml").exists()]
    environments = {name: reading.environment(app, read(folder / f"{name}.toml")) for name in there}
    _check_chain(folder, environments)
    return _completed(
        Settings(
            app=app,
            repository=reading.repository(shared.table("repository")),
            operations=reading.place(shared.table("operations"), *reading.APPROVAL),
            data=reading.place(shared.table("data")),
            environments=environments,
            **reading.approval(shared.table("operations")),
            checks=shared.text("checks", r"[a-z-]+( [a-z-]+)*", "make targets", "check test"),
        )
    )


def app_of(folder: Path) -> str:
    """The app alone, of a folder that may lack everything else; raises SettingsError."""
    return _app(read(folder / "shared.toml"))


def relocated(
    settings: Settings, accounts: Mapping[str, str], region: str, app: str = ""
) -> Settings:
    """The same in other accounts and one region: the laptop's, whatever the files say.

    `accounts` is by environment, "operations" and "data" included; those missing stay.
    """
    app = app or settings.app
    environments = {
        name: dataclasses.replace(
            found, app=app, account=accounts.get(name, found.account), regions=(region,)
        )
        for name, found in settings.environments.items()
    }
    operations = accounts.get("operations", settings.operations.account)
    data = accounts.get("data", settings.data.account)
    return _completed(
        dataclasses.replace(
            settings,
            app=app,
            environments=environments,
            operations=Place(operations, region),
            data=Place(data, region),
        )
    )


def deployments(settings: Settings) -> tuple[Deployment, ...]:
    """The stacks of the account set-up and the pipeline, in the order to deploy them."""
    return working_out.deployments(settings)


def parameters(settings: Settings, environment: str, region: str = "") -> dict[str, str]:
    """Every parameter of template.yaml for one environment, in one of its regions."""
    environment_named(settings, environment)
    return working_out.template_parameters(settings, environment, region)


def promotion_parameters(
    settings: Settings, environment: str, among: Sequence[str] = ()
) -> dict[str, str]:
    """The part of them that leads model versions on; see delivery.parameters."""
    return working_out.promotion_parameters(settings, environment, among)


def _completed(settings: Settings) -> Settings:
    environments = {
        name: dataclasses.replace(found, parameters=parameters(settings, name))
        for name, found in settings.environments.items()
    }
    return dataclasses.replace(settings, environments=environments)


def _app(shared: Table) -> str:
    return shared.text("app", r"[a-z][a-z0-9-]{1,14}", "2 to 15 of a-z, 0-9 and -, a letter first")


def _check_names(folder: Path) -> None:
    for path in sorted(folder.glob("*.toml")):
        if path.stem not in ("shared", *_ORDER):
            known = ", ".join(f"{name}.toml" for name in _ORDER)
            raise SettingsError(f"{path}: nobody would read this; environments are {known}")


def _check_chain(folder: Path, environments: Mapping[str, Environment]) -> None:
    for name in environments:
        seen, following = [name], environments[name].promotes_to
        while following:
            file = folder / f"{seen[-1]}.toml"
            if following not in environments:
                problem = f"there is no {following}.toml; write one, or another environment"
                raise SettingsError(f"{file}: promotes_to: {problem}")
            if following in seen:
                way = " -> ".join([*seen, following])
                problem = f"goes in a circle ({way}); let one of them promote to nowhere"
                raise SettingsError(f"{file}: promotes_to: {problem}")
            seen.append(following)
            following = environments[following].promotes_to


def environment_named(settings: Settings, name: str) -> Environment:
    """One environment; raises SettingsError when the settings have none of that name."""
    if name not in settings.environments:
        known = ", ".join(settings.environments)
        raise SettingsError(
            f"there is no environment {name}, only {known}; to have one, write {name}.toml"
        )
    return settings.environments[name]


def template_configuration(
    settings: Settings, environment: str, region: str = "", commit: str = ""
) -> str:
    """JSON of CodePipeline's TemplateConfiguration: parameters and the stack's tags.

    The commit is no tag: CloudFormation hands tags on to every resource, so each commit would
    change all of them.
    """
    content = {
        "Parameters": {**parameters(settings, environment, region), "Commit": commit},
        "Tags": {"app": settings.app, "environment": environment},
    }
    return json.dumps(content, indent=2) + "\n"


def github_outputs(settings: Settings, environment: str, region: str = "") -> str:
    """name=value lines for a workflow: what it may assume and where it deploys, in one region.

    Raises SettingsError for a region of others, and for none where the environment has several:
    who forgets one of them would leave it at the version before.
    """
    found = environment_named(settings, environment)
    where = _region_of(found, region)
    is_tried_out = (environment, "acceptance") != NOT_TRIED_OUT
    acceptance = settings.role_arn(environment, "acceptance", where) if is_tried_out else ""
    lines = {
        "role": settings.role_arn(environment, "github", where),
        "delivery_role": settings.role_arn(environment, "delivery", where),
        "acceptance_role": acceptance,
        "region": where,
        "is_home": str(where == found.region).lower(),
        "account": found.account,
        "stack": found.stack_name,
        "artifact_bucket": settings.artifact_bucket_in(where),
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def _region_of(environment: Environment, region: str) -> str:
    known = ", ".join(environment.regions)
    if not region and len(environment.regions) > 1:
        problem = f"is delivered to {known}: say which one of them, each in its turn (--region)"
        raise SettingsError(f"{environment.name} {problem}")
    if region and region not in environment.regions:
        raise SettingsError(f"{environment.name} is not in {region}, only in {known}")
    return region or environment.region


def deployment_parameters(settings: Settings, template: str, environment: str = "") -> str:
    """JSON list for `aws cloudformation deploy --parameter-overrides file://`.

    `template` is template.yaml with an environment, or the name of a deployment: operations, data,
    dev, prod/eu-west-1, pipeline. Raises SettingsError when there is none of that name.
    """
    if Path(template).name == "template.yaml":
        values: Iterable[tuple[str, str]] = parameters(settings, environment or "dev").items()
    else:
        values = _deployment(settings, template, environment).parameters.items()
    return json.dumps([f"{name}={value}" for name, value in values], indent=2) + "\n"


def _deployment(settings: Settings, template: str, environment: str) -> Deployment:
    wanted = environment or template
    for deployment in deployments(settings):
        stem = Path(deployment.template).stem
        if deployment.name == wanted or (Path(template).stem == stem == deployment.name):
            return deployment
    names = ", ".join(d.name for d in deployments(settings))
    raise SettingsError(f"{wanted}: no stack of that name; write template.yaml, {names}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, 1 when a generated file is out of date, 2 when the settings cannot be used."""
    try:
        return _run(_parser().parse_args(arguments))
    except SettingsError as fault:
        print(fault, file=sys.stderr)  # noqa: T201
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m delivery.settings")
    parser.add_argument("--folder", type=Path, help="instead of delivery/environments")
    parser.add_argument("--check", action="store_true", help="compare generated files, write none")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("samconfig")
    commands.add_parser("regions").add_argument("environment", choices=_ORDER)
    for name in ("template-configuration", "github"):
        command = commands.add_parser(name)
        command.add_argument("environment", choices=_ORDER)
        command.add_argument("--region", default="")
    command = commands.add_parser("parameters")
    command.add_argument("template")
    command.add_argument("environment", nargs="?", default="")
    return parser


def _run(chosen: argparse.Namespace) -> int:
    settings = load(chosen.folder)
    if chosen.check:
        return _check(settings)
    _warn_of_examples(settings)
    match chosen.command:
        case "samconfig":
            samconfig.PATH.write_text(samconfig.rendered(settings), encoding="utf-8")
        case "template-configuration":
            _print(template_configuration(settings, chosen.environment, chosen.region))
        case "github":
            _print(github_outputs(settings, chosen.environment, chosen.region))
        case "regions":
            regions = environment_named(settings, chosen.environment).regions
            _print(f"regions={json.dumps(regions)}\n")
        case "parameters":
            _print(deployment_parameters(settings, chosen.template, chosen.environment))
        case _:
            _parser().print_help(sys.stderr)
            return 2
    return 0


def _warn_of_examples(settings: Settings) -> None:
    """On standard error, what the laptop's AWS alone may be given: it has these accounts."""
    if not os.environ.get("AWS_ENDPOINT_URL"):
        sys.stderr.write(examples.warning(settings))


def _print(text: str) -> None:
    sys.stdout.write(text)


def _check(settings: Settings) -> int:
    if samconfig.PATH.read_text(encoding="utf-8") == samconfig.rendered(settings):
        return 0
    problem = "is not what the settings say; run: python -m delivery.settings samconfig"
    print(f"{samconfig.PATH.name} {problem}", file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
