"""A stream of text cut into blocks of whole lines, decompressed and known to be UTF-8.

Rules only: imports no AWS client; streams come in open.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from signalbox.errors import DataRefused
from signalbox.intake_rules import Finding, Rule

BLOCK_BYTES = 2 * 1024 * 1024
LONGEST_ROW_BYTES = 32 * 1024 * 1024
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SAVE_AS_UTF_8 = "Save the file as UTF-8 and upload it again"


@dataclass(frozen=True)
class Block:
    """Whole lines, and the number of the first of them in the file, counted from 1."""

    content: bytes
    first_row: int

    @property
    def has_quotes(self) -> bool:
        """Whether a field may hold commas or line ends."""
        return b'"' in self.content


def blocks(
    stream: BinaryIO, *, file: str, is_quoted: bool, size_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """The lines of a plain or gzip stream in blocks; raises DataRefused where it stops being text.

    With `is_quoted` a line end between double quotes (RFC 4180) belongs to its field.
    """
    rest, row = b"", 1
    for chunk in _text(stream, file, size_bytes):
        content = rest + chunk
        cut = _end_of_rows(content, is_quoted)
        rest = content[cut:]
        if len(rest) > LONGEST_ROW_BYTES:
            raise DataRefused(_endless(file, row + content.count(b"\n", 0, cut)))
        if cut:
            block = Block(content[:cut], row)
            _check_encoding(block, file)
            yield block
            row += block.content.count(b"\n")
    if rest:
        block = Block(rest, row)
        _check_encoding(block, file)
        yield block


def _text(stream: BinaryIO, file: str, size_bytes: int) -> Iterator[bytes]:
    """Chunks of the content, decompressed, without a byte order mark."""
    start = stream.read(size_bytes)
    if start.startswith(_GZIP):
        stream.seek(0)
        chunks = _decompressed(stream, file, size_bytes)
        start = next(chunks, b"")
    else:
        chunks = iter(lambda: stream.read(size_bytes), b"")
    if start.startswith(_UTF_16):
        raise DataRefused(Finding(Rule.ENCODING, file, "is UTF-16", _SAVE_AS_UTF_8, 1))
    if not start.removeprefix(_BOM):
        advice = "Upload a file with at least one row"
        raise DataRefused(Finding(Rule.EMPTY, file, "is empty", advice))
    yield start.removeprefix(_BOM)
    yield from chunks


def _decompressed(stream: BinaryIO, file: str, size_bytes: int) -> Iterator[bytes]:
    lines = 0
    with gzip.GzipFile(fileobj=stream) as unpacked:
        while True:
            try:
                chunk = unpacked.read(size_bytes)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                what = "is a gzip file cut off or damaged" + (
                    f" after {lines:,} lines" * (lines > 0)
                )
                advice = f"Upload the whole file again ({error})"
                raise DataRefused(Finding(Rule.FORMAT, file, what, advice, lines + 1)) from None
            if not chunk:
                return
            lines += chunk.count(b"\n")
            yield chunk


def _end_of_rows(content: bytes, is_quoted: bool) -> int:
    """Where the last whole row ends; a row ends at a line end that no quote is open at."""
    cut = content.rfind(b"\n") + 1
    quotes = content.count(b'"', 0, cut) if is_quoted and b'"' in content else 0
    while cut and quotes % 2:
        earlier = content.rfind(b"\n", 0, cut - 1) + 1
        quotes -= content.count(b'"', earlier, cut)
        cut = earlier
    return cut


def _endless(file: str, row: int) -> Finding:
    limit = LONGEST_ROW_BYTES // 1024**2
    what = f"does not end within {limit} MB; perhaps a quote is opened and never closed"
    return Finding(Rule.FORMAT, file, what, "Correct the quotes of this row", row)


def _check_encoding(block: Block, file: str) -> None:
    if block.content.isascii():
        if b"\0" in block.content:
            row = block.first_row + block.content.count(b"\n", 0, block.content.find(b"\0"))
            advice = "Upload plain text"
            raise DataRefused(Finding(Rule.ENCODING, file, "holds a zero byte", advice, row))
        return
    try:
        block.content.decode()
    except UnicodeDecodeError as error:
        raise DataRefused(_not_utf_8(block, file, error.start)) from None


def _not_utf_8(block: Block, file: str, position: int) -> Finding:
    row = block.first_row + block.content.count(b"\n", 0, position)
    line = block.content[block.content.rfind(b"\n", 0, position) + 1 : position]
    field = next(csv.reader(io.StringIO(line.decode() + "x")))
    what = f"byte {block.content[position]:#04x} in field {len(field)} is not UTF-8"
    return Finding(Rule.ENCODING, file, what, _SAVE_AS_UTF_8, row)
