"""What a build finds again: cached folders, and on the laptop the checkout's installed packages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from localaws.codebuild.builds import site_of
from localaws.codebuild.caches import Caches

ROOT = Path(__file__).parents[2]
LOCKED = "requirements/laptop.txt"


def test_cached_folders_are_linked_to_what_the_project_keeps(tmp_path: Path) -> None:
    source, home, kept = (tmp_path / name for name in ("src", "home", "kept"))
    source.mkdir()
    caches = Caches(source, home, kept)

    caches.provide(("/root/.cache/pip/**/*", "made/**/*", "/elsewhere/**/*", "../out/**/*"))

    assert (home / ".cache/pip").resolve() == (kept / "root-.cache-pip").resolve()
    assert (source / "made").resolve() == (kept / "made").resolve()
    assert sorted(path.name for path in kept.iterdir()) == ["made", "root-.cache-pip"]


def test_a_folder_of_the_source_wins_over_a_cached_one(tmp_path: Path) -> None:
    source, kept = tmp_path / "src", tmp_path / "kept"
    (source / ".venv").mkdir(parents=True)

    Caches(source, tmp_path / "home", kept).provide((".venv/**/*",))

    assert not (source / ".venv").is_symlink()
    assert not kept.exists()


def tree(folder: Path) -> dict[str, bytes]:
    """Content of every file."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose environment holds a package, the checkout's own code, and two programs."""
    made = tmp_path / "checkout"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made / ".venv")], check=True)
    (packages,) = (made / ".venv").glob("lib/python*/site-packages")
    (packages / "installed.py").write_text("WHERE = 'installed'\n")
    (packages / "_project.pth").write_text(f"{made}\n")
    (made / "project.py").write_text("WHERE = 'checkout'\n")
    own = f"{made}/.venv/bin/python"
    says = "import installed, sys\nprint(installed.WHERE, sys.prefix)\n"
    for name, first in (
        ("tell", f"#!{own}\n"),
        ("tell-long", f"#!/bin/sh\n'''exec' \"{own}\" \"$0\" \"$@\"\n' '''\n"),
    ):
        (made / ".venv/bin" / name).write_text(first + says)
        (made / ".venv/bin" / name).chmod(0o755)
    (made / ".venv/.installed-laptop.txt").write_text("boto3==1.40\n")
    return made


def build(folder: Path, checkout: Path, requirements: str = "boto3==1.40\n") -> tuple[Path, int]:
    """A source folder in which `make .venv` was done as far as make_environment.sh does it."""
    source = folder / "src"
    shutil.copytree(ROOT / "tools", source / "tools", ignore=shutil.ignore_patterns("asl"))
    (source / "requirements").mkdir()
    (source / LOCKED).write_text(requirements)
    (source / "requirements/build.txt").write_text("")
    done = subprocess.run(
        ["/bin/sh", "tools/make_environment.sh", sys.executable, ".venv", LOCKED],
        cwd=source,
        env={
            "PATH": os.environ["PATH"],
            "SIGNALBOX_CHECKOUT": str(checkout),
            "PIP_NO_INDEX": "1",
            "HOME": str(folder),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return source, done.returncode


def output(source: Path, *command: str) -> list[str]:
    """The words that a program prints."""
    path = {"PATH": os.environ["PATH"]}
    ran = subprocess.run(command, cwd=source, env=path, capture_output=True, text=True, check=True)
    return ran.stdout.split()


def test_a_build_uses_the_checkout_s_packages_and_its_own_environment(
    tmp_path: Path, checkout: Path
) -> None:
    source, status = build(tmp_path, checkout)

    assert status == 0
    for program in (".venv/bin/tell", ".venv/bin/tell-long"):
        assert output(source, program) == ["installed", str(source / ".venv")]


def test_a_build_does_not_run_the_checkout_s_own_code(tmp_path: Path, checkout: Path) -> None:
    source, _ = build(tmp_path, checkout)
    look = "import importlib.util; print(importlib.util.find_spec('project'))"

    assert output(source, ".venv/bin/python", "-c", look) == ["None"]


def test_what_a_build_installs_or_removes_stays_in_the_build(
    tmp_path: Path, checkout: Path
) -> None:
    before = tree(checkout)
    source, _ = build(tmp_path, checkout)

    (packages,) = (source / ".venv").glob("lib/python*/site-packages")
    (packages / "installed.py").write_text("WHERE = 'again'\n")
    (source / ".venv/bin/tell").write_text("changed")
    shutil.rmtree(source / ".venv")

    assert tree(checkout) == before


def test_other_requirements_than_the_checkout_s_are_installed(
    tmp_path: Path, checkout: Path
) -> None:
    """Here they cannot be had, so the build says so instead of taking the wrong ones."""
    source, status = build(tmp_path, checkout, "nothing-like-it==1.0 --hash=sha256:00\n")

    assert status == 1
    assert not (source / ".venv/bin/tell").exists()


def test_a_second_laptop_leaves_the_builds_of_the_first_alone(tmp_path: Path) -> None:
    """As when a demo is told while `signalbox up` serves in the same folder."""
    builds = tmp_path / "codebuild" / "builds"
    first, gone = builds / str(os.getppid()) / "b1", builds / "999999999" / "b2"
    first.mkdir(parents=True)
    gone.mkdir(parents=True)

    site = site_of("http://localhost:1", tmp_path)

    assert site.folder == builds / str(os.getpid())
    assert first.exists()
    assert not gone.exists()
