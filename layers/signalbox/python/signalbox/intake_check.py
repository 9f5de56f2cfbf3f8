"""The check of one uploaded file: read once, in bounded memory, piece by piece on all cores.

A piece is judged as a whole by pyarrow. Only a piece that breaks a rule is gone through row by row,
so that the finding names the cell; reading stops there. Rules only: imports no AWS client, and
pyarrow only when called.
"""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, BinaryIO

from signalbox.errors import DataRefused
from signalbox.intake_pieces import Opened, Piece, open_pieces
from signalbox.intake_profile import (
    ColumnPart,
    DistinctRows,
    Profile,
    RowKeys,
    Sample,
    empty_columns,
    part_of,
)
from signalbox.intake_rules import (
    MOMENT,
    ColumnRule,
    Expectation,
    Finding,
    Rule,
    cell_finding,
)
from signalbox.json_documents import JsonObject
from signalbox.manifest_sections import ColumnType, DataFormat

if TYPE_CHECKING:
    import pyarrow as pa

LISTED_FINDINGS = 10


@dataclass(frozen=True)
class Report:
    """The outcome of a check: either findings, or a profile (None for a format not looked into)."""

    findings: tuple[Finding, ...]
    profile: Profile | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the file may be used."""
        return not self.findings

    def profile_document(self) -> JsonObject:
        """The profile as JSON, empty when there is none."""
        return {} if self.profile is None else self.profile.document()


def check(stream: BinaryIO, expected: Expectation, *, file: str) -> Report:
    """Check a file; `stream` is seekable, stands at its beginning, and stays open."""
    try:
        if expected.format is DataFormat.OTHER:
            return _not_looked_into(stream, file)
        opened = open_pieces(stream, expected, file=file)
        return _through(opened, expected)
    except DataRefused as refused:
        return Report(tuple(refused.findings[:LISTED_FINDINGS]))


def _not_looked_into(stream: BinaryIO, file: str) -> Report:
    if stream.read(1):
        return Report(())
    return Report((Finding(Rule.EMPTY, file, "is empty", "Upload a file that holds something"),))


@dataclass(frozen=True)
class _Examined:
    """One piece, looked at."""

    findings: tuple[Finding, ...]
    table: "pa.Table | None" = None
    parts: dict[str, ColumnPart] | None = None
    keys: tuple[int, ...] | list[int] = ()


class _Examination:
    """The state of one check; pieces are looked at on other threads and taken in in order."""

    def __init__(self, opened: Opened, expected: Expectation) -> None:
        self._shape = opened.shape
        self._rules = {rule.name: rule for rule in expected.columns}
        self._columns = empty_columns(opened.shape.names, self._rules)
        numbers = [n for n in opened.shape.names if n in opened.shape.numbers]
        self._sample = Sample(numbers)
        self._distinct = DistinctRows()
        self._row_keys = RowKeys(numbers)
        self._rows = 0

    def look_at(self, piece: Piece) -> _Examined:
        """Judge one piece; changes nothing."""
        table = piece.table()
        parts = None if table is None else self._parts(table)
        if table is None or parts is None or self._is_broken(table, parts):
            found = tuple(islice(self._locate(piece), LISTED_FINDINGS))
            if found or table is None:
                return _Examined(found or (self._unreadable(piece),))
        return _Examined((), table, parts, self._row_keys.of(table, self._distinct.mask))

    def _parts(self, table: "pa.Table") -> dict[str, ColumnPart]:
        return {
            name: part_of(
                table[name],
                is_number=name in self._shape.numbers,
                count_values=self._columns[name].values is not None or self._has_categories(name),
            )
            for name in self._shape.names
        }

    def _has_categories(self, name: str) -> bool:
        return name in self._rules and self._rules[name].categories is not None

    def _is_broken(self, table: "pa.Table", parts: dict[str, ColumnPart]) -> bool:
        return any(
            _breaks(rule, parts[name], table[name])
            for name, rule in self._rules.items()
            if name in parts
        )

    def _locate(self, piece: Piece) -> Iterator[Finding]:
        for row in piece.rows():
            if isinstance(row, Finding):
                yield row
                continue
            number, cells = row
            for name, rule in self._rules.items():
                found = cell_finding(rule, cells.get(name), file=self._shape.file, row=number)
                if found is not None:
                    yield found

    def _unreadable(self, piece: Piece) -> Finding:
        first = next((row[0] for row in piece.rows() if not isinstance(row, Finding)), 1)
        what = f"rows from {first:,} on cannot be read as {self._shape.file.rpartition('.')[2]}"
        return Finding(Rule.FORMAT, self._shape.file, what, "Correct the rows", first)

    def take_in(self, examined: _Examined) -> None:
        """Add one piece to the profile; pieces come in their order."""
        if examined.table is None or examined.parts is None:
            return
        self._rows += examined.table.num_rows
        self._sample.add(examined.table)
        self._distinct.add(list(examined.keys))
        for name, part in examined.parts.items():
            self._columns[name].add(part)

    def profile(self) -> Profile:
        """What has been taken in."""
        duplicates = max(0, self._rows - self._distinct.estimate())
        return Profile(self._rows, duplicates, self._distinct.is_exact, self._columns, self._sample)


def _breaks(rule: ColumnRule, part: ColumnPart, column: "pa.ChunkedArray") -> bool:
    """Whether a column of a piece holds a cell that `cell_finding` would name."""
    if rule.kind is ColumnType.NUMBER:
        return _is_outside(rule, part)
    if rule.kind is ColumnType.DATETIME:
        import pyarrow.compute as pc

        return bool(pc.all(pc.match_substring_regex(column, MOMENT)).as_py() is False)
    if rule.categories is None:
        return False
    return part.values is None or not part.values <= rule.categories


def _is_outside(rule: ColumnRule, part: ColumnPart) -> bool:
    if part.minimum is None or part.maximum is None:
        return False
    is_low = rule.minimum is not None and part.minimum < rule.minimum
    is_high = rule.maximum is not None and part.maximum > rule.maximum
    return is_low or is_high or not (isfinite(part.minimum) and isfinite(part.maximum))


def _through(opened: Opened, expected: Expectation) -> Report:
    examination = _Examination(opened, expected)
    for examined in _in_order(examination, opened.pieces):
        if examined.findings:
            return Report(examined.findings)
        examination.take_in(examined)
    profile = examination.profile()
    return Report(tuple(final_findings(profile, expected, file=opened.shape.file)), profile)


def _in_order(examination: _Examination, pieces: Iterator[Piece]) -> Iterator[_Examined]:
    """Examined pieces in their order; a few are under way at a time, which bounds the memory."""
    workers = max(2, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        under_way: deque[Future[_Examined]] = deque()
        try:
            for piece in islice(pieces, 1):  # alone: it settles how rows are told apart
                yield examination.look_at(piece)
            for piece in pieces:
                under_way.append(pool.submit(examination.look_at, piece))
                if len(under_way) > workers:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()


def final_findings(profile: Profile, expected: Expectation, *, file: str) -> Iterator[Finding]:
    """What is wrong with a file as a whole whose every cell is right."""
    if profile.rows < expected.min_rows:
        what = f"has {profile.rows:,} rows, the manifest asks for {expected.min_rows:,}"
        yield Finding(Rule.ROWS, file, what, "Upload more rows, or lower data.checks.minRows")
        return
    yield from _missing(profile, expected, file)
    if profile.duplicates > expected.max_duplicate_rate * profile.rows:
        about = "" if profile.duplicates_are_exact else "about "
        part = profile.duplicates / profile.rows
        what = f"{about}{part:.1%} of the {profile.rows:,} rows repeat another row"
        advice = (
            f"Remove them, or raise data.checks.maxDuplicateRate ({expected.max_duplicate_rate:g})"
        )
        yield Finding(Rule.DUPLICATES, file, what, advice)
    yield from _constant_label(profile, expected, file)


def _missing(profile: Profile, expected: Expectation, file: str) -> Iterator[Finding]:
    for rule in expected.columns:
        part = profile.columns[rule.name].missing / profile.rows
        if part > expected.max_missing_rate:
            what = f"is missing in {part:.1%} of {profile.rows:,} rows"
            advice = (
                f"Fill it in, or raise data.checks.maxMissingRate ({expected.max_missing_rate:g})"
            )
            yield Finding(Rule.MISSING, file, what, advice, None, rule.name)


def _constant_label(profile: Profile, expected: Expectation, file: str) -> Iterator[Finding]:
    if expected.label is None or not expected.is_whole or profile.rows < 2:
        return
    values = profile.columns[expected.label].values
    if values is not None and len(values) < 2:
        only = next(iter(values), "nothing")
        shown = f"{only:.15g}" if isinstance(only, float) else only
        what = f"is the label and the same in all {profile.rows:,} rows, so nothing can be learned"
        advice = "Upload data with at least two different labels"
        yield Finding(Rule.CONSTANT_LABEL, file, what, advice, None, expected.label, shown)
