"""A build's files: source archives unpacked safely, artifacts chosen by pattern and packed.

Standard library only; knows folders and zips, not S3.
"""

import hashlib
import os
import re
import stat
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from localaws.codebuild.buildspec import Output

MAX_UNPACKED_BYTES = 5 * 1024**3
MAX_FILES = 200_000


class ArchiveRefused(Exception):
    """A source that is no usable zip, or one that would write outside of its folder."""


class NothingMatched(Exception):
    """No file is where the buildspec says the artifact is."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip with the modes and times of its files; raises ArchiveRefused."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as source:
            members = source.infolist()
            _check(members)
            for member in members:
                _extract(source, member, folder)
    except zipfile.BadZipFile as error:
        raise ArchiveRefused(f"it is no zip: {error}") from error


def _check(members: list[zipfile.ZipInfo]) -> None:
    size_bytes = sum(member.file_size for member in members)
    if len(members) > MAX_FILES or size_bytes > MAX_UNPACKED_BYTES:
        raise ArchiveRefused(f"it holds {len(members)} files of {size_bytes} bytes, too many")
    for member in members:
        if member.filename.startswith(("/", "\\")) or ".." in Path(member.filename).parts:
            raise ArchiveRefused(f"it holds {member.filename!r}, which is outside its folder")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise ArchiveRefused(f"it holds {member.filename!r}, a link")


def _extract(source: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    target = Path(source.extract(member, folder))
    if member.is_dir():
        return
    mode = (member.external_attr >> 16) & 0o777
    if mode:
        target.chmod(mode | stat.S_IWUSR)
    # make compares times: what was older than its product must stay so.
    moment = time.mktime((*member.date_time, 0, 0, -1))
    os.utime(target, (moment, moment))


def chosen(root: Path, output: Output) -> list[tuple[Path, str]]:
    """The files of an artifact with their names in it, sorted; raises NothingMatched."""
    base = _base(root, output.base_directory)
    wanted = [_pattern(each) for each in output.files]
    unwanted = [_pattern(each) for each in output.exclude]
    found = [
        (base / name, Path(name).name if output.discard_paths else name)
        for name in _files(base)
        if _matches(name, wanted) and not _matches(name, unwanted)
    ]
    if not found:
        raise NothingMatched(f"no matching artifact paths found: {', '.join(output.files)}")
    return found


def _base(root: Path, given: str) -> Path:
    if not given:
        return root
    if not any(sign in given for sign in "*?"):
        path = root / given
        if path.is_dir():
            return path
    for folder in sorted(path for path in root.glob(given.lstrip("/")) if path.is_dir()):
        return folder
    raise NothingMatched(f"no matching base directory path found for {given}")


def _files(base: Path) -> Iterator[str]:
    """Names of all files below; linked folders (caches) are not entered."""
    found = []
    for folder, _, names in os.walk(base):
        relative = Path(folder).relative_to(base)
        found += [(relative / name).as_posix() for name in names if (Path(folder) / name).is_file()]
    return iter(sorted(found))


def _matches(name: str, patterns: Iterable[re.Pattern[str]]) -> bool:
    return any(pattern.fullmatch(name) for pattern in patterns)


def _pattern(given: str) -> re.Pattern[str]:
    """`**/` for any folders, `*` and `?` within one name; `./` in front means nothing."""
    text = given.removeprefix("./")
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.split(r"(\*\*/|\*\*|\*|\?)", text)
    return re.compile("".join(parts.get(token) or re.escape(token) for token in tokens))


def pack(files: Iterable[tuple[Path, str]], archive: Path) -> None:
    """Write the files to a zip, links as what they point to."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as target:
        for path, name in files:
            target.write(path, name)


def digests(file: Path) -> tuple[str, str]:
    """SHA-256 and MD5 of a file, hexadecimal."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with file.open("rb") as content:
        while piece := content.read(1 << 20):
            sha256.update(piece)
            md5.update(piece)
    return sha256.hexdigest(), md5.hexdigest()
