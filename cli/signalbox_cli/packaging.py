"""A workload folder as the archive that the pipeline's source stage takes."""

import io
import json
import re
import zipfile
from pathlib import Path

from signalbox_cli.errors import CommandError

# The earliest time a zip entry can hold: the same folder gives the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = re.compile(r"(^|/)(__pycache__|\.[^/]+|.*\.pyc)($|/)")

NO_MANIFEST = (
    "has no manifest.json; a workload is a folder with manifest.json and the scripts it names "
    "(copy workloads/diabetes to begin)"
)


def workload_files(folder: Path) -> list[Path]:
    """The files that belong to a workload, sorted; caches and hidden files do not."""
    found = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return [p for p in found if not _LEFT_OUT.search(p.relative_to(folder).as_posix())]


def pack(folder: Path) -> bytes:
    """A zip of a workload folder; equal folders give equal bytes.

    Raises CommandError when the folder holds no manifest.json.
    """
    if not (folder / "manifest.json").is_file():
        raise CommandError(f"{folder} {NO_MANIFEST}")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in workload_files(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def workload_name(folder: Path) -> str:
    """The name in the workload's manifest, or the folder's name when it cannot be read."""
    try:
        return str(json.loads((folder / "manifest.json").read_text())["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return folder.name
