"""What importing a handler may load: a cold start pays for every module.

Counted in modules, not in milliseconds, so that a busy machine cannot make the test fail; the
number beside the ceiling is of 2026-11-21, Python 3.11.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts import repository

LAYER = repository.ROOT / "layers" / "signalbox" / "python"
FUNCTIONS = sorted(path.stem for path in repository.python_files("functions"))
# Each costs tens of milliseconds and has no business at import time.
HEAVY = {
    "aws_xray_sdk",
    "aws_lambda_powertools.utilities.parser",
    "aws_lambda_powertools.utilities.idempotency",
    "aws_lambda_powertools.utilities.parameters",
    "jsonschema",
    "numpy",
    "pandas",
    "pyarrow",
    "requests",
    "sklearn",
}
CEILING_MODULES = 560  # the heaviest, create_schema, held 514

PROBE = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
boto3 = sys.modules.get("boto3")
print(json.dumps({
    "modules": sorted(sys.modules),
    "session": bool(boto3 and boto3.DEFAULT_SESSION),
}))
"""


def imported_by(function: str) -> dict[str, object]:
    """What a fresh process holds after importing one handler with no environment at all."""
    path = f"{repository.ROOT / 'functions'}:{LAYER}"
    done = subprocess.run(
        [sys.executable, "-c", PROBE, function],
        cwd="/",
        env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("function", FUNCTIONS)
def test_importing_a_handler_is_light_and_makes_no_client(function: str) -> None:
    found = imported_by(function)
    modules = found["modules"]
    assert isinstance(modules, list)

    assert HEAVY.intersection(modules) == set()
    assert found["session"] is False
    assert len(modules) <= CEILING_MODULES


def test_the_layer_and_the_functions_hold_source_only() -> None:
    folders = (Path("functions"), Path("layers"))
    kept = [p for p in repository.committed_files() if p.parts[0] in {f.name for f in folders}]

    assert [p for p in kept if p.suffix in {".pyc", ".so", ".whl", ".zip"}] == []
