"""The folders that a buildspec keeps from one build to the next (LOCAL_CUSTOM_CACHE).

They are linked into a build before its sources are there, and a source of the same name wins
(CodeBuild user guide, "Build caching", read 2026-11-21). A build's source folder is another one
each time, so only what does not know its own place can be kept. Standard library only.
"""

from pathlib import Path


class Caches:
    """The cached folders of one build with its sources in `source` and its home in `home`."""

    def __init__(self, source: Path, home: Path, kept: Path) -> None:
        self._source = source
        self._home = home
        self._kept = kept

    def provide(self, paths: tuple[str, ...]) -> None:
        """Link what the buildspec's cache/paths name."""
        for path in paths:
            name = path.split("*")[0].rstrip("/").removeprefix("./")
            place = self._place(name)
            if place is not None and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                self._link(name, place)

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
