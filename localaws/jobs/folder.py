"""A job's place on disk: what it will see as /opt/ml, and room for the platform beside it."""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.container import OPT_ML


def own_place(parent: Path) -> Path:
    """This process's folder below `parent`; those of processes that are gone are deleted."""
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.iterdir():
        if left.name.isdigit() and not is_alive(int(left.name)):
            shutil.rmtree(left, ignore_errors=True)
    return parent / str(os.getpid())


def is_alive(pid: int) -> bool:
    """Whether a process is there, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True)
class JobFolder:
    """`root` becomes /opt/ml; `scratch` and `mounts` are the platform's own."""

    base: Path

    @classmethod
    def create(cls, parent: Path, name: str) -> "JobFolder":
        """A fresh folder, readable by its owner only."""
        parent.mkdir(parents=True, exist_ok=True)
        folder = cls(Path(tempfile.mkdtemp(prefix=f"{name[:24]}-", dir=parent)).resolve())
        for part in (folder.root, folder.scratch, folder.mounts, folder.tmp):
            part.mkdir()
        return folder

    @property
    def root(self) -> Path:
        """What the job sees as /opt/ml."""
        return self.base / "ml"

    @property
    def scratch(self) -> Path:
        """Archives on their way."""
        return self.base / "scratch"

    @property
    def mounts(self) -> Path:
        """An empty folder that the child's private /opt is built on."""
        return self.base / "opt"

    @property
    def tmp(self) -> Path:
        """The job's TMPDIR."""
        return self.base / "tmp"

    def at(self, container_path: str) -> Path:
        """Where a path below /opt/ml lies on this machine."""
        relative = Path(container_path).relative_to(OPT_ML)
        if ".." in relative.parts:
            raise ValueError(f"{container_path} leaves {OPT_ML}")
        return self.root / relative

    def folder(self, container_path: str) -> Path:
        """The same, made sure to exist."""
        path = self.at(container_path)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def write_json(self, container_path: str, value: Any) -> None:
        """Write a configuration file."""
        path = self.at(container_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), "utf-8")

    def remove(self) -> None:
        """Delete everything; files that a child still holds are no reason to fail."""
        shutil.rmtree(self.base, ignore_errors=True)
