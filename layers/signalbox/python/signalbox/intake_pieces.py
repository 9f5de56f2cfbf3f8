"""Pieces of an uploaded file as tables, and row by row where a table cannot be made of them.

One reader per format; each gives the names of the columns and pieces in order. A piece is read
whole by pyarrow (fast, no places), or row by row by Python (slow, exact places). Rules only:
imports no AWS client, and pyarrow only when a file is read.
"""

import csv
import io
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from signalbox import json_documents
from signalbox.errors import DataRefused
from signalbox.intake_blocks import FIELD, Block, blocks
from signalbox.intake_rules import Expectation, Finding, Rule, header_findings
from signalbox.manifest_sections import ColumnType, DataFormat

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET_ROWS = 16_384
# Columns are read side by side, each through a buffer of its own: all together take this much.
PARQUET_BUFFERS_BYTES = 128 * 1024 * 1024
_BUFFER_BYTES = (512 * 1024, 8 * 1024 * 1024)
Row = tuple[int, Mapping[str, str | None]]


class Piece(Protocol):
    """Some consecutive rows of a file."""

    def table(self) -> "pa.Table | None":
        """The rows, numbers as float64 and all else as text; None when a cell does not fit."""

    def rows(self) -> Iterator[Row | Finding]:
        """Row number and cells as text, or what is wrong with the row as a whole."""


@dataclass(frozen=True)
class Shape:
    """What the pieces of one file have in common."""

    file: str
    names: tuple[str, ...]
    numbers: frozenset[str]


@dataclass(frozen=True)
class Opened:
    """A file whose head has been read."""

    shape: Shape
    pieces: Iterator[Piece]


def open_pieces(stream: BinaryIO, expected: Expectation, *, file: str) -> Opened:
    """Read the head of a file; raises DataRefused when it is not of the format or lacks columns.

    `stream` is seekable and stands at its beginning.
    """
    readers = {
        DataFormat.CSV: _open_csv,
        DataFormat.JSON_LINES: _open_json_lines,
        DataFormat.PARQUET: _open_parquet,
    }
    return readers[expected.format](stream, expected, file)


def _shape(names: list[str], expected: Expectation, file: str) -> Shape:
    numbers = {rule.name for rule in expected.columns if rule.kind is ColumnType.NUMBER}
    return Shape(file, tuple(names), frozenset(numbers))


def _require(findings: list[Finding]) -> None:
    if findings:
        raise DataRefused(*findings)


# ------------------------------------------------------------------------------------------- CSV


@dataclass(frozen=True)
class CsvPiece:
    """Lines of a CSV file without its header."""

    block: Block
    shape: Shape

    def table(self) -> "pa.Table | None":
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        kinds = {n: pa.float64() if n in self.shape.numbers else pa.string()
                 for n in self.shape.names}  # fmt: skip
        try:
            return arrow_csv.read_csv(
                pa.BufferReader(self.block.content),
                read_options=arrow_csv.ReadOptions(
                    column_names=list(self.shape.names),
                    use_threads=False,
                    block_size=len(self.block.content) + 1,
                ),
                parse_options=arrow_csv.ParseOptions(newlines_in_values=self.block.has_quotes),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=kinds, strings_can_be_null=True, check_utf8=False
                ),
            )
        except pa.ArrowInvalid:
            return None

    def rows(self) -> Iterator[Row | Finding]:
        reader = csv.reader(io.StringIO(self.block.content.decode(), newline=""))
        before = 0
        for cells in reader:
            row, before = self.block.first_row + before, reader.line_num
            if len(cells) == len(self.shape.names):
                yield row, dict(zip(self.shape.names, cells, strict=True))
            elif cells:
                yield self._wrong_width(row, len(cells))

    def _wrong_width(self, row: int, found: int) -> Finding:
        wanted = len(self.shape.names)
        what = f"has {found} fields instead of {wanted}"
        advice = "Give each column one field; quote a text that holds a comma"
        return Finding(Rule.FIELDS, self.shape.file, what, advice, row)


def _open_csv(stream: BinaryIO, expected: Expectation, file: str) -> Opened:
    rest = blocks(stream, file=file, is_quoted=True)
    first = next(rest)
    head = _first_fields(first)
    if expected.has_header:
        names = [name.strip() for name in head]
        _require(header_findings(names, expected, file=file))
        first = _without_first_row(first)
    else:
        names = [rule.name for rule in expected.columns] or _numbered(head)
        _require(_headless_findings(head, names, expected, file))
    shape = _shape(names, expected, file)
    following = _with_names(rest, names)
    pieces = (CsvPiece(b, shape) for b in itertools.chain([first], following) if b.content.strip())
    return Opened(shape, pieces)


def _with_names(rest: Iterator[Block], names: list[str]) -> Iterator[Block]:
    """The blocks; a finding among them that knows only a field's number gets the column's name."""
    try:
        yield from rest
    except DataRefused as refused:
        raise DataRefused(*(_with_name(found, names) for found in refused.findings)) from None


def _with_name(found: Finding, names: list[str]) -> Finding:
    number = int((found.column or "").removeprefix(FIELD) or 0)
    return replace(found, column=names[number - 1]) if 1 <= number <= len(names) else found


def _first_fields(block: Block) -> list[str]:
    text = io.StringIO(block.content.decode(), newline="")
    return next((fields for fields in csv.reader(text) if fields), [])


def _without_first_row(block: Block) -> Block:
    reader = csv.reader(io.StringIO(block.content.decode(), newline=""))
    next((fields for fields in reader if fields), [])
    start = 0
    for _ in range(reader.line_num):
        start = block.content.find(b"\n", start) + 1 or len(block.content)
    return Block(block.content[start:], block.first_row + reader.line_num)


def _numbered(fields: list[str]) -> list[str]:
    return [f"{FIELD}{number}" for number in range(1, len(fields) + 1)]


def _headless_findings(
    fields: list[str], names: list[str], expected: Expectation, file: str
) -> list[Finding]:
    stripped = {field.strip() for field in fields}
    if len(stripped & {*names, expected.forbidden}) * 2 > len(fields):
        what = "is a header, and rows to predict carry none"
        return [Finding(Rule.FORMAT, file, what, "Remove the first line", 1)]
    if expected.forbidden is not None and len(fields) == len(names) + 1:
        what = f"has {len(fields)} fields, the manifest has {len(names)} columns"
        advice = f'Remove the label "{expected.forbidden}"; rows to predict carry none'
        return [Finding(Rule.LABEL, file, what, advice, 1, expected.forbidden)]
    return []


# ------------------------------------------------------------------------------------ JSON Lines


@dataclass(frozen=True)
class JsonPiece:
    """Lines of a JSON Lines file."""

    block: Block
    shape: Shape

    def table(self) -> "pa.Table | None":
        import pyarrow as pa

        cells: dict[str, list[Any]] = {name: [] for name in self.shape.names}
        for row in self.rows():
            if isinstance(row, Finding):
                return None
            for name, texts in cells.items():
                texts.append(row[1].get(name))
        try:
            return pa.table({name: self._column(name, texts) for name, texts in cells.items()})
        except (ValueError, pa.ArrowInvalid):
            return None

    def _column(self, name: str, texts: list[str | None]) -> "pa.Array":
        import pyarrow as pa

        if name not in self.shape.numbers:
            return pa.array(texts, pa.string())
        return pa.array([None if t is None else float(t) for t in texts], pa.float64())

    def rows(self) -> Iterator[Row | Finding]:
        for number, line in enumerate(self.block.content.split(b"\n"), self.block.first_row):
            if line.strip():
                yield self._row(number, line)

    def _row(self, number: int, line: bytes) -> Row | Finding:
        advice = "Write one JSON object per line"
        try:
            value = json_documents.parse(line)
        except ValueError as error:
            what = f"is not JSON: {error}"
            return Finding(Rule.FORMAT, self.shape.file, what, advice, number)
        if not isinstance(value, dict):
            return Finding(Rule.FORMAT, self.shape.file, "is no JSON object", advice, number)
        return number, {name: _as_text(cell) for name, cell in value.items()}


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return repr(value) if isinstance(value, float) else json.dumps(value)


def _open_json_lines(stream: BinaryIO, expected: Expectation, file: str) -> Opened:
    rest = blocks(stream, file=file, is_quoted=False)
    first = next(rest)
    probe = JsonPiece(first, Shape(file, (), frozenset()))
    head = next(probe.rows(), None)
    if isinstance(head, Finding):
        raise DataRefused(head)
    names = list(head[1]) if head else []
    _require(header_findings(names, expected, file=file))
    shape = _shape(names, expected, file)
    return Opened(shape, (JsonPiece(block, shape) for block in itertools.chain([first], rest)))


# --------------------------------------------------------------------------------------- Parquet


@dataclass(frozen=True)
class ParquetPiece:
    """Rows of a Parquet file; rows are counted from 1."""

    stored: "pa.Table"
    first_row: int
    shape: Shape

    def table(self) -> "pa.Table | None":
        import pyarrow as pa

        columns = {}
        for name in self.shape.names:
            kind = pa.float64() if name in self.shape.numbers else pa.string()
            try:
                columns[name] = self.stored[name].cast(kind)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                return None
        return pa.table(columns)

    def rows(self) -> Iterator[Row | Finding]:
        for number, row in enumerate(self.stored.to_pylist(), self.first_row):
            yield number, {name: None if v is None else str(v) for name, v in row.items()}


def _open_parquet(stream: BinaryIO, expected: Expectation, file: str) -> Opened:
    import pyarrow as pa

    if not stream.read(1):
        advice = "Upload a file with at least one row"
        raise DataRefused(Finding(Rule.EMPTY, file, "is empty", advice))
    try:
        opened = _parquet_file(stream)
    except (pa.ArrowInvalid, OSError) as error:
        what = f"is no whole Parquet file: {error}"
        raise DataRefused(Finding(Rule.FORMAT, file, what, "Write and upload it again")) from None
    names = list(opened.schema_arrow.names)
    _require(header_findings(names, expected, file=file))
    shape = _shape(names, expected, file)
    return Opened(shape, _parquet_pieces(opened, shape))


def _parquet_file(stream: BinaryIO) -> Any:
    """The file, through buffers that are refilled as seldom as their memory allows.

    Columns that fit into theirs are read one after the other, so the stream's own buffer serves
    many at a time; larger ones are read in turns, and each turn would refill it.
    """
    from pyarrow import parquet

    stream.seek(0)
    metadata = parquet.read_metadata(stream)
    least, most = _BUFFER_BYTES
    size_bytes = min(most, max(least, PARQUET_BUFFERS_BYTES // max(1, metadata.num_columns)))
    in_turns = any(size > size_bytes for size in _column_sizes(metadata))
    source = stream.raw if in_turns and isinstance(stream, io.BufferedReader) else stream
    source.seek(0)
    return parquet.ParquetFile(source, metadata=metadata, buffer_size=size_bytes, pre_buffer=False)


def _column_sizes(metadata: Any) -> Iterator[int]:
    """Bytes of every column in every group of rows."""
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        yield from (group.column(n).total_compressed_size for n in range(group.num_columns))


def _parquet_pieces(opened: Any, shape: Shape) -> Iterator[Piece]:
    import pyarrow as pa

    row = 1
    try:
        for batch in opened.iter_batches(batch_size=PARQUET_ROWS, use_threads=False):
            yield ParquetPiece(pa.Table.from_batches([batch]), row, shape)
            row += batch.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        what = f"cannot be read on: {error}"
        raise DataRefused(
            Finding(Rule.FORMAT, shape.file, what, "Write and upload it again", row)
        ) from None
