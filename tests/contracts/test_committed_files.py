"""What may not be committed, and what must agree between files."""

import json
import re
import stat
import tomllib
from pathlib import Path

import pytest

from tests.contracts import repository

ROOT = repository.ROOT
TEXTS = [
    path
    for path in repository.committed_files()
    if path.suffix not in {".png", ".jpg", ".gz", ".zip", ".ico"}
]
LOCKS = [
    *sorted(p for p in repository.committed_files() if p.match("requirements/*.txt")),
    Path("layers/dependencies/requirements.txt"),
]
# Where packages come from is the business of the machine that installs them.
REGISTRIES = re.compile(
    r"pypi\.org/simple|files\.pythonhosted|registry\.(npmjs|yarnpkg)|--(extra-)?index-url|"
    r"--find-links|artifactory|devpi|nexus/repository"
)
# A home or a build folder of one machine. /opt/ml is SageMaker's own, /tmp everyone's, and below
# /root CodeBuild's images keep what they download.
MACHINE_PATHS = re.compile(
    r"(?<![\w.$}>-])/(home|Users|root(?!/\.(cache|npm)/)|work|farm|workspace)/[\w.]"
)


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    this = Path("tests/contracts/test_committed_files.py")
    found = [
        f"{path}:{number} {line.strip()[:80]}"
        for path in TEXTS
        if path != this
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if REGISTRIES.search(line) or MACHINE_PATHS.search(line)
    ]

    assert found == []


def test_nothing_large_and_no_data_is_committed() -> None:
    large = [p for p in repository.committed_files() if (ROOT / p).stat().st_size > 500_000]
    data = [p for p in repository.committed_files() if p.suffix in {".csv", ".parquet", ".joblib"}]

    assert large == []
    assert data == []


def requirements(lock: Path) -> dict[str, str]:
    """Exact version by name and marker, of a lock."""
    found = re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[[^]]*])?==([^\s;\\]+)([^\\\n]*)", text_of(lock), re.M
    )
    return {f"{name.lower()}{marker.strip()}": version for name, version, marker in found}


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_every_requirement_is_pinned_and_hashed(lock: Path) -> None:
    text = re.sub(r"^\s*#.*\n", "", text_of(lock), flags=re.M)
    entries = [entry for entry in re.split(r"\n(?=[A-Za-z0-9])", text) if entry.strip()]

    assert entries
    assert [e for e in entries if "==" not in e.splitlines()[0] or "--hash=sha256:" not in e] == []


@pytest.mark.parametrize(
    "lock", [p for p in LOCKS if p.name not in {"dev.txt", "sam.txt"}], ids=str
)
def test_environments_that_meet_hold_the_same_versions(lock: Path) -> None:
    """aws-sam-cli alone pins others; it lives in an environment of its own."""
    development = requirements(Path("requirements/dev.txt"))
    meets = {name: version for name, version in requirements(lock).items() if name in development}

    assert meets == {name: development[name] for name in meets}


def test_pip_install_resolves_what_the_make_targets_lock() -> None:
    project = tomllib.loads(text_of(Path("pyproject.toml")))
    wanted = re.findall(r"^[^#\s].*$", text_of(Path("requirements/laptop.in")), re.M)
    build = requirements(Path("requirements/build.txt"))

    assert project["project"]["dependencies"] == wanted
    assert project["build-system"]["requires"] == [f"hatchling=={build['hatchling']}"]


def test_the_npm_lock_holds_hashes_and_no_addresses() -> None:
    packages = json.loads(text_of(Path("tools/asl/package-lock.json")))["packages"]
    installed = [package for name, package in packages.items() if name]

    assert installed
    assert [p for p in installed if "integrity" not in p or "resolved" in p] == []


def test_every_script_can_be_run() -> None:
    scripts = [p for p in repository.committed_files() if text_of_start(p) == "#!"]

    assert [str(p) for p in scripts if not (ROOT / p).stat().st_mode & stat.S_IXUSR] == []


def text_of_start(path: Path) -> str:
    with (ROOT / path).open("rb") as file:
        return file.read(2).decode("ascii", "replace")


def test_continuous_integration_runs_what_a_developer_runs() -> None:
    assert text_of(Path(".ci/run")).splitlines()[-1] == "exec make test"
