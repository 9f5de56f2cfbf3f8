"""A build's environment leads to the checkout's packages, and the checkout is only read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from localaws import codebuild_caches
from localaws.codebuild_caches import Caches, keep_times


def tree(folder: Path) -> dict[str, tuple[bytes, float]]:
    """Content and time of every file."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a package installed, a script of it, and tools of npm."""
    made = tmp_path / "checkout"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made / ".venv")], check=True)
    (packages,) = (made / ".venv").glob("lib/python*/site-packages")
    (packages / "installed.py").write_text("WHERE = 'installed'\n")
    (packages / "_project.pth").write_text(f"{made}\n")
    (made / "project.py").write_text("WHERE = 'checkout'\n")
    script = made / ".venv/bin/tell"
    script.write_text(f"#!{made}/.venv/bin/python\nimport project\nprint(project.WHERE)\n")
    script.chmod(0o755)
    module = made / ".tools/asl/node_modules/lint/lib"
    module.mkdir(parents=True)
    (module / "main.js").write_text("main")
    (made / ".tools/asl/.ready").write_text("")
    monkeypatch.setattr(codebuild_caches, "CHECKOUT", made)
    return made


def provided(folder: Path) -> tuple[Path, dict[str, str]]:
    source = folder / "src"
    source.mkdir(exist_ok=True)
    (source / "project.py").write_text("WHERE = 'build'\n")
    caches = Caches(source, folder / "home", folder / "kept")
    return source, caches.provide((".venv/**/*", ".tools/**/*", "~/.cache/pip/**/*"))


def output(source: Path, environment: dict[str, str], *command: str) -> list[str]:
    """The words that a program prints."""
    ran = subprocess.run(
        command, cwd=source, env=environment, capture_output=True, text=True, check=True
    )
    return ran.stdout.split()


def test_a_build_uses_the_checkout_s_packages_and_its_own_code(tmp_path: Path, checkout: Path):
    source, variables = provided(tmp_path)
    environment = {"PATH": os.environ["PATH"], **variables}
    tell = "import installed, project, sys; print(installed.WHERE, project.WHERE, sys.prefix)"

    python = output(source, environment, ".venv/bin/python", "-c", tell)
    script = output(source, environment, ".venv/bin/tell")

    assert python == ["installed", "build", str(source / ".venv")]
    assert script == ["build"]


def test_what_a_build_installs_or_removes_stays_in_the_build(tmp_path: Path, checkout: Path):
    before = tree(checkout)
    source, _ = provided(tmp_path)

    (packages,) = (source / ".venv").glob("lib/python*/site-packages")
    (packages / "installed.py").write_text("WHERE = 'again'\n")
    (packages / "_project.pth").write_text(f"{source}\n")
    (source / ".venv/bin/tell").write_text("changed")
    os.utime(source / ".venv/pyvenv.cfg")
    (source / ".tools/asl/.ready").write_text("again")
    (source / ".tools/asl/node_modules/lint/lib/main.js").unlink()

    assert tree(checkout) == before


def test_an_unchanged_source_is_not_newer_than_what_was_made_of_it(tmp_path: Path, checkout: Path):
    source = tmp_path / "src"
    source.mkdir()
    for name, text in (("same.txt", "same"), ("changed.txt", "new"), ("added.txt", "added")):
        (source / name).write_text(text)
        os.utime(source / name, (2_000, 2_000))
    for name, text in (("same.txt", "same"), ("changed.txt", "old")):
        (checkout / name).write_text(text)
        os.utime(checkout / name, (1_000, 1_000))

    keep_times(source)

    times = {path.name: path.stat().st_mtime for path in source.iterdir()}
    assert times == {"same.txt": 1_000, "changed.txt": 2_000, "added.txt": 2_000}


def test_other_cached_folders_are_the_project_s_own(tmp_path: Path, checkout: Path):
    source, _ = provided(tmp_path)

    assert (tmp_path / "home/.cache/pip").resolve().parent == (tmp_path / "kept").resolve()
    assert not (source / "~").exists()
