"""The check of uploaded data: what is accepted, and how each fault is named."""

import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox import intake_rules, manifest
from signalbox.intake_blocks import blocks
from signalbox.intake_check import check
from signalbox.intake_profile import DistinctRows
from signalbox.intake_rules import ColumnRule, Expectation, Part, cell_finding
from signalbox.manifest_sections import ColumnType, DataFormat

NUMBER, CATEGORY, DATETIME = ColumnType.NUMBER, ColumnType.CATEGORY, ColumnType.DATETIME
COLUMNS = (
    ColumnRule("bmi", NUMBER, minimum=10, maximum=60),
    ColumnRule("sex", CATEGORY, categories=frozenset({"f", "m"})),
    ColumnRule("seen", DATETIME),
    ColumnRule("target", NUMBER),
)
EXPECTED = Expectation(
    DataFormat.CSV, COLUMNS, label="target", max_missing_rate=0.5, max_duplicate_rate=0.2
)
HEADER = b"bmi,sex,seen,target\n"
ROWS = tuple(f"{20 + i / 10},{'fm'[i % 2]},2026-11-{1 + i % 28:02},{i}" for i in range(40))


def text(*rows: str) -> bytes:
    return HEADER + "\n".join(rows).encode() + b"\n"


def outcome(content: bytes, expected: Expectation = EXPECTED) -> list[tuple]:
    report = check(io.BytesIO(content), expected, file="data.csv")
    return [(f.rule.value, f.row, f.column, f.value) for f in report.findings]


def changed(index: int, column: int, cell: str) -> bytes:
    rows = [row.split(",") for row in ROWS]
    rows[index][column] = cell
    return text(*(",".join(row) for row in rows))


def test_good_data_has_no_findings():
    report = check(io.BytesIO(text(*ROWS)), EXPECTED, file="data.csv")

    assert report.is_accepted
    assert report.profile.rows == 40


# (content, (rule, row counting the header as line 1, column, value))
FAULTS = [
    (b"", ("empty", None, None, None)),
    (HEADER, ("rows", None, None, None)),
    (b"bmi,sex,seen\n20,f,2026-11-21\n", ("label", 1, "target", None)),
    (b"sex,seen,target\nf,2026-11-21,1\n", ("column", 1, "bmi", None)),
    (b"bmi,bmi,sex,seen,target\n1,1,f,2026-11-21,1\n", ("column", 1, "bmi", None)),
    (changed(7, 0, "unknown"), ("type", 9, "bmi", "unknown")),
    (changed(7, 0, '"20,5"'), ("type", 9, "bmi", "20,5")),
    (changed(0, 0, "9.5"), ("range", 2, "bmi", "9.5")),
    (changed(39, 0, "61"), ("range", 41, "bmi", "61")),
    (changed(3, 3, "1e999"), ("range", 5, "target", "1e999")),
    (changed(5, 1, "x"), ("category", 7, "sex", "x")),
    (changed(5, 2, "21.11.2026"), ("type", 7, "seen", "21.11.2026")),
    (text(*ROWS[:10], "20,f,2026-11-21", *ROWS[10:]), ("fields", 12, None, None)),
    (text(*ROWS).replace(b"20.3", b"20\xb73"), ("encoding", 5, "bmi", None)),
    (text(*ROWS).decode().encode("utf-16"), ("encoding", 1, None, None)),
    (text(*ROWS).replace(b"20.3", b"20\0"), ("encoding", 5, "bmi", None)),
    (gzip.compress(text(*ROWS), mtime=0)[:-10], ("format", 41, None, None)),
    (text(*(r.rpartition(",")[0] + ",7" for r in ROWS)), ("constant label", None, "target", "7")),
    (text(*ROWS[:28], *ROWS[:12]), ("duplicates", None, None, None)),
    (text(*("," + r.partition(",")[2] for r in ROWS)), ("missing", None, "bmi", None)),
]


@pytest.mark.parametrize(("content", "finding"), FAULTS, ids=lambda v: "-".join(map(str, v))[:40])
def test_a_fault_is_named_by_rule_row_column_and_value(content, finding):
    assert outcome(content)[0] == finding


def test_a_row_is_counted_in_lines_of_the_file():
    """Blank lines and line ends inside quotes count, as they do in an editor."""
    columns = (ColumnRule("bmi", NUMBER), ColumnRule("note", ColumnType.TEXT))
    content = b'bmi,note\n20,"1"\n\n21,"m\nn"\nold,f\n'

    assert outcome(content, Expectation(DataFormat.CSV, columns)) == [("type", 6, "bmi", "old")]


def test_a_fault_in_a_later_piece_has_its_row_in_the_file():
    rows = [f"{20 + i % 30},f,2026-11-21,{i}.{'1' * 60}" for i in range(60_000)]
    rows[54_321] = "old,f,2026-11-21,1"

    assert outcome(text(*rows)) == [("type", 54_323, "bmi", "old")]


def test_gzip_and_a_byte_order_mark_are_read():
    assert outcome(gzip.compress(b"\xef\xbb\xbf" + text(*ROWS), mtime=0)) == []


def test_a_declared_missing_cell_is_no_fault():
    assert outcome(changed(7, 0, "")) == outcome(changed(7, 0, "NA")) == []


def test_the_message_names_file_row_column_value_rule_and_what_to_do():
    (finding,) = check(io.BytesIO(changed(7, 0, "unknown")), EXPECTED, file="a.csv").findings

    assert finding.sentence() == (
        'a.csv, row 9, column "bmi": "unknown" is no number. '
        "Write a number, or leave the cell empty (rule: type)"
    )


# ------------------------------------------------------------------------------- other formats


def json_lines(*rows: dict) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


JSON = Expectation(DataFormat.JSON_LINES, COLUMNS, label="target", max_duplicate_rate=0.2)
OBJECTS = [{"bmi": 20 + i, "sex": "f", "seen": "2026-11-21", "target": i} for i in range(20)]


def test_json_lines_are_checked_by_the_same_rules():
    assert outcome(json_lines(*OBJECTS), JSON) == []
    bad = [*OBJECTS[:4], {**OBJECTS[4], "bmi": "old"}]
    assert outcome(json_lines(*bad), JSON) == [("type", 5, "bmi", "old")]
    assert outcome(json_lines(*OBJECTS) + b"{\n", JSON) == [("format", 21, None, None)]
    without = [{k: v for k, v in row.items() if k != "sex"} for row in OBJECTS]
    assert outcome(json_lines(*without), JSON)[0][:3] == ("column", 1, "sex")


PARQUET = Expectation(DataFormat.PARQUET, COLUMNS, label="target", max_duplicate_rate=0.2)


def parquet(rows: list[dict]) -> bytes:
    written = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), written, row_group_size=5)
    return written.getvalue()


class Ranges(io.RawIOBase):
    """Content of which every read is one request, as of an object in S3."""

    def __init__(self, content: bytes) -> None:
        self.content, self.position, self.sizes = content, 0, []

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.position = {0: 0, 1: self.position, 2: len(self.content)}[whence] + offset
        return self.position

    def readinto(self, buffer) -> int:
        read = self.content[self.position : self.position + len(buffer)]
        buffer[: len(read)] = read
        self.position += len(read)
        self.sizes.append(len(read))
        return len(read)


@pytest.mark.parametrize("rows_per_group", [1_200_000, 50_000])
def test_parquet_is_fetched_once_whether_its_columns_are_long_or_short(rows_per_group):
    """With the stream's buffer alone, long columns read in turns are fetched several times over."""
    column = pa.array([n * 1.000001 for n in range(1_200_000)], pa.float64())
    table = pa.table({name: column for name in "abcd"})
    written = io.BytesIO()
    pyarrow.parquet.write_table(
        table, written, row_group_size=rows_per_group, compression="none", use_dictionary=False
    )
    ranges = Ranges(written.getvalue())
    expected = Expectation(DataFormat.PARQUET, tuple(ColumnRule(n, NUMBER) for n in "abcd"))

    report = check(io.BufferedReader(ranges, 8 * 1024**2), expected, file="data.parquet")

    assert report.findings == ()
    assert sum(ranges.sizes) < 1.2 * len(ranges.content) + 2 * 8 * 1024**2
    assert len(ranges.sizes) < 30


def test_parquet_is_checked_by_the_same_rules():
    assert outcome(parquet(OBJECTS), PARQUET) == []
    bad = [dict(row, bmi=row["bmi"] + (100 if i == 12 else 0)) for i, row in enumerate(OBJECTS)]
    assert outcome(parquet(bad), PARQUET) == [("range", 13, "bmi", "132")]
    assert outcome(parquet(OBJECTS)[:-30], PARQUET)[0][0] == "format"
    assert outcome(parquet(OBJECTS[:3] * 4), PARQUET)[0][0] == "duplicates"


def test_a_format_that_is_not_looked_into_must_hold_something():
    other = Expectation(DataFormat.OTHER, ())

    assert outcome(b"\x00\xff", other) == []
    assert outcome(b"", other) == [("empty", None, None, None)]


# --------------------------------------------------------------------------- rows to predict


def test_rows_to_predict_are_in_the_manifest_s_order_without_header_and_label(author):
    author["data"] = {"label": "y", "columns": {"a": "number", "b": "category"}}
    expected = intake_rules.expectation(manifest.validate(author), Part.INFERENCE)

    assert outcome(b"1,x\n1,x\n", expected) == []
    assert outcome(b"a,b\n1,x\n", expected)[0][:2] == ("format", 1)
    assert outcome(b"1,x,3\n", expected)[0][:3] == ("label", 1, "y")
    assert outcome(b"1,x\nz,x\n", expected) == [("type", 2, "a", "z")]


# ------------------------------------------------------------------------------- properties

CELLS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.text(max_size=6).filter(lambda t: "\0" not in t and "\r" not in t),
    st.sampled_from(["", "NA", "1e5", "-.5", "+1", "0x1F", "1_0", " 2 ", "inf", "Infinity", "f"]),
)


@given(st.lists(st.tuples(CELLS, st.sampled_from(["f", "m", "x", ""])), min_size=1, max_size=30))
def test_the_fast_look_and_the_cell_rules_agree(rows):
    """pyarrow judges pieces, `cell_finding` names cells: they never differ on what is wrong."""
    columns = (ColumnRule("n", NUMBER, minimum=-5), ColumnRule("c", CATEGORY, None, None,
               frozenset({"f", "m"})), ColumnRule("k", NUMBER))  # fmt: skip
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows(
        [["n", "c", "k"], *([n, c, i] for i, (n, c) in enumerate(rows))]
    )
    wrong = {
        (i, rule.name)
        for i, cells in enumerate(rows)
        for rule, cell in zip(columns, cells, strict=False)
        if cell_finding(rule, cell, file="", row=i)
    }

    found = check(
        io.BytesIO(written.getvalue().encode(errors="replace")),
        Expectation(DataFormat.CSV, columns),
        file="f",
    ).findings

    assert bool(wrong) == bool(found), (wrong, found)


@given(
    st.lists(st.text('a\u00e4,"\n', max_size=8), max_size=12),
    st.integers(1, 40),
)
def test_blocks_are_the_whole_text_cut_between_rows(fields, size_bytes):
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows([["h"], *([f, "x"] for f in fields)])
    content = written.getvalue().encode()

    cut = list(blocks(io.BytesIO(content), file="f", is_quoted=True, size_bytes=size_bytes))

    assert b"".join(block.content for block in cut) == content
    assert all(block.content.count(b'"') % 2 == 0 for block in cut)
    row = 1
    for block in cut:
        assert block.first_row == row
        row += block.content.count(b"\n")


@given(st.lists(st.integers(0, 300), max_size=2000), st.integers(16, 64))
def test_distinct_rows_are_counted_exactly_below_the_limit_and_nearly_above(values, limit):
    lines = [b"%d" % value for value in values]
    rows = DistinctRows(limit)
    for start in range(0, len(lines), 50):
        rows.add(DistinctRows.keys(lines[start : start + 50], rows.mask))

    distinct = len(set(values))
    if distinct <= limit:
        assert rows.estimate() == distinct
        assert rows.is_exact
    else:  # at least half the limit is kept: six standard errors of 1/sqrt(limit / 2)
        assert abs(rows.estimate() - distinct) <= 6 * distinct / (limit / 2) ** 0.5 + 4


@given(st.permutations(list(range(8))))
def test_the_profile_of_a_file_is_the_same_in_any_order_of_its_rows(order):
    rows = [ROWS[i] for i in order]
    report = check(io.BytesIO(text(*rows)), EXPECTED, file="data.csv")

    assert (
        report.profile_document()
        == check(io.BytesIO(text(*ROWS[:8])), EXPECTED, file="data.csv").profile_document()
    )
