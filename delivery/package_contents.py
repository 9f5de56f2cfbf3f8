"""Whether what lies in the artifact bucket under a digest is what this build has made.

`sam package` names each object by the MD5 of its content and does not upload what is there already
(samcli/lib/package/s3_uploader.py, 1.170). A build runs a commit's own code and may write there, so
one could leave, under the name of code that a later commit will have, something else: reviewed
would be the commit, deployed the other. Hence every object is read again, as the very version that
is deployed, and compared with the files it was to be made of. Standard library only.
"""

import io
import os
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

# A local path, or where its content lies: one line, or a mapping of Bucket and Key in this order.
_URI = re.compile(
    r"^ +(\w+Uri):(?: (?!s3://)(\S+)| s3://([^/\s]+)/(\S+)|\n +Bucket: (\S+)\n +Key: (\S+))$",
    re.MULTILINE,
)
_END_OF_ARCHIVE = b"PK\x05\x06"
_LOCAL_HEADER_BYTES = 30
_UTF_8 = 0x800

Place = tuple[str, str]
"""Bucket and key."""


def sources(built: str, packaged: str) -> dict[Place, tuple[str, ...]]:
    """The local paths of each object, from a template before and after it was packaged.

    Both have the same properties in the same order; raises ValueError when they have not.

    >>> sources("  CodeUri: Greeter", "  CodeUri: s3://packages/1/fe39")
    {('packages', '1/fe39'): ('Greeter',)}
    """
    found: dict[Place, tuple[str, ...]] = {}
    before, after = (list(_URI.finditer(text)) for text in (built, packaged))
    if [one[1] for one in before] != [one[1] for one in after]:
        raise ValueError(f"{len(before)} addresses of code became {len(after)}, or others")
    for one, other in zip(before, after, strict=True):
        bucket, key = other[3] or other[5], other[4] or other[6]
        if bucket and one[2]:
            found[bucket, key] = tuple(dict.fromkeys((*found.get((bucket, key), ()), one[2])))
    return found


def differences(content: bytes, source: Path) -> Iterator[str]:
    """What of an object is not as in the folder, or the file, that it was to be made of."""
    if not source.is_dir():
        if content != source.read_bytes():
            yield f"it is not {source.name}"
        return
    try:
        stored = _files_in(content)
    except (zipfile.BadZipFile, ValueError, struct.error) as fault:
        yield f"it is no archive of a package: {fault}"
        return
    made = dict(_files_of(source))
    for name in sorted(stored.keys() | made.keys()):
        if name not in made:
            yield f"{name} is in it and not in {source.name}"
        elif name not in stored:
            yield f"{name} is missing"
        elif stored[name] != made[name]:
            yield f"{name} is another"


def _files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    for root, _, names in os.walk(folder, followlinks=True):
        for path in (Path(root, name) for name in names):
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _files_in(content: bytes) -> Mapping[str, bytes]:
    """Raises ValueError for an archive that two readers might not read alike."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        _check_layout(content, archive)
        found = {entry.filename: archive.read(entry) for entry in entries}
    if len(found) != len(entries):
        raise ValueError("a name is there twice")
    return found


def _check_layout(content: bytes, archive: zipfile.ZipFile) -> None:
    """Entry after entry from the first byte on, each with one name, and nothing else."""
    end = 0
    for entry in archive.infolist():
        header = content[end : end + _LOCAL_HEADER_BYTES]
        name_bytes, extra_bytes = struct.unpack("<HH", header[26:30])
        start = end + _LOCAL_HEADER_BYTES
        name = entry.orig_filename.encode("utf-8" if entry.flag_bits & _UTF_8 else "cp437")
        if entry.header_offset != end or content[start : start + name_bytes] != name:
            raise ValueError(f"{entry.filename} lies elsewhere than the archive says")
        end = start + name_bytes + extra_bytes + entry.compress_size
    if end != archive.start_dir or content[-22:-18] != _END_OF_ARCHIVE:
        raise ValueError("it holds more than its files")
