"""Each workload's scripts are run once for all tests."""

import pytest

from tests.workloads.script_run import NAMES, ScriptRun, run_scripts


@pytest.fixture(scope="session", params=NAMES)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ScriptRun:
    """A finished run of one workload's scripts."""
    return run_scripts(request.param, tmp_path_factory.mktemp(request.param))
