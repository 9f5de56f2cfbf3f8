"""Every private name of moto's interpreter that is touched exists and is used as we believe."""

import ast
import inspect
from pathlib import Path

import pytest

from localaws.machines import pace as machine_pace
from localaws.moto_seams import machines as moto_seams_machines
from localaws.moto_seams import server as moto_seams

moto_seams.stub_batch()
LOCALAWS = Path(moto_seams_machines.__file__).parent


@pytest.mark.parametrize("name", moto_seams_machines.__all__)
def test_name_exists(name: str) -> None:
    assert getattr(moto_seams_machines, name) is not None


def test_every_module_that_makes_clients_is_known() -> None:
    """A new user of `boto_client_for` would call as nobody; it must join CLIENT_USERS."""
    from moto.stepfunctions import parser

    users = {
        path.stem
        for path in Path(inspect.getfile(parser)).parent.rglob("*.py")
        if "boto_client import boto_client_for" in path.read_text()
    }

    known = {module.__name__.rpartition(".")[2] for module in moto_seams_machines.CLIENT_USERS}
    assert users == known | {"state_task_service_batch"}


def test_environment_has_the_four_ways_to_stop_running() -> None:
    changes = {
        name for name, _ in inspect.getmembers(moto_seams_machines.Environment) if "set_" in name
    }

    assert changes == {"set_ended", "set_error", "set_timed_out", "set_stop"}
    assert callable(machine_pace.wakers)


def test_only_the_seams_import_moto() -> None:
    importers = {
        path.name
        for path in (LOCALAWS / "machines").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("moto")
    }

    assert importers == set()
