"""Reading a data file once, from beginning to end, before anybody relies on it.

A file that is cut off, empty or in another encoding would be noticed by the first job at the
earliest, minutes later and after the gate was opened.
"""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from signalbox_cli.errors import CommandError

_BLOCK_BYTES = 4 * 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Scan:
    """A file that was read to its end: its first line's fields, and how many lines it has."""

    first_row: list[str]
    lines: int


def first_row(path: Path) -> list[str]:
    """The first line of a CSV file (plain or gzip), split into its fields; UTF-8, BOM allowed.

    Raises CommandError for an empty file, an empty first line or another encoding.
    """
    with _reading(path) as stream:
        start = _peeked(path, stream)
    line = start.split(b"\n", 1)[0] if b"\n" in start else start
    text = _decoded(path, line)
    if not text.strip():
        if start.strip():
            raise CommandError(f"{path} begins with an empty line; remove it")
        raise CommandError(f"{path} is empty; upload a file with at least one row")
    return next(csv.reader(io.StringIO(text)))


def scan(path: Path) -> Scan:
    """Read a CSV file (plain or gzip) to its end.

    Raises CommandError when it is empty, not UTF-8, or a gzip file that was cut off.
    """
    fields = first_row(path)
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    lines, last = 0, b"\n"
    for block in _blocks(path):
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            where = lines + 1 + error.object[: error.start].count(b"\n")
            raise _wrong_encoding(path, where, error) from None
        lines += block.count(b"\n")
        last = block[-1:]
    return Scan(fields, lines + (last != b"\n"))


@contextmanager
def _reading(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as plain:
        is_gzip = plain.read(2) == _GZIP_MAGIC
    named_gzip = path.suffix == ".gz"
    if is_gzip and not named_gzip:
        raise CommandError(
            f"{path} is compressed with gzip, but its name does not say so; rename it to "
            f"{path.name}.gz"
        )
    if named_gzip and not is_gzip and path.stat().st_size:
        raise CommandError(f"{path} is not compressed with gzip, as its name says; rename it")
    with path.open("rb") as raw:
        yield cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if named_gzip else raw


def _blocks(path: Path) -> Iterator[bytes]:
    with _reading(path) as stream:
        try:
            while block := stream.read(_BLOCK_BYTES):
                yield block
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise _cut_off(path, error) from None


def _peeked(path: Path, stream: IO[bytes]) -> bytes:
    """The first line and, where it is empty, enough to see whether anything follows."""
    try:
        return stream.read(1024 * 1024)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _cut_off(path, error) from None


def _cut_off(path: Path, error: Exception) -> CommandError:
    return CommandError(
        f"{path} is damaged or was cut off: {str(error).lower()}; compress or copy it again"
    )


def _decoded(path: Path, line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong_encoding(path, 1, error) from None


def _wrong_encoding(path: Path, line: int, error: UnicodeDecodeError) -> CommandError:
    if error.object[:2] in _UTF16_MARKS and line == 1:
        return CommandError(f"{path} is UTF-16; save it as UTF-8")
    byte = error.object[error.start]
    return CommandError(f"{path}: line {line} is not UTF-8 (byte {byte:#04x}); save it as UTF-8")
