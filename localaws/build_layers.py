"""Builds layer folders the way `sam build` does, for this machine, once per content.

    python -m localaws.build_layers [--template template.yaml] [--build-dir .signalbox/build]

A built layer lies in `<build-dir>/layers/<digest of its inputs>/`, with `python/` inside and with
unchecked-hash `.pyc` files, because compiling at every cold start doubles its time. Afterwards a
deployment needs no network. Requirements must be hash-locked; what the running environment holds
in exactly the locked version is copied from there, anything else is installed by pip.

Imports the template reader of the deployer only.
"""

import argparse
import compileall
import contextlib
import hashlib
import importlib.metadata
import os
import platform
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.deployer import template as templates
from localaws.errors import LocalAwsError

REQUIREMENTS = "requirements.txt"
_LEFT_OUT = frozenset({"__pycache__", "tests", ".pytest_cache", ".mypy_cache", ".ruff_cache"})
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)\s*(;.*)?", re.MULTILINE)


class BuildFailed(LocalAwsError):
    """A layer could not be built."""


@dataclass(frozen=True)
class LayerSource:
    """One layer as the template declares it; `wrapped` = SAM puts its content under `python/`."""

    folder: Path
    wrapped: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Build every layer of a template; prints each built folder."""
    parser = argparse.ArgumentParser(prog="python -m localaws.build_layers", description=__doc__)
    parser.add_argument("--template", type=Path, default=Path("template.yaml"))
    parser.add_argument("--build-dir", type=Path, default=Path(".signalbox/build"))
    options = parser.parse_args(arguments)
    for logical_id, source in layers_of(templates.read(options.template), options.template.parent):
        built = build(source, options.build_dir)
        sys.stdout.write(f"{logical_id} {built}\n")
    return 0


def layers_of(template: dict[str, Any], base: Path) -> Iterator[tuple[str, LayerSource]]:
    """The layers of a SAM template whose content is a local folder."""
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            folder = resource["Properties"].get("ContentUri")
            if isinstance(folder, str):
                method = resource.get("Metadata", {}).get("BuildMethod")
                yield logical_id, LayerSource(base / folder, wrapped=is_wrapped(method))


def is_wrapped(build_method: str | None) -> bool:
    """Whether SAM puts a layer's content under `python/`: with a Python build method it does.

    A makefile lays its content out itself; here its folder is taken as the layer.
    """
    return (build_method or "").startswith("python")


def build(source: LayerSource, build_dir: Path) -> Path:
    """The built folder of `source`, made now when this content was never built before."""
    target = build_dir.resolve() / "layers" / _digest(source)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with _scratch(target.parent) as scratch:
            _fill(source, scratch)
            _publish(scratch, target)
    return target


def compile_folder(folder: Path) -> None:
    """Write `.pyc` files that Python never checks against their sources."""
    compileall.compile_dir(
        folder,
        quiet=2,
        force=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def files_of(folder: Path) -> list[Path]:
    """Files to ship from `folder`, relative, sorted; caches and tests stay behind."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not _LEFT_OUT.intersection(path.parts))


def _digest(source: LayerSource) -> str:
    """Everything the built folder depends on; the platform counts when something is installed."""
    total = hashlib.sha256(f"wrapped={source.wrapped};py={sys.version_info[:2]}".encode())
    files = files_of(source.folder)
    if Path(REQUIREMENTS) in files:
        total.update(f"{sys.platform}-{platform.machine()}-{platform.libc_ver()}".encode())
    for path in files:
        content = hashlib.sha256((source.folder / path).read_bytes()).hexdigest()
        total.update(f"{path.as_posix()}={content};".encode())
    return total.hexdigest()[:32]


def _fill(source: LayerSource, into: Path) -> None:
    root = into / "python" if source.wrapped else into
    for path in files_of(source.folder):
        if path.name not in (REQUIREMENTS, "requirements.in", "Makefile"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.folder / path, root / path)
    requirements = source.folder / REQUIREMENTS
    if requirements.exists():
        install(requirements, into / "python")
    compile_folder(into)


def install(requirements: Path, target: Path) -> None:
    """Put the locked `requirements` into `target`."""
    text = requirements.read_text(encoding="utf-8")
    locked = [(name, version) for name, version, marker in _LOCKED.findall(text) if not marker]
    target.mkdir(parents=True, exist_ok=True)
    everything = len(locked) == len(_LOCKED.findall(text))
    distributions = [_installed(name, version) for name, version in locked]
    if everything and all(distributions):
        for distribution in distributions:
            _copy_distribution(distribution, target)
    else:
        _pip(requirements, target)


def _installed(name: str, version: str) -> importlib.metadata.Distribution | None:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        found = importlib.metadata.distribution(name)
        if found.version == version and found.files:
            return found
    return None


def _copy_distribution(distribution: Any, target: Path) -> None:
    for file in distribution.files:
        outside = ".." in file.parts  # console scripts; a layer has no use for them
        if not outside and "__pycache__" not in file.parts:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target / file)


def _pip(requirements: Path, target: Path) -> None:
    options = ["--require-hashes", "--target", str(target), "-r", str(requirements)]
    uv = shutil.which("uv")
    if uv:
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable, *options]
    else:
        quiet = ["--quiet", "--no-compile", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "install", *quiet, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildFailed(f"installing {requirements} failed:\n{done.stderr.strip()[-2000:]}")


@contextlib.contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=".building-", dir=parent))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(scratch: Path, target: Path) -> None:
    try:
        os.replace(scratch, target)
    except OSError:  # another process built the same content in the meantime
        if not target.exists():
            raise


if __name__ == "__main__":
    sys.exit(main())
