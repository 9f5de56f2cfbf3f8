"""Imports go one way: functions -> signalbox.aws -> signalbox rules; workloads import none of ours.

import-linter checks what is a package (its contracts stand in pyproject.toml); the functions and
the workloads are single files and are read here.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.contracts import repository

DEPLOYED = repository.python_files("functions", "layers/signalbox")
WORKLOADS = repository.python_files("workloads")
FUNCTIONS = repository.python_files("functions")
LAYER = repository.python_files("layers/signalbox/python/signalbox")
# SageMaker's own scikit-learn image has these; boto3 it has too, but a script-mode script
# that calls AWS cannot run anywhere else.
SCRIPTS_MAY_IMPORT = {"joblib", "numpy", "pandas", "scipy", "sklearn"}


def imported(path: Path) -> Iterator[str]:
    """Modules a file imports, anywhere in it."""
    for node in ast.walk(ast.parse((repository.ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def test_import_linter_finds_every_contract_kept() -> None:
    roots = [repository.ROOT, repository.ROOT / "cli", repository.ROOT / "layers/signalbox/python"]
    done = subprocess.run(
        [repository.tool("lint-imports"), "--no-cache"],
        cwd=repository.ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, roots))},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def offenders(paths: list[Path], *, unwanted: set[str]) -> dict[str, set[str]]:
    """Files and what they import of the unwanted modules."""
    found = {str(path): roots(path) & unwanted for path in paths}
    return {path: names for path, names in found.items() if names}


def test_nothing_deployed_imports_the_laptop_or_the_command() -> None:
    assert offenders(DEPLOYED, unwanted={"localaws", "signalbox_cli", "moto", "tests"}) == {}


def test_a_function_imports_no_other_function_and_reaches_aws_through_the_adapters() -> None:
    clients = {"boto3", "botocore", "requests", "urllib3"}

    assert offenders(FUNCTIONS, unwanted={path.stem for path in FUNCTIONS} | clients) == {}


def test_a_rule_reaches_for_no_client_no_clock_and_no_chance() -> None:
    rules = [path for path in LAYER if "aws" not in path.parts[-2:-1]]
    unwanted = {"boto3", "botocore", "requests", "urllib3", "random", "secrets", "time"}

    assert offenders(rules, unwanted=unwanted) == {}


def test_a_workload_imports_its_own_files_and_the_scientific_stack_only() -> None:
    standard = set(sys.stdlib_module_names)
    foreign = {}
    for path in WORKLOADS:
        siblings = {other.stem for other in WORKLOADS if other.parent == path.parent}
        foreign[str(path)] = roots(path) - siblings - SCRIPTS_MAY_IMPORT - standard

    assert {path: names for path, names in foreign.items() if names} == {}


def test_private_names_of_moto_are_touched_in_its_seams_only() -> None:
    laptop = [p for p in repository.python_files("localaws") if "moto_seams" not in p.parts]

    assert offenders(laptop, unwanted={"moto"}) == {}


def test_imports_are_absolute() -> None:
    relative = [
        f"{path}:{node.lineno}"
        for path in repository.python_files()
        for node in ast.walk(ast.parse((repository.ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]

    assert relative == []
