"""The five accounts of the delivery on one laptop, set up from the templates."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from delivery import settings
from delivery.model import Deployment, Settings
from localaws.clients import developer_client
from localaws.server import Config, LaptopServer
from signalbox_cli.template_bodies import body_of
from tests.contracts import repository

Deploy = Callable[[Deployment], dict[str, str]]


@pytest.fixture(scope="session")
def found() -> Settings:
    """The committed settings, whose accounts are the laptop's."""
    return settings.load()


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopServer]:
    """A running laptop, new for each file of tests."""
    folder: Path = tmp_path_factory.mktemp("laptop")
    (folder / "build").symlink_to(repository.ROOT / ".signalbox" / "build")  # layers, built before
    with LaptopServer(Config(port=0, state_dir=folder, time_scale=600.0)) as server:
        yield server


def deploy(deployment: Deployment, outputs: dict[str, dict[str, str]]) -> dict[str, str]:
    """Create a stack as its account's developer; its outputs."""
    given = {
        **deployment.parameters,
        **{f.parameter: outputs[f.deployment][f.output] for f in deployment.from_outputs},
    }
    client = developer_client("cloudformation", account=deployment.place.account)
    client.create_stack(
        StackName=deployment.stack_name,
        TemplateBody=body_of(repository.ROOT / deployment.template),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
        Capabilities=list(deployment.capabilities),
        Tags=[{"Key": "app", "Value": "signalbox"}],
    )
    return stack_outputs(client, deployment.stack_name)


def stack_outputs(client: Any, name: str) -> dict[str, str]:
    """Outputs of a stack that has to be complete."""
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    reasons = [
        f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason')}"
        for e in client.describe_stack_events(StackName=name)["StackEvents"]
        if e["ResourceStatus"].endswith("FAILED")
    ]
    assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), reasons
    return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}


@pytest.fixture(scope="module")
def accounts(laptop: LaptopServer, found: Settings) -> dict[str, dict[str, str]]:
    """Every stack of the account set-up, in order; outputs by deployment."""
    outputs: dict[str, dict[str, str]] = {}
    for deployment in settings.deployments(found):
        if deployment.name != "pipeline":
            outputs[deployment.name] = deploy(deployment, outputs)
    return outputs
