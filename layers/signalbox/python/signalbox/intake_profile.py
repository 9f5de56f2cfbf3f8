"""What a file's columns hold, gathered piece by piece in bounded memory.

Counts, extremes and missing cells are exact. Distinct values are counted up to 1,000. Quantiles
and histogram are those of every n-th row, n = 1 up to 65,536 rows and doubled whenever the sample
would outgrow that. Rules only: imports no AWS client, and pyarrow only when called.
"""

import zlib
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from signalbox.intake_rules import ColumnRule
from signalbox.json_documents import JsonObject

if TYPE_CHECKING:
    import pyarrow as pa

DISTINCT_LIMIT = 1000
SAMPLED_ROWS = 65_536
SAMPLED_CELLS = 2_000_000
KEPT_ROWS = 65_536
BINS = 20
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_PROBE = 4096


class DistinctRows:
    """How many rows differ, by distinct sampling (Gibbons, VLDB 2001, section 3).

    Rows are hashed; only those whose hash ends in `bits` zeros are kept, and `bits` grows whenever
    more than 65,536 are. Exact until then; afterwards the standard error is at most 0.6 % of
    the number.

    >>> rows = DistinctRows()
    >>> rows.add(DistinctRows.keys([b"1,2", b"3,4", b"1,2"], rows.mask))
    >>> rows.estimate()
    2
    """

    def __init__(self, limit: int = KEPT_ROWS) -> None:
        self._limit = limit
        self._kept: set[int] = set()
        self.mask = 0

    @staticmethod
    def keys(lines: list[bytes], mask: int) -> list[int]:
        """Keys of the rows that are kept under a mask; the CRC decides, 64 more bits tell apart."""
        crc = zlib.crc32
        chosen = [line for line in lines if not crc(line) & mask] if mask else lines
        return [
            crc(line) | int.from_bytes(blake2b(line, digest_size=8).digest()) << 32
            for line in chosen
            if line
        ]

    def add(self, keys: list[int]) -> None:
        """Count rows by their keys."""
        mask = self.mask
        self._kept.update(key for key in keys if not key & mask)
        while len(self._kept) > self._limit:
            self.mask = self.mask * 2 + 1
            self._kept = {key for key in self._kept if not key & self.mask}

    def estimate(self) -> int:
        """Number of different rows."""
        return len(self._kept) * (self.mask + 1)

    @property
    def is_exact(self) -> bool:
        """Whether every row was kept."""
        return self.mask == 0


class RowKeys:
    """Keys of the rows of a table, for `DistinctRows`.

    Where the numbers of a row tell most rows apart, they decide which rows are kept, for a whole
    table at once; only the kept ones are written out as text. Otherwise every row is.
    """

    def __init__(self, numbers: list[str]) -> None:
        self._numbers = numbers
        self._decides_by_numbers: bool | None = None

    def of(self, table: "pa.Table", mask: int) -> list[int]:
        """The keys of the rows that are kept under a mask; the first table settles how."""
        if self._decides_by_numbers is None:
            self._decides_by_numbers = self._tell_apart(table)
        if not self._decides_by_numbers:
            return DistinctRows.keys(_texts(table), mask)
        import pyarrow as pa
        import pyarrow.compute as pc

        mixed = _mixed(table, self._numbers)
        if mask:
            kept = pc.equal(
                pc.bit_wise_and(mixed, pa.scalar(mask, pa.uint64())), pa.scalar(0, pa.uint64())
            )
            chosen = pc.indices_nonzero(kept)
            table, mixed = table.take(chosen), mixed.take(chosen)
        return [
            (low & 0xFFFFFFFF) | int.from_bytes(blake2b(text, digest_size=8).digest()) << 32
            for low, text in zip(mixed.to_pylist(), _texts(table), strict=True)
        ]

    def _tell_apart(self, table: "pa.Table") -> bool:
        import pyarrow.compute as pc

        if not self._numbers or not table.num_rows:
            return False
        by_numbers = pc.count_distinct(_mixed(table, self._numbers)).as_py()
        return bool(by_numbers * 2 >= len(set(_texts(table))))


# An odd number whose bits look random: 2**64 divided by the golden ratio (Knuth, TAOCP 3, 6.4).
_FACTOR = 0x9E3779B97F4A7C15
_NO_NUMBER = -1.7e308  # stands for a missing cell


def _mixed(table: "pa.Table", names: list[str]) -> Any:
    """One 64-bit hash per row of its numbers' bits: multiplied, added, folded."""
    import pyarrow as pa
    import pyarrow.compute as pc

    total = None
    for position, name in enumerate(names):
        column = pc.fill_null(pa.concat_arrays(table[name].chunks), _NO_NUMBER)
        factor = (_FACTOR * (2 * position + 1)) % 2**64
        term = pc.multiply(column.view(pa.uint64()), pa.scalar(factor, pa.uint64()))
        total = term if total is None else pc.add(total, term)
    for shift in (32, 29, 32):
        folded = pc.bit_wise_xor(total, pc.shift_right(total, pa.scalar(shift, pa.uint64())))
        total = pc.multiply(folded, pa.scalar(_FACTOR, pa.uint64()))
    return pc.bit_wise_xor(total, pc.shift_right(total, pa.scalar(32, pa.uint64())))


def _texts(table: "pa.Table") -> list[bytes]:
    """Each row as one text; a missing cell differs from an empty one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [pc.fill_null(column.cast(pa.string()), "\0") for column in table.columns]
    joined = pc.binary_join_element_wise(*columns, "\x1f")
    return [text.encode() for text in joined.to_pylist()]


@dataclass(frozen=True)
class ColumnPart:
    """What one piece holds in one column; `values` is None when they are too many."""

    missing: int
    minimum: float | None
    maximum: float | None
    values: frozenset[Any] | None


def part_of(column: "pa.ChunkedArray", *, is_number: bool, count_values: bool) -> ColumnPart:
    """Look at one column of one piece."""
    import pyarrow.compute as pc

    low = high = None
    if is_number:
        extremes = pc.min_max(column)
        low, high = extremes["min"].as_py(), extremes["max"].as_py()
    values = _values(column) if count_values else None
    return ColumnPart(column.null_count, low, high, values)


def _values(column: "pa.ChunkedArray") -> frozenset[Any] | None:
    """The different values, unless a first look shows that they are too many."""
    import pyarrow.compute as pc

    if len(pc.unique(column.slice(0, _PROBE))) > DISTINCT_LIMIT:
        return None
    found = pc.unique(column)
    return None if len(found) > DISTINCT_LIMIT + 1 else frozenset(found.drop_null().to_pylist())


@dataclass
class ColumnProfile:
    """One column over all pieces so far."""

    kind: str
    missing: int = 0
    minimum: float | None = None
    maximum: float | None = None
    values: set[Any] | None = field(default_factory=set)

    def add(self, part: ColumnPart) -> None:
        """Take one more piece in."""
        self.missing += part.missing
        self.minimum = _extreme(min, self.minimum, part.minimum)
        self.maximum = _extreme(max, self.maximum, part.maximum)
        if part.values is None or self.values is None:
            self.values = None
        else:
            self.values |= part.values
            self.values = None if len(self.values) > DISTINCT_LIMIT else self.values


def _extreme(choose: Any, known: float | None, new: float | None) -> float | None:
    return known if new is None else new if known is None else choose(known, new)


class Sample:
    """Every n-th row of the number columns; n doubles so that the sample stays small."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._limit = min(SAMPLED_ROWS, SAMPLED_CELLS // max(1, len(names)))
        self._tables: list[Any] = []
        self._rows = 0
        self._offset = 0
        self.stride = 1

    def add(self, table: "pa.Table") -> None:
        """Take every n-th row of the next piece."""
        if not self._names:
            return
        taken = _every(table.select(self._names), self.stride, self._offset)
        self._offset = self._offset + taken.num_rows * self.stride - table.num_rows
        self._tables.append(taken)
        self._rows += taken.num_rows
        while self._rows > self._limit:
            self._thin()

    def _thin(self) -> None:
        import pyarrow as pa

        thinned = _every(pa.concat_tables(self._tables), 2, 0)
        self._offset += self.stride * (self._rows % 2)
        self.stride *= 2
        self._tables, self._rows = [thinned], thinned.num_rows

    def column(self, name: str) -> "pa.ChunkedArray":
        """The sampled cells of a column, missing ones left out."""
        import pyarrow as pa

        if not self._tables:
            return pa.chunked_array([], pa.float64())
        return pa.concat_tables(self._tables)[name].drop_null()


def _every(table: "pa.Table", stride: int, offset: int) -> "pa.Table":
    import pyarrow as pa

    if stride == 1:
        return table.slice(offset)
    return table.take(pa.array(range(offset, table.num_rows, stride), pa.int64()))


@dataclass(frozen=True)
class Profile:
    """What a whole file holds."""

    rows: int
    duplicates: int
    duplicates_are_exact: bool
    columns: dict[str, ColumnProfile]
    sample: Sample

    def document(self) -> JsonObject:
        """The profile as JSON."""
        return {
            "rows": self.rows,
            "duplicateRows": self.duplicates,
            "duplicateRowsAreExact": self.duplicates_are_exact,
            "sampledEvery": self.sample.stride,
            "columns": {name: self._column(name, c) for name, c in self.columns.items()},
        }

    def _column(self, name: str, column: ColumnProfile) -> JsonObject:
        values = column.values
        document: JsonObject = {
            "type": column.kind,
            "missing": column.missing,
            "distinct": DISTINCT_LIMIT if values is None else len(values),
            "distinctIsExact": values is not None,
        }
        if column.kind == "number":
            return {**document, **self._numbers(name, column)}
        if values is not None and len(values) <= BINS:
            document["values"] = [*sorted(map(str, values))]
        return document

    def _numbers(self, name: str, column: ColumnProfile) -> JsonObject:
        import pyarrow.compute as pc

        sampled = self.sample.column(name)
        if not len(sampled) or column.minimum is None or column.maximum is None:
            return {}
        found = pc.quantile(sampled, list(QUANTILES)).to_pylist()
        return {
            "min": column.minimum,
            "max": column.maximum,
            "quantiles": {f"{q:g}": value for q, value in zip(QUANTILES, found, strict=True)},
            "histogram": _histogram(sampled, column.minimum, column.maximum),
        }


def _histogram(sampled: "pa.ChunkedArray", low: float, high: float) -> JsonObject:
    """Counts of the sample in bins of equal width from the smallest to the largest value."""
    import pyarrow.compute as pc

    width = (high - low) / BINS
    counts = [0] * BINS
    if width <= 0 or width == float("inf"):
        return {"from": low, "to": high, "counts": [len(sampled)]}
    bins = pc.floor(pc.divide(pc.subtract(sampled, low), width))
    for entry in pc.value_counts(bins).to_pylist():
        counts[min(BINS - 1, max(0, int(entry["values"])))] += entry["counts"]
    return {"from": low, "to": high, "counts": list(counts)}


def empty_columns(names: tuple[str, ...], rules: dict[str, ColumnRule]) -> dict[str, ColumnProfile]:
    """A profile to begin with; a column that the manifest does not declare is text."""
    return {n: ColumnProfile(rules[n].kind.value if n in rules else "text") for n in names}
