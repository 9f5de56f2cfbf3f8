"""CodeDeploy: an alias gets a new version bit by bit, or goes back; through stacks and by itself.

Rules: CodeDeploy user guide and API reference; how CloudFormation and CodeDeploy end is as in
published output of real deployments (read 2026-11-21).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from localaws.server import Config, LaptopServer
from tests.localaws import rollout_world as world
from tests.localaws.rollout_world import new_stack

pytestmark = pytest.mark.usefixtures("laptop")

SCALE = 600.0
"""Five minutes of AWS's pass in half a second."""


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaptopServer]:
    state_dir: Path = tmp_path_factory.mktemp("laptop")
    with LaptopServer(Config(port=0, state_dir=state_dir, time_scale=SCALE)) as server:
        yield server


def test_a_new_version_gets_all_traffic_at_once() -> None:
    stack = new_stack(config="AllAtOnce").create()
    assert stack.alias() == ("1", {})
    assert stack.deployments() == []  # creation goes directly

    assert stack.update("2") == "UPDATE_COMPLETE"

    assert stack.alias() == ("2", {})
    [deployment] = stack.deployments()
    assert deployment["status"] == "Succeeded"
    assert deployment["creator"] == "user"
