"""delivery/environments/, whatever an organisation has written there: it can be used, all of it.

The other tests read the example settings in tests/delivery/environments/.
"""

import json
import re

import pytest

from delivery import settings
from delivery.model import Deployment
from localaws.deployer import template as templates
from tests.contracts import repository

FOUND = settings.load(settings.FOLDER)


def test_what_is_generated_from_them_is_up_to_date() -> None:
    assert settings.main(["--folder", str(settings.FOLDER), "--check"]) == 0


def test_their_branch_is_the_one_that_the_workflows_deploy_to_dev() -> None:
    """GitHub and CircleCI take no branch from a file."""
    branch = FOUND.repository.branch
    deploy_dev = repository.ROOT / ".github" / "workflows" / "deploy-dev.yml"
    circleci = repository.ROOT / ".circleci" / "config.yml"

    assert f"    branches: [{branch}]\n" in deploy_dev.read_text(encoding="utf-8")
    assert f"branches: {{only: {branch}}}" in circleci.read_text(encoding="utf-8")


def refused(document: dict[str, object], given: dict[str, str]) -> list[str]:
    """Parameters that a template does not take as they are given."""
    declared = document["Parameters"]
    assert isinstance(declared, dict)
    return [f"{name}: there is no such parameter" for name in given if name not in declared] + [
        f"{name}: {value!r}"
        for name, value in given.items()
        if name in declared and not takes(declared[name], value)
    ]


def takes(declared: dict[str, object], value: str) -> bool:
    """CloudFormation User Guide, "Parameters": the pattern is of the whole value."""
    allowed = declared.get("AllowedValues")
    values = value.split(",") if "List" in str(declared["Type"]) else [value]
    pattern = re.compile(str(declared.get("AllowedPattern", ".*")), re.DOTALL)
    return all(
        (not isinstance(allowed, list) or v in map(str, allowed)) and pattern.fullmatch(v)
        for v in values
    )


@pytest.mark.parametrize("name", list(FOUND.environments))
def test_the_template_takes_the_parameters_of_each_environment(name: str) -> None:
    for region in FOUND.environments[name].regions:
        given = settings.parameters(FOUND, name, region)
        assert refused(repository.template(), given) == []
        configuration = json.loads(settings.template_configuration(FOUND, name, region))
        assert configuration["Parameters"] == given


@pytest.mark.parametrize("deployment", settings.deployments(FOUND), ids=lambda one: one.name)
def test_the_delivery_templates_take_their_parameters(deployment: Deployment) -> None:
    document = templates.read(repository.ROOT / deployment.template)
    outputs = {needed.parameter for needed in deployment.from_outputs}

    assert refused(document, dict(deployment.parameters)) == []
    required = {n for n, one in document["Parameters"].items() if "Default" not in one}
    assert required <= outputs | set(deployment.parameters)
