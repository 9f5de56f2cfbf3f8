"""What becomes of deployments when the laptop stops."""

import threading
from pathlib import Path

from localaws.codedeploy.store import STORE
from localaws.server import Config, LaptopServer
from tests.localaws.rollout_world import appspec, new_stack, wait_for
from tests.localaws.stack_world import client


def test_a_deployment_ends_with_the_laptop(tmp_path: Path) -> None:
    """A canary of thirty minutes does not keep the process, nor goes on in the next laptop."""
    with LaptopServer(Config(port=0, state_dir=tmp_path / "a", time_scale=1.0)):
        stack = new_stack(config="Canary10Percent30Minutes").create()
        client("lambda").update_function_configuration(
            FunctionName=stack.function(), Description="another"
        )
        client("lambda").publish_version(FunctionName=stack.function())
        client("codedeploy").create_deployment(
            applicationName=stack.name,
            deploymentGroupName=f"{stack.name}-one",
            revision=appspec(stack.function(), "1", "2"),
        )
        wait_for(lambda: stack.alias() == ("1", {"2": 0.1}))

    assert not [each for each in threading.enumerate() if each.name.startswith("codedeploy-")]
    with LaptopServer(Config(port=0, state_dir=tmp_path / "b", time_scale=1.0)):
        assert STORE.deployments == {}
        assert client("codedeploy").list_applications()["applications"] == []
