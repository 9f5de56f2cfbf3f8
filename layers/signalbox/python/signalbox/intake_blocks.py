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
FIELD = "field "  # with its number: the name of a column whose name is not known
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
            yield from _readable(Block(content[:cut], row), file)
            row += content.count(b"\n", 0, cut)
    if rest:
        yield from _readable(Block(rest, row), file)


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
    lines, chunk = 0, bytearray()
    with gzip.GzipFile(fileobj=stream) as unpacked:
        while True:
            try:
                part = unpacked.read1(size_bytes)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                what = f"is a gzip file that is cut off or damaged ({error})"
                advice = "Upload the whole file again"
                raise DataRefused(Finding(Rule.FORMAT, file, what, advice, lines + 1)) from None
            lines += part.count(b"\n")
            chunk += part
            if len(chunk) >= size_bytes or (chunk and not part):
                yield bytes(chunk)
                chunk.clear()
            if not part:
                return


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


def _readable(block: Block, file: str) -> Iterator[Block]:
    """The block; of one that is not all UTF-8 text the lines before, then raises DataRefused."""
    position = _unreadable_byte(block.content)
    if position is None:
        yield block
        return
    start = block.content.rfind(b"\n", 0, position) + 1
    if start:
        yield Block(block.content[:start], block.first_row)
    line = block.content[start:position].decode()
    field = len(next(csv.reader(io.StringIO(f"{line}x"))))
    row = block.first_row + block.content.count(b"\n", 0, position)
    what = f"byte {block.content[position]:#04x} is not UTF-8 text"
    raise DataRefused(Finding(Rule.ENCODING, file, what, _SAVE_AS_UTF_8, row, f"{FIELD}{field}"))


def _unreadable_byte(content: bytes) -> int | None:
    """Where the first byte is that is not text in UTF-8; a zero byte is none."""
    if content.isascii():
        zero = content.find(b"\0")
        return None if zero < 0 else zero
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.start
    zero = content.find(b"\0")
    return None if zero < 0 else zero
