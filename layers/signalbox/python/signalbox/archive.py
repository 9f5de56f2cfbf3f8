"""Workload archives: read without trust, written so that equal code gives equal bytes.

Nothing is ever written to a disk: members are read into memory under bounds that hold for the
bytes really extracted, whatever the archive says of itself. Rules only: imports no AWS client.
"""

import gzip
import hashlib
import io
import json
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import IO

from signalbox.errors import WorkloadArchiveError

MANIFEST = "manifest.json"
AUTO = "auto"
MEGABYTE = 1024 * 1024
READ_BYTES = 64 * 1024
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Limits:
    """Bounds on an archive; a workload is scripts and small files, data goes through a gate."""

    archive_bytes: int = 100 * MEGABYTE
    members: int = 10_000
    member_bytes: int = 20 * MEGABYTE
    total_bytes: int = 50 * MEGABYTE


@dataclass(frozen=True)
class WorkloadFiles:
    """The files of one workload, by path relative to its folder (`manifest.json` among them)."""

    folder: str
    files: Files

    @property
    def manifest(self) -> bytes:
        """The author's manifest as it was written."""
        return self.files[MANIFEST]


class WorkloadArchive:
    """A zip archive whose names have all been checked before any member is read."""

    def __init__(self, stream: IO[bytes], *, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        try:
            self._zip = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise WorkloadArchiveError(
                f"the workload archive is not a readable zip file ({error})"
            ) from None
        self._members = _checked(self._zip.infolist(), self._limits)

    def workloads(self) -> list[str]:
        """The folders that hold a manifest.json, `` for the archive's root, sorted."""
        return sorted(_folder_of(name) for name in self._members if _base_of(name) == MANIFEST)

    def pick(self, wanted: str) -> WorkloadFiles:
        """The workload that the pipeline variable Workload asks for: auto, a path, or a name.

        Raises WorkloadArchiveError naming the workloads that the archive holds.
        """
        return self._read(self._folder(wanted))

    def read(self, name: str, *, bound: int | None = None) -> bytes:
        """The bytes of a member; raises WorkloadArchiveError once more than the bound came out.

        The bound is on what is extracted: a header that lies about its size changes nothing.
        """
        most = self._limits.member_bytes if bound is None else bound
        return _read_bounded(self._zip, self._members[name], most)

    def _folder(self, wanted: str) -> str:
        found = self.workloads()
        if not found:
            raise WorkloadArchiveError(
                f"the workload archive holds no {MANIFEST}; it has: {_some(self._members)}"
            )
        if wanted == AUTO:
            return self._only(found)
        matches = [folder for folder in found if folder == wanted.strip("/")]
        matches = matches or [folder for folder in found if wanted in self._names_of(folder)]
        if len(matches) == 1:
            return matches[0]
        problem = "is in it more than once" if matches else "is not in it"
        raise WorkloadArchiveError(
            f'the workload "{wanted}" {problem}; the archive holds: {_shown(matches or found)}'
        )

    def _only(self, found: list[str]) -> str:
        if "" in found or len(found) == 1:
            return found[0]
        raise WorkloadArchiveError(
            f"the archive holds {len(found)} workloads; set the pipeline variable Workload to one "
            f"of: {_shown(found)}"
        )

    def _names_of(self, folder: str) -> tuple[str, ...]:
        """The last part of the folder's path, and the name that its manifest gives."""
        return _base_of(folder), self._declared_name(folder)

    def _declared_name(self, folder: str) -> str:
        try:
            document = json.loads(self.read(f"{folder}/{MANIFEST}" if folder else MANIFEST))
        except (ValueError, RecursionError):
            return ""
        return str(document.get("name", "")) if isinstance(document, dict) else ""

    def _read(self, folder: str) -> WorkloadFiles:
        start = f"{folder}/" if folder else ""
        files: dict[str, bytes] = {}
        left = self._limits.total_bytes
        for name in sorted(self._members):
            if name.startswith(start):
                content = self.read(name, bound=min(left, self._limits.member_bytes))
                left -= len(content)
                files[name.removeprefix(start)] = content
        return WorkloadFiles(folder, files)


def _checked(members: list[zipfile.ZipInfo], limits: Limits) -> dict[str, zipfile.ZipInfo]:
    if len(members) > limits.members:
        raise WorkloadArchiveError(
            f"the workload archive has {len(members)} members; at most {limits.members} are read"
        )
    found: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        _check_name(member.filename)
        _check_kind(member)
        if member.filename in found:
            raise WorkloadArchiveError(f'the archive has "{member.filename}" twice')
        if not member.is_dir() and not _left_out(member.filename):
            found[member.filename] = member
    return found


def _check_name(name: str) -> None:
    parts = name.rstrip("/").split("/")
    bad = "\\" in name or ":" in parts[0] or any(part in ("", ".", "..") for part in parts)
    if bad or any(ord(letter) < 32 for letter in name):
        raise WorkloadArchiveError(
            f"the archive was refused: {name[:200]!r} would be extracted outside its folder or "
            "has no plain relative path; pack the folder again, without such names"
        )


def _check_kind(member: zipfile.ZipInfo) -> None:
    file_type = stat.S_IFMT(member.external_attr >> 16)
    if file_type not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise WorkloadArchiveError(
            f'the archive was refused: "{member.filename}" is a link or a special file; '
            "put the file itself into the archive"
        )
    if member.flag_bits & 0x1:
        raise WorkloadArchiveError(f'"{member.filename}" is encrypted; pack it without a password')


def _too_large(member: zipfile.ZipInfo, bound: int) -> WorkloadArchiveError:
    return WorkloadArchiveError(
        f'the archive was refused: "{member.filename}" ({member.file_size} bytes declared) goes '
        f"beyond the {bound} bytes left for it; a workload is scripts and small files, "
        "data is uploaded at the gates"
    )


def _read_bounded(archive: zipfile.ZipFile, member: zipfile.ZipInfo, bound: int) -> bytes:
    try:
        with archive.open(member) as stream:
            return _join(stream, member, bound)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise WorkloadArchiveError(f'"{member.filename}" cannot be read: {error}') from None


def _join(stream: IO[bytes], member: zipfile.ZipInfo, bound: int) -> bytes:
    """Small reads: zlib inflates as much as one read asks for, even where a header says less."""
    content = bytearray()
    while piece := stream.read(READ_BYTES):
        content += piece
        if len(content) > bound:
            raise _too_large(member, bound)
    return bytes(content)


def _left_out(name: str) -> bool:
    """Caches and hidden files belong to somebody's machine, not to the workload."""
    parts = name.split("/")
    hidden = any(part.startswith(".") or part in ("__pycache__", "__MACOSX") for part in parts)
    return hidden or name.endswith(".pyc")


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0]


def _base_of(name: str) -> str:
    return name.rpartition("/")[2]


def _shown(folders: Iterable[str]) -> str:
    return ", ".join(folder or "(root)" for folder in folders)


def _some(names: Iterable[str]) -> str:
    first = sorted(names)
    more = f", ... ({len(first)} in all)" if len(first) > 20 else ""
    return (", ".join(first[:20]) or "nothing") + more


def check_scripts(workload: WorkloadFiles, scripts: Mapping[str, str]) -> tuple[str, ...]:
    """A problem for each script (by its pointer in the manifest) that the folder does not hold."""
    there = [name for name in workload.files if name.endswith(".py")]
    return tuple(
        f'{where}: the archive has no "{script}" in {workload.folder or "its root"}; '
        f"it has: {_some(there)}"
        for where, script in scripts.items()
        if script not in workload.files
    )


def digest(content: bytes) -> str:
    """`sha256:` and the hexadecimal digest of bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def code_digest(files: Files) -> str:
    """The digest of names and contents: equal for equal code, whatever packed it."""
    lines = (f"{name}\0{digest(content)}\n" for name, content in sorted(files.items()))
    return digest("".join(lines).encode())


def source_archive(files: Files) -> bytes:
    """A sourcedir.tar.gz: sorted, without times, owners or modes of the packer."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def artifact(document: bytes) -> bytes:
    """A pipeline artifact: a zip with the manifest in it, equal for equal manifests."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        member = zipfile.ZipInfo(MANIFEST, (1980, 1, 1, 0, 0, 0))
        member.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(member, document)
    return packed.getvalue()


def manifest_in_artifact(packed: bytes) -> bytes:
    """The manifest in an artifact that `artifact` made."""
    return WorkloadArchive(io.BytesIO(packed)).pick(AUTO).manifest
