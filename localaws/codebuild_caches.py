"""What a build finds in its cached folders (LOCAL_CUSTOM_CACHE).

`.venv` and `.tools` stand in the checkout that serves the laptop; making them again takes minutes.
A build gets folders of its own instead that lead to the checkout's packages: what it installs stays
in the build, and the checkout is only read. Other folders are kept for a project's next build.
Standard library only.
"""

import filecmp
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED = (".venv", ".tools")


class Caches:
    """The cached folders of one build with its sources in `source` and its home in `home`."""

    def __init__(self, source: Path, home: Path, kept: Path) -> None:
        self._source = source
        self._home = home
        self._kept = kept

    def provide(self, paths: tuple[str, ...]) -> dict[str, str]:
        """Make what the buildspec's cache/paths name; the variables that go with it."""
        modules: list[str] = []
        for path in paths:
            name = path.split("*")[0].rstrip("/").removeprefix("./")
            place = self._place(name)
            if place is None or place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            shared = CHECKOUT / name
            if name in SHARED and shared.is_dir():
                share(shared, place)
                modules += list(_own_modules(shared, self._source))
                keep_times(self._source)
            else:
                self._link(name, place)
        return {"PYTHONPATH": os.pathsep.join(modules)} if modules else {}

    def _place(self, name: str) -> Path | None:
        """Where a cached folder is in the build; None for one outside of it."""
        for prefix in ("/root/", "~/", "$HOME/"):
            if name.startswith(prefix):
                return self._home / name.removeprefix(prefix)
        if not name or name.startswith("/") or ".." in Path(name).parts:
            return None
        return self._source / name

    def _link(self, name: str, place: Path) -> None:
        target = self._kept / name.strip("/").replace("/", "-")
        target.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target, target_is_directory=True)


def share(folder: Path, place: Path) -> None:
    """Make `place` a folder like `folder` that can be changed without changing that one."""
    if (folder / "pyvenv.cfg").is_file():
        _share_environment(folder, place)
        return
    place.mkdir()
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            share(entry, place / entry.name)
        else:
            shutil.copy2(entry, place / entry.name, follow_symlinks=False)


def _share_environment(folder: Path, place: Path) -> None:
    """A virtual environment on top of another: its programs copied, its packages on the path."""
    place.mkdir()
    for entry in folder.iterdir():
        if entry.is_file():
            shutil.copy2(entry, place / entry.name)
    shutil.copytree(folder / "bin", place / "bin", symlinks=True)
    for packages in folder.glob("lib/python*/site-packages"):
        own = place / packages.relative_to(folder)
        own.mkdir(parents=True)
        # A line of a .pth file; the .pth files in the folder that it names are not read again.
        (own / "_checkout.pth").write_text(f"{packages}\n")


def _own_modules(folder: Path, source: Path) -> Iterator[str]:
    """Folders of the source that an environment's programs would read from the checkout.

    The checkout is installed in it editably; a build must run the code of its own commit.
    """
    for listing in sorted(folder.glob("lib/python*/site-packages/*.pth")):
        for line in listing.read_text().splitlines():
            path = Path(line.strip())
            if path.is_absolute() and (path == CHECKOUT or CHECKOUT in path.parents):
                yield str(source / path.relative_to(CHECKOUT))


def keep_times(source: Path) -> None:
    """Give each file that the checkout has, too, the checkout's time, if that is older.

    make compares times: a source that has not changed must not be newer than what was made of it.
    """
    for folder, _, names in os.walk(source):
        for name in names:
            file = Path(folder) / name
            twin = CHECKOUT / file.relative_to(source)
            if not twin.is_file() or file.is_symlink():
                continue
            moment = twin.stat().st_mtime
            if moment < file.stat().st_mtime and filecmp.cmp(file, twin, shallow=False):
                os.utime(file, (moment, moment))
