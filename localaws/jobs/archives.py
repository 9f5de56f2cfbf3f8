"""Tar archives as SageMaker makes and opens them; an archive can never reach outside its folder.

Standard library only.
"""

import os
import tarfile
from pathlib import Path
from typing import Any

MAX_UNPACKED_BYTES = 20 * 1024**3
MAX_MEMBERS = 100_000
# Python 3.11.0 to 3.11.3 have no filters; the checks below stand on their own.
_FILTER: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


class ArchiveRefused(Exception):
    """An archive that is broken or would write where it must not."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar or tar.gz into `folder`; raises ArchiveRefused and may leave part of it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            _unpack_members(tar, folder)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ArchiveRefused(f"{archive.name} is no usable tar.gz archive: {error}") from error


def _unpack_members(tar: tarfile.TarFile, folder: Path) -> None:
    size_bytes = 0
    for number, member in enumerate(tar, 1):
        size_bytes += member.size
        if number > MAX_MEMBERS or size_bytes > MAX_UNPACKED_BYTES:
            raise ArchiveRefused(f"the archive unpacks to more than {MAX_UNPACKED_BYTES} bytes")
        _check_member(member)
        tar.extract(member, folder, set_attrs=False, **_FILTER)


def _check_member(member: tarfile.TarInfo) -> None:
    parts = Path(member.name).parts
    if member.name.startswith(("/", "\\")) or ".." in parts:
        raise ArchiveRefused(f"the archive holds {member.name!r}, which is outside its folder")
    if not (member.isreg() or member.isdir()):
        raise ArchiveRefused(f"the archive holds {member.name!r}, a link or a device")


def pack(folder: Path, archive: Path) -> None:
    """Write the contents of `folder` to a tar.gz; an empty folder makes an empty archive.

    Links are followed, as SageMaker does it, so the archive holds only files and folders.
    """
    # Level 1: a laptop's disk is quicker than its compressor, and artifacts are mostly numbers.
    with tarfile.open(archive, "w:gz", compresslevel=1, dereference=True) as tar:
        for entry in sorted(os.listdir(folder)):
            tar.add(folder / entry, arcname=entry)
