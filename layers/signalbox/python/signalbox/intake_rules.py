"""What uploaded data must be like, said once: cell by cell, and over the whole file.

Rules only: imports no AWS client, opens nothing.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from signalbox.json_documents import JsonObject
from signalbox.manifest import Workload
from signalbox.manifest_sections import ColumnType, DataFormat, InferenceMode, Problem

SHOWN_VALUE = 40
# What pandas and pyarrow read as missing by default.
MISSING = frozenset(
    {
        "",
        "NA",
        "N/A",
        "n/a",
        "#NA",
        "#N/A",
        "#N/A N/A",
        "NULL",
        "null",
        "NaN",
        "nan",
        "-NaN",
        "-nan",
    }
    | {"1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}
)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
MOMENT = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$"
_MOMENT = re.compile(MOMENT, re.ASCII)


class Part(StrEnum):
    """Which data of a run; also the folder it is uploaded into."""

    SOURCE = "source"
    INFERENCE = "inference"


class Rule(StrEnum):
    """What a finding is about."""

    FORMAT = "format"
    ENCODING = "encoding"
    EMPTY = "empty"
    COLUMN = "column"
    FIELDS = "fields"
    TYPE = "type"
    RANGE = "range"
    CATEGORY = "category"
    LABEL = "label"
    CONSTANT_LABEL = "constant label"
    ROWS = "rows"
    MISSING = "missing"
    DUPLICATES = "duplicates"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a file, and what to do.

    `row` counts lines from 1, a CSV's header being line 1; in Parquet it counts rows from 1.
    """

    rule: Rule
    file: str
    what: str
    advice: str
    row: int | None = None
    column: str | None = None
    value: str | None = None

    def sentence(self) -> str:
        """The finding in a line.

        >>> Finding(Rule.TYPE, "a.csv", "is no number", "Correct it", 12345, "bmi", "x").sentence()
        'a.csv, row 12,345, column "bmi": "x" is no number. Correct it (rule: type)'
        """
        row = "" if self.row is None else f", row {self.row:,}"
        column = "" if self.column is None else f', column "{self.column}"'
        value = "" if self.value is None else f'"{shortened(self.value)}" '
        return f"{self.file}{row}{column}: {value}{self.what}. {self.advice} (rule: {self.rule})"

    def document(self) -> JsonObject:
        """The finding as JSON."""
        value = None if self.value is None else shortened(self.value)
        return {
            "rule": self.rule.value,
            "file": self.file,
            "row": self.row,
            "column": self.column,
            "value": value,
            "message": self.sentence(),
        }


@dataclass(frozen=True)
class ColumnRule:
    """What the cells of one column must hold."""

    name: str
    kind: ColumnType
    minimum: float | None = None
    maximum: float | None = None
    categories: frozenset[str] | None = None


@dataclass(frozen=True)
class Expectation:
    """What a file must be like to belong to a workload; `columns` in the order of the manifest.

    A file that is not the whole data set may be short and may hold one label only.
    """

    format: DataFormat
    columns: tuple[ColumnRule, ...]
    has_header: bool = True
    label: str | None = None
    forbidden: str | None = None
    min_rows: int = 1
    max_missing_rate: float = 1.0
    max_duplicate_rate: float = 1.0
    is_whole: bool = True


def expectation(workload: Workload, part: Part) -> Expectation:
    """What the manifest demands of the files of one part."""
    return _of_source(workload) if part is Part.SOURCE else _of_inference(workload)


def reads(workload: Workload, part: Part) -> bool:
    """Whether a run of the workload reads uploaded data of that part."""
    return part is Part.SOURCE or workload.inference.mode is InferenceMode.BATCH


def _of_source(workload: Workload) -> Expectation:
    section = workload.data
    columns = [_rule(workload, name) for name in section.columns]
    if section.label is not None and section.label not in section.columns:
        columns.append(_rule(workload, section.label))
    return Expectation(
        format=section.format,
        columns=tuple(columns),
        label=section.label,
        min_rows=section.checks.min_rows if section.files == 1 else 1,
        is_whole=section.files == 1,
        max_missing_rate=section.checks.max_missing_rate,
        max_duplicate_rate=section.checks.max_duplicate_rate,
    )


def _of_inference(workload: Workload) -> Expectation:
    """Rows to predict may be few, repeat and have gaps: only their form is checked."""
    section = workload.data
    formats = {"text/csv": DataFormat.CSV, "application/jsonlines": DataFormat.JSON_LINES}
    content = workload.inference.content_type.partition(";")[0].strip()
    return Expectation(
        format=formats.get(content, DataFormat.OTHER),
        columns=tuple(_rule(workload, name) for name in section.columns if name != section.label),
        has_header=False,
        forbidden=section.label,
    )


def _rule(workload: Workload, name: str) -> ColumnRule:
    limits = workload.data.checks.columns.get(name)
    categories = limits.categories if limits else None
    return ColumnRule(
        name,
        workload.data.columns.get(name, _label_kind(workload)),
        minimum=limits.min if limits else None,
        maximum=limits.max if limits else None,
        categories=None if categories is None else frozenset(categories),
    )


def _label_kind(workload: Workload) -> ColumnType:
    is_number = workload.problem is Problem.REGRESSION
    return ColumnType.NUMBER if is_number else ColumnType.CATEGORY


def cell_finding(rule: ColumnRule, text: str | None, *, file: str, row: int) -> Finding | None:
    """What is wrong with one cell; a missing cell is never wrong by itself."""
    if text is None or text in MISSING:
        return None
    wrong = _wrong_type(rule, text) or _out_of_bounds(rule, text)
    if wrong is None:
        return None
    kind, what, advice = wrong
    return Finding(kind, file, what, advice, row, rule.name, text)


def _wrong_type(rule: ColumnRule, text: str) -> tuple[Rule, str, str] | None:
    if rule.kind is ColumnType.NUMBER and not NUMBER.fullmatch(text.strip(" \t")):
        hint = " with a decimal point" if NUMBER.fullmatch(text.replace(",", ".")) else ""
        return Rule.TYPE, "is no number", f"Write a number{hint}, or leave the cell empty"
    if rule.kind is ColumnType.DATETIME and not _MOMENT.search(text):
        advice = "Write it as 2026-11-21 or 2026-11-21T09:30:00Z"
        return Rule.TYPE, "is no date and time", advice
    return None


def _out_of_bounds(rule: ColumnRule, text: str) -> tuple[Rule, str, str] | None:
    if rule.kind is ColumnType.NUMBER:
        return _out_of_range(rule, float(text))
    if rule.categories is not None and text not in rule.categories:
        known = ", ".join(sorted(rule.categories)[:10])
        return Rule.CATEGORY, f"is none of: {known}", "Correct the cell, or declare the category"
    return None


def _out_of_range(rule: ColumnRule, value: float) -> tuple[Rule, str, str] | None:
    if not math.isfinite(value):
        return Rule.RANGE, "is too large for a number", "Correct the cell"
    if rule.minimum is not None and value < rule.minimum:
        return Rule.RANGE, f"is below {rule.minimum:g}", "Correct the cell, or the declared min"
    if rule.maximum is not None and value > rule.maximum:
        return Rule.RANGE, f"is above {rule.maximum:g}", "Correct the cell, or the declared max"
    return None


def header_findings(names: Sequence[str], expected: Expectation, *, file: str) -> list[Finding]:
    """What is wrong with the columns' names: missing, repeated, a label too many."""
    row = 1 if expected.format is DataFormat.CSV else None
    return [
        *(_missing_column(rule.name, names, expected, file) for rule in expected.columns
          if rule.name not in names),
        *(Finding(Rule.COLUMN, file, f"occurs {names.count(name)} times in the header",
                  "Keep one of them", row, name)
          for name in sorted(set(names)) if names.count(name) > 1),
        *(Finding(Rule.LABEL, file, "is the label, and rows to predict carry none",
                  "Remove the column", row, name)
          for name in [expected.forbidden] if name is not None and name in names),
    ]  # fmt: skip


def _missing_column(name: str, names: Sequence[str], expected: Expectation, file: str) -> Finding:
    import difflib

    rule = Rule.LABEL if name == expected.label else Rule.COLUMN
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    hint = f'; "{close[0]}" looks like it' if close else ""
    shown = ", ".join(names[:20])
    what = f"is missing{hint}; the columns are: {shown}"
    if len(names) == 1 and any(sign in names[0] for sign in ";\t"):
        return Finding(rule, file, what, "Separate the columns by commas", 1, name)
    return Finding(rule, file, what, "Add the column, or correct its name", 1, name)


def shortened(text: str) -> str:
    """A value as a message shows it: one line, at most 40 characters."""
    line = text.replace("\r", " ").replace("\n", " ")
    return line if len(line) <= SHOWN_VALUE else f"{line[: SHOWN_VALUE - 3]}..."
